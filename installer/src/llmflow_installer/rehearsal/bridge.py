"""The bridge that a rehearsal's nodes hang on: an address for the gateway, rules that count, no way out."""

from __future__ import annotations

import json
import subprocess
from ipaddress import IPv4Address, IPv4Network

from llmflow_bundle.errors import PreflightFailed


def make(bridge: str, gateway: IPv4Address, hosts: IPv4Network, rules: str) -> None:
    """Lay the rules first, then the bridge, so that no packet passes uncounted; a no-op where both stand."""
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)
    if exists(bridge):
        return
    _refuse_overlap(bridge, hosts)
    _ip("link", "add", bridge, "type", "bridge")
    _ip("link", "set", bridge, "addrgenmode", "none")
    _ip("address", "add", f"{gateway}/{hosts.prefixlen}", "dev", bridge)
    _ip("link", "set", bridge, "up")


def exists(bridge: str) -> bool:
    """Whether the machine has a link of that name."""
    return subprocess.run(["ip", "link", "show", bridge], capture_output=True).returncode == 0


def remove(bridge: str, table: str) -> None:
    """Remove the bridge with the nodes' cables, and the table, whichever of them is there."""
    if exists(bridge):
        for cable in _cables(bridge):
            # the kernel removes a dead node's cable too, in its own time: whoever comes first
            subprocess.run(["ip", "link", "delete", cable], capture_output=True)
        _ip("link", "delete", bridge)
    if subprocess.run(["nft", "list", "table", "inet", table], capture_output=True).returncode == 0:
        subprocess.run(["nft", "delete", "table", "inet", table], check=True)


def _cables(bridge: str) -> list[str]:
    command = ["ip", "-json", "link", "show", "master", bridge]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [link["ifname"] for link in json.loads(listing or "[]")]


def has_rules(table: str) -> bool:
    """Whether the counting rules stand."""
    return subprocess.run(["nft", "list", "table", "inet", table], capture_output=True).returncode == 0


def _refuse_overlap(bridge: str, hosts: IPv4Network) -> None:
    listing = subprocess.run(
        ["ip", "-json", "-4", "route"], check=True, capture_output=True, text=True
    ).stdout
    for route in json.loads(listing):
        if route["dst"] != "default" and hosts.overlaps(IPv4Network(route["dst"], strict=False)):
            raise PreflightFailed(
                "REHEARSE-OVERLAP",
                f"the site's host network {hosts} overlaps {route['dst']}, which this machine already reaches",
                where=f"route by {route.get('dev', '?')}, wanted for bridge {bridge}",
                hint="`llmflow rehearse down` if it is another rehearsal's; else rehearse on another machine",
            )


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
