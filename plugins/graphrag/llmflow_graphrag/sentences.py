"""Where sentences end, in Korean and English, so that a text is never cut inside one.

An end is a sign or a Korean ending before a space, or a line whose successor begins a clause or an item
(`제3조`, `①`, `가.`, `1)`, `-`). Abbreviations and decimals end nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

END = re.compile(
    r"""(?P<sign>[.!?…。！？]+["'”’」』)\]]*)(?=\s|$)          # a sign, its closing quotes, and a space
      | (?<=[다요까죠음임함됨])(?P<glued>\.)(?=[가-힣])          # "…한다.그러나": no space after it
      | (?P<line>\n)(?=\s*(?:제\s?\d+\s?[조항장절]|[①-⑳]|[가-하]\.|\d+[.)]\s|[-•※▪·*]\s|\n))
    """,
    re.VERBOSE,
)
ABBREVIATION = re.compile(
    r"(?:\b(?:Dr|Mr|Mrs|Ms|Prof|Sr|Jr|St|No|Nos|vs|etc|e\.g|i\.e|cf|al|Inc|Ltd|Co|Corp|Fig|Vol|pp?|approx)"
    r"|\b[A-Z]|(?:^|\n)\s*\d+|(?:^|\s)[가-하])\.$"
)
LOOK_BACK = 12  # characters before a sign that can hold an abbreviation


def spans(text: str, start: int = 0, end: int | None = None) -> Iterator[tuple[int, int]]:
    """Where each sentence of text[start:end] begins and ends, in order, without the blanks between them."""
    end = len(text) if end is None else end
    begin = start
    for match in END.finditer(text, start, end):
        stop = match.end()
        if match["sign"] and ABBREVIATION.search(text[max(start, stop - LOOK_BACK) : stop]):
            continue
        yield from _bare(text, begin, stop)
        begin = stop
    yield from _bare(text, begin, end)


def _bare(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    piece = text[start:end]
    inside = piece.strip()
    if inside:
        first = start + len(piece) - len(piece.lstrip())
        yield first, first + len(inside)
