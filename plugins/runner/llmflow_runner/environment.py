"""A package's own Python environment: its wheels installed into an empty place, with the network refused."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from llmflow_bundle.errors import BundleError, PreflightFailed
from llmflow_bundle.report import Reporter, task

from llmflow_runner import archive, wheels
from llmflow_runner.archive import Package

VARIABLE = "LLMFLOW_PLUGIN_PYTHON"
INSTALL_TIMEOUT = 600  # seconds: the daemon's own hard limit
WANTED = ("--requirement", "requirements.txt")
VERSION_PROBE = "import sys; print(sys.version_info[0], sys.version_info[1], sys.executable)"


@dataclass(frozen=True)
class Installed:
    """An unpacked package and the interpreter that has its wheels."""

    folder: Path
    python: Path


@contextmanager
def installed(package: Package, cache: Path, fresh: bool, report: Reporter) -> Iterator[Installed]:
    """The package installed: kept under `cache` for the next call, or where `fresh` for this one only."""
    if fresh:
        with tempfile.TemporaryDirectory(prefix="llmflow-plugin-") as folder:
            yield _install(package, Path(folder), report)
        return
    kept = cache / "plugin-envs" / _digest(package)
    if not kept.is_dir():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=kept.parent) as folder:
            _install(package, Path(folder) / "env", report)
            _move(Path(folder) / "env", kept)
    yield Installed(kept / "plugin", kept / "venv" / "bin" / "python")


def interpreter() -> str:
    """A Python 3.12 on this machine; raises PreflightFailed (PLUGIN-PYTHON-MISSING)."""
    chosen = os.environ.get(VARIABLE)
    candidates = [chosen] if chosen else [sys.executable, shutil.which(f"python{wheels.PYTHON}")]
    for candidate in filter(None, candidates):
        done = _run([candidate, "-c", VERSION_PROBE], cwd=None)
        version, _, path = done.stdout.strip().rpartition(" ")
        if done.returncode == 0 and version == wheels.PYTHON.replace(".", " "):
            return path
    raise PreflightFailed(
        "PLUGIN-PYTHON-MISSING",
        f"There is no Python {wheels.PYTHON} on this machine to run the plugin with",
        where=chosen or os.environ.get("PATH", ""),
        hint=f"install Python {wheels.PYTHON}, or name one in ${VARIABLE}",
    )


def without_network() -> list[str]:
    """What to put before a command so that it has no network; empty where this machine cannot refuse it."""
    for words in (["unshare", "--net"], ["unshare", "--map-root-user", "--net"]):
        if shutil.which(words[0]) and _run([*words, "true"], cwd=None).returncode == 0:
            return words
    return []


def _install(package: Package, root: Path, report: Reporter) -> Installed:
    place = Installed(root / "plugin", root / "venv" / "bin" / "python")
    with task(report, "Installing the plugin from its own wheels") as progress:
        archive.unpack(package, place.folder)
        refused = without_network()
        progress.detail = (
            "network refused" if refused else "offline; this machine lets nobody refuse the network"
        )
        python = interpreter()
        for command in _commands(python, place.python, root / "venv"):
            _must([*refused, *command], place.folder)
    return place


def _commands(interpreter: str, python: Path, venv: Path) -> list[list[str]]:
    """How to install: by uv as the daemon does, else by Python's own pip; both without any index."""
    make = [interpreter, "-m", "venv", str(venv)]
    if uv := _uv(interpreter):
        options = [
            "--offline",
            "--no-cache",
            "--compile-bytecode",
            "--link-mode=copy",
            "--python",
            str(python),
        ]
        return [[*make, "--without-pip"], [uv, "pip", "install", "--quiet", *options, *WANTED]]
    return [make, [str(python), "-m", "pip", "install", "--quiet", "--no-cache-dir", *WANTED]]


def _uv(interpreter: str) -> str | None:
    """The uv beside one of the interpreters at hand, or on PATH."""
    beside = (Path(python).with_name("uv") for python in (interpreter, sys.executable))
    return next((str(uv) for uv in beside if uv.is_file()), shutil.which("uv"))


def _must(command: Sequence[str], cwd: Path) -> None:
    done = _run(command, cwd)
    if done.returncode != 0:
        raise BundleError(
            "PLUGIN-INSTALL-FAILED",
            "The plugin could not be installed from its own wheels",
            where="\n".join(done.stderr.strip().splitlines()[-5:]),
            hint="check the package: llmflow plugin check",
        )


def _run(command: Sequence[str], cwd: Path | None) -> subprocess.CompletedProcess[str]:
    env = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    try:
        return subprocess.run(
            command, cwd=cwd, env=env, capture_output=True, text=True, timeout=INSTALL_TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        return subprocess.CompletedProcess(command, 127, "", str(exc))


def _move(made: Path, kept: Path) -> None:
    """Put a finished environment in its place; whoever came first wins."""
    try:
        made.rename(kept)
    except OSError:
        if not kept.is_dir():
            raise


def _digest(package: Package) -> str:
    lines = (f"{name}\0{hashlib.sha256(content).hexdigest()}\n" for name, content in package.files.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:32]
