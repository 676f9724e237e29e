"""How this machine reaches a site's hosts over SSH: one set of options for the probe and for Ansible."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

from llmflow_installer.inventory import Host
from llmflow_installer.site import Site

CONNECT_TIMEOUT = 10  # seconds; a host on a local network that needs longer is not there
LOGIN_TIMEOUT = 90  # seconds for connecting and the whole probe
PERSIST = 120  # seconds that an idle connection stays open between stages


class Connections:
    """Shared SSH connections in a private directory; `close()` ends every one of them."""

    def __init__(self) -> None:
        _remove_stale(Path(tempfile.gettempdir()))
        # Short on purpose: a socket's path may not be longer than 107 bytes.
        self.directory = Path(tempfile.mkdtemp(prefix=f"llmflow-{os.getpid()}-"))

    def options(self, site: Site) -> list[str]:
        """Arguments for ssh that don't depend on the host: nothing of the user's own configuration counts."""
        settings = {
            "ControlMaster": "auto",
            "ControlPersist": f"{PERSIST}s",
            "ControlPath": f"{self.directory}/%C",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": f'"{site.ssh.known_hosts}"',
            "GlobalKnownHostsFile": "/dev/null",
            "IdentitiesOnly": "yes",
            "IdentityFile": f'"{site.ssh.private_key}"',
            "IdentityAgent": "none",
            "BatchMode": "yes",
            "ConnectTimeout": str(CONNECT_TIMEOUT),
            "ServerAliveInterval": "15",
            "ServerAliveCountMax": "4",
            "LogLevel": "ERROR",
        }
        return [
            "-F",
            "/dev/null",
            *(part for name, value in settings.items() for part in ("-o", f"{name}={value}")),
        ]

    def arguments(self, site: Site) -> str:
        """The same options as one shell-quoted line, as Ansible wants them."""
        return shlex.join(self.options(site))

    def run(self, site: Site, host: Host, command: str, stdin: str) -> subprocess.CompletedProcess[str]:
        """Run a shell command on a host, as root; raises subprocess.TimeoutExpired."""
        remote = command if site.ssh.user == "root" else f"sudo -n sh -c {shlex.quote(command)}"
        target = ["-p", str(host.port), "-l", site.ssh.user, str(host.address)]
        return subprocess.run(
            ["ssh", *self.options(site), *target, remote],
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LOGIN_TIMEOUT,
            check=False,
        )

    def close(self) -> None:
        """End every connection and remove the directory."""
        for socket in self.directory.glob("*"):
            if socket.is_socket():
                subprocess.run(
                    ["ssh", "-F", "/dev/null", "-S", str(socket), "-O", "exit", "any"],
                    capture_output=True,
                    timeout=10,
                    check=False,
                )
        shutil.rmtree(self.directory, ignore_errors=True)


def _remove_stale(folder: Path) -> None:
    """Remove what killed installers left: their directories may hold a play's variables, secrets among them."""
    for left in folder.glob("llmflow-*-*"):
        owner = left.name.split("-")[1]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists() and left.stat().st_uid == os.geteuid():
            shutil.rmtree(left, ignore_errors=True)
