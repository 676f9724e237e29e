"""The machine's cgroup hierarchies: where a node's processes are put, counted and ended."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

_GENERIC = {
    "rw",
    "ro",
    "relatime",
    "noatime",
    "nosuid",
    "nodev",
    "noexec",
    "nsdelegate",
    "memory_recursiveprot",
}
_END_SECONDS = 20.0


@dataclass(frozen=True)
class Hierarchy:
    """One mounted cgroup hierarchy; `options` names its controllers (v1) or is `rw` (v2)."""

    mountpoint: Path
    fstype: str
    options: str


def hierarchies(mounts: Path = Path("/proc/mounts")) -> tuple[Hierarchy, ...]:
    """Return every cgroup hierarchy mounted here: v1, v2 or the hybrid of both."""
    found = []
    for line in mounts.read_text().splitlines():
        _, mountpoint, fstype, options, *_ = line.split()
        if fstype in ("cgroup", "cgroup2"):
            chosen = [option for option in options.split(",") if option not in _GENERIC]
            # a named hierarchy without controllers must be mounted with `none`
            if any(option.startswith("name=") for option in chosen):
                chosen.insert(0, "none")
            found.append(Hierarchy(Path(mountpoint), fstype, ",".join(chosen) or "rw"))
    return tuple(found)


def processes(cgroup: str, where: tuple[Hierarchy, ...] | None = None) -> frozenset[int]:
    """Return the ids of all processes below `cgroup`, in whatever hierarchy they are."""
    found: set[int] = set()
    for hierarchy in where or hierarchies():
        for folder, _, files in os.walk(hierarchy.mountpoint / cgroup):
            if "cgroup.procs" in files:
                found.update(_read_procs(Path(folder) / "cgroup.procs"))
    return frozenset(found)


def _read_procs(file: Path) -> list[int]:
    try:
        return [int(line) for line in file.read_text().split()]
    except OSError:  # the group went away, or is threaded (v2): its processes are seen one level up
        return []


def end(cgroup: str) -> int:
    """Kill every process below `cgroup`, remove the groups, and return how many processes there were.

    A process that forks while it is being killed is caught by the next round.
    """
    where = hierarchies()
    ended: set[int] = set()
    deadline = time.monotonic() + _END_SECONDS
    while alive := processes(cgroup, where):
        ended |= alive
        for pid in alive:
            _kill(pid)
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes {sorted(alive)} of {cgroup} do not end")
        time.sleep(0.05)
    for hierarchy in where:
        for folder, _, _ in os.walk(hierarchy.mountpoint / cgroup, topdown=False):
            _remove(Path(folder), deadline)
    return len(ended)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _remove(group: Path, deadline: float) -> None:
    """Remove an empty group; the kernel may need a moment until the last process is reaped."""
    while True:
        try:
            group.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def inside(cgroup: str, command: list[str]) -> list[str]:
    """Return the command that puts itself into `cgroup` before it becomes `command`, so that `end` always finds it.

    One hierarchy is enough to find a process again; pids takes any without further settings.
    """
    hierarchy = next(h for h in hierarchies() if "pids" in h.options or h.fstype == "cgroup2")
    script = 'mkdir -p "$0" && echo $$ > "$0/cgroup.procs" && exec "$@"'
    return ["sh", "-c", script, str(hierarchy.mountpoint / cgroup), *command]
