"""Which stage ran with which inputs: fsynced JSON lines, for people, for evidence, to notice changed inputs.

Whether a stage is done is decided by its check play, never by this file: losing it costs only the history.
"""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["started", "finished", "checked", "failed"]


@dataclass(frozen=True)
class Entry:
    """One line: what happened to a stage, when (ISO 8601, UTC), with which inputs and results."""

    time: str
    stage: str
    kind: Kind
    digest: str = ""
    run: str = ""
    seconds: float = 0.0
    ok: int = 0
    changed: int = 0
    detail: str = ""


class Journal:
    """The journal file of one site."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def record(self, entry: Entry) -> None:
        """Append a line and wait until it is on the disk."""
        with self.path.open("ab") as file:
            if file.tell() and not self._ends_whole():
                file.write(b"\n")
            file.write(json.dumps(dataclasses.asdict(entry), ensure_ascii=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def entries(self) -> tuple[Entry, ...]:
        """Every line that can be read; one cut short by a power failure is passed over."""
        if not self.path.exists():
            return ()
        parsed = (
            _parsed(line) for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines()
        )
        return tuple(entry for entry in parsed if entry is not None)

    def digests(self) -> dict[str, str]:
        """The input digest with which each stage last finished."""
        return {entry.stage: entry.digest for entry in self.entries() if entry.kind == "finished"}

    def _ends_whole(self) -> bool:
        with self.path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"


def _parsed(line: str) -> Entry | None:
    try:
        return Entry(**json.loads(line))
    except (ValueError, TypeError):
        return None
