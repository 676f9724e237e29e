"""What this machine must have: root where needed, and Debian packages, installed after saying which and why."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass

from llmflow_bundle.errors import PreflightFailed
from llmflow_bundle.report import Noted, Reporter, task


@dataclass(frozen=True)
class Tool:
    """A command, the Debian packages that have it (parted by spaces), and what it is needed for."""

    command: str
    package: str
    why: str


def require_root(what: str) -> None:
    """Raise PreflightFailed unless this process is root; `what` names the work that needs it."""
    if os.geteuid() != 0:
        raise PreflightFailed(
            "MACHINE-ROOT", f"{what} needs root: it boots nodes, lays a bridge and counts packets",
            where="this machine", hint="run the same command with sudo",
        )  # fmt: skip


def require_tools(tools: Iterable[Tool], report: Reporter) -> None:
    """Install the packages of missing commands, saying which and why; PreflightFailed where that can't be."""
    missing = [tool for tool in tools if shutil.which(tool.command) is None]
    if not missing:
        return
    named = ", ".join(f"{tool.package} ({tool.why})" for tool in missing)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise PreflightFailed(
            "MACHINE-PACKAGES", f"this machine lacks {named}", where="this machine",
            hint=f"as root: apt-get install {' '.join(_packages(missing))}",
        )  # fmt: skip
    report(Noted(f"This machine lacks {named}: installing"))
    _install(_packages(missing), report)
    still = [tool.package for tool in missing if shutil.which(tool.command) is None]
    if still:
        raise PreflightFailed(
            "MACHINE-PACKAGES", f"apt-get could not install {', '.join(still)}", where="this machine",
            hint=f"run `apt-get update && apt-get install {' '.join(still)}` and read what it says",
        )  # fmt: skip


def _packages(tools: Iterable[Tool]) -> list[str]:
    return sorted({package for tool in tools for package in tool.package.split()})


def _install(packages: list[str], report: Reporter) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with task(report, f"apt-get install {' '.join(packages)}"):
        for command in (
            ["apt-get", "-qq", "update"],
            ["apt-get", "-qq", "install", "-y", "--no-install-recommends", *packages],
        ):
            subprocess.run(
                command, env=environment, capture_output=True, stdin=subprocess.DEVNULL, check=False
            )
