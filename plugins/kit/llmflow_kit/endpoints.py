"""Several equivalent servers as one: the least busy healthy one is asked, another takes over where it fails.

Nothing is repeated once a byte of an answer has come. A server that failed is left alone for a while; where all have
failed, the one whose while ends first is tried, so that no request is refused unasked. Repeats at the same server
wait, with jitter, and draw on a budget that ordinary requests fill, so that a failing site is not asked twice as much.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeVar

import httpx

from llmflow_kit.connection import Connection
from llmflow_kit.faults import Fault, Overloaded, Throttled, TimedOut, Unreachable
from llmflow_kit.http import NO_HEADERS, Http, transport_for

T = TypeVar("T")

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 8.0  # seconds before a repeat: at most, doubled each time up to the second
SHORTEST_REST, LONGEST_REST = 1.0, 60.0  # seconds that a failed server is left alone
BUDGET, EARNED = 10.0, 0.1  # repeats in hand at most, and what each request adds


@dataclass(frozen=True)
class Patience:
    """How often all servers are tried again when none could help; `busy`: also when they are merely full."""

    rounds: int = 1
    busy: bool = False
    seconds: float | None = None  # the longest silence, where it is not the connection's


PROMPT = Patience()  # somebody waits for the answer, and Dify knows other places to ask
PATIENT = Patience(rounds=8, busy=True)  # work that may take its time


@dataclass
class Endpoint:
    """One server, what is under way there, and how it fared."""

    http: Http
    underway: int = 0
    turn: int = -1  # when it was last chosen
    failures: int = 0  # in a row
    rests_until: float = 0.0

    def succeeded(self) -> None:
        """It answers."""
        self.failures, self.rests_until = 0, 0.0

    def failed(self, fault: Fault, now: float) -> None:
        """It does not: leave it alone, longer each time, or as long as it says."""
        self.failures += 1
        rest = min(LONGEST_REST, SHORTEST_REST * 2 ** min(self.failures - 1, 10))
        if isinstance(fault, Throttled) and fault.retry_after is not None:
            rest = min(LONGEST_REST, fault.retry_after)
        self.rests_until = now + rest


@dataclass
class Budget:
    """Repeats in hand."""

    left: float = BUDGET

    def earn(self) -> None:
        """A request was made."""
        self.left = min(BUDGET, self.left + EARNED)

    def spend(self) -> bool:
        """Take one repeat, if there is one."""
        if self.left < 1:
            return False
        self.left -= 1
        return True


@dataclass
class Endpoints:
    """The servers of a connection; speaks as Http does, and is as safe to share."""

    connection: Connection
    transport: httpx.BaseTransport | None = None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    epoch: int = 0  # counts the times that a server was lost: what was read of it before may be stale
    _all: list[Endpoint] = field(default_factory=list)
    _budget: Budget = field(default_factory=Budget)
    _turns: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        """Open nothing yet; connections come with requests."""
        self.transport = self.transport or transport_for(self.connection)
        self._all = [Endpoint(Http(s, self.connection, self.transport)) for s in self.connection.servers]

    def get(self, path: str, patience: Patience = PROMPT) -> Any:
        """The JSON at `path`; raises a Fault."""
        return self._one(lambda http: http.get(path, patience.seconds), patience)

    def post(
        self,
        path: str,
        body: Any,
        headers: Mapping[str, str] = NO_HEADERS,
        patience: Patience = PROMPT,
    ) -> Any:
        """The JSON that `path` answers to the JSON `body`; raises a Fault."""
        return self._one(lambda http: http.post(path, body, headers, patience.seconds), patience)

    def upload(
        self, path: str, content: bytes, kind: str, key_header: str, patience: Patience = PROMPT
    ) -> tuple[Any, Mapping[str, str]]:
        """The JSON that `path` answers to a form of this media type, and its headers; raises a Fault."""
        return self._one(lambda http: http.upload(path, content, kind, key_header), patience)

    def stream(
        self,
        path: str,
        body: Any,
        headers: Mapping[str, str] = NO_HEADERS,
        patience: Patience = PROMPT,
    ) -> Answer:
        """The chunks that `path` answers to `body`; what goes wrong before the first is raised here."""

        def begin(http: Http) -> tuple[bytes, Generator[bytes]]:
            chunks = http.stream(path, body, headers, patience.seconds)
            return next(chunks, b""), chunks

        until = self._deadline()
        endpoint, (first, rest) = self._ask(begin, patience, until)
        return Answer(self, endpoint, first, rest, until)

    def each(self) -> tuple[Http, ...]:
        """Every server by itself, for what has to be asked of all."""
        return tuple(endpoint.http for endpoint in self._all)

    def state(self) -> tuple[Endpoint, ...]:
        """How each server fares."""
        return tuple(self._all)

    def close(self) -> None:
        """Close the connections."""
        if self.transport:
            self.transport.close()

    def _one(self, send: Callable[[Http], T], patience: Patience) -> T:
        endpoint, answer = self._ask(send, patience, self._deadline())
        endpoint.underway -= 1
        return answer

    def _ask(self, send: Callable[[Http], T], patience: Patience, until: float) -> tuple[Endpoint, T]:
        """The first success, and the server that it is from, which stays counted as busy; raises a Fault."""
        self._budget.earn()
        for round_ in range(patience.rounds + 1):
            untried = list(self._all)
            while untried:
                endpoint = self._best(untried)
                untried.remove(endpoint)
                endpoint.underway += 1
                endpoint.turn = next(self._turns)
                try:
                    answer = send(endpoint.http)
                except BaseException as exc:
                    endpoint.underway -= 1
                    if not isinstance(exc, Fault):
                        raise
                    fault = exc
                    self.note(endpoint, fault)
                    if not fault.elsewhere:
                        raise
                else:
                    endpoint.succeeded()
                    return endpoint, answer
            self._wait(fault, round_, patience, until)
        raise fault

    def _best(self, among: list[Endpoint]) -> Endpoint:
        """The healthy server with the least under way, the longest idle of equals; else the next to recover."""
        now = self.clock()
        return min(among, key=lambda e: (max(0.0, e.rests_until - now), e.underway, e.turn))

    def _wait(self, fault: Fault, round_: int, patience: Patience, until: float) -> None:
        """Wait before another round, or raise `fault` where another round is not worth it."""
        busy = isinstance(fault, Throttled | Overloaded)
        if round_ >= patience.rounds or not fault.again or (busy and not patience.busy):
            raise fault
        if not busy and not self._budget.spend():
            raise fault
        pause = random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2**round_))  # noqa: S311 - jitter, no secret
        if isinstance(fault, Throttled) and fault.retry_after is not None:
            pause += min(fault.retry_after, LONGEST_REST)
        if self.clock() + pause > until:
            raise fault
        self.sleep(pause)

    def note(self, endpoint: Endpoint, fault: Fault) -> None:
        """Remember how a server fared."""
        if isinstance(fault, Unreachable):
            self.epoch += 1
        if isinstance(fault, Unreachable | TimedOut | Throttled | Overloaded):
            endpoint.failed(fault, self.clock())

    def _deadline(self) -> float:
        return self.clock() + (self.connection.deadline or float("inf"))


@dataclass
class Answer(Iterator[bytes]):
    """A stream that has begun; its server counts as busy until it ends or is closed."""

    servers: Endpoints
    endpoint: Endpoint
    first: bytes
    rest: Generator[bytes]
    until: float
    closed: bool = False

    def __next__(self) -> bytes:
        """The next chunk; raises a Fault where the stream breaks or takes too long."""
        try:
            chunk, self.first = self.first or next(self.rest), b""
            if self.servers.clock() > self.until:
                seconds = self.servers.connection.deadline
                raise TimedOut(f"The answer took longer than the {seconds} seconds that it may.")
        except BaseException as exc:
            self.close()
            if isinstance(exc, Fault):
                self.servers.note(self.endpoint, exc)
            raise
        return chunk

    def close(self) -> None:
        """Leave the server; what it has not sent yet is not waited for."""
        if not self.closed:
            self.closed = True
            self.endpoint.underway -= 1
            self.rest.close()
