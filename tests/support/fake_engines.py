"""Stand-ins for servers of embedding and rerank models on loopback: what the three kinds have in common.

Each kind says in its own words what a small made-up model computes; on demand a server misbehaves as servers do.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

KEY = "test-key"
EMBEDDER, RERANKER = "all-MiniLM-L6-v2", "scripted-reranker"  # as the integration tests' real engines serve
CONTEXT = 256  # tokens of the embedder, as of the real one
SHORT_DIMENSIONS = 4  # of stand-ins: what a test shall print
SPECIAL = 2  # tokens that a tokenizer adds to each text

Rows = list[tuple[Any, Any]]  # an index and a vector or a score each

CHANGES: Mapping[str, Callable[[Rows], Rows]] = {  # how an answer can be wrong, in whatever words
    "": lambda rows: rows,
    "backwards": lambda rows: rows[::-1],
    "one too few": lambda rows: rows[:-1],
    "one too many": lambda rows: [*rows, (len(rows), rows[0][1])],
    "no answers": lambda _: [],
    "the same index twice": lambda rows: [rows[0], (0, rows[1][1]), *rows[2:]],
    "an index that is none": lambda rows: [*rows[:-1], (99, rows[-1][1])],
    "no index": lambda rows: [(None, value) for _, value in rows],
    "a dimension too few": lambda rows: [*rows[:-1], (rows[-1][0], rows[-1][1][:-1])],
    "no numbers": lambda rows: [*rows[:-1], (rows[-1][0], [])],
    "all zeros": lambda rows: [*rows[:-1], (rows[-1][0], [0.0] * len(rows[-1][1]))],
    "a vector with NaN": lambda rows: [*rows[:-1], (rows[-1][0], [math.nan, *rows[-1][1][1:]])],
    "a vector with infinity": lambda rows: [*rows[:-1], (rows[-1][0], [math.inf, *rows[-1][1][1:]])],
    "a score of NaN": lambda rows: [*rows[:-1], (rows[-1][0], math.nan)],
    "a score of null": lambda rows: [*rows[:-1], (rows[-1][0], None)],
    "a score in words": lambda rows: [*rows[:-1], (rows[-1][0], "high")],
}


@dataclass
class Behaviour:
    """How requests for vectors and scores are answered."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None  # instead of the answer
    change: str = ""  # one of CHANGES
    delay: float = 0.0  # seconds before the first byte
    cut: bool = False  # half of the answer, then a closed connection
    huge: int = 0  # so many blanks before the answer
    hang_up: int = 0  # so many requests are dropped before a byte is answered
    refusals: int = -1  # so many requests are answered with `status`, the next well; -1 for all
    busy_above: int = 0  # requests at once from which on the server refuses with 429; 0 for never


@dataclass
class Asked:
    """One request that came."""

    path: str
    body: Any
    headers: Mapping[str, str]


@dataclass
class FakeEngine:
    """The running stand-in: `url`, and the requests that it was sent."""

    url: str
    requests: list[Asked] = field(default_factory=list)
    underway: int = 0
    most_underway: int = 0

    def paths(self, *but: str) -> list[str]:
        """The paths that were asked, in order, without those that are of no interest."""
        return [asked.path for asked in self.requests if asked.path not in but]

    def bodies(self, path: str) -> list[Any]:
        """What was sent to a path."""
        return [asked.body for asked in self.requests if asked.path == path]


@dataclass(frozen=True)
class Reply:
    """An answer; `body` is JSON where it is not bytes."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        """The bytes of the body."""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


class Wire:
    """How one kind of server speaks; a stand-in of each kind overrides what it has."""

    work: ClassVar[frozenset[str]] = frozenset()  # the paths that Behaviour is about
    unauthorised: ClassVar[Reply] = Reply(b"", 401)
    unknown: ClassVar[Reply] = Reply(b"", 404)

    def guards(self, path: str) -> bool:
        """Whether a path wants a key."""
        raise NotImplementedError(path)

    def get(self, path: str) -> Reply:
        """The answer to GET."""
        raise NotImplementedError(path)

    def post(self, path: str, body: Any, change: Callable[[Rows], Rows]) -> Reply:
        """The answer to POST; vectors and scores go through `change` before they are put into words."""
        raise NotImplementedError(path)


@contextmanager
def serving(wire: Wire, behaviour: Behaviour | None = None) -> Iterator[FakeEngine]:
    """Serve on a free loopback port until the block ends."""
    released = threading.Event()

    class Handler(_Handler):
        how = behaviour or Behaviour()
        end = released
        speaks = wire

    server = _Server(("127.0.0.1", 0), Handler)
    Handler.fake = FakeEngine(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.002})
    thread.start()
    try:
        yield Handler.fake
    finally:
        released.set()
        server.shutdown()
        server.server_close()
        thread.join()


def vector(text: str, dimensions: int = SHORT_DIMENSIONS) -> list[float]:
    """The made-up model's vector: of length 1, always the same for a text."""
    digest = hashlib.sha256(text.encode()).digest()
    numbers = [byte - 127.5 for byte in digest[:dimensions]]
    return unit(numbers)


def unit(numbers: Sequence[float]) -> list[float]:
    """The vector of length 1 in the same direction."""
    length = math.hypot(*numbers)
    return [struct.unpack("<f", struct.pack("<f", number / length))[0] for number in numbers]


def logit(query: str, document: str) -> float:
    """The made-up model's score: two for each word in common, one less than none without."""
    return 2.0 * len(set(query.split()) & set(document.split())) - 1.0


def logistic(number: float) -> float:
    """A logit as a probability."""
    return 1 / (1 + math.exp(-number))


def count(text: str) -> int:
    """The made-up tokenizer: a token a word, and those around the text."""
    return len(text.split()) + SPECIAL


def packed(numbers: Sequence[float]) -> str:
    """A vector as base64 of 4-byte floats."""
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


class _Server(ThreadingHTTPServer):
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are what is tested; anything else is an error of the stand-in."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    how: Behaviour
    end: threading.Event
    fake: FakeEngine
    speaks: Wire
    counting = threading.Lock()

    def do_GET(self) -> None:
        self.fake.requests.append(Asked(self.path, None, dict(self.headers)))
        self._send(self.speaks.get(self.path) if self._authorised() else self.speaks.unauthorised)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.fake.requests.append(Asked(self.path, body, dict(self.headers)))
        if not self._authorised():
            self._send(self.speaks.unauthorised)
        elif self.path in self.speaks.work:
            with self._counted():
                self._work(body)
        else:
            self._send(self.speaks.post(self.path, body, CHANGES[""]))

    def _work(self, body: Any) -> None:
        how = self.how
        if how.hang_up:
            how.hang_up -= 1
            return self._hang_up()
        self.end.wait(how.delay)
        if how.busy_above and self.fake.underway > how.busy_above:
            return self._send(Reply(b"", 429, how.headers))
        if how.status != 200 and how.refusals != 0:
            how.refusals -= 1
            return self._send(Reply(how.body or b"", how.status, how.headers))
        well = how.status != 200 or how.body is None
        reply = self.speaks.post(self.path, body, CHANGES[how.change]) if well else Reply(how.body)
        return self._send(reply, blanks=how.huge, cut=how.cut)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self.counting:
            self.fake.underway += 1
            self.fake.most_underway = max(self.fake.most_underway, self.fake.underway)
        try:
            yield
        finally:
            with self.counting:
                self.fake.underway -= 1

    def _authorised(self) -> bool:
        return not self.speaks.guards(self.path) or self.headers.get("authorization") == f"Bearer {KEY}"

    def _send(self, reply: Reply, blanks: int = 0, cut: bool = False) -> None:
        content = reply.content
        self.send_response(reply.status)
        kind = "application/json" if not isinstance(reply.body, bytes) else "text/plain; charset=utf-8"
        headers = {"content-type": kind, **reply.headers, "content-length": str(len(content) + blanks)}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        for _ in range(0, blanks, 1 << 20):
            self.wfile.write(b" " * (1 << 20))
        self.wfile.write(content[: len(content) // 2] if cut else content)
        if cut:
            self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""
