"""What a rehearsal could leave on a machine: processes, mounts, links, rules, cgroups."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def leftovers() -> dict[str, list[str]]:
    """Everything on this machine that carries the product's name, by kind."""
    return {
        "mounts": [line for line in Path("/proc/mounts").read_text().splitlines() if "llmflow" in line],
        "links": [line for line in _lines("ip", "-brief", "link") if line.startswith(("llmflow-", "vb-"))],
        "rules": [line for line in _lines("nft", "list", "tables") if "llmflow_" in line],
        "cgroups": sorted(str(path) for path in Path("/sys/fs/cgroup").glob("**/llmflow-*")),
        "processes": _processes(),
    }


def appeared(before: dict[str, list[str]]) -> dict[str, list[str]]:
    """What is there now and was not before; empty is what an end promises."""
    now = leftovers()
    new = {kind: [one for one in now[kind] if one not in before[kind]] for kind in now}
    return {kind: found for kind, found in new.items() if found}


def _lines(*command: str) -> list[str]:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def _processes() -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it ended while we looked
        if "systemd-nspawn" in command or "llmflow_installer" in command or "ansible-playbook" in command:
            found.append(command.strip())
    return sorted(found)
