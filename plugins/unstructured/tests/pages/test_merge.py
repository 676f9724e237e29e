"""Two readings of a line become one that is better than either."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmflow_unstructured.pages.merge import doubtful, merged
from llmflow_unstructured.pages.tesseract import Sign

HEIGHT = 36.0


def signs(text: str, sure: float, left: float = 0.0, wide: float = 30.0) -> list[Sign]:
    """Signs of one width, spaces between words."""
    found: list[Sign] = []
    for word in text.split():
        for at, letter in enumerate(word):
            found.append(Sign(letter, left, left + wide * 0.9, sure, space=at == 0 and bool(found)))
            left += wide
        left += wide / 2
    return found


def said(read: tuple[Sign, ...]) -> str:
    return "".join(f" {sign.text}" if sign.space else sign.text for sign in read)


@pytest.mark.parametrize(
    ("main", "other", "text"),
    [
        ((("구조를", 93),), (("PAS", 91),), "구조를"),
        ((("3146", 40),), (("Nature", 96),), "Nature"),
        ((("3146", 40), ("에", 93)), (("Naturel", 70),), None),
        ((("원", 60), ("으로", 95)), (("HOS", 88),), "원으로"),
    ],
)
def test_each_sign_is_of_the_reading_that_knows_its_script(
    main: tuple[tuple[str, float], ...], other: tuple[tuple[str, float], ...], text: str | None
) -> None:
    ours: list[Sign] = []
    for part, sure in main:
        ours += signs(part, sure, left=ours[-1].right + 3 if ours else 0.0)
    width = ours[-1].right
    theirs = [
        sign
        for part, sure in other
        for sign in signs(part, sure, wide=width / len("".join(part for part, _ in other)))
    ]
    found = said(merged(ours, theirs, HEIGHT))
    assert found == text if text is not None else found.endswith("에")


@given(st.lists(st.tuples(st.text("가나다ab1", min_size=1, max_size=1), st.floats(0, 100)), max_size=20))
def test_a_reading_alone_stays_as_it_is(letters: list[tuple[str, float]]) -> None:
    read = [Sign(text, 20.0 * at, 20.0 * at + 18, sure) for at, (text, sure) in enumerate(letters)]
    assert merged(read, [], HEIGHT) == tuple(read)
    assert merged([], read, HEIGHT) == tuple(read)


@given(
    st.lists(st.tuples(st.floats(0, 600), st.floats(1, 60), st.floats(0, 100)), min_size=1, max_size=15),
    st.lists(st.tuples(st.floats(0, 600), st.floats(1, 60), st.floats(0, 100)), min_size=1, max_size=15),
)
def test_what_is_merged_is_of_the_readings_in_their_order(
    one: list[tuple[float, float, float]], other: list[tuple[float, float, float]]
) -> None:
    ours = [Sign("가", left, left + wide, sure) for left, wide, sure in one]
    theirs = [Sign("a", left, left + wide, sure) for left, wide, sure in other]
    found = merged(ours, theirs, HEIGHT)
    for letter, count in (("가", len(ours)), ("a", len(theirs))):
        assert sum(sign.text == letter for sign in found) <= count
    assert found


@pytest.mark.parametrize(
    ("parts", "spans"),
    [
        ((("구조를", 95), ("발표했다.", 95)), []),
        ((("구조를", 95), ("발표했다.", 60)), [(3, 8)]),
        ((("전해질의", 95), ("Nature", 95), ("구조를", 95)), [(4, 10)]),
        ((("이름은", 95), ("450", 95), ("이다.", 95)), [(3, 6)]),
        ((("80", 95), ("이상", 95), ("90", 95)), [(0, 6)]),
        ((("80", 95), ("발표했다.", 95), ("90", 95)), [(0, 2), (7, 9)]),
    ],
    ids=["sure", "unsure", "letters", "figures", "near", "apart"],
)
def test_only_doubtful_words_are_read_twice(
    parts: tuple[tuple[str, float], ...], spans: list[tuple[int, int]]
) -> None:
    read = [replace(sign, space=at == 0) for word, sure in parts for at, sign in enumerate(signs(word, sure))]
    assert doubtful(read) == spans
