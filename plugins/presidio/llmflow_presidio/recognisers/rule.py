"""A rule: a pattern, and what makes a match of it sure, or none.

Patterns are bounded (no repeat without a limit beside another that takes the same signs) and never cross a line. Hangul
glued to a number or a name is a particle, so borders are looked at as "no digit", "no Latin letter"; there is no \\b.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from llmflow_presidio.finding import Finding

BEFORE, AFTER = 40, 16  # signs around a match that say what it is
THRESHOLD = 0.5

Judge = Callable[["re.Match[str]"], float]


class Recogniser(Protocol):
    """Finds one kind of thing in a text."""

    @property
    def name(self) -> str:
        """What findings call it."""
        ...

    def find(self, text: str) -> Iterator[Finding]:
        """What is in the text, surely enough."""
        ...


@dataclass(frozen=True)
class Rule:
    """A pattern with its judge: a score for a match, less than THRESHOLD for none.

    The group `it`, where the pattern has one, is what is found. `gate` is a short text or a cheap pattern without which
    the pattern can't match.
    """

    name: str
    entity: str
    pattern: re.Pattern[str]
    judge: Judge | float
    gate: str | re.Pattern[str] = ""

    def find(self, text: str) -> Iterator[Finding]:
        """What the pattern matches and the judge believes."""
        if not self._opens(text):
            return
        group = "it" if "it" in self.pattern.groupindex else 0
        for match in self.pattern.finditer(text):
            score = self.judge if isinstance(self.judge, float) else self.judge(match)
            if score >= THRESHOLD:
                start, end = match.span(group)
                yield Finding(start, end, self.entity, score, self.name)

    def _opens(self, text: str) -> bool:
        if isinstance(self.gate, str):
            return self.gate in text
        return self.gate.search(text) is not None


def before(match: re.Match[str], much: int = BEFORE) -> str:
    """What stands before a match, on this line and the one above."""
    return match.string[max(0, match.start() - much) : match.start()]


def after(match: re.Match[str], much: int = AFTER) -> str:
    """What stands after a match on its line."""
    return match.string[match.end() : match.end() + much].partition("\n")[0]


def digits(text: str) -> str:
    """The ASCII digits in a text."""
    return "".join(sign for sign in text if "0" <= sign <= "9")
