"""What lies on a page before its layout is known: words, rules and pictures, in points from the upper left."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from llmflow_unstructured.elements import Box


@dataclass(frozen=True, slots=True)
class Word:
    """A word with its box, the size and weight of its type, and how sure it is from 0 to 100.

    `glued` says that no space stands before it: a part of a word that was printed, or recognised, in parts.
    """

    text: str
    left: float
    top: float
    right: float
    bottom: float
    size: float
    bold: bool = False
    sure: float = 100.0
    glued: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A printed line: across the page, or down it."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def across(self) -> bool:
        """Whether it is horizontal."""
        return self.right - self.left >= self.bottom - self.top


@dataclass(frozen=True)
class Sheet:
    """One upright page."""

    number: int
    width: float
    height: float
    words: tuple[Word, ...]
    rules: tuple[Rule, ...] = ()
    pictures: tuple[Box, ...] = ()

    @property
    def sure(self) -> float:
        """How sure its words are, by their letters."""
        letters = sum(len(word.text) for word in self.words)
        return sum(word.sure * len(word.text) for word in self.words) / letters if letters else 0.0


def around(things: Iterable[Word | Rule | Box]) -> Box:
    """The box around all of them."""
    every = list(things)
    return Box(
        min(thing.left for thing in every),
        min(thing.top for thing in every),
        max(thing.right for thing in every),
        max(thing.bottom for thing in every),
    )


def median(values: Sequence[float], weights: Sequence[float] | None = None) -> float:
    """The middle of the values, by their weights; 0 of none."""
    if not values:
        return 0.0
    pairs = sorted(zip(values, weights or [1.0] * len(values), strict=True))
    half, passed = sum(weight for _, weight in pairs) / 2, 0.0
    for value, weight in pairs:
        passed += weight
        if passed >= half:
            return value
    return pairs[-1][0]
