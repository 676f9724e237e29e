"""As much of Bolt 5.4 as it takes to log in to Neo4j and to ask one question.

Written here because the official driver would be a dependency of every installer, for the sake of one check.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

HANDSHAKE = b"\x60\x60\xb0\x17" + b"\x00\x00\x04\x05" + bytes(12)  # version 5.4 and no other
VERSION = b"\x00\x00\x04\x05"
HELLO, LOGON, RUN, PULL = 0x01, 0x6A, 0x10, 0x3F
SUCCESS, RECORD, FAILURE = 0x70, 0x71, 0x7F
LARGEST = 1 << 20  # bytes of a message; a server that sends more is not the one that was asked


class Line(Protocol):
    """An open connection: a socket."""

    def sendall(self, data: bytes, /) -> None:
        """Send all of it."""

    def recv(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""


class BoltError(Exception):
    """The server refused, and said so with a code; or it does not speak Bolt, and then `code` is empty."""

    def __init__(self, what: str, code: str = "") -> None:
        super().__init__(what)
        self.code = code


def ask(line: Line, user: str, password: str, query: str) -> list[list[Any]]:
    """The rows that a query returns, over a connection that nothing was said on yet; raises BoltError, OSError."""
    line.sendall(HANDSHAKE)
    if (version := _read(line, len(VERSION))) != VERSION:
        raise BoltError(f"it does not speak Bolt 5.4: {version.hex()}")
    agent = "llmflow/1"
    _call(line, HELLO, {"user_agent": agent, "bolt_agent": {"product": agent}})
    _call(line, LOGON, {"scheme": "basic", "principal": user, "credentials": password})
    _call(line, RUN, query, {}, {})
    return _call(line, PULL, {"n": -1})


def _call(line: Line, signature: int, *fields: object) -> list[list[Any]]:
    """Send a message; the records that come before its success."""
    message = bytes([0xB0 | len(fields), signature]) + b"".join(pack(field) for field in fields)
    line.sendall(struct.pack(">H", len(message)) + message + b"\x00\x00")
    records: list[list[Any]] = []
    while True:
        answer, content = _answer(line)
        if answer == SUCCESS:
            return records
        if answer == FAILURE:
            raise BoltError(str(content.get("message", "")), str(content.get("code", "?")))
        if answer != RECORD:
            raise BoltError(f"it answers with {answer:#x}")
        records.append(content)


def _answer(line: Line) -> tuple[int, Any]:
    """The next message: its signature and its one field."""
    message = b""
    while True:
        (size,) = struct.unpack(">H", _read(line, 2))
        if size == 0 and message:
            break
        message += _read(line, size)
        if len(message) > LARGEST:
            raise BoltError(f"it answers with more than {LARGEST} bytes")
    if len(message) < 3 or message[0] != 0xB1:
        raise BoltError(f"it answers with {message[:4].hex()}")
    return message[1], unpack(message[2:])


def _read(line: Line, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = line.recv(size - len(data))
        if not piece:
            raise BoltError("it hung up")
        data += piece
    return data


def pack(value: object) -> bytes:
    """A string, an integer or a mapping of them in PackStream."""
    match value:
        case int():
            return b"\xcb" + struct.pack(">q", value)
        case str():
            text = value.encode()
            return b"\xd2" + struct.pack(">I", len(text)) + text
        case Mapping():
            pairs = b"".join(pack(key) + pack(inner) for key, inner in value.items())
            return b"\xda" + struct.pack(">I", len(value)) + pairs
    raise TypeError(f"{type(value).__name__} is not packed here")


def unpack(data: bytes) -> Any:
    """The value that PackStream holds; raises BoltError where that is none, or more than one."""
    try:
        value, rest = _unpacked(data)
    except (struct.error, IndexError, UnicodeDecodeError, TypeError, RecursionError) as error:
        raise BoltError(f"it answers with what is not PackStream: {error}") from error
    if rest:
        raise BoltError("it answers with more than one value")
    return value


_PLAIN = {0xC0: None, 0xC2: False, 0xC3: True}
_NUMBERS = {0xC1: ">d", 0xC8: ">b", 0xC9: ">h", 0xCA: ">i", 0xCB: ">q"}
_SIZES = {
    0xD0: ">B",
    0xD1: ">H",
    0xD2: ">I",
    0xD4: ">B",
    0xD5: ">H",
    0xD6: ">I",
    0xD8: ">B",
    0xD9: ">H",
    0xDA: ">I",
}
_SMALL = {0x80: 0xD0, 0x90: 0xD4, 0xA0: 0xD8}  # a size in the marker's low half


def _unpacked(data: bytes) -> tuple[Any, bytes]:
    marker, rest = data[0], data[1:]
    if marker in _PLAIN:
        return _PLAIN[marker], rest
    if marker in _NUMBERS:
        size = struct.calcsize(_NUMBERS[marker])
        return struct.unpack(_NUMBERS[marker], rest[:size])[0], rest[size:]
    if marker < 0x80 or marker >= 0xF0:
        return struct.unpack(">b", data[:1])[0], rest
    if marker & 0xF0 in _SMALL:
        return _sized(_SMALL[marker & 0xF0], marker & 0x0F, rest)
    if marker in _SIZES:
        width = struct.calcsize(_SIZES[marker])
        return _sized(marker, struct.unpack(_SIZES[marker], rest[:width])[0], rest[width:])
    raise BoltError(f"it answers with a value of the kind {marker:#x}")


def _sized(marker: int, size: int, rest: bytes) -> tuple[Any, bytes]:
    """A string of so many bytes, a list of so many values or a mapping of so many pairs."""
    if marker <= 0xD2:
        if size > len(rest):
            raise IndexError("a string is cut off")
        return rest[:size].decode(), rest[size:]
    values: list[Any] = []
    for _ in range(size if marker <= 0xD6 else 2 * size):
        value, rest = _unpacked(rest)
        values.append(value)
    return (values if marker <= 0xD6 else dict(_pairs(values))), rest


def _pairs(values: list[Any]) -> Iterator[tuple[Any, Any]]:
    return zip(values[::2], values[1::2], strict=True)
