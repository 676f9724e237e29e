"""The rehearsal's parts that need no root: DNS packets, cgroup tables, counters, the way nodes are described."""

from __future__ import annotations

import json
import struct
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmflow_installer.rehearsal import cgroups, ledger, node, sinkhole
from llmflow_installer.rehearse import Rehearsal


def query(*labels: bytes, ident: int = 7, flags: int = 0x0100) -> bytes:
    name = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    return struct.pack("!HHHHHH", ident, flags, 1, 0, 0, 0) + name + b"\0\1\0\1"


@pytest.mark.parametrize(
    ("packet", "name"),
    [
        (query(b"registry", b"example"), "registry.example"),
        (query(), "."),  # the root itself
        (query(b"\xed\x95\x9c"), r"\xed\x95\x9c"),  # bytes that are no letters stay readable
    ],
)
def test_a_question_is_read(packet: bytes, name: str) -> None:
    assert sinkhole.question(packet) == name


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\0" * 11,  # shorter than a header
        query(b"a")[:14],  # the name is cut
        struct.pack("!HHHHHH", 1, 0, 1, 0, 0, 0) + b"\xc0\x0c",  # a pointer, as only answers have
        struct.pack("!HHHHHH", 1, 0, 1, 0, 0, 0) + b"\x3f" * 600,  # a name that does not end
    ],
    ids=["empty", "short", "cut", "pointer", "endless"],
)
def test_what_is_no_question_is_refused(packet: bytes) -> None:
    with pytest.raises(ValueError, match=r"name|header"):
        sinkhole.question(packet)


@given(st.binary(max_size=600))
def test_no_packet_breaks_the_sinkhole(packet: bytes) -> None:
    try:
        sinkhole.question(packet)
    except ValueError:
        return


def test_the_answer_is_that_there_is_no_such_name() -> None:
    answer = sinkhole.refusal(query(b"a", ident=4711))
    ident, flags, questions, answers, *_ = struct.unpack("!HHHHHH", answer[:12])
    assert (ident, flags & 0xF, questions, answers) == (4711, 3, 1, 0)
    assert answer[12:] == query(b"a")[12:]


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        (
            "cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0\n"
            "cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,name=systemd 0 0\n"
            "cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0\n"
            "proc /proc proc rw 0 0\n",
            [
                ("cpu,cpuacct", "cgroup", "cpu,cpuacct"),
                ("systemd", "cgroup", "none,name=systemd"),
                ("unified", "cgroup2", "rw"),
            ],
        ),
        ("cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,relatime,nsdelegate 0 0\n", [("cgroup", "cgroup2", "rw")]),
    ],
    ids=["hybrid", "unified"],
)
def test_hierarchies_of_a_machine(tmp_path: Path, mounts: str, expected: list[tuple[str, str, str]]) -> None:
    (tmp_path / "mounts").write_text(mounts)
    found = cgroups.hierarchies(tmp_path / "mounts")
    assert [(h.mountpoint.name, h.fstype, h.options) for h in found] == expected


def test_the_ledger_knows_whom_it_counts(tmp_path: Path) -> None:
    rules = ledger.rules(
        "llmflow_1",
        "llmflow-1",
        IPv4Network("10.9.0.0/24"),
        IPv4Address("10.9.0.1"),
        IPv4Network("10.244.0.0/16"),
    )
    assert "ip daddr { 10.9.0.0/24, 10.244.0.0/16 } accept" in rules
    names = tmp_path / "names.jsonl"
    names.write_text(
        "".join(json.dumps({"source": "10.9.0.2", "name": name}) + "\n" for name in ("b", "a", "b"))
    )
    assert ledger._questions(names) == (
        ledger.Question("10.9.0.2", "a", 1),
        ledger.Question("10.9.0.2", "b", 2),
    )
    assert ledger._questions(tmp_path / "none") == ()


def test_a_counter_becomes_an_attempt() -> None:
    element = {
        "val": {"concat": ["10.9.0.2", "192.0.2.1", "tcp", 443]},
        "counter": {"packets": 3, "bytes": 180},
    }
    assert ledger._attempt(element) == ledger.Attempt("10.9.0.2", "192.0.2.1", "tcp", 443, 3)


def test_a_node_is_told_apart_by_its_upper_layer(tmp_path: Path) -> None:
    one = node.Node("cp1", IPv4Address("10.9.0.2"), tmp_path / "cp1", "llmflow-1-cp1")
    wiring = node.Wiring(
        "llmflow-1", IPv4Network("10.9.0.0/24"), IPv4Address("10.9.0.1"), "ssh-ed25519 AAAA me\n"
    )
    for _ in range(2):  # a second time changes nothing, the host key least of all
        node.prepare(one, tmp_path / "base", wiring)
        key = one.host_key.read_text()
    upper = one.folder / "upper"
    assert (upper / "etc/hostname").read_text() == "cp1\n"
    assert "Address=10.9.0.2/24" in (upper / "etc/systemd/network/10-host.network").read_text()
    assert (upper / "root/.ssh/authorized_keys").stat().st_mode & 0o777 == 0o600
    assert one.host_key.read_text() == key


def test_names_of_links_are_short_enough(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LLMFLOW_STATE", str(tmp_path))
    assert len(Rehearsal("a-site-with-a-rather-long-name").bridge) <= 15  # the kernel's IFNAMSIZ less one
