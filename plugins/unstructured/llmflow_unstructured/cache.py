"""Results by content: what was read once, in one way, by one version of the readers, is not read again.

Kept as files that only this user can open, up to a size and an age; the oldest go first.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
import zlib
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from llmflow_unstructured.detect import named
from llmflow_unstructured.elements import Element, as_json, from_json
from llmflow_unstructured.errors import BadDocument
from llmflow_unstructured.limits import MEBI
from llmflow_unstructured.partition import Options

SPEED = 1  # of zlib: a result is written once and read a few times
LARGEST = 64 * MEBI  # of one result


@dataclass(frozen=True)
class Kept:
    """What is kept of a document that was read in full."""

    media: str
    elements: tuple[Element, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Cache:
    """Results in a folder. What can't be written or read is as if it had never been there."""

    folder: Path
    most: int = 256 * MEBI  # bytes of all results
    seconds: float = 7 * 86_400.0

    def get(self, key: str) -> Kept | None:
        """What is kept under a key."""
        path = self.folder / key
        if not self._is_ours():
            return None
        try:
            if time.time() - path.stat().st_mtime > self.seconds:
                return None
            engine = zlib.decompressobj()
            content = engine.decompress(path.read_bytes(), LARGEST)
            if engine.unconsumed_tail:
                return None
            head, *lines = content.decode().splitlines()
            about = json.loads(head)
            return Kept(
                about["media"], tuple(from_json(json.loads(line)) for line in lines), tuple(about["notes"])
            )
        except (OSError, ValueError, KeyError, zlib.error, BadDocument):
            return None

    def put(self, key: str, kept: Kept) -> None:
        """Keep a result."""
        lines = [json.dumps({"media": kept.media, "notes": list(kept.notes)})]
        lines += [json.dumps(one) for one in as_json(kept.elements, filename="", filetype="")]
        content = "\n".join(lines).encode()
        if len(content) > LARGEST:
            return
        with suppress(OSError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self._is_ours():
                return
            part = self.folder / f"{key}.{os.getpid()}.part"
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(zlib.compress(content, SPEED))
            part.rename(self.folder / key)
            self._tidy()

    def _is_ours(self) -> bool:
        """Whether nobody else can put anything into the folder: it may lie where others write as well."""
        try:
            about = self.folder.lstat()
        except OSError:
            return False
        return stat.S_ISDIR(about.st_mode) and about.st_uid == os.getuid() and not about.st_mode & 0o077

    def _tidy(self) -> None:
        """Remove what is too old, and the oldest while all is too large."""
        found = sorted(
            ((path.stat(), path) for path in self.folder.iterdir()), key=lambda pair: -pair[0].st_mtime
        )
        size, now = 0, time.time()
        for about, path in found:
            size += about.st_size
            if size > self.most or now - about.st_mtime > self.seconds:
                path.unlink(missing_ok=True)


def key(data: bytes, name: str, options: Options, engine: str) -> str:
    """The key of a document read in one way. Of its name only counts what it says about the format."""
    said = json.dumps([asdict(options), named(name), engine, version()], sort_keys=True)
    return hashlib.sha256(hashlib.sha256(data).digest() + said.encode()).hexdigest()


@lru_cache(maxsize=1)
def version() -> str:
    """A digest of the readers themselves, so that none has to remember to count."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
