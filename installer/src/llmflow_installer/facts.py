"""What the hosts told us: a read-only script run on each over SSH, its answer as frozen HostFacts."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from importlib import resources
from typing import Protocol

from llmflow_bundle.errors import Finding, HostUnreachable, PreflightFailed
from llmflow_bundle.report import Reporter, task

from llmflow_installer.inventory import Host
from llmflow_installer.site import Site, Stored
from llmflow_installer.ssh import LOGIN_TIMEOUT, Connections

PARALLEL = 32  # hosts asked at once
NO_PYTHON = "no-python3"


@dataclass(frozen=True)
class Space:
    """A directory's file system: `device` tells whether two directories share one, `free` is in bytes."""

    device: int
    free: int


@dataclass(frozen=True)
class HostFacts:
    """One host as it is: sizes in bytes, `clock_skew` in seconds ahead of us, known to ±`clock_error`."""

    name: str
    python: str
    os: str = ""
    os_version: str = ""
    arch: str = ""
    kernel: str = ""
    hostname: str = ""
    cpus: int = 0
    memory: int = 0
    swap: int = 0
    cgroup: int = 2
    root: bool = True
    systemd: bool = True
    default_route: bool = True
    clock_skew: float = 0.0
    clock_error: float = 0.0
    spaces: Mapping[str, Space] | None = None
    ports: tuple[int, ...] = ()
    features: Mapping[str, bool | None] | None = None
    resolvers: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()
    processes: tuple[str, ...] = ()
    marker: str = ""

    def belongs_to(self, site: Site) -> bool:
        """Whether an earlier run of this very site prepared the host."""
        return self.marker == site.name


class UnansweredError(Exception):
    """A host could not be asked; `id` tells why."""

    def __init__(self, id: str, what: str, hint: str) -> None:  # noqa: A002 - the name that errors use
        super().__init__(what)
        self.id, self.what, self.hint = id, what, hint


class Probe(Protocol):
    """Asks one host: the script's output and the time just before and after; raises UnansweredError."""

    def __call__(self, site: Site, host: Host) -> tuple[str, float, float]:
        """Run the probe script on a host."""


def ssh_probe(connections: Connections, now: Callable[[], float]) -> Probe:
    """The real probe; `now` gives seconds since the epoch."""
    script = resources.files("llmflow_installer").joinpath("probe_script.py").read_text(encoding="utf-8")

    def probe(site: Site, host: Host) -> tuple[str, float, float]:
        # The first call opens the connection: the second one's trip is short and clocks compare well.
        look = f"command -v python3 >/dev/null 2>&1 || {{ echo {NO_PYTHON}; exit 0; }}"
        command = f"{look}; exec python3 - {shlex.join(data_directories(site))}"
        try:
            opened = connections.run(site, host, "true", "")
            if opened.returncode == 0:
                asked = now()
                answer = connections.run(site, host, command, script)
                answered = now()
        except subprocess.TimeoutExpired as exc:
            raise UnansweredError(
                "HOST-SILENT",
                f"{host.name} ({host.address}) took longer than {LOGIN_TIMEOUT} s",
                "look at its load and at the network",
            ) from exc
        if opened.returncode != 0:
            raise refused(site, host, opened.stderr)
        if answer.returncode != 0:
            raise UnansweredError(
                "HOST-PROBE",
                f"{host.name}: the probe failed: {last_line(answer.stderr)}",
                "run `python3 -V` on the host: LLMFlow needs 3.7 or newer there",
            )
        return answer.stdout, asked, answered

    return probe


def data_directories(site: Site) -> list[str]:
    """The directories that a site names for what it keeps on hosts."""
    stores = [served.data for served in site.organs.values() if isinstance(served, Stored)]
    return [site.registry.data, *stores]


def refused(site: Site, host: Host, stderr: str) -> UnansweredError:
    """Why ssh gave up, by what it printed: another key, an unknown key, no permission, sudo, no answer."""
    target = f"{host.name} ({host.address})"
    file = site.ssh.known_hosts
    entry = str(host.address) if host.port == 22 else f"[{host.address}]:{host.port}"
    if "REMOTE HOST IDENTIFICATION HAS CHANGED" in stderr:
        hint = (
            "if it was not installed anew, somebody else answers for it; if it was, compare the fingerprint "
            "at its console (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), then: "
            f"ssh-keygen -R '{entry}' -f {file} && ssh-keyscan -p {host.port} {host.address} >> {file}"
        )
        return UnansweredError(
            "HOST-KEY-CHANGED", f"{target} answers with another key than the one in {file.name}", hint
        )
    if "Host key verification failed" in stderr or "host key is known" in stderr:
        hint = (
            f"ssh-keyscan -p {host.port} {host.address} >> {file}, and compare the fingerprint at its console"
        )
        return UnansweredError("HOST-KEY-UNKNOWN", f"{target} has a key that is not in {file.name}", hint)
    if "Permission denied" in stderr:
        hint = f"put {site.ssh.private_key}.pub into authorized_keys there; the key file must be 0600"
        return UnansweredError(
            "HOST-PERMISSION",
            f"{target} does not let {site.ssh.user} in with {site.ssh.private_key.name}",
            hint,
        )
    if "sudo:" in stderr:
        return UnansweredError(
            "HOST-SUDO",
            f"{target}: {last_line(stderr)}",
            f"let {site.ssh.user} run sudo without a password, or set ssh.user to root",
        )
    return UnansweredError(
        "HOST-SILENT",
        f"{target} does not answer: {last_line(stderr)}",
        f"check power, cable and address; by hand: ssh -p {host.port} {site.ssh.user}@{host.address}",
    )


def last_line(text: str) -> str:
    """The last line that says something."""
    spoken = [line.strip() for line in text.splitlines() if line.strip()]
    return spoken[-1] if spoken else "no message"


def probe_hosts(site: Site, probe: Probe, report: Reporter) -> tuple[HostFacts, ...]:
    """Ask every host at once; raises HostUnreachable naming each that can't be asked."""
    facts: dict[str, HostFacts] = {}
    findings: list[Finding] = []
    with (
        task(report, "Asking the hosts", len(site.hosts)) as progress,
        ThreadPoolExecutor(min(PARALLEL, len(site.hosts))) as pool,
    ):
        waiting = {pool.submit(probe, site, host): host for host in site.hosts}
        for future in as_completed(waiting):
            host = waiting[future]
            try:
                facts[host.name] = parse_facts(host.name, *future.result())
            except UnansweredError as exc:
                findings.append(Finding(exc.id, exc.what, f"host {host.name}", exc.hint))
            progress.advance(1, host.name)
        if findings:
            raise _unreachable(site, findings)
    return tuple(facts[host.name] for host in site.hosts)


def _unreachable(site: Site, findings: Sequence[Finding]) -> HostUnreachable | PreflightFailed:
    findings = sorted(findings, key=lambda finding: finding.where)
    if all(finding.id == "HOST-PROBE" for finding in findings):
        return PreflightFailed(
            "PREFLIGHT-FAILED",
            f"{len(findings)} of {len(site.hosts)} hosts can't be examined",
            where=str(site.directory),
            findings=findings,
        )
    what = f"{len(findings)} of {len(site.hosts)} hosts can't be reached"
    return HostUnreachable(
        "HOST-UNREACHABLE",
        what,
        where=str(site.directory),
        hint="nothing was changed on any host",
        findings=findings,
    )


def parse_facts(name: str, printed: str, asked: float, answered: float) -> HostFacts:
    """The probe's output as facts; raises UnansweredError where it is not what the script prints."""
    text = last_line(printed)
    if text == NO_PYTHON:
        return HostFacts(name, python="")
    try:
        raw = json.loads(text)
        return HostFacts(
            name=name,
            clock_skew=raw["time"] - (asked + answered) / 2,
            clock_error=(answered - asked) / 2,
            spaces={path: Space(**space) for path, space in raw["spaces"].items()},
            ports=tuple(raw["ports"]),
            features=raw["features"],
            resolvers=tuple(raw["resolvers"]),
            addresses=tuple(raw["addresses"]),
            leftovers=tuple(raw["leftovers"]),
            processes=tuple(raw["processes"]),
            **{key: raw[key] for key in _PLAIN},
        )
    except (ValueError, KeyError, TypeError) as exc:
        raise UnansweredError(
            "HOST-PROBE",
            f"{name}: the probe printed something else: {text[:200]!r}",
            "something on the host writes to the output of every login: silence it",
        ) from exc


_PLAIN = (
    "python", "os", "os_version", "arch", "kernel", "hostname", "cpus", "memory", "swap", "cgroup", "root",
    "systemd",
    "default_route", "marker",
)  # fmt: skip
