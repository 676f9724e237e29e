"""Standard output as the plugin daemon reads it: one write a message, without a thread.

The SDK patches sys.stdout to hand each write and each flush to a thread of gevent's pool, four hand-overs for every
message: more than half of what a token costs. A pipe needs no thread. What is written is kept until its line ends and
goes out in one piece, so that two requests never mix their messages; where the daemon lags behind, only those who
write wait.
"""

from __future__ import annotations

import os
import sys
from io import TextIOBase

from gevent.lock import RLock
from gevent.socket import wait_write


class Stdout(TextIOBase):
    """Writes whole lines to a file descriptor, which is made non-blocking; safe for any number of greenlets."""

    encoding = "utf-8"

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor, self._pending, self._turn = descriptor, "", RLock()

    def write(self, text: str) -> int:
        """Keep `text`, and send what is kept once it ends a line."""
        self._pending += text
        if text.endswith("\n"):
            line, self._pending = self._pending, ""
            with self._turn:
                self._send(memoryview(line.encode("utf-8", "replace")))
        return len(text)

    def fileno(self) -> int:
        """The descriptor."""
        return self._descriptor

    def _send(self, data: memoryview) -> None:
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:
                wait_write(self._descriptor)


def use() -> None:
    """Let all that is written to sys.stdout from here on go out so; what stands in its buffer goes first."""
    sys.stdout.flush()
    sys.stdout = Stdout(sys.stdout.fileno())
