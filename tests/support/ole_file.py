"""Writes OLE compound files, the box of HWP 5 and of Outlook's messages: version 3, with a mini stream."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

SECTOR, MINI, CUTOFF = 512, 64, 4096
FREE, END, FAT, NONE = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFF
SIGNATURE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
STORAGE, STREAM, ROOT = 1, 2, 5


@dataclass
class Entry:
    """A storage or a stream in the directory."""

    name: str
    kind: int
    data: bytes = b""
    kids: dict[str, Entry] = field(default_factory=dict)
    number: int = 0
    left: int = NONE
    right: int = NONE
    child: int = NONE
    start: int = END


def compound(streams: Mapping[str, bytes]) -> bytes:
    """A compound file of streams by their paths, `/` between storages."""
    root = Entry("Root Entry", ROOT)
    for path, data in streams.items():
        *folders, name = path.split("/")
        at = root
        for folder in folders:
            at = at.kids.setdefault(folder, Entry(folder, STORAGE))
        at.kids[name] = Entry(name, STREAM, data)
    entries: list[Entry] = []
    _number(root, entries)
    chains: list[bytes] = []
    fat: list[int] = []

    def store(data: bytes) -> int:
        """Put bytes into sectors; the number of the first."""
        if not data:
            return END
        first, count = len(fat), -(-len(data) // SECTOR)
        chains.append(data.ljust(count * SECTOR, b"\0"))
        fat.extend([*range(first + 1, first + count), END])
        return first

    small = b""
    mini_fat: list[int] = []
    for entry in entries:
        if entry.kind == STREAM and len(entry.data) >= CUTOFF:
            entry.start = store(entry.data)
        elif entry.kind == STREAM and entry.data:
            first, count = len(mini_fat), -(-len(entry.data) // MINI)
            entry.start = first
            mini_fat += [*range(first + 1, first + count), END]
            small += entry.data.ljust(count * MINI, b"\0")
    root.data, root.start = small, store(small)
    mini_start = store(struct.pack(f"<{len(mini_fat)}I", *mini_fat)) if mini_fat else END
    directory = store(b"".join(map(_packed, entries)))
    body = b"".join(chains)
    tables = 1
    while tables * (SECTOR // 4) < len(fat) + tables:
        tables += 1
    places = range(len(fat), len(fat) + tables)
    full = [*fat, *[FAT] * tables]
    full += [FREE] * (tables * (SECTOR // 4) - len(full))
    head = SIGNATURE + bytes(16) + struct.pack("<5H6x", 0x3E, 3, 0xFFFE, 9, 6)
    head += struct.pack("<9I", 0, tables, directory, 0, CUTOFF, mini_start, -(-len(mini_fat) // 128), END, 0)
    head += struct.pack("<109I", *places, *[FREE] * (109 - tables))
    return head + body + struct.pack(f"<{len(full)}I", *full)


def _number(entry: Entry, entries: list[Entry]) -> None:
    """Give each entry its number, and tie siblings into a balanced tree."""
    entry.number = len(entries)
    entries.append(entry)
    kids = sorted(entry.kids.values(), key=lambda kid: (len(kid.name), kid.name.upper()))
    for kid in kids:
        _number(kid, entries)
    entry.child = _tree(kids)


def _tree(kids: list[Entry]) -> int:
    if not kids:
        return NONE
    middle = len(kids) // 2
    kids[middle].left, kids[middle].right = _tree(kids[:middle]), _tree(kids[middle + 1 :])
    return kids[middle].number


def _packed(entry: Entry) -> bytes:
    name = entry.name.encode("utf-16-le") + b"\0\0"
    head = name.ljust(64, b"\0") + struct.pack(
        "<HBB3I", len(name), entry.kind, 1, entry.left, entry.right, entry.child
    )
    return head + bytes(16 + 4 + 16) + struct.pack("<IQ", entry.start, len(entry.data))
