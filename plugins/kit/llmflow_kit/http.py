"""One HTTP client for all engines: JSON and byte streams, with every failure turned into a fault.

Addresses come from a form, so nothing else may decide where a request goes: no proxy or certificate from the
environment, no redirects. A request is repeated only when its connection broke before any byte of an answer.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from llmflow_kit import faults
from llmflow_kit.faults import CutOff, Fault, Garbled, Overloaded, Rejected, TimedOut, Unreachable

MAX_BODY = 4 << 20  # bytes of a JSON answer; the plugin daemon takes no line of more than 5 MiB
MAX_STREAM = 64 << 20  # bytes of a whole stream
MAX_ERROR = 64 << 10  # bytes read of an error's body
CONNECTIONS = httpx.Limits(
    max_connections=1000,  # as many as the SDK runs requests at once
    max_keepalive_connections=64,
    keepalive_expiry=4.0,  # uvicorn closes idle connections after 5 seconds: be the first
)


@dataclass(frozen=True)
class Timeouts:
    """Seconds to wait: for a connection, for the next byte of an answer, to hand over the request."""

    connect: float = 5.0
    read: float = 300.0
    write: float = 30.0


class Http:
    """Speaks to one server; safe to share between requests, keeps connections open between them."""

    def __init__(
        self,
        base_url: str,
        *,
        key: str = "",
        ca: str = "",
        timeouts: Timeouts = Timeouts(),
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """`ca` is PEM text; where given, nothing else is trusted."""
        headers = {"accept-encoding": "identity"}  # a bound on bytes is no bound on what they unpack to
        if key:
            headers["authorization"] = f"Bearer {key}"
        self._client = httpx.Client(
            base_url=base_url,
            headers=headers,
            verify=ssl.create_default_context(cadata=ca) if ca else base_url.startswith("https:"),
            timeout=httpx.Timeout(
                connect=timeouts.connect, read=timeouts.read, write=timeouts.write, pool=timeouts.connect
            ),
            limits=CONNECTIONS,
            trust_env=False,
            transport=transport,
        )

    def get(self, path: str) -> Any:
        """The JSON at `path`; raises a Fault."""
        return self._json("GET", path, None)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The JSON that `path` answers to `body`; raises a Fault."""
        return self._json("POST", path, body)

    def stream(self, path: str, body: Mapping[str, Any]) -> Iterator[bytes]:
        """The chunks that `path` answers to `body`: refusals are raised here, breaks while iterating."""
        return _chunks(self._accepted("POST", path, body), MAX_STREAM)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _json(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        content = b"".join(_chunks(self._accepted(method, path, body), MAX_BODY))
        try:
            return json.loads(content)
        except ValueError as exc:
            raise Garbled("The server's answer is not JSON.", field=faults.ENDPOINT) from exc

    def _accepted(self, method: str, path: str, body: Mapping[str, Any] | None) -> httpx.Response:
        """An open response with status 200; the caller closes it."""
        request = self._client.build_request(method, path, json=body)
        response = self._send(request)
        if response.status_code == 200:
            return response
        with closing(response):
            said = _head(response, MAX_ERROR)
        raise faults.refusal(response.status_code, response.headers, said, body)

    def _send(self, request: httpx.Request) -> httpx.Response:
        try:
            with translated():
                return self._client.send(request, stream=True)
        except Fault as fault:
            if not fault.retryable:
                raise
        with translated():  # once more: a connection kept open may have been closed at the other end
            return self._client.send(request, stream=True)


def _chunks(response: httpx.Response, limit: int) -> Iterator[bytes]:
    size = 0
    with closing(response), translated(begun=True):
        for chunk in response.iter_raw():
            size += len(chunk)
            if size > limit:
                raise Garbled(f"The server's answer is longer than {limit >> 20} MiB.")
            yield chunk


def _head(response: httpx.Response, limit: int) -> bytes:
    """The first bytes of an error's body: the status alone tells the fault where the body breaks off."""
    content = b""
    try:
        for chunk in response.iter_raw():
            content += chunk
            if len(content) >= limit:
                break
    except httpx.TransportError:
        return content[:limit]
    return content[:limit]


@contextmanager
def translated(begun: bool = False) -> Iterator[None]:
    """Turn httpx's exceptions into faults; `begun` says that bytes of the answer have been seen."""
    try:
        yield
    except httpx.HTTPError as exc:
        raise _fault(exc, begun) from exc


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
        case httpx.DecodingError():
            return Garbled("The server's answer cannot be unpacked.")
        case (
            httpx.UnsupportedProtocol()
            | httpx.LocalProtocolError()
            | httpx.ProxyError()
            | httpx.TooManyRedirects()
        ):
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
