"""Chunks joined below the HTTP library: the same content, whatever the cuts; anything strange untouched."""

from __future__ import annotations

import h11
import httpcore
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmflow_kit.wire import READ, Joiner, Stream

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)


def cut(whole: bytes, sizes: list[int]) -> list[bytes]:
    """The bytes in pieces of these sizes, over and over."""
    pieces: list[bytes] = []
    at = 0
    while at < len(whole):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(whole[at : at + size])
        at += size
    return pieces


def fed(pieces: list[bytes]) -> bytes:
    joiner = Joiner()
    return b"".join(joiner.feed(piece) for piece in pieces)


def understood(raw: bytes) -> tuple[bytes, int]:
    """What the HTTP library makes of an answer: its content, and in how many parts."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(raw)
    parts = []
    while not isinstance(event := connection.next_event(), h11.EndOfMessage):
        assert event is not h11.NEED_DATA
        if isinstance(event, h11.Data):
            parts.append(bytes(event.data))
    return b"".join(parts), len(parts)


CONTENTS = st.lists(st.binary(min_size=1, max_size=40), max_size=20)


@given(CONTENTS, st.lists(st.integers(1, 60), min_size=1, max_size=5))
def test_joining_keeps_the_content(contents: list[bytes], sizes: list[int]) -> None:
    whole = HEAD + b"".join(map(chunk, contents)) + END
    content, _ = understood(fed(cut(whole, sizes)))
    assert content == b"".join(contents)


def test_what_comes_together_is_one_chunk() -> None:
    contents = [b"data: %d\n\n" % i for i in range(100)]
    whole = HEAD + b"".join(map(chunk, contents)) + END
    assert understood(whole)[1] == 100
    assert understood(fed([whole])) == (b"".join(contents), 1)


@given(st.binary(max_size=200), st.lists(st.integers(1, 60), min_size=1, max_size=5))
def test_an_answer_of_known_length_is_untouched(content: bytes, sizes: list[int]) -> None:
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(content), content)
    assert fed(cut(whole, sizes)) == whole


@pytest.mark.parametrize(
    "strange",
    [
        b"5;name=value\r\nhello\r\n" + END,
        b"xyz\r\nhello\r\n" + END,
        b"1_0\r\nhello\r\n" + END,
        b"+5\r\nhello\r\n" + END,
        b"5\r\nhelloX" + END,
        b"5\nhello\n" + END,
        b"fffffffff\r\nhello",
        b"\r\n\r\n",
    ],
)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_strange_framing_is_left_to_the_library(strange: bytes, size: int) -> None:
    before = chunk(b"fine")
    assert fed(cut(HEAD + strange, [size])) == HEAD + strange
    assert fed([HEAD + before + strange]) == HEAD + before + strange


def test_trailers_are_kept() -> None:
    whole = HEAD + chunk(b"a") + b"0\r\nX-Checksum: 1\r\n\r\n"
    assert fed(cut(whole, [2])) == whole


def test_a_long_chunk_is_not_held_back_without_end() -> None:
    content = b"x" * (3 * READ)
    joiner = Joiner()
    out = [joiner.feed(piece) for piece in cut(HEAD + chunk(content) + END, [READ // 2])]
    assert max(map(len, out)) <= 2 * READ
    assert understood(b"".join(out))[0] == content


class Line(httpcore.NetworkStream):
    """A connection that remembers what was sent, and says what it is told to."""

    def __init__(self, *says: bytes, deaf: bool = False) -> None:
        self.sent: list[bytes] = []
        self._says, self._deaf = list(says), deaf

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._says.pop(0) if self._says else b""

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if self._deaf:
            raise httpcore.WriteError
        self.sent.append(buffer)

    def get_extra_info(self, info: str) -> None:
        return None


def test_head_and_body_are_sent_together() -> None:
    line = Line(HEAD, chunk(b"a") + chunk(b"b"), END)
    stream = Stream(line)
    stream.write(b"POST / HTTP/1.1\r\n\r\n")
    stream.write(b"body")
    assert line.sent == []
    assert stream.read(100) == HEAD
    assert line.sent == [b"POST / HTTP/1.1\r\n\r\nbody"]
    assert stream.read(100) == chunk(b"ab")
    assert [stream.read(100), stream.read(100)] == [END, b""]


def test_a_large_body_is_not_held_back() -> None:
    line = Line()
    Stream(line).write(b"x" * (READ + 1))
    assert len(line.sent) == 1


def test_a_server_may_answer_before_it_has_read_all() -> None:
    stream = Stream(Line(b"HTTP/1.1 413 Content Too Large\r\n\r\n", deaf=True))
    stream.write(b"x")
    assert stream.read(100).startswith(b"HTTP/1.1 413")
