"""Patterns of a policy's own: an employee's number, a project's code. Of what regular expressions can do, what is safe.

Somebody writes them who need not know how a search can be made to take forever. So there are no repeats without a
limit, no repeated groups, no looking back at what was found, and all repeats of a pattern together have few ways to
share a text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod

from llmflow_presidio.finding import Finding
from llmflow_presidio.recognisers.rule import BEFORE

ENTITY = "CUSTOM"
LONGEST, MOST_WAYS = 200, 200  # signs of a pattern; ways to read a text from one place on
_PIECE = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{[^}]*\}|\(\?:|[\s\S]")
_TIMES = re.compile(r"\{(\d{1,3})(?:,(\d{1,3}))?\}")
_ESCAPES = frozenset(r"dDsS.-_/\()[]{}+*?|^$#&@!~%=:;, ")


def problem(pattern: str) -> str:
    """Why a pattern is not taken, "" where it is."""
    ways, last = [1], ""
    for piece in _PIECE.findall(pattern):
        if piece in ("*", "+"):
            return f"{piece} repeats without a limit: say how often, as in {{1,20}}"
        if piece[0] == "{" or piece == "?":
            times = re.fullmatch(_TIMES, "{0,1}" if piece == "?" else piece)
            if not times or last in ("", "(?:", "|", "(", "?") or last[0] == "{":
                return f"{piece} must be {{n}} or {{n,m}}, after a sign"
            if last == ")":
                return f"{piece} repeats a group: write it out, or use alternatives"
            ways.append(int(times[2] or times[1]) - int(times[1]) + 1)
        elif piece[0] == "\\" and piece[1] not in _ESCAPES and piece[1:] not in ("w", "W"):
            return f"{piece} is not taken here"
        elif piece == "(":
            return "groups begin with (?:"
        last = piece
    if prod(ways) > MOST_WAYS:
        return f"its repeats could share a text in {prod(ways)} ways; at most {MOST_WAYS} are taken"
    try:
        found = re.compile(pattern)
    except re.error as error:
        return f"it is no regular expression: {error.msg}"
    return "it matches where there is nothing" if found.match("") else ""


@dataclass(frozen=True)
class Own:
    """Finds a policy's pattern, and, where words are given, only after one of them."""

    name: str
    pattern: str
    near: tuple[str, ...] = ()

    def find(self, text: str) -> Iterator[Finding]:
        """What the pattern matches, not within a longer word or number."""
        for match in self._compiled.finditer(text):
            lead = text[max(0, match.start() - BEFORE) : match.start()].lower()
            if not self.near or any(word.lower() in lead for word in self.near):
                yield Finding(match.start(), match.end(), ENTITY, 1.0, self.name)

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(rf"(?<![0-9A-Za-z])(?:{self.pattern})(?![0-9A-Za-z])", re.ASCII)
