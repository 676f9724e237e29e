"""Every failure of the HTTP library is a fault; nothing is asked twice here."""

from __future__ import annotations

import ssl
from collections.abc import Callable

import httpx
import pytest
from llmflow_kit import faults
from llmflow_kit.connection import Connection, Server
from llmflow_kit.faults import CutOff, Fault, Garbled, Rejected, TimedOut, Unauthorised, Unreachable
from llmflow_kit.http import MAX_BODY, Http

Handler = Callable[[httpx.Request], httpx.Response]


def reply(status: int, content: bytes = b"") -> httpx.Response:
    """A response that is read from its stream, as one from a network is."""
    return httpx.Response(status, stream=httpx.ByteStream(content))


def http(handler: Handler, key: str = "k") -> Http:
    server = Server("http://engine", key)
    return Http(server, Connection((server,)), httpx.MockTransport(handler))


def test_json_goes_there_and_back() -> None:
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return reply(200, b'{"ok": 1}')

    assert http(answer).post("/v1/x", {"a": "가"}) == {"ok": 1}
    assert seen[0].headers["authorization"] == "Bearer k"
    assert seen[0].headers["accept-encoding"] == "identity"
    assert str(seen[0].url) == "http://engine/v1/x"


def test_no_key_means_no_header() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert "authorization" not in request.headers
        return reply(200, b"[]")

    assert http(answer, key="").get("/") == []


def test_an_answer_that_breaks_off() -> None:
    class Broken(httpx.SyncByteStream):
        def __iter__(self):  # type: ignore[no-untyped-def]  # as httpx declares it
            yield b"{"
            raise httpx.ReadError("gone")

    with pytest.raises(CutOff):
        http(lambda _: httpx.Response(200, stream=Broken())).get("/")


def test_an_endless_answer_is_cut() -> None:
    class Endless(httpx.SyncByteStream):
        def __iter__(self):  # type: ignore[no-untyped-def]  # as httpx declares it
            while True:
                yield b"x" * (MAX_BODY // 4)

    with pytest.raises(Garbled, match="longer than"):
        http(lambda _: httpx.Response(200, stream=Endless())).get("/")


def test_what_is_not_json_is_refused() -> None:
    with pytest.raises(Garbled) as fault:
        http(lambda _: reply(200, b"<html>")).get("/")
    assert fault.value.field == faults.ENDPOINT


def test_the_environment_has_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert http(lambda _: reply(200, b"1")).get("/") == 1


EXCEPTIONS = sorted(
    (
        thing
        for thing in vars(httpx).values()
        if isinstance(thing, type)
        and issubclass(thing, httpx.HTTPError)
        and thing is not httpx.HTTPStatusError
    ),
    key=lambda type_: type_.__name__,
)


@pytest.mark.parametrize("type_", EXCEPTIONS, ids=lambda type_: type_.__name__)
@pytest.mark.parametrize("begun", [False, True])
def test_every_exception_of_the_library_is_a_fault(type_: type[httpx.HTTPError], begun: bool) -> None:
    class Breaking(httpx.SyncByteStream):
        def __iter__(self):  # type: ignore[no-untyped-def]  # as httpx declares it
            yield b"{"
            raise type_("secret words of the library")

    def answer(_: httpx.Request) -> httpx.Response:
        if begun:
            return httpx.Response(200, stream=Breaking())
        raise type_("secret words of the library")

    with pytest.raises(Fault) as fault:
        http(answer).get("/")
    assert "secret" not in fault.value.text


@pytest.mark.parametrize(
    ("cause", "field"),
    [
        (ssl.SSLCertVerificationError(1, "self-signed"), faults.CA),
        (ssl.SSLError(1, "WRONG_VERSION_NUMBER"), faults.ENDPOINT),
        (ConnectionRefusedError(), faults.ENDPOINT),
    ],
)
def test_a_failed_connection_names_the_field(cause: Exception, field: str) -> None:
    if isinstance(cause, ssl.SSLCertVerificationError):
        cause.verify_message = "self-signed certificate"

    def answer(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("x") from cause

    with pytest.raises(Unreachable) as fault:
        http(answer).get("/")
    assert fault.value.field == field


@pytest.mark.parametrize(
    ("status", "type_"),
    [
        (401, Unauthorised),
        (408, TimedOut),
        (424, Unreachable),
        (403, Unauthorised),
        (413, Rejected),
        (422, Rejected),
        (504, TimedOut),
        (599, Unreachable),
    ],
)
def test_statuses(status: int, type_: type[Fault]) -> None:
    with pytest.raises(type_):
        http(lambda _: reply(status)).get("/")


def test_a_message_that_quotes_the_request_is_not_repeated() -> None:
    body = b'{"error": {"message": "bad input: my bank account is 110-234-567890"}}'
    sent = {
        "model": "a-model-with-a-long-name",
        "messages": [{"content": "my bank account is 110-234-567890"}],
    }
    assert "bank" not in faults.refusal(400, {}, body, sent).text
    named = b'{"error": {"message": "a-model-with-a-long-name takes no images"}}'
    assert "takes no images" in faults.refusal(400, {}, named, sent).text


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error": {"message": "openai", "code": 400}}', "openai"),
        (b'{"error": "tei", "error_type": "Validation"}', "tei"),
        (b'{"message": "tei as openai", "type": "validation"}', "tei as openai"),
        (b'{"detail": "Not Found"}', "Not Found"),
        (b'{"detail": [{"loc": ["body"], "msg": "field required"}]}', "field required"),
        (b'{"error": {}}', ""),
        (b"[1]", ""),
        (b"<html>", ""),
    ],
)
def test_the_message_in_an_error(body: bytes, message: str) -> None:
    assert faults.message_of(body) == message


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("", None), ("soon", None), ("99999999", 3600.0), ("Sat, 21 Nov 2020 10:00:00 GMT", 0.0)],
)
def test_retry_after(header: str, seconds: float | None) -> None:
    fault = faults.refusal(429, {"retry-after": header}, b"", None)
    assert isinstance(fault, faults.Throttled)
    assert fault.retry_after == seconds


def test_every_kind_of_fault_has_an_error_of_dify() -> None:
    kinds = [kind for kinds in faults.by_dify_error().values() for kind in kinds]
    assert sorted(kinds, key=str) == sorted(Fault.__subclasses__(), key=str)


def test_half_a_surrogate_does_not_stop_a_request() -> None:
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.read())
        return reply(200, b"1")

    http(answer).post("/", {"a": "가\ud800나"})
    assert seen == ['{"a":"가\ufffd나"}'.encode()]
