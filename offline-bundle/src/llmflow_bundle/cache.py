"""A content-addressed store that survives being interrupted and shared.

    CACHE/blobs/sha256/<hex>   verified files, renamed into place whole; never written to again
    CACHE/keys/<hex>.json      what a build left, by the key of everything that went into it
    CACHE/locks/<name>         one flock a source, so that two builds never do the same work at once
    CACHE/tmp/                 working directories; a leftover of a killed run is removed by the next one

Bundles hard-link blobs, so a blob may be altered through a bundle: each blob carries a fixed modification
time, and one that carries another is hashed again before it is believed.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from llmflow_bundle.errors import BundleError
from llmflow_bundle.model import LockedSource
from llmflow_bundle.report import Noted, Reporter

CHUNK = 1 << 20
STAMP_NS = 1_000_000_000 * 10**9  # the modification time of every blob nobody has touched


@dataclass(frozen=True)
class Output:
    """One file that a source yields: output name, digest, size in bytes, whether it is executable."""

    file: str
    sha256: str
    size: int
    executable: bool = False


def sha256_of(path: Path) -> str:
    """The file's digest, read in pieces of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(CHUNK):
            digest.update(piece)
    return digest.hexdigest()


def digest_of(value: object) -> str:
    """Digest of plain data, independent of the order of keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def disk_full_is_named(where: Path) -> Iterator[None]:
    """Turn "no space left" into BundleError (BUNDLE-DISK-FULL)."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise BundleError(
            "BUNDLE-DISK-FULL",
            f"The disk that holds {where} is full",
            where=str(where),
            hint="free some space, or point LLMFLOW_CACHE at a larger disk; what is fetched already is kept",
        ) from error


class Cache:
    """The store at `root`; made on first use."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._blobs = root / "blobs" / "sha256"
        self._keys = root / "keys"
        self._locks = root / "locks"
        self._tmp = root / "tmp"
        try:
            with disk_full_is_named(root):
                for folder in (self._blobs, self._keys, self._locks, self._tmp):
                    folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BundleError(
                "BUNDLE-CACHE",
                f"The cache cannot be used: {error.strerror}",
                where=str(root),
                hint="point LLMFLOW_CACHE at a folder that this user may write to",
            ) from error
        self._sweep()

    def blob(self, sha256: str) -> Path:
        """Where the blob is, or would be; never write to it."""
        return self._blobs / sha256

    def has(self, sha256: str, size: int | None = None) -> bool:
        """Whether the blob is here and whole; a touched one is hashed, and dropped if it has changed."""
        path = self.blob(sha256)
        try:
            found = path.stat()
        except FileNotFoundError:
            return False
        if size is not None and found.st_size != size:
            path.unlink()
            return False
        if found.st_mtime_ns == STAMP_NS:
            return True
        if sha256_of(path) != sha256:
            path.unlink()
            return False
        os.utime(path, ns=(STAMP_NS, STAMP_NS))
        return True

    def add(self, path: Path, *, expect: str | None = None, name: str | None = None) -> Output:
        """Move a file (on the cache's own disk) into the store; an executable keeps its x bits.

        Raises BundleError (BUNDLE-DIGEST) if its digest isn't `expect`; the file is then left where it was.
        """
        sha256, size = sha256_of(path), path.stat().st_size
        shown = name or path.name
        if expect is not None and sha256 != expect:
            raise BundleError(
                "BUNDLE-DIGEST",
                f"{shown} is not what the lock says",
                where=f"locked sha256 {expect}, got {sha256} ({size} bytes)",
                hint="if it is meant, run `llmflow bundle lock` with --update; else find out who changed it",
            )
        executable = os.access(path, os.X_OK)
        if self.has(sha256, size) and os.access(self.blob(sha256), os.X_OK) == executable:
            path.unlink()  # bundles link to the one that is here
            return Output(shown, sha256, size, executable)
        path.chmod(0o755 if executable else 0o644)
        os.utime(path, ns=(STAMP_NS, STAMP_NS))
        with disk_full_is_named(self.root):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            path.replace(self.blob(sha256))
        return Output(shown, sha256, size, executable)

    def put(self, data: bytes) -> str:
        """Store small bytes; returns their digest."""
        with self.workdir("put") as work:
            (work / "blob").write_bytes(data)
            return self.add(work / "blob").sha256

    def copy_in(self, path: Path, *, expect: str | None = None, name: str | None = None) -> Output:
        """Store a copy of a file that stays where it is."""
        with self.workdir("copy") as work, disk_full_is_named(self.root):
            copied = Path(shutil.copy(path, work / "blob"))
            return self.add(copied, expect=expect, name=name or path.name)

    def remember(self, key: str, outputs: Iterable[Output]) -> None:
        """Record what a build with this key left; its blobs must be stored already."""
        text = json.dumps([asdict(o) for o in sorted(outputs, key=lambda o: o.file)], indent=1)
        with self.workdir("key") as work:
            (work / "key").write_text(text)
            (work / "key").replace(self._keys / f"{key}.json")

    def built(self, key: str) -> tuple[Output, ...] | None:
        """What a build with this key left, if all of it is still here."""
        path = self._keys / f"{key}.json"
        if not path.is_file():
            return None
        outputs = tuple(Output(**entry) for entry in json.loads(path.read_text()))
        return outputs if all(self.has(o.sha256, o.size) for o in outputs) else None

    def outputs(self, source: LockedSource) -> tuple[Output, ...]:
        """The files of a fetched source, sorted by name; their blobs are in the store.

        Raises BundleError (BUNDLE-NOT-FETCHED) where any is missing.
        """
        if not source.reproducible:
            found = self.built(source.key)
        else:
            found = tuple(
                Output(a.file, a.sha256, a.size, os.access(self.blob(a.sha256), os.X_OK))
                for a in source.artifacts
                if self.has(a.sha256, a.size)
            )
            found = found if len(found) == len(source.artifacts) else None
        if found is None:
            raise BundleError(
                "BUNDLE-NOT-FETCHED",
                f"Source {source.name} of organ {source.organ} is not in the cache",
                where=str(self.root),
                hint="run `llmflow bundle build` again: it fetches what is missing",
            )
        return tuple(sorted(found, key=lambda o: o.file))

    @contextmanager
    def workdir(self, name: str) -> Iterator[Path]:
        """A new directory on the cache's disk, removed afterwards whatever happens."""
        with disk_full_is_named(self.root):
            path = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-{name}-", dir=self._tmp))
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    @contextmanager
    def lock(self, name: str, report: Reporter | None = None) -> Iterator[None]:
        """Hold `name` alone among all processes that use this cache; says so when it has to wait."""
        with (self._locks / name.replace("/", "_")).open("w") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if report:
                    report(Noted(f"Waiting for another llmflow that is working on {name} …"))
                fcntl.flock(stream, fcntl.LOCK_EX)
            yield

    def free(self) -> int:
        """Bytes free on the cache's disk."""
        return shutil.disk_usage(self.root).free

    def _sweep(self) -> None:
        """Remove working directories whose process is gone."""
        for leftover in self._tmp.iterdir():
            pid = leftover.name.partition("-")[0]
            if pid.isdigit() and not Path("/proc", pid).exists():
                shutil.rmtree(leftover, ignore_errors=True)
