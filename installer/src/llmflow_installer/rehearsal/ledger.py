"""The egress ledger: every packet and every name that tried to leave the rehearsal's bridge.

A sinkhole proves more than an unplugged cable: the nodes have a default route and a resolver, both ending here,
so an attempt to leave is counted and named instead of dying unseen inside the node.
"""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from dataclasses import asdict, dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

_RULES = """
table inet {table} {{
  set leaving {{
    type ipv4_addr . ipv4_addr . inet_proto . inet_service
    size 65536
    flags dynamic
    counter
  }}
  set leaving6 {{
    type ipv6_addr . ipv6_addr . inet_proto
    size 65536
    flags dynamic
    counter
  }}
  chain leave {{
    type filter hook prerouting priority raw; policy accept;
    iifname != "{bridge}" accept
    ip daddr {{ {hosts}, {pods} }} accept
    ip daddr {{ 224.0.0.0/24, 255.255.255.255 }} drop   comment "link-local: no router forwards it"
    ip6 daddr {{ fe80::/10, ff02::/16 }} drop           comment "link-local: no router forwards it"
    meta l4proto {{ tcp, udp }} add @leaving {{ ip saddr . ip daddr . meta l4proto . th dport }}
    meta l4proto != {{ tcp, udp }} add @leaving {{ ip saddr . ip daddr . meta l4proto . 0 }}
    meta nfproto ipv6 add @leaving6 {{ ip6 saddr . ip6 daddr . meta l4proto }}
    meta nfproto {{ ipv4, ipv6 }} drop
  }}
  chain reach {{
    type filter hook input priority filter; policy accept;
    iifname != "{bridge}" accept
    ct state established,related accept
    ip daddr {gateway} udp dport 53 accept
    meta l4proto icmp accept
    meta l4proto {{ tcp, udp }} add @leaving {{ ip saddr . ip daddr . meta l4proto . th dport }}
    drop
  }}
}}
"""


@dataclass(frozen=True)
class Attempt:
    """Packets of one kind that tried to leave; `port` is 0 where the protocol has none."""

    source: str
    destination: str
    protocol: str
    port: int
    packets: int


@dataclass(frozen=True)
class Question:
    """A name that a node asked for."""

    source: str
    name: str
    times: int


@dataclass(frozen=True)
class Ledger:
    """What tried to leave; empty is what a closed network promises."""

    attempts: tuple[Attempt, ...]
    questions: tuple[Question, ...]

    @property
    def empty(self) -> bool:
        """Whether nothing tried to leave."""
        return not self.attempts and not self.questions

    def as_dict(self) -> dict[str, Any]:
        """Return the ledger as plain data for evidence files."""
        return {
            "attempts": [asdict(a) for a in self.attempts],
            "questions": [asdict(q) for q in self.questions],
        }


def rules(table: str, bridge: str, hosts: IPv4Network, gateway: IPv4Address, pods: IPv4Network) -> str:
    """Return the nft rules that count and drop what leaves `bridge` for anywhere but the lab itself."""
    return _RULES.format(table=table, bridge=bridge, hosts=hosts, gateway=gateway, pods=pods)


def read(table: str, names: Path) -> Ledger:
    """Read the counters of nft table `table` and the sinkhole's log `names`."""
    return Ledger(_attempts(table), _questions(names))


def _attempts(table: str) -> tuple[Attempt, ...]:
    found = []
    for name in ("leaving", "leaving6"):
        command = ["nft", "-j", "list", "set", "inet", table, name]
        listing = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        elements = next(part["set"] for part in listing["nftables"] if "set" in part).get("elem", [])
        found += [_attempt(element["elem"]) for element in elements]
    return tuple(sorted(found, key=lambda a: (a.source, a.destination, a.protocol, a.port)))


def _attempt(element: dict[str, Any]) -> Attempt:
    source, destination, protocol, *port = element["val"]["concat"]
    packets = element.get("counter", {}).get("packets", 1)
    return Attempt(source, destination, str(protocol), int(port[0]) if port else 0, packets)


def _questions(names: Path) -> tuple[Question, ...]:
    if not names.exists():
        return ()
    asked = Counter(
        (entry["source"], entry["name"]) for entry in map(json.loads, names.read_text().splitlines())
    )
    return tuple(Question(source, name, times) for (source, name), times in sorted(asked.items()))
