"""hosts.yml, an ordinary Ansible inventory: its groups and hosts, and every mistake in it."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from llmflow_bundle.errors import Finding
from pydantic import Field

from llmflow_installer.document import Address, Document, HostName, Port, Strict, validated

GROUPS = ("control_plane", "workers", "gpu")


@dataclass(frozen=True)
class Host:
    """One machine of the site as the inventory names it."""

    name: str
    address: IPv4Address
    groups: tuple[str, ...]
    port: int = 22
    pod_cidr: IPv4Network | None = None


class _HostYaml(Strict):
    ansible_host: Address
    ansible_port: Port = 22


class _GroupYaml(Strict):
    hosts: dict[HostName, _HostYaml | None] = Field(default_factory=dict)


@dataclass(frozen=True)
class Entry:
    """One host under one group, with its path in the file."""

    group: str
    name: str
    at: tuple[str, ...]
    given: _HostYaml | None


def read_entries(document: Document, findings: list[Finding]) -> list[Entry]:
    """Every (group, host) pair that the inventory names, whether `all.children` or groups come first."""
    entries: list[Entry] = []
    for at, group, content in _group_nodes(document, findings):
        if group not in GROUPS:
            near = difflib.get_close_matches(group, GROUPS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"groups are {', '.join(GROUPS)}"
            findings.append(
                Finding("SITE-UNKNOWN-GROUP", f"{group}: there is no such group", document.where(at), hint)
            )
            continue
        parsed = validated(_GroupYaml, document, at, content or {}, findings)
        if parsed is not None:
            entries += [
                Entry(group, name, (*at, "hosts", name), given) for name, given in parsed.hosts.items()
            ]
    return entries


def _group_nodes(
    document: Document, findings: list[Finding]
) -> Iterator[tuple[tuple[str, ...], str, object]]:
    for name, content in document.plain().items():
        if name != "all":
            yield (str(name),), str(name), content
            continue
        inside = content if isinstance(content, dict) else {}
        for key in inside:
            if key != "children":
                findings.append(
                    Finding(
                        "SITE-UNKNOWN-KEY",
                        f"all.{key}: there is no such key",
                        document.where(("all", str(key))),
                        "hosts belong into a group under all.children",
                    )
                )
        for group, group_content in (inside.get("children") or {}).items():
            yield ("all", "children", str(group)), str(group), group_content


def hosts_of(entries: Sequence[Entry]) -> tuple[Host, ...]:
    """The hosts, each once, control planes first; one named without an address has it in another group."""
    order = sorted(entries, key=lambda entry: GROUPS.index(entry.group))
    hosts: dict[str, Host] = {}
    for entry in order:
        same = [other for other in entries if other.name == entry.name]
        given = next((other.given for other in same if other.given is not None), None)
        if given is not None and entry.name not in hosts:
            groups = tuple(group for group in GROUPS if any(other.group == group for other in same))
            hosts[entry.name] = Host(entry.name, given.ansible_host, groups, given.ansible_port)
    return tuple(hosts.values())


def inventory_findings(
    document: Document, entries: Sequence[Entry], hosts: Sequence[Host]
) -> Iterator[Finding]:
    """What is wrong between the hosts: names, addresses, groups, the number of control planes."""
    for entry in entries:
        if entry.name not in {host.name for host in hosts}:
            yield Finding(
                "SITE-MISSING-KEY",
                f"host {entry.name} has no ansible_host",
                document.where(entry.at),
                "give its IPv4 address: ansible_host: 10.0.0.1",
            )
    for name, same in itertools.groupby(
        sorted(entries, key=lambda entry: entry.name), key=lambda entry: entry.name
    ):
        together = list(same)
        addresses = {entry.given.ansible_host for entry in together if entry.given}
        if len(addresses) > 1:
            yield Finding(
                "SITE-NAME-TWICE",
                f"host {name} has {len(addresses)} addresses",
                document.where(together[-1].at),
                "one name is one machine: rename one of them",
            )
        if {"control_plane", "workers"} <= {entry.group for entry in together}:
            hint = "leave it in control_plane; cluster.schedule_on_control_plane lets it run ordinary pods"
            yield Finding(
                "SITE-GROUPS",
                f"host {name} is a control plane and a worker",
                document.where(together[-1].at),
                hint,
            )
    first: dict[IPv4Address, str] = {}
    for entry in entries:
        if entry.given is None:
            continue
        owner = first.setdefault(entry.given.ansible_host, entry.name)
        if owner != entry.name:
            yield Finding(
                "SITE-ADDRESS-TWICE",
                f"hosts {owner} and {entry.name} have one address, {entry.given.ansible_host}",
                document.where((*entry.at, "ansible_host")),
                "each host needs its own",
            )
    yield from _control_plane_findings(document, entries)


def _control_plane_findings(document: Document, entries: Sequence[Entry]) -> Iterator[Finding]:
    planes = {entry.name for entry in entries if entry.group == "control_plane"}
    if not planes:
        yield Finding(
            "SITE-NO-CONTROL-PLANE",
            "no host is in the group control_plane",
            document.where(()),
            "name at least one: control_plane: {hosts: {cp1: {ansible_host: 10.0.0.1}}}",
        )
    elif len(planes) % 2 == 0:
        at = next(entry.at[:-2] for entry in entries if entry.group == "control_plane")
        hint = f"{len(planes)} survive no more failures than {len(planes) - 1}; use an odd number"
        yield Finding(
            "SITE-EVEN-CONTROL-PLANES",
            f"{len(planes)} control planes are an even number",
            document.where(at),
            hint,
            "warn",
        )
