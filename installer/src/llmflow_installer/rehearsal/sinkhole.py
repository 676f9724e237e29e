"""A DNS server that answers NXDOMAIN to everything and writes down who asked for what.

Run as `python -m llmflow_installer.rehearsal.sinkhole ADDRESS LOG`; standard library only. A node on a closed
network must ask for no outside name: each line of the log is a finding.
"""

from __future__ import annotations

import json
import socketserver
import struct
import sys
from pathlib import Path
from typing import IO

_HEADER = struct.Struct("!HHHHHH")
_QR_AA_RA = 0x8480
_RECURSION_DESIRED = 0x0100
_NXDOMAIN = 3
_LONGEST_NAME = 255  # RFC 1035 §2.3.4


def question(packet: bytes) -> str:
    """Return the name asked for in a DNS query; raise ValueError when it is not one."""
    if len(packet) < _HEADER.size:
        raise ValueError("shorter than a DNS header")
    labels: list[bytes] = []
    at = _HEADER.size
    while True:
        if at >= len(packet) or sum(len(label) for label in labels) > _LONGEST_NAME:
            raise ValueError("the name does not end")
        length = packet[at]
        if length == 0:
            return ".".join(label.decode("ascii", "backslashreplace") for label in labels) or "."
        if length > 63:
            raise ValueError("a query holds no compressed name")
        labels.append(packet[at + 1 : at + 1 + length])
        at += 1 + length


def refusal(packet: bytes) -> bytes:
    """Return the NXDOMAIN answer to a query, its question section repeated."""
    ident, flags, questions, *_ = _HEADER.unpack_from(packet)
    return (
        _HEADER.pack(ident, _QR_AA_RA | flags & _RECURSION_DESIRED | _NXDOMAIN, questions, 0, 0, 0)
        + packet[_HEADER.size :]
    )


class _Log:
    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, source: str, packet: bytes) -> bytes:
        """Write the question down; return the answer, empty where there is none."""
        try:
            name = question(packet)
        except ValueError as problem:
            name = f"(malformed: {problem})"
        self._stream.write(json.dumps({"source": source, "name": name}) + "\n")
        self._stream.flush()
        return refusal(packet) if len(packet) >= _HEADER.size else b""


def serve(address: str, log: Path) -> None:
    """Answer on UDP port 53 of `address` until ended."""
    with log.open("a", encoding="utf-8") as stream:
        names = _Log(stream)

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                packet, reply = self.request
                if answer := names.write(self.client_address[0], packet):
                    reply.sendto(answer, self.client_address)

        with socketserver.UDPServer((address, 53), Handler) as server:
            server.serve_forever()


if __name__ == "__main__":
    serve(sys.argv[1], Path(sys.argv[2]))
