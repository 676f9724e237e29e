"""A stand-in for vLLM and Infinity that answers as fast as it can, so that what is measured is who asks.

    python tests/support/fast_engine.py PORT INTERVAL

Its own process on loopback. Each token is an event and a chunk of its own, as uvicorn makes them; INTERVAL is the
seconds between the tokens of a stream. The wire is that of fake_vllm.py, and an answer is as long as the request's
`max_tokens` says.
"""

from __future__ import annotations

import asyncio
import base64
import json
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, cast

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.fake_vllm import MODEL, chunk

MARK = "~"  # once in every token and nowhere else on the wire, so that tokens can be counted without parsing
LONGEST = 500  # tokens of an answer for which the request sets no limit
TOGETHER = 4  # tokens a write where no interval parts them: the system call costs more than all the rest
WIDTH = 384  # numbers of a vector, as many as all-MiniLM-L6-v2's
STREAMING = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
)
LAST_CHUNK = b"0\r\n\r\n"


@dataclass(frozen=True)
class FastEngine:
    """The running stand-in."""

    url: str


@contextmanager
def fast_engine(interval: float = 0.0) -> Iterator[FastEngine]:
    """Serve on a free loopback port until the block ends; `interval` seconds between the tokens of a stream."""
    command = ["setpriv", "--pdeathsig", "TERM", sys.executable, __file__, "0", str(interval)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        port = process.stdout.readline().strip() if process.stdout else ""
        if not port:
            raise RuntimeError(f"The stand-in for an engine did not start: exit status {process.wait()}")
        yield FastEngine(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait()
        if process.stdout:
            process.stdout.close()


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()  # as vLLM writes it


def _event(data: bytes) -> bytes:
    """One server-sent event as an HTTP chunk."""
    return b"%x\r\ndata: %s\n\n\r\n" % (len(data) + 8, data)


@cache
def _token(index: int) -> bytes:
    return _event(_json(chunk({"content": f"말{index}{MARK} "})))


@cache
def _stream(length: int, counted: bool) -> tuple[bytes, ...]:
    """A whole streamed answer, one write after the other."""
    opening = _event(_json(chunk({"role": "assistant", "content": ""})))
    closing = [_event(_json(chunk({}, "stop")))]
    if counted:
        closing.append(_event(_json({**chunk({}), "choices": [], "usage": _usage(length)})))
    closing += [_event(b"[DONE]"), LAST_CHUNK]
    return (STREAMING, opening, *map(_token, range(length)), *closing)


def _usage(length: int) -> dict[str, int]:
    return {"prompt_tokens": 12, "total_tokens": 12 + length, "completion_tokens": length}


class _Streams:
    """Every answer under way; in each turn of the loop, each of them gets one write."""

    def __init__(self, interval: float) -> None:
        self._interval, self._together = interval, 1 if interval else TOGETHER
        self._under_way: dict[_Connection, Iterator[bytes]] = {}
        self._awake = False

    def add(self, connection: _Connection, parts: Sequence[bytes]) -> None:
        self._under_way[connection] = iter(parts)
        self.wake()

    def drop(self, connection: _Connection) -> None:
        self._under_way.pop(connection, None)

    def wake(self) -> None:
        if not self._awake:
            self._awake = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        ready = [(who, parts) for who, parts in self._under_way.items() if not who.paused]
        for who, parts in ready:
            if data := b"".join(islice(parts, self._together)):
                who.transport.write(data)
            else:
                self.drop(who)
        self._awake = bool(ready)
        if ready:
            asyncio.get_running_loop().call_later(self._interval, self._turn)


class _Connection(asyncio.Protocol):
    """One client: requests in, answers out, kept open between them."""

    transport: asyncio.Transport
    paused = False  # whether the client lags behind

    def __init__(self, streams: _Streams) -> None:
        self._streams, self._received = streams, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._streams.drop(self)

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        self._streams.wake()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, rest = self._received.partition(b"\r\n\r\n")
        length = _content_length(head)
        if not end or len(rest) < length:
            return
        self._received = rest[length:]
        self._answer(head.split(b" ", 2)[1].decode(), json.loads(rest[:length] or b"{}"))

    def _answer(self, path: str, request: dict[str, Any]) -> None:
        if path == "/v1/chat/completions" and request.get("stream"):
            counted = bool((request.get("stream_options") or {}).get("include_usage"))
            self._streams.add(self, _stream(_length(request), counted))
            return
        answer = ANSWERS.get(path)
        status, body = (
            (b"200 OK", answer(request)) if answer else (b"404 Not Found", b'{"detail":"Not Found"}')
        )
        head = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        self.transport.write(head % (status, len(body)) + body)


def _content_length(head: bytes) -> int:
    fields = (line.partition(b":") for line in head.split(b"\r\n"))
    return next((int(value) for name, _, value in fields if name.lower() == b"content-length"), 0)


def _length(request: dict[str, Any]) -> int:
    return int(request.get("max_tokens") or request.get("max_completion_tokens") or LONGEST)


def _whole(request: dict[str, Any]) -> bytes:
    length = _length(request)
    said = {
        "role": "assistant",
        "content": "".join(f"말{i}{MARK} " for i in range(length)),
        "reasoning": None,
    }
    choice = {"index": 0, "message": said, "finish_reason": "stop"}
    return _json({"id": "1", "object": "chat.completion", "choices": [choice], "usage": _usage(length)})


def _models(_: dict[str, Any]) -> bytes:
    row = {"id": MODEL, "object": "model", "owned_by": "vllm", "root": MODEL, "max_model_len": 32768}
    return _json({"object": "list", "data": [row]})


def _tokenized(request: dict[str, Any]) -> bytes:
    count = len(str(request.get("messages") or request.get("prompt"))) // 2
    return _json({"count": count, "max_model_len": 32768, "tokens": [1] * count})


def _served(_: dict[str, Any]) -> bytes:
    """The models as Infinity lists them."""
    row = {"id": MODEL, "object": "model", "owned_by": "infinity", "created": 1, "backend": "torch"}
    return _json({"object": "list", "data": [{**row, "capabilities": ["embed", "rerank"], "stats": {}}]})


@cache
def _vector(index: int, encoded: bool) -> bytes:
    numbers = [round(((index * 37 + i * 101) % 2000 - 1000) / 15731, 9) for i in range(WIDTH)]
    if not encoded:
        return b'{"object":"embedding","index":%d,"embedding":%s}' % (index, _json(numbers))
    packed = base64.b64encode(struct.pack(f"<{WIDTH}f", *numbers))
    return b'{"object":"embedding","index":%d,"embedding":"%s"}' % (index, packed)


def _embedded(request: dict[str, Any]) -> bytes:
    asked = request["input"]
    count, encoded = 1 if isinstance(asked, str) else len(asked), request.get("encoding_format") == "base64"
    rows = b",".join(_vector(index, encoded) for index in range(count))
    rest = {"model": MODEL, "usage": {"prompt_tokens": count, "total_tokens": count}}
    return b'{"object":"list","data":[%s],%s' % (rows, _json(rest)[1:])


def _ranked(request: dict[str, Any]) -> bytes:
    rows = [{"index": i, "relevance_score": 1 / (i + 1)} for i in range(len(request["documents"]))]
    return _json({"object": "rerank", "model": MODEL, "results": rows, "usage": _usage(0)})


ANSWERS: dict[str, Callable[[dict[str, Any]], bytes]] = {
    "/v1/models": _models,
    "/models": _served,
    "/version": lambda _: b'{"version":"0.32.0"}',
    "/health": lambda _: b"",
    "/tokenize": _tokenized,
    "/v1/chat/completions": _whole,
    "/v1/embeddings": _embedded,
    "/embeddings": _embedded,
    "/v1/rerank": _ranked,
    "/rerank": _ranked,
}


async def _serve(port: int, interval: float) -> None:
    streams = _Streams(interval)
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(streams), "127.0.0.1", port)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2])))
