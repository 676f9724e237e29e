"""Ten thousand answers that no sane server gives: each ends, in text or in the fault that it means, and nothing else.

The answers are made from a good one by a random generator with a fixed seed, so that a failure comes again; its
number is in the message.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from llmflow_kit.connection import Connection, Server
from llmflow_kit.faults import (
    CutOff,
    Fault,
    Garbled,
    NotServed,
    Overloaded,
    Rejected,
    Throttled,
    TimedOut,
    Unauthorised,
    Unreachable,
)
from llmflow_vllm.client import Vllm
from llmflow_vllm.settings import Settings
from support.fake_vllm import ANSWER, MODEL, event, good_stream

EACH = 2000  # answers of each of the five kinds
SECRET = "the prompt that nobody may repeat"
REQUEST = {"model": MODEL, "messages": [{"role": "user", "content": SECRET}]}
STRANGE: tuple[Any, ...] = (
    None, True, 0, -1, 2**70, 1.5, "", "가", "\ud800", [], {}, [[]], [None], {"": None}, [{}], "x" * 5000,
)  # fmt: skip


class Body(httpx.SyncByteStream):
    """An answer's body in pieces, at whose end the connection may break."""

    def __init__(self, pieces: list[bytes], breaks: bool = False) -> None:
        self._pieces, self._breaks = pieces, breaks

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces
        if self._breaks:
            raise httpx.ReadError("broken")


class Outcome:
    """What came of an answer."""

    def __init__(self, response: Callable[[], httpx.Response]) -> None:
        connection = Connection((Server("http://vllm"),))
        transport = httpx.MockTransport(lambda _: response())
        client = Vllm(Settings(connection), transport, sleep=lambda _: None)
        self.fault: Fault | None = None
        self.text, self.finish = "", None
        try:
            for piece in client.pieces(REQUEST):
                self.text += piece.text
                self.finish = piece.finish
        except Fault as fault:
            self.fault = fault
        assert SECRET not in str(self.fault)
        assert (self.fault is None) is (self.finish is not None)


def stream(whole: bytes, dice: random.Random, breaks: bool = False) -> Outcome:
    pieces, at = [], 0
    while at < len(whole):
        size = dice.choice((1, 7, 100, 1000, len(whole)))
        pieces.append(whole[at : at + size])
        at += size
    return Outcome(lambda: httpx.Response(200, stream=Body(pieces, breaks)))


def test_answers_cut_anywhere() -> None:
    parts = good_stream()
    for number in range(EACH):
        dice = random.Random(f"cut {number}")
        whole = b"".join(parts)
        cut = dice.randrange(len(whole) + 1)
        outcome = stream(whole[:cut], dice, breaks=dice.random() < 0.5)
        finished = cut >= len(b"".join(parts[:-2]))  # all but the usage and [DONE]
        assert ANSWER.startswith(outcome.text), number
        if finished:
            assert (outcome.text, outcome.finish) == (ANSWER, "stop"), number
        else:
            assert isinstance(outcome.fault, CutOff | Unreachable), (number, outcome.fault)


def test_answers_with_spoilt_bytes() -> None:
    for number in range(EACH):
        dice = random.Random(f"bytes {number}")
        whole = bytearray(b"".join(good_stream()))
        for _ in range(dice.randrange(1, 6)):
            at = dice.randrange(len(whole))
            whole[at : at + dice.choice((0, 1, 30))] = dice.randbytes(dice.choice((0, 1, 4)))
        outcome = stream(bytes(whole), dice)
        assert isinstance(outcome.fault, Garbled | CutOff | Rejected | NoneType), (number, outcome.fault)


def test_answers_of_another_shape() -> None:
    for number in range(EACH):
        dice = random.Random(f"shape {number}")
        events = [json.loads(part.removeprefix(b"data: ")) for part in good_stream()[:-1]]
        spoilt = dice.randrange(len(events))
        events[spoilt] = changed(events[spoilt], dice)
        whole = b"".join(map(event_of_any, events)) + b"data: [DONE]\n\n"
        outcome = stream(whole, dice)
        assert isinstance(outcome.fault, Garbled | CutOff | Rejected | NoneType), (number, outcome.fault)


def test_refusals() -> None:
    expected: dict[int, type[Fault]] = {
        401: Unauthorised, 403: Unauthorised, 408: TimedOut, 424: Unreachable, 429: Throttled, 503: Overloaded,
        504: TimedOut,
    }  # fmt: skip
    for number in range(EACH):
        dice = random.Random(f"refusal {number}")
        status = dice.randrange(201, 600)
        body = dice.choice((b"", b"<html>", dice.randbytes(50), json.dumps(changed(ERROR, dice)).encode()))
        headers = {"retry-after": dice.choice(("", "3", "-1", "1e9", "soon", "Sat, 99 Nov 2026"))}
        pieces = [body, b"x" * dice.choice((0, 200_000))]
        breaks = dice.random() < 0.3
        outcome = refused(status, headers, pieces, breaks)
        kind = expected.get(status, Unreachable if status >= 500 else Rejected)
        right = (NotServed, Rejected) if status == 404 else (kind,)
        assert isinstance(outcome.fault, right), (number, status, outcome.fault)


def test_answers_longer_than_anything() -> None:
    for number in range(EACH):
        dice = random.Random(f"long {number}")
        letter = dice.choice((b"x", b"\r", b":", b"data: x", "가".encode()))
        parts = [*good_stream()[:2], letter * dice.choice((1, 1000, 20_000)), b"\n\n", *good_stream()[2:]]
        outcome = stream_of(parts)
        assert isinstance(outcome.fault, Garbled | NoneType), (number, outcome.fault)


ERROR = {"error": {"message": f"invalid: {SECRET}", "type": "BadRequestError", "param": None, "code": 400}}
NoneType = type(None)


def refused(status: int, headers: dict[str, str], pieces: list[bytes], breaks: bool) -> Outcome:
    return Outcome(lambda: httpx.Response(status, headers=headers, stream=Body(pieces, breaks)))


def stream_of(parts: list[bytes]) -> Outcome:
    return Outcome(lambda: httpx.Response(200, stream=Body(parts)))


def event_of_any(data: object) -> bytes:
    """An event; half a surrogate travels as JSON's escape, as a careless server would send it."""
    try:
        return event(data)
    except UnicodeEncodeError:
        return b"data: " + json.dumps(data).encode() + b"\n\n"


def changed(value: Any, dice: random.Random) -> Any:
    """The value with something in it replaced, dropped or wrapped."""
    if isinstance(value, dict) and value and dice.random() < 0.85:
        name = dice.choice(list(value))
        return {**value, name: changed(value[name], dice)} if dice.random() < 0.8 else without(value, name)
    if isinstance(value, list) and value and dice.random() < 0.85:
        at = dice.randrange(len(value))
        return [*value[:at], changed(value[at], dice), *value[at + 1 :]]
    return dice.choice((*STRANGE, [value], {"x": value}))


def without(value: dict[str, Any], name: str) -> dict[str, Any]:
    return {other: held for other, held in value.items() if other != name}


@pytest.mark.parametrize("depth", [10, 100_000])
def test_deep_nesting(depth: int) -> None:
    outcome = stream_of([b"data: " + b"[" * depth + b"]" * depth + b"\n\n"])
    assert isinstance(outcome.fault, Garbled)
