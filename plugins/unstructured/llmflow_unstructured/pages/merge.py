"""Two readings of one line become one: of the language of the page, and of the other that is mixed into it.

A Korean model reads `Nature` as `3146`, an English one `구조를` as `PAS`, each less sure than the other is of the
truth. Asked for both at once Tesseract chooses word by word, and takes `PAS`. Here signs are chosen along the line, so
that `Nature에` can be of both, and a Hangul syllable has the benefit of the doubt.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf

from llmflow_unstructured.pages.tesseract import Sign

OVERLAP = 0.4  # of the narrower of two signs that may follow each other
HANGUL_GAIN, OTHER_LOSS, CAPITAL_LOSS, NO_LETTER = 30.0, 20.0, 14.0, 10.0  # points of certainty
SWITCH = 17.0  # points times the height of the line that a change of reading costs
GAP = 0.12  # of the height of the line, between two words
DOUBT = 80.0  # a sign that is less sure is looked at in the other language, too
NEAR = 4  # signs between two spans that are looked at as one
LONG = 40  # signs that one may look back over


@dataclass(frozen=True)
class _Place:
    """A sign in a reading, `wide` with the blank behind it; ours is that of the main language."""

    sign: Sign
    wide: float
    ours: bool
    at: int
    worth: float


@dataclass(frozen=True)
class _Step:
    score: float
    before: int


def doubtful(signs: Sequence[Sign]) -> list[tuple[int, int]]:
    """Where a line of the main language has something that another language could read better: from word to word."""
    begins = [at for at, sign in enumerate(signs) if sign.space or not at]
    spans: list[tuple[int, int]] = []
    for first, after in pairwise([*begins, len(signs)]):
        if not any(map(_doubted, signs[first:after])):
            continue
        if spans and first - spans[-1][1] <= NEAR:
            spans[-1] = (spans[-1][0], after)
        else:
            spans.append((first, after))
    return spans


def merged(main: Sequence[Sign], other: Sequence[Sign], height: float) -> tuple[Sign, ...]:
    """The best way along the line through the signs of both readings."""
    if not main or not other:
        return tuple(main or other)
    places = sorted(
        [*_places(main, ours=True), *_places(other, ours=False)],
        key=lambda place: (place.sign.left + place.sign.right, place.at),
    )
    steps: list[_Step] = []
    for number, place in enumerate(places):
        best = _Step(0.0, -1)
        for before in range(number - 1, max(-1, number - LONG), -1):
            last = places[before]
            if not _follows(last, place):
                continue
            score = steps[before].score - (SWITCH * height if last.ours != place.ours else 0.0)
            if score > best.score:
                best = _Step(score, before)
        steps.append(_Step(best.score + place.worth, best.before))
    at = max(range(len(steps)), key=lambda number: steps[number].score)
    way: list[_Place] = []
    while at >= 0:
        way.append(places[at])
        at = steps[at].before
    return tuple(_joined(way[::-1], main, other, height))


def _places(reading: Sequence[Sign], *, ours: bool) -> Iterator[_Place]:
    apart = _apart(reading)
    capitals = _capitals(reading)
    ends = [*(sign.left for sign in apart[1:]), apart[-1].right]
    for at, (sign, end) in enumerate(zip(apart, ends, strict=True)):
        sure = sign.sure
        if ours and _hangul(sign.text):
            sure += HANGUL_GAIN
        elif sign.text.isalnum():
            sure -= OTHER_LOSS if ours else capitals[at]
        if not ours and not sign.text.isalpha():
            sure -= NO_LETTER
        wide = max(1.0, end - sign.left)
        yield _Place(sign, wide, ours, at, sure * wide)


def _apart(reading: Sequence[Sign]) -> list[Sign]:
    """The signs without the overlaps that Tesseract gives them: each ends where the next begins."""
    lefts = [sign.left for sign in reading]
    for at in range(len(lefts) - 1, 0, -1):
        lefts[at - 1] = min(lefts[at - 1], lefts[at])
    ends = [*lefts[1:], inf]
    return [
        replace(sign, left=left, right=max(left + 1, min(sign.right, end)))
        for sign, left, end in zip(reading, lefts, ends, strict=True)
    ]


def _capitals(reading: Sequence[Sign]) -> list[float]:
    """What each sign of the other language loses: Hangul is often mistaken for words of capital letters."""
    within = [False, *(not after.space and before.text.isalpha() for before, after in pairwise(reading))]
    return [
        CAPITAL_LOSS if inside and sign.text.isupper() else 0.0
        for sign, inside in zip(reading, within, strict=True)
    ]


def _hangul(text: str) -> bool:
    return any("가" <= letter <= "힣" for letter in text)


def _doubted(sign: Sign) -> bool:
    return sign.sure < DOUBT or (sign.text.isascii() and sign.text.isalnum())


def _follows(last: _Place, place: _Place) -> bool:
    if last.ours == place.ours:
        return place.at == last.at + 1
    shared = last.sign.left + last.wide - place.sign.left
    return shared <= OVERLAP * min(last.wide, place.wide)


def _joined(
    way: Sequence[_Place], main: Sequence[Sign], other: Sequence[Sign], height: float
) -> Iterator[Sign]:
    for number, place in enumerate(way):
        space = place.sign.space
        if number and way[number - 1].ours != place.ours:
            last = way[number - 1]
            reading = main if last.ours else other
            ended = last.at + 1 < len(reading) and reading[last.at + 1].space
            apart = place.sign.left - last.sign.right > GAP * height
            space = (space and ended) or ((space or ended) and apart)
        yield replace(place.sign, space=space if number else main[0].space)
