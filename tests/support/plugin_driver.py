"""Load on a plugin's process from one thread that looks at bytes: the harness must not be what is measured.

`llmflow_runner.daemon.Plugin` hands every message to the thread that waits for it, parsed; here they are counted.
"""

from __future__ import annotations

import json
import os
import re
import selectors
import subprocess
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

from llmflow_runner.daemon import NO_CONTEXT, launch
from llmflow_runner.daemon import end as end_process
from llmflow_runner.environment import Installed

from support.fast_engine import MARK

PATIENCE = 300.0  # seconds in which no session goes on
MESSAGE = re.compile(rb'"data":\s*\{"type":\s*"(stream|error|end)"')
COUNTED = re.compile(rb'"completion_tokens":\s*(\d+)')
TEXT = re.compile(rb'"content":\s*"[^"]')
HEARTBEAT = b'"heartbeat"'
TICKS = os.sysconf("SC_CLK_TCK")


class Silent(Exception):
    """The plugin ended, failed, or said nothing for too long."""


@dataclass
class Answered:
    """What came back under a load; the times are this side's."""

    seconds: float = 0.0
    own_cpu_seconds: float = 0.0  # what the harness itself used
    sessions: int = 0
    messages: int = 0
    marks: int = 0  # tokens of fast_engine.py seen in texts
    tokens: int = 0  # as the plugin says in its usages
    units: int = 0  # what `counting` found


@dataclass(frozen=True)
class Use:
    """What a process has used so far, and what it holds."""

    cpu_seconds: float
    mib: float
    peak_mib: float


def use(pid: int) -> Use:
    """Read a process's figures; its children's are not in them."""
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    status = dict(re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.M))
    return Use(
        (int(stat[11]) + int(stat[12])) / TICKS, int(status["VmRSS"]) / 1024, int(status["VmHWM"]) / 1024
    )


def forget_peak(pid: int) -> None:
    """Let the peak of a process's memory begin anew from what it holds now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


class Driver:
    """A running plugin and the load on it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.pid = process.pid
        self._rest, self._said, self._to_send = b"", b"", bytearray()
        self._heard = time.monotonic()  # when a session last went on; heartbeats do not count
        self._stdin, self._stdout, self._stderr = map(
            _descriptor, (process.stdin, process.stdout, process.stderr)
        )
        self._selector = selectors.DefaultSelector()
        for descriptor in (self._stdin, self._stdout, self._stderr):
            os.set_blocking(descriptor, False)
        self._selector.register(self._stdout, selectors.EVENT_READ)
        self._selector.register(self._stderr, selectors.EVENT_READ)

    def close(self) -> None:
        """Let go of the process, which has ended."""
        self._selector.close()

    def wait_until_ready(self) -> None:
        """Return at the first heartbeat."""
        while HEARTBEAT not in b"".join(self._lines()):
            pass

    def ask(
        self,
        requests: Iterable[Mapping[str, Any]],
        at_once: int,
        counting: Callable[[bytes], int] = lambda _: 0,
    ) -> Answered:
        """Ask all, `at_once` sessions open at any time; raises Silent with the first error that is answered."""
        lines = iter([_line(request) for request in requests])
        found = Answered()
        begun, busy = time.perf_counter(), time.process_time()
        under_way = sum(map(self._send, islice(lines, at_once)))
        while under_way:
            for whole in self._lines():
                ended = self._count(whole, found)
                found.units += counting(whole)
                under_way += sum(map(self._send, islice(lines, ended))) - ended
        found.seconds = time.perf_counter() - begun
        found.own_cpu_seconds = time.process_time() - busy
        return found

    def first_text(self, request: Mapping[str, Any]) -> float:
        """Ask one, wait for its end, and return the seconds to the first message that holds text."""
        first = 0.0
        begun = time.perf_counter()
        self._send(_line(request))
        found = Answered()
        while not found.sessions:
            for whole in self._lines():
                if not first and TEXT.search(whole):
                    first = time.perf_counter() - begun
                self._count(whole, found)
        return first

    def answer(self, request: Mapping[str, Any]) -> Any:
        """Ask one that is answered by a single message, and return that."""
        self._send(_line(request))
        found, said = Answered(), b""
        while not found.sessions:
            for whole in self._lines():
                said += whole
                self._count(whole, found)
        messages = (json.loads(line) for line in said.splitlines() if b'"stream"' in line)
        return next(messages)["data"]["data"]

    def _count(self, whole: bytes, found: Answered) -> int:
        """Add the messages of some whole lines; the number of sessions that they end."""
        kinds = MESSAGE.findall(whole)
        if kinds:
            self._heard = time.monotonic()
        if b"error" in kinds:
            raise Silent(_error(whole))
        ended = kinds.count(b"end")
        found.sessions += ended
        found.messages += len(kinds) - ended
        found.marks += whole.count(MARK.encode())
        found.tokens += sum(map(int, COUNTED.findall(whole)))
        return ended

    def _send(self, line: bytes) -> int:
        """Ask one; 1, for the sum of those under way."""
        self._to_send += line
        self._heard = time.monotonic()
        self._flush()
        return 1

    def _flush(self) -> None:
        """Hand over what the pipe takes, the rest when it takes more: the plugin may first want to be read."""
        waiting = self._stdin in self._selector.get_map()
        try:
            while self._to_send:
                del self._to_send[: os.write(self._stdin, self._to_send)]
        except BlockingIOError:
            if not waiting:
                self._selector.register(self._stdin, selectors.EVENT_WRITE)
            return
        except BrokenPipeError as exc:
            raise Silent(f"the plugin ended; it said: {self._last()}") from exc
        if waiting:
            self._selector.unregister(self._stdin)

    def _lines(self) -> Iterator[bytes]:
        """Wait for the plugin, and yield the whole lines that it has said, together."""
        ready = self._selector.select(PATIENCE)
        if time.monotonic() - self._heard > PATIENCE:
            raise Silent(f"no session went on for {PATIENCE:.0f} seconds; the plugin said: {self._last()}")
        for key, _ in ready:
            if key.fd == self._stdin:
                self._flush()
                continue
            if key.fd == self._stderr:
                self._listen()
                continue
            data = os.read(key.fd, 1 << 20)
            if not data:
                raise Silent(f"the plugin ended; it said: {self._last()}")
            head, newline, tail = data.rpartition(b"\n")
            if newline:
                yield self._rest + head + newline
                self._rest = tail
            else:
                self._rest += data

    def _listen(self) -> None:
        """Keep the last of what the plugin says to its log."""
        with suppress(BlockingIOError):
            self._said = (self._said + os.read(self._stderr, 1 << 16))[-2000:]

    def _last(self) -> str:
        self._listen()
        return self._said.decode(errors="replace") or "nothing"


@contextmanager
def driver(place: Installed) -> Iterator[Driver]:
    """The plugin started and ready until the block ends."""
    process = launch(place)
    driven = Driver(process)
    try:
        driven.wait_until_ready()
        yield driven
    finally:
        driven.close()
        end_process(process)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()


def _descriptor(stream: IO[str] | None) -> int:
    if stream is None:
        raise Silent("the plugin was started without its three streams")
    return stream.fileno()


def _line(data: Mapping[str, Any]) -> bytes:
    request = {"session_id": str(uuid.uuid4()), **NO_CONTEXT, "event": "request", "data": data}
    return json.dumps(request, ensure_ascii=False).encode() + b"\n"


def _error(whole: bytes) -> str:
    """The first error among some whole lines."""
    events = (json.loads(line) for line in whole.splitlines() if b'"error"' in line)
    error = next(event["data"]["data"] for event in events if event["data"]["type"] == "error")
    return f"{error['error_type']}: {error['message'][:500]}"
