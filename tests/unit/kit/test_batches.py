"""Which texts travel together, and how many requests at once."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmflow_kit.batches import Limits, Size, Window, plan, together

LIMITS = Limits(texts=4, tokens=100, bytes=1000)
SIZES = st.lists(st.builds(Size, st.integers(1, 150), st.integers(1, 1500)), max_size=60)


@given(SIZES)
def test_every_text_travels_once_within_the_limits(sizes: list[Size]) -> None:
    batches = plan(sizes, LIMITS)
    assert sorted(index for batch in batches for index in batch) == list(range(len(sizes)))
    for batch in batches:
        assert 0 < len(batch) <= LIMITS.texts
        if len(batch) > 1:
            assert sum(sizes[i].tokens for i in batch) <= LIMITS.tokens
            assert sum(sizes[i].bytes for i in batch) <= LIMITS.bytes


@given(SIZES)
def test_texts_of_like_length_travel_together_the_longest_first(sizes: list[Size]) -> None:
    tokens = [sizes[index].tokens for batch in plan(sizes, LIMITS) for index in batch]
    assert tokens == sorted(tokens, reverse=True)


def test_answers_come_in_the_order_of_the_items() -> None:
    first, second = threading.Event(), threading.Event()

    def do(name: str) -> str:
        (first if name == "second" else second).set()
        assert (second if name == "second" else first).wait(5)  # both are under way at once
        return name.upper()

    assert together(do, ["first", "second"], 2) == ["FIRST", "SECOND"]


def test_after_a_failure_none_is_begun() -> None:
    begun = []

    def do(number: int) -> None:
        begun.append(number)
        raise ValueError(number)

    with pytest.raises(ValueError, match="0"):
        together(do, range(100), 2)
    assert len(begun) <= 2


@pytest.mark.parametrize("items", [[], [1]])
def test_one_item_needs_no_thread(items: list[int]) -> None:
    assert together(lambda _: threading.current_thread(), items, 9) == [threading.main_thread()] * len(items)


def test_a_window_grows_by_one_a_round() -> None:
    window = Window(4, 32)
    for _ in range(4):
        with window.place():
            pass
    assert 4.9 < window.size < 5.0


def test_a_window_halves_when_a_server_is_full() -> None:
    slept: list[float] = []
    window = Window(8, 32, slept.append)
    with window.place():
        window.rest(0.5)
    assert slept == [0.5]
    assert window.size == 4.25


def test_waiting_again_in_the_same_place_halves_again_down_to_one() -> None:
    window = Window(8, 32, lambda _: None)
    with window.place():
        for _ in range(9):
            window.rest(0)
        assert window.size == 1


def test_all_that_meet_the_same_fullness_shrink_it_once() -> None:
    window = Window(8, 32, lambda _: None)
    met = threading.Barrier(8)

    def do(_: int) -> None:
        with window.place():
            met.wait(5)
            window.rest(0)
            met.wait(5)
            assert window.size == 4
            met.wait(5)

    together(do, range(8), 8)


def test_a_failure_does_not_let_a_window_grow() -> None:
    window = Window(4, 32)
    with pytest.raises(ValueError, match="x"), window.place():
        raise ValueError("x")
    assert window.size == 4


def test_a_window_never_holds_more_than_its_size() -> None:
    window, lock = Window(2, 2), threading.Lock()
    inside = most = 0

    def do(_: int) -> None:
        nonlocal inside, most
        with window.place():
            with lock:
                inside += 1
                most = max(most, inside)
            with lock:
                inside -= 1

    together(do, range(200), 16)
    assert most <= 2


def test_waiting_outside_a_place_shrinks_nothing() -> None:
    window = Window(4, 32, lambda _: None)
    window.rest(1)
    assert window.size == 4
