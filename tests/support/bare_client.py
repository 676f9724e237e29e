"""The least that a client of vLLM's chat stream can do: many streams, one thread, bytes counted and not parsed.

    python tests/support/bare_client.py HOST PORT STREAMS WAVES < REQUEST

Sends the HTTP request on STREAMS connections at once, WAVES times on each, and prints what came as JSON. A process
of its own, so that nothing else is in its figures.
"""

from __future__ import annotations

import json
import re
import selectors
import socket
import sys
import time
from pathlib import Path

END = b"0\r\n\r\n"  # of an answer in chunks
COUNTED = re.compile(rb'"completion_tokens":\s*(\d+)')
MARK = b"~"  # in each token of fast_engine.py
TAIL = 2000  # bytes at an answer's end, in which its usage stands


class Stream:
    """One connection, and the answer that comes over it."""

    def __init__(self, address: tuple[str, int], request: bytes) -> None:
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.marks = self.counted = 0
        self.whole = True
        self._request, self._tail = request, b""

    def ask(self) -> None:
        """Send the request."""
        self.whole = False
        self.socket.sendall(self._request)

    def read(self) -> bytes:
        """Take in what has come, and return it."""
        data = self.socket.recv(1 << 16)
        self.marks += data.count(MARK)
        self._tail = (self._tail + data)[-TAIL:]
        if self._tail.endswith(END) or not data:
            counts = COUNTED.findall(self._tail)
            if not counts:
                raise ConnectionError(f"the answer ended without a usage: {self._tail[-300:]!r}")
            self.counted += int(counts[-1])
            self.whole, self._tail = True, b""
        return data


def load(streams: list[Stream], waves: int) -> None:
    """Ask on every stream, and again as soon as its answer is whole, `waves` times in all."""
    with selectors.DefaultSelector() as selector:
        left = dict.fromkeys(streams, waves)
        for stream in streams:
            selector.register(stream.socket, selectors.EVENT_READ, stream)
            stream.ask()
        while left:
            for key, _ in selector.select():
                stream = key.data
                stream.read()
                if not stream.whole:
                    continue
                left[stream] -= 1
                if left[stream]:
                    stream.ask()
                else:
                    del left[stream]
                    selector.unregister(stream.socket)


def peak_mib() -> float:
    """The most memory that this process has held; getrusage would count the process that started it, too."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main() -> None:
    """Measure one load and print it."""
    host, port, count, waves = sys.argv[1], *map(int, sys.argv[2:])
    request = sys.stdin.buffer.read()
    streams = [Stream((host, port), request) for _ in range(count)]
    begun, busy = time.perf_counter(), time.process_time()
    load(streams, waves)
    seconds, busy = time.perf_counter() - begun, time.process_time() - busy
    found = {
        "seconds": seconds,
        "cpu_seconds": busy,
        "marks": sum(stream.marks for stream in streams),
        "tokens": sum(stream.counted for stream in streams),
        "peak_mib": peak_mib(),
    }
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
