"""What a package costs where it runs: installed from its own wheels and started as the daemon does, with no network."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from llmflow_bundle.errors import Finding
from llmflow_bundle.report import Reporter, amount

from llmflow_runner import environment
from llmflow_runner.archive import Package
from llmflow_runner.daemon import START_TIMEOUT, Plugin, surroundings
from llmflow_runner.declaration import Manifest
from llmflow_runner.environment import Installed
from llmflow_runner.wheels import MACHINES

IMPORT = re.compile(r"^import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)$", re.MULTILINE)
SLOWEST = 6  # imports that are named
PEAK = re.compile(r"^VmHWM:\s+(\d+) kB", re.MULTILINE)
INSTALL_LIMIT = 20.0  # seconds of a processor, which a busy machine does not change
READY_LIMIT = 10.0  # the same, until the plugin is ready
KINDS = {
    "PLUGIN-INSTALL-FAILED",
    "PLUGIN-START-FAILED",
}  # errors that are about the package, not about this machine


@dataclass(frozen=True)
class Cost:
    """Seconds to install and to be ready, each also of a processor, the most memory held, in bytes, and the seconds
    that the slowest imports take: by the package that is imported, without what it imports itself.
    """

    install: float
    install_cpu: float
    ready: float
    ready_cpu: float
    memory: int
    imports: Mapping[str, float] = field(default_factory=dict)


def here() -> str:
    """The manifest's name of this machine's architecture; Python's where Dify has none."""
    machine = platform.machine()
    return next((name for name, one in MACHINES.items() if one == machine), machine)


def cost(package: Package, report: Reporter) -> Cost:
    """Install a package into an empty place and start it; raises BundleError or VerifyFailed where that fails."""
    begun, busy = time.monotonic(), _children()
    with environment.installed(package, Path(), fresh=True, report=report) as place:
        install, install_cpu = time.monotonic() - begun, _children() - busy
        with Plugin(place, alone=True) as plugin:
            status = Path(f"/proc/{plugin.pid}/status").read_text(encoding="utf-8")
            peak = PEAK.search(status)
            memory = int(peak[1]) << 10 if peak else 0
            ready_cpu = _cpu(plugin.pid)
        return Cost(install, install_cpu, plugin.started, ready_cpu, memory, _imports(place))


def findings(measured: Cost, manifest: Manifest) -> Iterator[Finding]:
    """What a package costs too much of."""
    if measured.memory > manifest.resource.memory:
        yield Finding(
            "PLUGIN-MEMORY",
            f"Started, it holds {amount(measured.memory, 'bytes')}; the manifest says "
            f"{amount(manifest.resource.memory, 'bytes')}",
            where="manifest.yaml: resource.memory",
            hint="import less when it starts, or ask for what it needs",
        )
    if measured.install_cpu > INSTALL_LIMIT:
        yield Finding(
            "PLUGIN-SLOW",
            f"Installing it took {measured.install_cpu:.0f} s of a processor, more than {INSTALL_LIMIT:.0f}",
            where="requirements.txt",
            hint="carry fewer, smaller wheels",
            severity="warn",
        )
    if measured.ready_cpu > READY_LIMIT:
        slowest = ", ".join(f"{name} ({seconds:.1f} s)" for name, seconds in measured.imports.items())
        yield Finding(
            "PLUGIN-SLOW",
            f"It took {measured.ready_cpu:.0f} s of a processor to be ready, more than {READY_LIMIT:.0f}",
            where="main.py",
            hint=f"import where it is used, not when the plugin starts: {slowest}",
            severity="warn",
        )


def _imports(place: Installed) -> dict[str, float]:
    """What importing the plugin's entry point spends most on; empty where it cannot be told."""
    command = [str(place.python), "-X", "importtime", "-c", "import main"]
    try:
        done = subprocess.run(
            command,
            cwd=place.folder,
            env=surroundings(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=START_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {}
    spent = Counter[str]()
    for microseconds, name in IMPORT.findall(done.stderr):
        spent[name.partition(".")[0]] += int(microseconds)
    return {name: total / 1e6 for name, total in spent.most_common(SLOWEST)}


def _children() -> float:
    """Processor seconds of the processes that this one started and that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
