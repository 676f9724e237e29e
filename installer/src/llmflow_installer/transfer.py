"""Carry files of the bundle to a host over ssh: only what is missing there, each verified as it lands.

Run as `python -m llmflow_installer.transfer --bundle DIR --to DIR --host ADDRESS … PATH…`; a PATH that ends in `/`
stands for all files below it. What arrives is checked against the signed root before it gets its name, so a
cut transfer leaves nothing half-written and the next one goes on where it stopped.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shlex
import subprocess
import sys
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from llmflow_bundle import layout
from llmflow_bundle.model import Root, RootFile

# Runs on the host with its own Python (3.9 or newer, standard library): answers with the paths it lacks, then
# takes them as a tar stream.
_RECEIVER = r"""
import hashlib, json, os, pathlib, sys, tarfile
folder, wanted = pathlib.Path(sys.argv[1]), json.loads(sys.stdin.buffer.readline())
def lacks(path, size):
    try:
        return (folder / path).stat().st_size != size
    except FileNotFoundError:
        return True
def same(path, sha256):
    digest = hashlib.sha256((folder / path).read_bytes()).hexdigest()
    return digest == sha256
# a blob's name is its content; other files may have changed at the same size
for leftover in folder.rglob(".*.partial"):  # of a transfer that was cut, unless that one still runs
    if not os.path.exists("/proc/" + leftover.name.split(".")[-2]):
        leftover.unlink()
missing = [p for p, (size, sha256, mode) in wanted.items()
           if lacks(p, size) or not p.endswith(sha256) and not same(p, sha256)]
print(json.dumps(missing), flush=True)
if missing:
    with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as stream:
        for member in stream:
            size, sha256, mode = wanted[member.name]
            final = folder / member.name
            final.parent.mkdir(parents=True, exist_ok=True)
            partial = final.with_name(".%s.%d.partial" % (final.name, os.getpid()))
            digest, source = hashlib.sha256(), stream.extractfile(member)
            with open(partial, "wb") as out:
                while block := source.read(1 << 20):
                    digest.update(block)
                    out.write(block)
            if digest.hexdigest() != sha256:
                partial.unlink()
                sys.exit("%s arrived altered" % member.name)
            partial.chmod(int(mode, 8))
            os.replace(partial, final)
"""


@dataclass(frozen=True)
class Host:
    """Where to, and how to prove who both are."""

    address: str
    user: str
    identity: Path
    known_hosts: Path

    def ssh(self, *command: str) -> list[str]:
        """Return the ssh command that runs `command` there."""
        options = {
            "IdentityFile": str(self.identity), "UserKnownHostsFile": str(self.known_hosts),
            "IdentitiesOnly": "yes", "StrictHostKeyChecking": "yes", "BatchMode": "yes", "ConnectTimeout": "10",
            # blobs are compressed already; GCM is what processors have instructions for
            "Compression": "no", "Ciphers": "^aes128-gcm@openssh.com",
        }  # fmt: skip
        flags = [part for key, value in options.items() for part in ("-o", f"{key}={value}")]
        become = [] if self.user == "root" else ["sudo", "-n"]
        return ["ssh", "-F", "none", *flags, f"{self.user}@{self.address}", shlex.join([*become, *command])]


def select(root: Root, paths: Iterable[str]) -> dict[str, RootFile]:
    """Return the root's files that `paths` stand for, in that order; KeyError where one is not in the bundle."""
    chosen: dict[str, RootFile] = {}
    for path in paths:
        if path.endswith("/"):
            chosen |= {name: file for name, file in sorted(root.files.items()) if name.startswith(path)}
        else:
            chosen[path] = root.files[path]
    return chosen


def send(bundle: Path, files: Mapping[str, RootFile], host: Host, folder: str) -> int:
    """Bring `files` to `folder` on the host; return how many it lacked. OSError when the transfer is cut."""
    wanted = {path: (file.size, file.sha256, file.mode or "0644") for path, file in files.items()}
    command = host.ssh("python3", "-c", _RECEIVER, folder)
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as remote:
        assert remote.stdin is not None  # noqa: S101 - both are pipes
        assert remote.stdout is not None  # noqa: S101
        assert remote.stderr is not None  # noqa: S101
        remote.stdin.write(json.dumps(wanted).encode() + b"\n")
        remote.stdin.flush()
        answer = remote.stdout.readline()
        missing = json.loads(answer) if answer else []
        if missing:
            with tarfile.open(fileobj=remote.stdin, mode="w|", bufsize=1 << 20) as stream:
                for path in missing:
                    stream.add(bundle / path, arcname=path, recursive=False)
        remote.stdin.close()
        said = remote.stderr.read().decode(errors="replace").strip().rpartition("\n")[2]
    if remote.returncode != 0 or not answer:
        raise OSError(f"the transfer to {host.address} ended with exit code {remote.returncode}: {said}")
    return len(missing)


def main(arguments: list[str] | None = None) -> int:
    """Send what the command line names; print how many files were sent."""
    parser = argparse.ArgumentParser(prog="python -m llmflow_installer.transfer")
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--to", required=True)
    parser.add_argument("--host", required=True)
    parser.add_argument("--user", required=True)
    parser.add_argument("--identity", type=Path, required=True)
    parser.add_argument("--known-hosts", type=Path, required=True)
    parser.add_argument("paths", nargs="+")
    chosen = parser.parse_args(arguments)
    text = (chosen.bundle / layout.ROOT).read_bytes()
    root = Root.model_validate_json(text)
    own = {layout.ROOT: _describe(text)}  # the root does not list itself
    files: dict[str, RootFile] = {}
    for path in chosen.paths:
        files |= {path: own[path]} if path in own else select(root, [path])
    host = Host(chosen.host, chosen.user, chosen.identity, chosen.known_hosts)
    try:
        sent = send(chosen.bundle, files, host, chosen.to)
    except OSError as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    sys.stdout.write(f"{sent} files sent\n")
    return 0


def _describe(content: bytes) -> RootFile:
    return RootFile(size=len(content), sha256=hashlib.sha256(content).hexdigest())


if __name__ == "__main__":
    sys.exit(main())
