"""Several servers as one: who is asked, who takes over, how often, and for how long."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmflow_kit.connection import Connection, Server
from llmflow_kit.endpoints import BUDGET, LONGEST_REST, PATIENT, PROMPT, Endpoints, Patience
from llmflow_kit.faults import CutOff, Fault, Overloaded, Rejected, Throttled, TimedOut, Unreachable


@dataclass
class Site:
    """Servers by host name; `says` holds what each answers: a status, an exception or a body."""

    says: dict[str, object]
    now: float = 0.0
    asked: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def endpoints(self, deadline: int = 0) -> Endpoints:
        servers = tuple(Server(f"http://{name}") for name in self.says)
        connection = Connection(servers, deadline=deadline)
        return Endpoints(connection, httpx.MockTransport(self._answer), lambda: self.now, self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.host)
        answer = self.says[request.url.host]
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.SyncByteStream):
            return httpx.Response(200, stream=answer)
        status, headers = answer if isinstance(answer, tuple) else (answer, {})
        return httpx.Response(int(str(status)), headers=headers, stream=httpx.ByteStream(b"[1]"))


class Cut(httpx.SyncByteStream):
    """A stream of these parts; the last may be an exception."""

    def __init__(self, *parts: bytes | Exception) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        for part in self._parts:
            if isinstance(part, Exception):
                raise part
            yield part


DOWN = httpx.ConnectError("refused")


def test_servers_take_turns() -> None:
    site = Site({"a": 200, "b": 200, "c": 200})
    endpoints = site.endpoints()
    for _ in range(6):
        endpoints.get("/")
    assert site.asked == ["a", "b", "c"] * 2


def test_the_least_busy_server_is_asked() -> None:
    site = Site({"a": Cut(b"x", b"y"), "b": Cut(b"x")})
    endpoints = site.endpoints()
    long = endpoints.stream("/", {})
    for _ in range(3):
        assert list(endpoints.stream("/", {})) == [b"x"]
    assert site.asked == ["a", "b", "b", "b"]
    long.close()
    list(endpoints.stream("/", {}))
    assert site.asked[-1] == "a"


@pytest.mark.parametrize("answer", [DOWN, 500, 502, 503, 504, 429, 401, httpx.ConnectTimeout("x")])
def test_another_server_takes_over(answer: object) -> None:
    site = Site({"a": answer, "b": 200})
    assert site.endpoints().get("/") == [1]
    assert site.asked == ["a", "b"]
    assert site.slept == []


@pytest.mark.parametrize("answer", [400, 413, 422])
def test_what_is_wrong_with_the_request_is_wrong_everywhere(answer: int) -> None:
    site = Site({"a": answer, "b": 200})
    with pytest.raises(Rejected):
        site.endpoints().get("/")
    assert site.asked == ["a"]


def test_a_failed_server_is_left_alone_for_a_while() -> None:
    site = Site({"a": [DOWN, 200], "b": 200})
    endpoints = site.endpoints()
    for _ in range(4):
        endpoints.get("/")
    assert site.asked == ["a", "b", "b", "b", "b"]
    site.now = 1.5
    endpoints.get("/")
    assert site.asked[-1] == "a"


def test_a_server_that_goes_on_failing_is_left_alone_longer() -> None:
    site = Site({"a": DOWN, "b": 200})
    endpoints = site.endpoints()
    for _ in range(600):
        endpoints.get("/")
        site.now += 0.5
    assert site.asked.count("a") < 12


def test_a_server_says_itself_how_long_it_wants_to_be_left_alone() -> None:
    site = Site({"a": [(429, {"retry-after": "30"}), 200], "b": 200})
    endpoints = site.endpoints()
    endpoints.get("/")
    site.now = 29.0
    endpoints.get("/")
    assert site.asked.count("a") == 1
    site.now = 31.0
    endpoints.get("/")
    assert site.asked.count("a") == 2


def test_where_all_have_failed_the_next_to_recover_is_asked() -> None:
    site = Site({"a": [(429, {"retry-after": "50"}), 200], "b": [(429, {"retry-after": "20"}), 200]})
    endpoints = site.endpoints()
    with pytest.raises(Throttled):
        endpoints.get("/")
    assert endpoints.get("/") == [1]
    assert site.asked == ["a", "b", "b"]


@pytest.mark.parametrize("answer", [DOWN, 502, httpx.ReadError("x"), httpx.RemoteProtocolError("x")])
def test_a_lone_server_is_tried_once_more(answer: object) -> None:
    site = Site({"a": [answer, 200]})
    assert site.endpoints().get("/") == [1]
    assert len(site.slept) == 1


@pytest.mark.parametrize(
    ("answer", "fault"), [(httpx.ReadTimeout("x"), TimedOut), (503, Overloaded), (429, Throttled)]
)
def test_a_slow_or_full_server_is_not(answer: object, fault: type[Fault]) -> None:
    site = Site({"a": [answer, 200]})
    with pytest.raises(fault):
        site.endpoints().get("/")
    assert site.asked == ["a"]


def test_patience_waits_for_a_full_server() -> None:
    site = Site({"a": [503, (429, {"retry-after": "3"}), 503, 200]})
    assert site.endpoints().get("/", PATIENT) == [1]
    assert len(site.slept) == 3
    assert 3.0 <= site.slept[1] <= 3.0 + 0.2


def test_patience_does_not_wait_for_hours() -> None:
    site = Site({"a": [(429, {"retry-after": "3600"}), 200]})
    assert site.endpoints().get("/", PATIENT) == [1]
    assert site.slept[0] <= LONGEST_REST + 1


def test_patience_has_an_end() -> None:
    site = Site({"a": 503})
    with pytest.raises(Overloaded):
        site.endpoints().get("/", PATIENT)
    assert len(site.asked) == PATIENT.rounds + 1


def test_patience_ends_with_the_deadline() -> None:
    site = Site({"a": (429, {"retry-after": "30"})})
    with pytest.raises(Throttled):
        site.endpoints(deadline=10).get("/", PATIENT)
    assert site.slept == []


def test_repeats_have_a_budget() -> None:
    site = Site({"a": DOWN})
    endpoints = site.endpoints()
    requests = 100
    for _ in range(requests):
        with pytest.raises(Unreachable):
            endpoints.get("/")
    assert len(site.asked) - requests <= BUDGET + 0.1 * requests


def test_a_stream_that_breaks_before_its_first_byte_is_taken_over() -> None:
    site = Site({"a": Cut(httpx.ReadError("x")), "b": Cut(b"x")})
    assert list(site.endpoints().stream("/", {})) == [b"x"]


def test_a_stream_that_breaks_after_its_first_byte_is_not() -> None:
    site = Site({"a": Cut(b"x", httpx.ReadError("x")), "b": Cut(b"y")})
    stream = site.endpoints().stream("/", {})
    assert next(stream) == b"x"
    with pytest.raises(CutOff):
        next(stream)
    assert site.asked == ["a"]


def test_a_stream_that_takes_too_long_is_ended() -> None:
    site = Site({"a": Cut(b"x", b"y")})
    stream = site.endpoints(deadline=5).stream("/", {})
    assert next(stream) == b"x"
    site.now = 6.0
    with pytest.raises(TimedOut, match="5 seconds"):
        next(stream)


def test_a_lost_server_begins_a_new_epoch() -> None:
    site = Site({"a": [200, DOWN, 200]})
    endpoints = site.endpoints()
    endpoints.get("/")
    assert endpoints.epoch == 0
    endpoints.get("/")
    assert endpoints.epoch == 1


STEPS = st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from([200, 429, 500, 503, 400])))


@given(STEPS, st.integers(0, 3))
def test_nobody_stays_counted_as_busy(steps: list[tuple[str, int]], rounds: int) -> None:
    site = Site({"a": 200, "b": 200, "c": 200})
    endpoints = site.endpoints()
    for name, status in steps:
        site.says[name] = status
        try:
            with_stream = endpoints.stream("/", {}, patience=Patience(rounds=rounds, busy=True))
            list(with_stream)
        except Fault:
            pass  # which one is told by the tests above
    assert [endpoint.underway for endpoint in endpoints.state()] == [0, 0, 0]


def test_servers_in_need_of_no_patience_are_asked_promptly() -> None:
    assert PROMPT.busy is False
