"""`llmflow rehearse`: the hosts of an inventory for real, on this one machine, with no way out.

    llmflow rehearse SITE --bundle DIR    boot the hosts and count what tries to leave
    llmflow rehearse ledger SITE          show what tried to leave
    llmflow rehearse down [SITE]          end it: no process, mount, bridge or rule stays

A rehearsal hands over an ordinary site directory (a copy of SITE with keys of its own), so that `install` can't
know whether its hosts are nodes of a rehearsal or metal.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from llmflow_bundle import layout
from llmflow_bundle.bundle import open_bundle
from llmflow_bundle.console import reporter
from llmflow_bundle.dirs import state_dir
from llmflow_bundle.errors import PreflightFailed, SiteError
from llmflow_bundle.machine import Tool, require_root, require_tools
from llmflow_bundle.minisign import PublicKey
from llmflow_bundle.report import Noted, Reporter, task
from llmflow_bundle.verify import verify_bundle
from ruamel.yaml import YAML
from typer.core import TyperGroup

from llmflow_installer.rehearsal import bridge, cgroups, ledger, node
from llmflow_installer.rehearsal.rootfs import base_root
from llmflow_installer.site import HOSTS_FILE, SITE_FILE, Site, load_site

TOOLS = (
    Tool("systemd-nspawn", "systemd-container", "boots the nodes"),
    Tool("debootstrap", "debootstrap", "makes their root file system from the bundle"),
    Tool("nft", "nftables", "counts what tries to leave"),
    Tool("ip", "iproute2", "lays the bridge"),
    Tool("ssh-keygen", "openssh-client", "makes the nodes' keys"),
    Tool("unshare", "util-linux", "gives each node its own namespaces"),
)
# Each node's systemd and kubelet watch files; the default of 128 instances ends at about three nodes.
_SYSCTL = "sysctl.json"  # what the limits were before the first rehearsal
_INOTIFY = {"fs/inotify/max_user_instances": 16384, "fs/inotify/max_user_watches": 1048576}


@dataclass(frozen=True)
class Rehearsal:
    """Where a rehearsal of that name keeps everything; all names derive from it, so that `down` needs no memory."""

    name: str

    @property
    def folder(self) -> Path:
        """Everything of the rehearsal."""
        return state_dir() / "rehearsals" / self.name

    @property
    def id(self) -> str:
        """Six hex digits: names of links must be short."""
        return hashlib.sha256(str(self.folder).encode()).hexdigest()[:6]

    @property
    def bridge(self) -> str:
        """The bridge's link name."""
        return f"llmflow-{self.id}"

    @property
    def table(self) -> str:
        """The nft table that counts."""
        return f"llmflow_{self.id}"

    @property
    def site(self) -> Path:
        """The site directory to install."""
        return self.folder / "site"

    @property
    def names(self) -> Path:
        """The DNS sinkhole's log."""
        return self.folder / "names.jsonl"

    def cgroup(self, part: str) -> str:
        """The cgroup of a node, or of the sinkhole."""
        return f"llmflow-{self.id}-{part}"

    def node(self, name: str, site: Site) -> node.Node:
        """The node that stands for a host."""
        return node.Node(name, site.host(name).address, self.folder / "nodes" / name, self.cgroup(name))


def up(site_directory: Path, bundle_directory: Path, key: PublicKey | None, report: Reporter) -> Path:
    """Boot the site's hosts and return the site directory to install.

    A second call boots what does not run. Raises SiteError, BundleError, PreflightFailed.
    """
    require_root("A rehearsal")
    require_tools(TOOLS, report)
    verify_bundle(bundle_directory, key, report, below=(layout.APT,))
    bundle = open_bundle(bundle_directory, key)
    rehearsal = Rehearsal(_site_name(site_directory))
    with _alone(rehearsal):
        site = _derive_site(site_directory, rehearsal)
        root = base_root(bundle.file(layout.APT).resolve(), bundle.file(layout.APT_KEY).resolve(), report)
        _widen_inotify(rehearsal)
        network = site.network
        rules = ledger.rules(rehearsal.table, rehearsal.bridge, network.hosts, network.gateway, network.pods)
        if not bridge.has_rules(rehearsal.table):
            bridge.make(rehearsal.bridge, network.gateway, network.hosts, rules)
        _start_sinkhole(rehearsal, site)
        _boot_nodes(rehearsal, site, root, report)
        _write_known_hosts(rehearsal, site)
    return rehearsal.site


def _site_name(directory: Path) -> str:
    try:
        data = YAML(typ="safe").load(directory / SITE_FILE)
        return str(data["name"])
    except (OSError, KeyError, TypeError) as problem:
        raise SiteError(
            "SITE-UNREADABLE", f"{directory} is not a site: {problem}", where=str(directory / SITE_FILE),
            hint="name a directory with hosts.yml and site.yml, such as inventories/single-node",
        ) from problem  # fmt: skip


@contextmanager
def _alone(rehearsal: Rehearsal) -> Iterator[None]:
    """One `up` or `down` at a time; a dead process holds no lock."""
    rehearsal.folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (rehearsal.folder.parent / f"{rehearsal.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as taken:
            raise PreflightFailed(
                "REHEARSE-BUSY", f"another command is at work on rehearsal {rehearsal.name}",
                where=str(rehearsal.folder), hint="wait for it, or end it with Ctrl-C",
            ) from taken  # fmt: skip
        yield


def _derive_site(directory: Path, rehearsal: Rehearsal) -> Site:
    """Copy the site's two files, with an ssh section of the rehearsal's own."""
    ssh = rehearsal.site / "ssh"
    ssh.mkdir(parents=True, exist_ok=True, mode=0o700)
    (ssh / "known_hosts").touch()
    if not (ssh / "id_ed25519").exists():
        command = [
            "ssh-keygen",
            "-q",
            "-t",
            "ed25519",
            "-N",
            "",
            "-C",
            rehearsal.name,
            "-f",
            str(ssh / "id_ed25519"),
        ]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    shutil.copyfile(directory / HOSTS_FILE, rehearsal.site / HOSTS_FILE)
    yaml = YAML()
    content = yaml.load(directory / SITE_FILE)
    content["ssh"] = {"user": "root", "private_key": "ssh/id_ed25519", "known_hosts": "ssh/known_hosts"}
    yaml.dump(content, rehearsal.site / SITE_FILE)
    return load_site(rehearsal.site)


def _widen_inotify(rehearsal: Rehearsal) -> None:
    """Raise the machine's inotify limits, keeping what they were for `down`."""
    before = rehearsal.folder.parent / _SYSCTL
    if not before.exists():
        before.write_text(
            json.dumps({name: (Path("/proc/sys") / name).read_text().strip() for name in _INOTIFY})
        )
    for name, wanted in _INOTIFY.items():
        setting = Path("/proc/sys") / name
        if int(setting.read_text()) < wanted:
            setting.write_text(str(wanted))


def _start_sinkhole(rehearsal: Rehearsal, site: Site) -> None:
    """Start the DNS sinkhole in a cgroup of its own, unless it runs."""
    cgroup = rehearsal.cgroup("names")
    if cgroups.processes(cgroup):
        return
    python = os.environ.get("LLMFLOW_PYTHON", sys.executable)
    command = [
        python,
        "-m",
        "llmflow_installer.rehearsal.sinkhole",
        str(site.network.gateway),
        str(rehearsal.names),
    ]
    with (rehearsal.folder / "sinkhole.log").open("ab") as log:
        subprocess.Popen(
            cgroups.inside(cgroup, command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _boot_nodes(rehearsal: Rehearsal, site: Site, root: Path, report: Reporter) -> None:
    public_key = site.ssh.private_key.with_suffix(".pub").read_text()
    wiring = node.Wiring(rehearsal.bridge, site.network.hosts, site.network.gateway, public_key)
    nodes = [rehearsal.node(host.name, site) for host in site.hosts]
    asleep = [one for one in nodes if not one.running()]
    with task(report, "Booting the nodes", len(nodes)) as progress:
        progress.advance(len(nodes) - len(asleep))
        started = []
        for one in asleep:
            node.prepare(one, root, wiring)
            started.append((one, node.boot(one, wiring)))
        deadline = time.monotonic() + node.BOOT_SECONDS
        for one, process in started:
            node.await_ssh(one, process, deadline)
            progress.advance(1, one.name)
        progress.detail = f"{len(nodes)} nodes on {rehearsal.bridge}, no way out"


def _write_known_hosts(rehearsal: Rehearsal, site: Site) -> None:
    nodes = [rehearsal.node(host.name, site) for host in site.hosts]
    lines = [f"{one.address} {one.host_key.read_text().strip()}\n" for one in nodes]
    (rehearsal.site / "ssh/known_hosts").write_text("".join(lines))


def down(name: str, report: Reporter) -> None:
    """End the rehearsal of that name and remove all it made, however it ended; a no-op where nothing is left."""
    require_root("Ending a rehearsal")
    rehearsal = Rehearsal(name)
    with _alone(rehearsal), task(report, f"Ending rehearsal {name}") as progress:
        ended = cgroups.end(rehearsal.cgroup("names"))
        for folder in sorted(rehearsal.folder.glob("nodes/*")):
            ended += cgroups.end(rehearsal.cgroup(folder.name))
        bridge.remove(rehearsal.bridge, rehearsal.table)
        _restore_inotify(rehearsal)
        if rehearsal.folder.exists():
            shutil.rmtree(rehearsal.folder)
        progress.detail = f"{ended} processes ended, bridge and rules removed"
    (rehearsal.folder.parent / f"{name}.lock").unlink(missing_ok=True)


def _restore_inotify(rehearsal: Rehearsal) -> None:
    """Put the limits back, unless another rehearsal still needs them."""
    before = rehearsal.folder.parent / _SYSCTL
    if before.exists() and len(rehearsals()) == 1:
        for setting, value in json.loads(before.read_text()).items():
            (Path("/proc/sys") / setting).write_text(value)
        before.unlink()


def rehearsals() -> tuple[str, ...]:
    """Names of the rehearsals that exist, whatever state they are in."""
    return tuple(sorted(path.name for path in (state_dir() / "rehearsals").glob("*/") if path.is_dir()))


def is_rehearsal(site_directory: Path) -> bool:
    """Whether a site directory is one that a rehearsal handed over."""
    return site_directory.resolve().parent.parent == (state_dir() / "rehearsals").resolve()


def read_ledger(name: str) -> ledger.Ledger:
    """What tried to leave the rehearsal of that name since it was booted."""
    rehearsal = Rehearsal(name)
    if not bridge.has_rules(rehearsal.table):
        raise PreflightFailed(
            "REHEARSE-NONE", f"no rehearsal {name} runs here", where=str(rehearsal.folder.parent),
            hint="`llmflow rehearse SITE --bundle DIR` starts one",
        )  # fmt: skip
    return ledger.read(rehearsal.table, rehearsal.names)


class _SiteIsDefault(TyperGroup):
    """`rehearse SITE` is short for `rehearse up SITE`."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]  # typer's Context is click's
        if args and args[0] not in self.commands and args[0] not in ("--help", "-h"):
            args = ["up", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_SiteIsDefault,
    no_args_is_help=True,
    help="The site's hosts for real, on this machine, with no way out.",
)
SiteArgument = Annotated[Path, typer.Argument(help="directory with hosts.yml and site.yml")]


@app.command("up")
def _up(
    site: SiteArgument,
    bundle: Annotated[Path, typer.Option(envvar="LLMFLOW_BUNDLE", help="the bundle's directory")],
    key: Annotated[Path | None, typer.Option(help="public key that the bundle must be signed with")] = None,
) -> None:
    """Boot the site's hosts as nodes; prints the site directory to install (`up` may be left out)."""
    report = reporter()
    derived = up(site, bundle, PublicKey.load(key) if key else None, report)
    report(Noted(f"Next: llmflow install {derived} --bundle {bundle}"))
    typer.echo(derived)


@app.command("ledger")
def _ledger(site: SiteArgument) -> None:
    """Print what tried to leave, as JSON."""
    typer.echo(json.dumps(read_ledger(_site_name(site)).as_dict(), indent=2))


@app.command("down")
def _down(
    site: Annotated[Path | None, typer.Argument(help="the site; all rehearsals where left out")] = None,
) -> None:
    """End the rehearsal: no process, mount, bridge or rule stays."""
    for name in (_site_name(site),) if site else rehearsals():
        down(name, reporter())
