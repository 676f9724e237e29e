"""The transport below httpx: one read takes all that has piled up, as one piece.

Servers write each token as an HTTP chunk of its own, and TLS wraps each chunk into a record; an HTTP library hands
on every one separately, which costs more than reading the token itself. The network stream here takes whatever the
socket holds and joins the complete chunks in it into one before the HTTP library sees them. Framing that it does not
know is passed on as it came: the library, not this module, is the judge of HTTP.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpcore
import httpx

READ = 64 << 10  # bytes that one look at a socket takes, and that an unfinished chunk may hold back

CHUNK = re.compile(rb"([0-9a-fA-F]{1,8})\r\n")
CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked[ \t]*\r\n", re.IGNORECASE)
HEAD_END = b"\r\n\r\n"
LONGEST_HEAD = 100 << 10  # bytes; what the HTTP library takes at most

SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


class Transport(httpx.BaseTransport):
    """httpx's transport over connections that join chunks; raises httpx's own exceptions."""

    def __init__(self, context: ssl.SSLContext | None, limits: httpx.Limits, proxy: str = "") -> None:
        """`context` None is for plain http://; `proxy` is a URL, "" for none."""
        self._pool = httpcore.ConnectionPool(
            ssl_context=context,
            proxy=httpcore.Proxy(proxy) if proxy else None,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=Backend(),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the response's body is read while it is iterated."""
        url = request.url
        sent = httpcore.Request(
            request.method,
            httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        with _as_httpx():
            answer = self._pool.handle_request(sent)
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_Body(answer), extensions=answer.extensions
        )

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        with _as_httpx():
            yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


class Backend(httpcore.SyncBackend):
    """Opens connections whose reads are joined."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore.NetworkStream:
        """A connection to `host`."""
        return Stream(super().connect_tcp(host, port, timeout, local_address, socket_options))


class Stream(httpcore.NetworkStream):
    """One connection: head and body of a request are sent together, the chunks of an answer are joined."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner, self._joiner, self._unsent = inner, Joiner(), b""

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """What has arrived, at least one byte; b"" at the end of the connection."""
        with suppress(httpcore.WriteError):  # a server may refuse what it has not read to its end
            self._send(timeout)
        while data := self._inner.read(max(max_bytes, READ), timeout):
            if joined := self._joiner.feed(data + self._waiting(READ - len(data))):
                return joined
        return b""

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send, a small buffer with the next one or when it is time to listen; a new answer has a new head."""
        self._joiner = Joiner()
        self._unsent += buffer
        if len(self._unsent) > READ:
            self._send(timeout)

    def _send(self, timeout: float | None) -> None:
        if self._unsent:
            buffer, self._unsent = self._unsent, b""
            self._inner.write(buffer, timeout)

    def close(self) -> None:
        """Close the connection."""
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """The connection, encrypted from here on."""
        self._send(timeout)
        return Stream(self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        """What the connection below knows of itself."""
        return self._inner.get_extra_info(info)

    def _waiting(self, room: int) -> bytes:
        """What TLS has ready beyond the one record that a read takes; b"" on a plain connection."""
        sock = self.get_extra_info("ssl_object") and self.get_extra_info("socket")
        if not sock:
            return b""
        sock.settimeout(0)
        found = b""
        try:
            while len(found) < room and (record := sock.recv(room - len(found))):
                found += record
        except OSError:
            return found  # nothing more just now, or an end that the next read will meet as well
        return found


class Joiner:
    """Joins the HTTP chunks of one answer; feed it the connection's bytes in order."""

    def __init__(self) -> None:
        self._head: bytes | None = b""  # the head so far; None once it is over
        self._chunked = False
        self._rest = b""  # the beginning of a chunk whose end has not come yet

    def feed(self, data: bytes) -> bytes:
        """The same bytes with complete chunks joined; b"" where only a part of a chunk has come."""
        if self._head is None:
            return self._join(self._rest + data) if self._chunked else data
        head = self._head + data
        end = head.find(HEAD_END)
        if end < 0:
            self._head = head if len(head) <= LONGEST_HEAD else None
            return data
        body_at = end + len(HEAD_END) - len(self._head)
        self._chunked = CHUNKED.search(head, 0, end + 2) is not None
        self._head = None
        return data[:body_at] + (self._join(data[body_at:]) if self._chunked else data[body_at:])

    def _join(self, buffer: bytes) -> bytes:
        parts: list[bytes] = []
        at = 0
        while found := CHUNK.match(buffer, at):
            size, begin = int(found[1], 16), found.end()
            end = begin + size
            if size and end + 2 > len(buffer):
                break
            if not size or buffer[end : end + 2] != b"\r\n":
                return self._pass_on(parts, buffer[at:])
            parts.append(buffer[begin:end])
            at = end + 2
        self._rest = buffer[at:]
        if len(self._rest) > READ or (self._rest and not _may_begin_a_chunk(self._rest)):
            return self._pass_on(parts, self._rest)
        return _chunk(parts)

    def _pass_on(self, parts: list[bytes], rest: bytes) -> bytes:
        """What is joined so far, and from here on everything as it comes: the last chunk, or what is none."""
        self._chunked, self._rest = False, b""
        return _chunk(parts) + rest


def _chunk(parts: list[bytes]) -> bytes:
    if not parts:
        return b""
    content = b"".join(parts)
    return b"%x\r\n%b\r\n" % (len(content), content)


def _may_begin_a_chunk(rest: bytes) -> bool:
    """Whether more bytes can make a chunk of it."""
    return CHUNK.match(rest) is not None or (
        len(rest) < 10 and all(c in b"0123456789abcdefABCDEF" for c in rest.removesuffix(b"\r"))
    )


@contextmanager
def _as_httpx() -> Iterator[None]:
    """httpcore's exceptions under the same names in httpx."""
    try:
        yield
    except Exception as exc:
        known = getattr(httpx, type(exc).__name__, None)
        if not type(exc).__module__.startswith("httpcore") or known is None:
            raise
        raise known(str(exc)) from exc
