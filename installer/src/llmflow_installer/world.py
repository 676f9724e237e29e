"""Everything outside that the installer touches, passed in as one dataclass; fakes for tests beside."""

from __future__ import annotations

import shlex
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import httpx
from llmflow_bundle import dirs, layout
from llmflow_bundle.errors import LlmflowError
from llmflow_bundle.report import Noted, Recording, Reporter, task

from llmflow_installer.ansible import Checked, Counts, Job, RealAnsible
from llmflow_installer.facts import Probe, ssh_probe
from llmflow_installer.site import Site
from llmflow_installer.ssh import Connections
from llmflow_installer.stages import Stage
from llmflow_installer.supplies import Supplies, supplies_of
from llmflow_installer.verify import Inside, Ways

USED_HERE = (layout.PLAYBOOKS, layout.INSTALLER, layout.APT)
ANSWER_TIMEOUT = 180.0  # seconds between two pieces of an answer; a CPU reads a long prompt slowly
CONNECT_TIMEOUT = 10.0  # seconds
STORE_TIMEOUT = 60.0  # seconds; the first query of a Java that has just begun takes some


class Ansible(Protocol):
    """Runs plays on the hosts of a site."""

    def run(self, job: Job, stage: Stage, report: Reporter) -> Counts:
        """Play a stage; raises StageFailed or HostUnreachable."""

    def check(self, job: Job, stages: Sequence[Stage], report: Reporter) -> tuple[Checked, ...]:
        """Play check plays in order up to the first that fails; raises HostUnreachable, StageFailed."""


@dataclass(frozen=True)
class World:
    """The seams: the bundle on disk, hosts' facts, Ansible, ways to the platform, the clock, where state is kept."""

    bundle: Callable[[Path, Path | None], Supplies]
    probe: Probe
    ansible: Ansible
    ways: Ways
    now: Callable[[], datetime]
    state: Path


@contextmanager
def real_world() -> Iterator[World]:
    """The world as it is; every SSH connection is ended on leaving."""
    connections = Connections()
    try:
        probe = ssh_probe(connections, lambda: now().timestamp())
        ways = Ways(https, tls, in_pod(connections))
        yield World(open_supplies, probe, RealAnsible(connections), ways, now, dirs.state_dir())
    finally:
        connections.close()


def open_supplies(path: Path, key: Path | None) -> Supplies:
    """Open a bundle: its signature, and every byte of it that this machine will use itself; raises BundleError.

    What hosts get is checked where it lands: files as they are transferred, programs as they are fetched, packages
    by apt, images by their digests.
    """
    from llmflow_bundle.bundle import open_bundle  # here, so that tests of the installer need no bundle
    from llmflow_bundle.minisign import PublicKey
    from llmflow_bundle.verify import verify_bundle

    trusted = PublicKey.load(key) if key else None
    verify_bundle(path.absolute(), trusted, Recording(), below=USED_HERE)
    return supplies_of(open_bundle(path.absolute(), trusted))


@contextmanager
def https(ca: Path) -> Iterator[httpx.Client]:
    """A client that trusts the site's own authority and nobody else, and uses no proxy."""
    trust = ssl.create_default_context(cafile=str(ca))
    timeout = httpx.Timeout(CONNECT_TIMEOUT, read=ANSWER_TIMEOUT)
    with httpx.Client(verify=trust, timeout=timeout, trust_env=False) as client:
        yield client


@contextmanager
def tls(address: str, port: int, ca: Path) -> Iterator[socket.socket]:
    """A connection to a server with a certificate of the site's own authority for that address."""
    trust = ssl.create_default_context(cafile=str(ca))
    with (
        socket.create_connection((address, port), CONNECT_TIMEOUT) as plain,
        trust.wrap_socket(plain, server_hostname=address) as line,
    ):
        line.settimeout(STORE_TIMEOUT)
        yield line


def in_pod(connections: Connections) -> Inside:
    """Runs a command in a store's pod, by way of the first control plane."""

    def inside(site: Site, organ: str, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        kubectl = ["kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", "--namespace=llmflow"]
        words = [*kubectl, "exec", f"statefulset/{organ}", "--", *command]
        return connections.run(site, site.first_control_plane, shlex.join(words), "")

    return inside


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


# Fakes, for tests.


@dataclass
class FakeAnsible:
    """Knows which stages are done; `failing` maps a stage to the error that playing it raises."""

    done: set[str] = field(default_factory=set)
    failing: dict[str, LlmflowError] = field(default_factory=dict)
    played: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)

    def run(self, job: Job, stage: Stage, report: Reporter) -> Counts:
        """Mark the stage as done, with one change if it was not."""
        self.played.append(stage.id)
        self.jobs.append(job)
        with task(report, stage.title):
            if stage.id in self.failing:
                raise self.failing[stage.id]
        changed = int(stage.id not in self.done)
        self.done.add(stage.id)
        return Counts(ok=3, changed=changed)

    def check(self, job: Job, stages: Sequence[Stage], report: Reporter) -> tuple[Checked, ...]:
        """Say which stages are done, up to the first that is not."""
        self.jobs.append(job)
        results: list[Checked] = []
        for stage in stages:
            report(Noted(f"checking {stage.id}"))
            self.asked.append(stage.id)
            done = stage.id in self.done
            results.append(Checked(stage, done, "" if done else "not there yet"))
            if not done:
                break
        return tuple(results)
