"""Stand-ins for the stores: enough of Neo4j's Bolt 5.4 for one question, and a probe that went well."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from llmflow_installer.site import Site

HELLO, LOGON, RUN, PULL = 0x01, 0x6A, 0x10, 0x3F
SUCCESS = b"\xb1\x70\xa0"
UNAUTHORIZED = "Neo.ClientError.Security.Unauthorized"


def failure(code: str, text: str = "no") -> bytes:
    """Bolt's answer that says so."""
    return b"\xb1\x7f\xa2\x84code" + _text(code) + b"\x87message" + _text(text)


def _text(text: str) -> bytes:
    return b"\xd0" + bytes([len(text)]) + text.encode()


def chunked(message: bytes) -> bytes:
    """A message as it is sent: its length, itself, an empty chunk."""
    return len(message).to_bytes(2, "big") + message + b"\x00\x00"


@dataclass
class FakeStores:
    """Takes `password` for Neo4j's, or what the state of the site says it is.

    `answers` maps a message's signature to what is answered instead of the usual, `closed` are addresses where
    nobody listens, `probe` is what the probe in Milvus's pod ends with and says.
    """

    password: str = ""
    version: bytes = b"\x00\x00\x04\x05"
    answers: dict[int, bytes] = field(default_factory=dict)
    closed: tuple[str, ...] = ()
    probe: tuple[int, str] = (0, "inserted, found and dropped")
    dialled: list[tuple[str, int]] = field(default_factory=list)
    commands: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    @contextmanager
    def dial(self, address: str, port: int, ca: Path) -> Iterator[socket.socket]:
        """A connection to a server in a thread of its own, which has ended when the connection has."""
        self.dialled.append((address, port))
        if address in self.closed:
            raise ConnectionRefusedError("Connection refused")
        near, far = socket.socketpair()
        server = threading.Thread(target=self._serve, args=(far, self.password or _made(ca)))
        server.start()
        try:
            with near:
                yield near
        finally:
            server.join()

    def inside(self, _site: Site, organ: str, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """What a command in the pod of an organ says."""
        self.commands.append((organ, tuple(command)))
        code, said = self.probe
        return subprocess.CompletedProcess(command, code, "" if code else said, said if code else "")

    def _serve(self, line: socket.socket, password: str) -> None:
        with line, line.makefile("rb") as coming:
            if not coming.read(20):
                return
            line.sendall(self.version)
            while size := int.from_bytes(coming.read(2), "big"):
                message = coming.read(size)
                coming.read(2)
                try:
                    line.sendall(self._answer(message, password))
                except BrokenPipeError:
                    return

    def _answer(self, message: bytes, password: str) -> bytes:
        signature = message[1]
        if signature in self.answers:
            return self.answers[signature]
        if signature == LOGON and password.encode() not in message:
            return chunked(failure(UNAUTHORIZED))
        record = chunked(b"\xb1\x71\x91\x2a") if signature == PULL else b""
        return record + chunked(SUCCESS)


def _made(ca: Path) -> str:
    """The password that the installer has made, which lies where the authority does."""
    return str(json.loads((ca.parent.parent / "secrets.json").read_text(encoding="utf-8"))["neo4j_password"])
