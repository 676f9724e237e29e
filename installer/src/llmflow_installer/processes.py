"""The processes below ours, and how to end them without hitting anybody else's."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path

Process = tuple[int, str]  # process id and start time, since an id alone may be given to somebody else


def offspring(ancestor: int) -> list[Process]:
    """Every living process below `ancestor`, at any depth."""
    parents = {pid: stat for pid in _pids() if (stat := _stat(pid)) is not None}
    found: list[Process] = []
    wanted = {ancestor}
    while more := {pid for pid, (parent, _) in parents.items() if parent in wanted and pid not in wanted}:
        found += [(pid, parents[pid][1]) for pid in sorted(more)]
        wanted |= more
    return found


def end_all(processes: Sequence[Process]) -> None:
    """Kill those of the processes that still live."""
    for pid, started in processes:
        stat = _stat(pid)
        if stat is None or stat[1] != started:
            continue
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue  # it ended between the look and the signal


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _stat(pid: int) -> tuple[int, str] | None:
    """Parent id and start time of a process that lives."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None  # it ended meanwhile
    return None if fields[0] == "Z" else (int(fields[1]), fields[19])
