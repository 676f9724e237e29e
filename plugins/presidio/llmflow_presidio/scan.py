"""One pass over a text: piece by piece, each piece searched once, so that a text that grows is not searched anew.

Where a piece ends is decided by what stands before its end alone: at a line's or a sentence's end, or, where there is
none for long, before anything found there. A piece that has ended never changes, whatever follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from llmflow_presidio.finding import Finding, resolve
from llmflow_presidio.fold import fold
from llmflow_presidio.recognisers import addresses, english_names, generic, injection, names, numbers, secrets
from llmflow_presidio.recognisers.rule import Recogniser

SHORT, LONG = 160, 700  # signs: a piece has at least, and at most, unless it is one word
SPARE = 320  # signs that a finding may need to be whole
CONTEXT = 48  # signs before a piece that are looked at, but not searched again
# The end of a line or a sentence; none after "St." and the like.
_SENTENCE = re.compile(r"\n|(?<=[。！？])|(?:(?<=[가-힣)\]\"'”’][.!?])|(?<=[a-z]{3}[.!?]))[ ]")
_WORD_ENDS, _LONGEST_WORD = re.compile("[^!-~]"), 8_000
_KEY_BEGINS = re.compile(r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY")
_KEY_ENDS, _LONGEST_KEY = "-----END ", 12_000


@dataclass(frozen=True)
class Piece:
    """A part of a text; `closed` once nothing that follows can change what is found in it."""

    start: int
    end: int
    closed: bool


@cache
def recognisers() -> tuple[Recogniser, ...]:
    """All that is looked for without a policy's own lists."""
    rules = (*numbers.RULES, *names.RULES, *addresses.RULES, *secrets.RULES, *generic.RULES)
    return (
        *rules,
        names.KoreanNames(),
        english_names.EnglishNames(),
        addresses.KoreanAddresses(),
        injection.Injections(),
        *generic.borrowed(),
    )


def scan(text: str, among: Sequence[Recogniser] | None = None) -> list[Finding]:
    """Everything in a text, in its order, without overlaps."""
    return [one for _, found in pieces(text, 0, among) for one in found]


def pieces(
    text: str, start: int, among: Sequence[Recogniser] | None = None
) -> Iterator[tuple[Piece, list[Finding]]]:
    """What is in each piece from `start` on, where a piece begins."""
    chosen = recognisers() if among is None else among
    while start < len(text):
        end, closed, cut = _end(text, start)
        found = _search(text, start, end, chosen)
        if cut and (before := _before(found, _blank(text, start, end - SPARE))) > start:
            end = before
            found = [one for one in found if one.end <= end]
        elif cut:  # one word from the beginning on, a key or an address of the net: up to its end
            end = _unbroken(text, end)
            closed, found = end < len(text), _search(text, start, end, chosen)
        yield Piece(start, end, closed), found
        start = end


def _end(text: str, start: int) -> tuple[int, bool, bool]:
    """Where the piece that begins at `start` ends, whether it can't end elsewhere, and whether that cuts a sentence."""
    match = _SENTENCE.search(text, start + SHORT, start + LONG)
    key = _KEY_BEGINS.search(text, start, match.end() if match else start + LONG)
    if key:
        ends = _key(text, key.start())
        return ends, ends < len(text), False
    if match:
        return match.end(), True, False
    return (start + LONG, True, True) if len(text) >= start + LONG else (len(text), False, False)


def _key(text: str, begins: int) -> int:
    """Where a private key ends: at its last line, or as far as it has come."""
    ends = text.find(_KEY_ENDS, begins, begins + _LONGEST_KEY)
    line = text.find("\n", ends) + 1 if ends >= 0 else 0
    if line:
        return line
    return min(len(text), begins + _LONGEST_KEY)


def _blank(text: str, start: int, end: int) -> int:
    """The last place up to `end` where no word of Latin letters, digits and signs goes on; `start` if there is none."""
    return next((at for at in range(end, start, -1) if not "!" <= text[at - 1] <= "~"), start)


def _unbroken(text: str, start: int) -> int:
    """Where such a word ends that goes on at `start`, or as far as one may go."""
    ends = _WORD_ENDS.search(text, start, start + _LONGEST_WORD)
    return ends.start() if ends else min(len(text), start + _LONGEST_WORD)


def _before(found: Iterable[Finding], end: int) -> int:
    """The last place up to `end` that no finding stands over."""
    for one in sorted(found, reverse=True):
        if one.start < end < one.end:
            end = one.start
    return end


def _search(text: str, start: int, end: int, among: Sequence[Recogniser]) -> list[Finding]:
    """What is found in one piece, read together with the end of the one before."""
    begin = max(0, start - CONTEXT)
    folded = fold(text[begin:end])
    found = []
    for recogniser in among:
        for one in recogniser.find(folded.text):
            first, last = folded.original(one.start, one.end)
            if begin + first >= start:
                found.append(Finding(begin + first, begin + last, one.entity, one.score, one.rule))
    return resolve(found)
