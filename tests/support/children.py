"""The children of a process: what a test started is compared with what was there before it."""

from __future__ import annotations

from pathlib import Path


def children(pid: int) -> set[str]:
    """The process ids of a process's children, whichever of its threads began them."""
    found: set[str] = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            found.update((task / "children").read_text().split())
        except FileNotFoundError:  # the thread ended meanwhile
            continue
    return found
