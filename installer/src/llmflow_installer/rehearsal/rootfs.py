"""The root file system that every node starts from: a minimal Debian out of the bundle's own package repository."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

from llmflow_bundle.dirs import cache_dir
from llmflow_bundle.errors import BundleError
from llmflow_bundle.report import Reporter, task

SUITE = "bookworm"
# A bare host as the operator hands it over: sshd and Python, nothing of ours.
PACKAGES = ("systemd", "systemd-sysv", "dbus", "openssh-server", "python3", "iproute2", "procps")
_RECIPE = "1"  # raised when the steps below change, so that cached roots are made anew


def base_root(repository: Path, keyring: Path, report: Reporter) -> Path:
    """Return a root file system made from the apt repository, from the cache where its content was seen before.

    Raises BundleError when debootstrap can't make one out of what the repository holds.
    """
    packages = (repository / f"dists/{SUITE}/main/binary-amd64/Packages").read_bytes()
    identity = hashlib.sha256(packages + "\n".join((_RECIPE, *PACKAGES)).encode()).hexdigest()[:16]
    root = cache_dir() / "rootfs" / identity
    if root.exists():
        return root
    partial = root.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    with task(report, "Making the nodes' root file system (about a minute, kept for the next time)"):
        _debootstrap(partial, repository, keyring)
        for key in (partial / "etc/ssh").glob("ssh_host_*"):
            key.unlink()  # each node makes its own
        partial.rename(root)
    return root


def _debootstrap(root: Path, repository: Path, keyring: Path) -> None:
    command = [
        "debootstrap", "--variant=minbase", f"--keyring={keyring}", f"--include={','.join(PACKAGES)}",
        SUITE, str(root), f"file://{repository}",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        log = root / "debootstrap/debootstrap.log"
        tail = (log.read_text(errors="replace") if log.exists() else done.stdout + done.stderr).splitlines()[
            -5:
        ]
        raise BundleError(
            "BUNDLE-BASE", "the bundle's package repository does not give a bootable Debian: " + " / ".join(tail),
            where=str(repository), hint="build the bundle again: `llmflow bundle build`",
        )  # fmt: skip
