"""One HTTP client for all engines: JSON and byte streams, with every failure turned into a fault.

Addresses come from a form, so nothing else may decide where a request goes: no proxy or certificate from the
environment, no redirects. Requests go straight to httpx's transport, since its client would add just those.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from typing import Any, cast

import httpx

from llmflow_kit import faults
from llmflow_kit.connection import Connection, Server
from llmflow_kit.faults import CutOff, Fault, Garbled, Overloaded, Rejected, TimedOut, Unreachable
from llmflow_kit.settings import load_identity
from llmflow_kit.wire import Transport

MAX_BODY = 64 << 20  # bytes of a JSON answer
MAX_STREAM = 64 << 20  # bytes of a whole stream
MAX_ERROR = 64 << 10  # bytes read of an error's body
CONNECT_TIMEOUT, WRITE_TIMEOUT = 5.0, 30.0  # seconds: for a connection, to hand over the request
CONNECTIONS = httpx.Limits(
    max_connections=1000,  # as many as the SDK runs requests at once
    max_keepalive_connections=64,
    keepalive_expiry=4.0,  # uvicorn closes idle connections after 5 seconds: be the first
)
NO_HEADERS: Mapping[str, str] = {}
HALF = re.compile("[\ud800-\udfff]")  # of a character: a surrogate without its partner


class Http:
    """Speaks to one server; safe to share between requests, keeps connections open between them."""

    def __init__(
        self, server: Server, connection: Connection, transport: httpx.BaseTransport | None = None
    ) -> None:
        """`transport` may be shared between servers of one connection."""
        self.server = server
        self._headers = {
            "accept": "*/*",
            "accept-encoding": "identity",  # a bound on bytes is no bound on what they unpack to
            "user-agent": "llmflow",
            **dict(connection.headers),
        }
        if server.key:
            self._headers["authorization"] = f"Bearer {server.key}"
        self._transport = transport or transport_for(connection)
        self._timeouts = {
            "connect": min(CONNECT_TIMEOUT, connection.timeout),
            "pool": CONNECT_TIMEOUT,
            "read": float(connection.timeout),
            "write": WRITE_TIMEOUT,
        }

    def get(self, path: str, seconds: float | None = None) -> Any:
        """The JSON at `path`, `seconds` being the longest silence where not the connection's; raises a Fault."""
        return self._json(self._accepted("GET", path, NO_HEADERS, seconds))

    def post(
        self, path: str, body: Any, headers: Mapping[str, str] = NO_HEADERS, seconds: float | None = None
    ) -> Any:
        """The JSON that `path` answers to the JSON `body`; raises a Fault."""
        return self._json(self._posted(path, body, headers, seconds))

    def upload(self, path: str, content: bytes, kind: str, key_header: str) -> tuple[Any, Mapping[str, str]]:
        """The JSON that `path` answers to a form of this media type, and its headers; raises a Fault.

        Servers of forms read their key from a header of their own, `key_header`.
        """
        headers = {"content-type": kind, key_header: self.server.key}
        response = self._accepted("POST", path, headers, None, content)
        return self._json(response), response.headers

    def stream(
        self, path: str, body: Any, headers: Mapping[str, str] = NO_HEADERS, seconds: float | None = None
    ) -> Generator[bytes]:
        """The chunks that `path` answers to `body`: refusals are raised here, breaks while iterating."""
        return _chunks(self._posted(path, body, headers, seconds), MAX_STREAM)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def _json(self, response: httpx.Response) -> Any:
        content = b"".join(_chunks(response, MAX_BODY))
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as exc:
            raise Garbled("The server's answer is not JSON.", field=faults.ENDPOINT) from exc

    def _posted(
        self, path: str, body: Any, headers: Mapping[str, str], seconds: float | None
    ) -> httpx.Response:
        """An open response to the JSON `body`."""
        headers = {**headers, "content-type": "application/json"}
        return self._accepted("POST", path, headers, seconds, encoded(body), body)

    def _accepted(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        seconds: float | None,
        content: bytes | None = None,
        body: Any = None,
    ) -> httpx.Response:
        """An open response with status 200; the caller closes it. `body` is what a refusal is explained by."""
        timeouts = self._timeouts if seconds is None else {**self._timeouts, "read": seconds}
        request = httpx.Request(
            method,
            self.server.url + path,
            headers={**self._headers, **headers},
            content=content,
            extensions={"timeout": timeouts},
        )
        try:
            response = self._transport.handle_request(request)
        except httpx.HTTPError as exc:
            raise _fault(exc, begun=False) from exc
        if response.status_code == 200:
            return response
        with closing(response):
            said = _head(response, MAX_ERROR)
        raise faults.refusal(response.status_code, response.headers, said, body)


def transport_for(connection: Connection) -> Transport:
    """The transport to all servers of a connection, with the certificates that it names."""
    encrypted = any(server.url.startswith("https:") for server in connection.servers)
    context = None
    if encrypted:
        context = (
            ssl.create_default_context(cadata=connection.ca)
            if connection.ca  # then nothing else is trusted
            else httpx.create_ssl_context(trust_env=False)
        )
        if connection.client_certificate:
            load_identity(context, connection.client_certificate)
    return Transport(context, CONNECTIONS, connection.proxy)


def encoded(body: Any) -> bytes:
    """`body` as JSON; half a character, which no server takes, becomes U+FFFD, as Dify's daemon has it."""
    return HALF.sub("\ufffd", json.dumps(body, ensure_ascii=False, separators=(",", ":"))).encode()


def _chunks(response: httpx.Response, limit: int) -> Generator[bytes]:
    size = 0
    with closing(response):
        try:
            for chunk in _stream(response):
                size += len(chunk)
                if size > limit:
                    raise Garbled(f"The server's answer is longer than {limit >> 20} MiB.")
                yield chunk
        except httpx.HTTPError as exc:
            raise _fault(exc, begun=size > 0) from exc


def _stream(response: httpx.Response) -> Iterator[bytes]:
    """The body as the transport gives it, without the bookkeeping of httpx's client."""
    return iter(cast("httpx.SyncByteStream", response.stream))


def _head(response: httpx.Response, limit: int) -> bytes:
    """The first bytes of an error's body: the status alone tells the fault where the body breaks off."""
    content = b""
    try:
        for chunk in _stream(response):
            content += chunk
            if len(content) >= limit:
                break
    except httpx.TransportError:
        return content[:limit]
    return content[:limit]


def _fault(exc: httpx.HTTPError, begun: bool) -> Fault:
    """The fault that an httpx exception means, most specific first."""
    match exc:
        case httpx.ConnectTimeout():
            return TimedOut("No connection to the server in time.", field=faults.ENDPOINT)
        case httpx.PoolTimeout():
            return Overloaded("Too many requests are under way at once.")
        case httpx.TimeoutException():
            return TimedOut(
                "The server did not go on answering in time."
                if begun
                else "The server did not answer in time."
            )
        case httpx.ConnectError():
            return _no_connection(exc)
        case httpx.NetworkError() | httpx.RemoteProtocolError() if begun:
            return CutOff("The answer broke off before its end.")
        case httpx.NetworkError() | httpx.RemoteProtocolError():
            return Unreachable("The server closed the connection without an answer.", field=faults.ENDPOINT)
        case httpx.ProxyError():
            return Unreachable("The proxy does not let the request through.", field=faults.PROXY)
        case httpx.UnsupportedProtocol() | httpx.LocalProtocolError():
            return Rejected("The request cannot be sent to this address.", field=faults.ENDPOINT)
        case _:
            return Garbled("The exchange with the server failed.")


def _no_connection(exc: httpx.ConnectError) -> Fault:
    for cause in _causes(exc):
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = cause.verify_message
            return Unreachable(f"The server's certificate is not trusted: {why}.", field=faults.CA)
        if isinstance(cause, ssl.SSLError):
            return Unreachable("The server does not speak TLS as https:// asks for.", field=faults.ENDPOINT)
    return Unreachable(
        "No connection to the server: it is down, or its name is unknown.", field=faults.ENDPOINT
    )


def _causes(exc: BaseException | None) -> Iterator[BaseException]:
    while exc is not None:
        yield exc
        exc = exc.__cause__ or exc.__context__
