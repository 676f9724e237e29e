"""A stand-in for vLLM on loopback: the wire of vLLM 0.32, and on demand the ways in which servers misbehave.

A case of tests/cases/plugins/servers.yaml says how it answers chat requests; the rest it does as vLLM does.
"""

from __future__ import annotations

import json
import socket
import ssl
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY, MODEL, SIZE = "test-key", "scripted-qwen", 1024
ANSWER = "안녕하세요. 무엇을 도와드릴까요?"
TOKENS = ("안녕", "하세요", ". ", "무엇을 ", "도와드릴까요?")
USAGE = {"prompt_tokens": 12, "total_tokens": 17, "completion_tokens": 5}


@dataclass
class Behaviour:
    """How chat requests are answered."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""  # with a status other than 200
    chunks: tuple[bytes, ...] = ()  # raw bytes of the stream, each flushed by itself; empty: a good answer
    delay: float = 0.0  # seconds before the first byte
    drop: bool = False  # close the connection after the chunks, without the end that HTTP demands
    hang_up: int = 0  # so many requests are dropped before a byte is answered


@dataclass
class FakeVllm:
    """The running stand-in: `url`, and the chat requests that it was sent."""

    url: str
    requests: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)  # of the chat requests


@contextmanager
def fake_vllm(behaviour: Behaviour | None = None, tls: ssl.SSLContext | None = None) -> Iterator[FakeVllm]:
    """Serve on a free loopback port until the block ends; over HTTPS where `tls` is given."""
    released = threading.Event()

    class Handler(_Handler):
        how = behaviour or Behaviour()
        end = released

    server = _Server(("127.0.0.1", 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    Handler.fake = FakeVllm(f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.002})
    thread.start()
    try:
        yield Handler.fake
    finally:
        released.set()
        server.shutdown()
        server.server_close()
        thread.join()


def unused_url() -> str:
    """An address on loopback where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def event(data: object) -> bytes:
    """One server-sent event as vLLM writes it."""
    return b"data: " + json.dumps(data, ensure_ascii=False).encode() + b"\n\n"


def chunk(delta: Mapping[str, Any], finish: str | None = None) -> dict[str, Any]:
    """One chunk of a streamed answer."""
    choice = {"index": 0, "delta": dict(delta), "logprobs": None, "finish_reason": finish, "token_ids": None}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": MODEL,
        "choices": [choice],
    }


def good_stream() -> tuple[bytes, ...]:
    """A whole streamed answer: role, tokens, the reason to finish, the usage, [DONE]."""
    opening = chunk({"role": "assistant", "content": ""})
    tokens = [chunk({"content": token}) for token in TOKENS]
    closing = chunk({}, "stop")
    usage = {**chunk({}), "choices": [], "usage": USAGE}
    return (*(event(part) for part in (opening, *tokens, closing, usage)), b"data: [DONE]\n\n")


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are what is tested; anything else is an error of the stand-in."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # as uvicorn does: a token must not wait for the next
    how: Behaviour
    end: threading.Event
    fake: FakeVllm

    def do_GET(self) -> None:
        self.fake.paths.append(self.path)
        if self.path != "/v1/models":
            self._json(404, {"detail": "Not Found"})
        elif self._authorised():
            row = {"id": MODEL, "object": "model", "owned_by": "vllm", "root": MODEL, "max_model_len": SIZE}
            self._json(200, {"object": "list", "data": [row]})

    def do_POST(self) -> None:
        self.fake.paths.append(self.path)
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path == "/tokenize":  # open even with a key, as vLLM's is
            said = "".join(str(m["content"]) for m in request["messages"])
            self._json(200, {"count": len(said) + 7, "max_model_len": SIZE, "tokens": [1] * len(said)})
        elif self.path != "/v1/chat/completions":
            self._json(404, {"detail": "Not Found"})
        elif self._authorised():
            self.fake.requests.append(request)
            self.fake.headers.append({name.lower(): value for name, value in self.headers.items()})
            self._chat(request)

    def _chat(self, request: Mapping[str, Any]) -> None:
        how = self.how
        if how.hang_up:
            how.hang_up -= 1
            return self._hang_up()
        self.end.wait(how.delay)
        if how.status != 200:
            return self._send(how.status, how.body, how.headers)
        if request["model"] != MODEL:
            message = f"The model `{request['model']}` does not exist. Valid aliases: {MODEL}."
            return self._json(
                404, {"error": {"message": message, "type": "NotFoundError", "param": "model", "code": 404}}
            )
        if request.get("stream"):
            return self._stream(how.chunks or good_stream())
        said = {"role": "assistant", "content": ANSWER, "reasoning": None}
        choice = {"index": 0, "message": said, "finish_reason": "stop"}
        return self._json(200, {"id": "1", "object": "chat.completion", "choices": [choice], "usage": USAGE})

    def _stream(self, chunks: tuple[bytes, ...]) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for part in chunks:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            self.wfile.flush()
        if self.how.drop:
            return self._hang_up()
        self.wfile.write(b"0\r\n\r\n")
        return None

    def _authorised(self) -> bool:
        if self.headers.get("authorization") == f"Bearer {KEY}":
            return True
        self._json(401, {"error": "Unauthorized"})
        return False

    def _json(self, status: int, body: object) -> None:
        self._send(status, json.dumps(body).encode(), {"content-type": "application/json"})

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""
