"""Events out of bytes, however the network cuts them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmflow_kit import sse
from llmflow_kit.faults import Garbled


def events(chunks: list[bytes], limit: int = sse.MAX_EVENT) -> list[str]:
    return [event for batch in sse.batches(chunks, limit) for event in batch]


TEXT = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), min_size=1).filter(
    lambda text: not text.startswith(" ")
)


@given(st.lists(TEXT), st.sampled_from(["\n", "\r\n", "\r"]), st.integers(1, 50), st.booleans())
def test_cutting_changes_nothing(data: list[str], end: str, size: int, space: bool) -> None:
    lead = "data: " if space else "data:"
    whole = "".join(f": comment{end}event: x{end}{lead}{line}{end}{end}" for line in data).encode()
    chunks = [whole[i : i + size] for i in range(0, len(whole), size)]
    assert events(chunks) == data


def test_lines_of_one_event_are_joined() -> None:
    assert events([b"data: a\ndata\ndata: b\n\ndata: [DONE]\n\n"]) == ["a\nb", sse.DONE]


def test_an_event_that_nothing_closes_is_dropped() -> None:
    assert events([b"data: a\n\ndata: b\n"]) == ["a"]


@pytest.mark.parametrize("chunks", [[b"data: " + b"x" * 99], [b"data: " + b"x" * 20 + b"\n"] * 3])
def test_lines_and_events_are_bounded(chunks: list[bytes]) -> None:
    with pytest.raises(Garbled, match="more than"):
        events(chunks, limit=50)


def test_bytes_that_are_not_utf8_are_refused() -> None:
    with pytest.raises(Garbled, match="UTF-8"):
        events([b"data: \xff\n\n"])


def test_events_that_come_together_stay_together() -> None:
    chunks = [b"data: a\n\ndata: b\n\nda", b"ta: c\n\n", b": ping\n\n", b"data: d\n\n"]
    assert list(sse.batches(chunks)) == [["a", "b"], ["c"], ["d"]]


def test_what_came_before_nonsense_is_handed_on() -> None:
    batches = sse.batches([b"data: a\n\ndata: \xff\n\n"])
    assert next(batches) == ["a"]
    with pytest.raises(Garbled):
        next(batches)
