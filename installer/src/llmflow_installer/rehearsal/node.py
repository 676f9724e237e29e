"""One host of a rehearsal: a folder, booted by systemd-nspawn on the rehearsal's bridge."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from dataclasses import dataclass
from importlib import resources
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from llmflow_bundle.errors import PreflightFailed

from llmflow_installer.rehearsal import cgroups

BOOT_SECONDS = 90.0
# containerd's overlay snapshots, kubelet's mounts and etcd's fsyncs need a real file system below them:
# overlay on overlay does not work.
PLAIN_FOLDERS = ("var/lib/containerd", "var/lib/kubelet", "var/lib/etcd", "var/lib/llmflow")
# What kubelet, runc and kube-proxy do beyond nspawn's default filter.
_SYSTEM_CALLS = "@keyring bpf @privileged @raw-io @mount @module kcmp perf_event_open"

_NETWORK = """\
[Match]
Name=host0
[Network]
Address={address}/{prefix}
Gateway={gateway}
LinkLocalAddressing=no
IPv6AcceptRA=no
"""
_PREPARE = """\
[Unit]
Description=Give containers what a machine would: writable sysctls, shared mounts
DefaultDependencies=no
Before=sysinit.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/mount -o remount,rw,bind /proc/sys
ExecStart=/bin/mount --make-rshared /
[Install]
WantedBy=sysinit.target
"""


@dataclass(frozen=True)
class Wiring:
    """What all nodes of a rehearsal share."""

    bridge: str
    hosts: IPv4Network
    gateway: IPv4Address
    public_key: str


@dataclass(frozen=True)
class Node:
    """One host: its name, its address, its folder and its cgroup."""

    name: str
    address: IPv4Address
    folder: Path
    cgroup: str

    @property
    def host_key(self) -> Path:
        """The node's public ssh host key."""
        return self.folder / "upper/etc/ssh/ssh_host_ed25519_key.pub"

    def running(self) -> bool:
        """Whether any process of the node lives."""
        return bool(cgroups.processes(self.cgroup))


def prepare(node: Node, base: Path, wiring: Wiring) -> None:
    """Write the node's folder: an empty upper layer with what tells this host from another."""
    for name in ("upper", "work", "root", "cgroup", *(f"plain/{plain}" for plain in PLAIN_FOLDERS)):
        (node.folder / name).mkdir(parents=True, exist_ok=True)
    link = node.folder / "base"
    link.unlink(missing_ok=True)
    link.symlink_to(base)
    upper = node.folder / "upper"
    _write(upper / "etc/hostname", f"{node.name}\n")
    _write(upper / "etc/hosts", f"127.0.0.1 localhost\n{node.address} {node.name}\n")
    _write(upper / "etc/machine-id", "")
    _write(upper / "etc/resolv.conf", f"nameserver {wiring.gateway}\n")
    network = _NETWORK.format(address=node.address, prefix=wiring.hosts.prefixlen, gateway=wiring.gateway)
    _write(upper / "etc/systemd/network/10-host.network", network)
    _write(upper / "etc/systemd/system/rehearsal-prepare.service", _PREPARE)
    _enable(upper, "sysinit.target", "/etc/systemd/system/rehearsal-prepare.service")
    _enable(upper, "multi-user.target", "/lib/systemd/system/systemd-networkd.service")
    _write(upper / "root/.ssh/authorized_keys", wiring.public_key, mode=0o600)
    (upper / "root").chmod(0o700)
    (upper / "root/.ssh").chmod(0o700)
    _make_host_key(upper / "etc/ssh/ssh_host_ed25519_key", node.name)


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def _enable(upper: Path, target: str, unit: str) -> None:
    link = upper / f"etc/systemd/system/{target}.wants" / Path(unit).name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(unit)


def _make_host_key(key: Path, comment: str) -> None:
    if not key.exists():
        key.parent.mkdir(parents=True, exist_ok=True)
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(key)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def boot(node: Node, wiring: Wiring) -> subprocess.Popen[bytes]:
    """Start the node; return at once. Its console goes to `console.log` in its folder."""
    mounts = node.folder / "hierarchies"
    lines = [f"{h.mountpoint} {h.fstype} {h.options}\n" for h in cgroups.hierarchies()]
    mounts.write_text("".join(lines))
    binds = [f"--bind={node.folder}/plain/{plain}:/{plain}" for plain in PLAIN_FOLDERS]
    nspawn = [
        "systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--resolv-conf=off",
        f"--directory={node.folder}/root", f"--machine={node.cgroup}", f"--hostname={node.name}",
        f"--network-bridge={wiring.bridge}",
        "--capability=all", f"--system-call-filter={_SYSTEM_CALLS}",
        "--bind=/sys/fs/cgroup", "--bind=/dev/kmsg", *binds,
    ]  # fmt: skip
    launch = resources.files(__package__) / "launch.sh"
    with resources.as_file(launch) as script, (node.folder / "console.log").open("ab") as console:
        return subprocess.Popen(
            ["sh", str(script), node.cgroup, str(mounts), str(node.folder), *nspawn],
            stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C at the terminal is for the rehearsal, which ends its nodes itself
            env={"PATH": os.environ["PATH"]},
        )  # fmt: skip


def await_ssh(node: Node, process: subprocess.Popen[bytes], deadline: float) -> None:
    """Wait until the node's sshd greets; raise PreflightFailed when it dies or stays silent until `deadline`."""
    while True:
        if process.poll() is not None:
            raise _not_booted(node, f"systemd-nspawn ended with exit code {process.returncode}")
        if _greets(node.address):
            return
        if time.monotonic() > deadline:
            raise _not_booted(node, f"its ssh server did not answer within {BOOT_SECONDS:.0f} s")
        time.sleep(0.1)


def _greets(address: IPv4Address) -> bool:
    try:
        with socket.create_connection((str(address), 22), timeout=1.0) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _not_booted(node: Node, why: str) -> PreflightFailed:
    console = node.folder / "console.log"
    return PreflightFailed(
        "REHEARSE-BOOT", f"node {node.name} did not boot: {why}", where=str(console),
        hint="read the end of that file; `llmflow rehearse down` clears what is left, then try again",
    )  # fmt: skip
