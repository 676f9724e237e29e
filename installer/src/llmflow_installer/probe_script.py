"""Runs on a host over SSH, with its own Python (3.7 or newer): prints one line of JSON, changes nothing."""

from __future__ import annotations

import errno
import json
import os
import platform
import shutil
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

PATHS = ("/", "/var/lib/containerd", "/var/lib/kubelet", "/var/lib/etcd", "/var/log")
LEFTOVERS = (
    "/etc/kubernetes/admin.conf",
    "/etc/kubernetes/kubelet.conf",
    "/var/lib/etcd/member",
    "/etc/rancher",
    "/var/lib/k0s",
    "/var/snap/microk8s",
    "/etc/cni/net.d",
)
CLUSTER_PROGRAMS = {"kubelet", "k3s", "k0s", "rke2", "containerd", "dockerd", "etcd"}
MODULES = ("overlay", "bridge", "veth", "nf_tables")


def lines(path: str) -> list[str]:
    """All lines of a file; none where it can't be read."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def answer_of(*command: str) -> subprocess.CompletedProcess[bytes] | None:
    """A command's result; None where there is no such command or it does not end."""
    try:
        return subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None


def os_release() -> list[str]:
    """ID and VERSION_ID of the operating system."""
    pairs = dict(line.split("=", 1) for line in lines("/etc/os-release") if "=" in line)
    return [pairs.get(key, "").strip('"') for key in ("ID", "VERSION_ID")]


def meminfo() -> tuple[int, int]:
    """Memory and swap in bytes."""
    sizes = {
        line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines("/proc/meminfo") if ":" in line
    }
    return sizes.get("MemTotal", 0), sizes.get("SwapTotal", 0)


def space(path: str) -> dict[str, int]:
    """The file system that a path is on, or will be on, and its free bytes."""
    at = Path(path)
    while not at.exists():
        at = at.parent
    return {"device": at.stat().st_dev, "free": shutil.disk_usage(str(at)).free}


def listening() -> list[int]:
    """TCP ports on which something listens."""
    rows = [line.split() for path in ("/proc/net/tcp", "/proc/net/tcp6") for line in lines(path)[1:]]
    return sorted({int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == "0A"})


def has_module(name: str) -> bool:
    """Whether the kernel has a feature built in, loaded or ready to be loaded."""
    loaded = Path("/sys/module", name).exists()
    if loaded or any(line.split()[-1] == name for line in lines("/proc/filesystems") if line):
        return True
    folder = f"/lib/modules/{os.uname().release}"
    files = [
        line.split(":")[0]
        for table in ("modules.builtin", "modules.dep")
        for line in lines(f"{folder}/{table}")
    ]
    return any(Path(file).name.split(".")[0].replace("-", "_") == name for file in files)


def works(*command: str) -> bool | None:
    """Whether a command works in a network namespace that is gone at once; None where it can't be tried."""
    answer = answer_of("unshare", "--net", *command)
    return None if answer is None or answer.returncode == 127 else answer.returncode == 0


def features() -> dict[str, bool | None]:
    """Kernel features by name: True, False, or None where it can't be told."""
    found: dict[str, bool | None] = {name: has_module(name) for name in MODULES}
    for kind in ("bridge", "veth"):
        found[kind] = found[kind] or works("ip", "link", "add", "llmflow0", "type", kind)
    found["nf_tables"] = found["nf_tables"] or answers_nftables()
    return found


def answers_nftables() -> bool | None:
    """Whether the kernel's netfilter answers a question about nftables; None where it can't be asked."""
    subsystem, get_generation, request, netfilter, error = 10, 16, 1, 12, 2
    question = struct.pack("=IHHII", 20, subsystem << 8 | get_generation, request, 1, 0) + bytes(4)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, netfilter) as sock:
            sock.settimeout(3)
            sock.sendto(question, (0, 0))
            answer = sock.recv(4096)
    except OSError:
        return None
    kind, code = struct.unpack_from("=H", answer, 4)[0], struct.unpack_from("=i", answer, 16)[0]
    if kind == error and code == -errno.EPERM:
        return None
    return bool(kind != error)


def resolvers() -> list[str]:
    """The host's name servers. None is asked: on a closed network our own question is one too many."""
    return [line.split()[1] for line in lines("/etc/resolv.conf") if line.startswith("nameserver ")]


def default_route() -> bool:
    """Whether there is a default route; kubeadm looks for one."""
    return any(line.split()[1] == "00000000" for line in lines("/proc/net/route")[1:] if line)


def addresses() -> list[str]:
    """The host's IPv4 addresses."""
    answer = answer_of("ip", "-4", "-o", "addr")
    return [line.split()[3].split("/")[0] for line in answer.stdout.decode().splitlines()] if answer else []


def processes() -> list[str]:
    """Names of running programs of a cluster, not counting those in containers and virtual nodes."""
    pids = [entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit() and is_ours(entry)]
    names = {line for pid in pids for line in lines(f"/proc/{pid}/comm")}
    return sorted(CLUSTER_PROGRAMS & names)


def is_ours(process: Path) -> bool:
    """Whether a process is in our own process namespace."""
    try:
        return (process / "ns/pid").stat().st_ino == Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return False


def marker() -> str:
    """The name of the LLMFlow site that this host already belongs to."""
    try:
        return str(json.loads("\n".join(lines("/etc/llmflow/site.json")) or "{}").get("name", ""))
    except (ValueError, AttributeError):
        return ""


def leftovers() -> list[str]:
    """Files of a cluster that was here before; an empty directory is none."""
    paths = [Path(path) for path in LEFTOVERS]
    return [str(path) for path in paths if (any(path.iterdir()) if path.is_dir() else path.exists())]


def main() -> None:
    """Print the facts."""
    memory, swap = meminfo()
    identity, version = os_release()
    facts = {
        "python": platform.python_version(),
        "os": identity,
        "os_version": version,
        "arch": platform.machine(),
        "kernel": os.uname().release,
        "hostname": socket.gethostname(),
        "cpus": len(os.sched_getaffinity(0)),
        "memory": memory,
        "swap": swap,
        "cgroup": 2 if Path("/sys/fs/cgroup/cgroup.controllers").exists() else 1,
        "root": os.geteuid() == 0,
        "systemd": Path("/run/systemd/system").is_dir(),
        "spaces": {path: space(path) for path in (*PATHS, *sys.argv[1:])},
        "ports": listening(),
        "features": features(),
        "resolvers": resolvers(),
        "default_route": default_route(),
        "addresses": addresses(),
        "leftovers": leftovers(),
        "processes": processes(),
        "marker": marker(),
        "time": time.time(),
    }
    sys.stdout.write(json.dumps(facts) + "\n")


if __name__ == "__main__":
    main()
