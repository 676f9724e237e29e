"""Text as the recognisers read it: one spelling for what looks the same, and the way back to the original's offsets.

Full-width digits, the many dashes and blanks, decomposed Hangul and invisible signs would otherwise hide what they
spell.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise

_DASHES = "‐‑‒–—―−﹘﹣－ー⁃"
_BLANKS = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000\t"
_ONE_FOR_ONE = {
    **{code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)},  # full-width ASCII
    **{ord(sign): "-" for sign in _DASHES},
    **{ord(sign): " " for sign in _BLANKS},
    **{ord(sign): str(value) for value, sign in enumerate("𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗")},
    ord("∶"): ":", ord("·"): ".", ord("․"): ".",
}  # fmt: skip
_INVISIBLE = (
    r"\u00ad\u115f\u1160\u200b-\u200f\u202a-\u202e\u2060-\u2064\u3164\ufe00-\ufe0f\ufeff\U000e0000-\U000e007f"
)
_JAMO = r"\u1100-\u115e\u1161-\u11ff"
_LONGER = re.compile(f"[{_INVISIBLE}]|[{_JAMO}]+")  # what does not stay one sign for one


@dataclass(frozen=True)
class Folded:
    """The text to search, and where its signs stand in the original."""

    text: str
    _starts: tuple[tuple[int, int], ...] = ()  # (here, there) wherever the distance between both changes

    def original(self, start: int, end: int) -> tuple[int, int]:
        """A span of the original for one of the folded text."""
        return (self._there(start), self._there(end)) if self._starts else (start, end)

    def _there(self, here: int) -> int:
        at = bisect_left(self._starts, (here + 1, -1)) - 1
        return here if at < 0 else self._starts[at][1] + here - self._starts[at][0]


def fold(text: str) -> Folded:
    """Fold a text; most texts keep all their offsets, and need no way back."""
    plain = text if text.isascii() and "\t" not in text else text.translate(_ONE_FOR_ONE)
    if not _LONGER.search(plain):
        return Folded(plain)
    pieces: list[str] = []
    starts: list[tuple[int, int]] = []
    here = last = 0
    for match in _LONGER.finditer(plain):
        kept = plain[last : match.start()]
        composed = _composed(match.group())
        pieces += (kept, composed)
        here += len(kept)
        for index, (begin, _) in enumerate(_pieces(match.group(), composed)):
            starts.append((here + index, match.start() + begin))
        here += len(composed)
        last = match.end()
        starts.append((here, last))
    pieces.append(plain[last:])
    return Folded("".join(pieces), tuple(dict(starts).items()))


def _composed(piece: str) -> str:
    """Syllables out of letters; nothing out of what is invisible."""
    return unicodedata.normalize("NFC", piece) if re.match(f"[{_JAMO}]", piece) else ""


def _pieces(piece: str, composed: str) -> list[tuple[int, int]]:
    """Where each composed sign begins and ends in the decomposed piece."""
    ends = [0]
    for sign in composed:
        ends.append(ends[-1] + len(unicodedata.normalize("NFD", sign)))
    return [*pairwise(ends)] if ends[-1] == len(piece) else [(0, len(piece))] * len(composed)
