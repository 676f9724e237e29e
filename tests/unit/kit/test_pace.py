"""How long a stream rests between two pieces."""

from __future__ import annotations

from contextlib import ExitStack

from llmflow_kit.pace import LONGEST, PIECE, Pace


def test_a_lone_stream_never_waits() -> None:
    slept: list[float] = []
    pace = Pace(slept.append)
    pace.rest()
    with pace.stream():
        pace.rest()
    assert slept == []


def test_the_rest_grows_with_the_open_streams() -> None:
    slept: list[float] = []
    pace = Pace(slept.append)
    with ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(pace.stream())
        pace.rest()
    pace.rest()
    assert slept == [4 * PIECE]


def test_the_rest_stays_short() -> None:
    slept: list[float] = []
    pace = Pace(slept.append)
    with ExitStack() as stack:
        for _ in range(1000):
            stack.enter_context(pace.stream())
        pace.rest()
    assert slept == [LONGEST]
