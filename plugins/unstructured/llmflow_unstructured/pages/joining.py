"""Lines of a paragraph become its text: hyphens undone, and Korean words whole that a line's end had cut.

Korean is broken either between words or, as its word processors do by default, between any two syllables. Which of
them a document does is seen by its lines: where some begin with a particle, they break anywhere; where a word went to
the next line, though its first syllable would have had room, between words. Where they break anywhere, what is known of
its words decides on the space.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from llmflow_unstructured.pages.lines import Line
from llmflow_unstructured.pages.words import median

MARK = re.compile(
    r"(?:[•◦▪■□●○◆◇▶▷※*·–—-]|\(?\d{1,2}\)|\d{1,2}\.|\(?[가나다라마바사아자차카타파하]\)|[가나다라마바사아자차카타파하]\."
    r"|\(?[a-z]\)|[①-⑳㉮-㉻ⓐ-ⓩ])\s+"
)
ROOM = 1.25  # of the type's size: a syllable and its space have room in so much
STRETCHED = (
    1.6  # of the type's size: the most that a line is stretched by which could have taken one more syllable
)
SEEN = 0.1  # share of a document's lines that show how it breaks
CUT, CUTS = 0.08, 2  # share, and least number, of such lines that begin with a particle where words are cut
HANGUL = re.compile("[가-힣]")
PARTICLE = re.compile(  # no word, whatever stands before
    r"(?:[은는을를의에와과가도로]|에서|에게|으로|까지|부터|지만|면서|(?:니|습니|한|했|었|였|하였)?다[.,])$"
)
BEGINS = re.compile(  # what no Korean word begins with: particles and endings
    r"(?:은|는|을|를|의|에|에서|에게|으로|로|와|과|까지|부터|마다|보다|처럼|이며|이고|이다|입니다|하고|하며|하여|하는|한다|했다|하였다|"
    r"된다|되는|되어|되고|었다|았다|였다|였고|었고|았고|습니다|니다|다|며|고|면|지만|던|는데|도록|들이|들은|들을|들의)[\s.,)\"'”’]*$"
)
ENDS = re.compile(  # what Korean words end with
    r"(?:[은는을를의에와과도만며고면서지게던된할한인로]|에서|까지|부터|하여|보다|으로|때문|경우|그|이|각|및|등|또는|수|것|[,;:.)」』”’?!])$"
)


@dataclass(frozen=True)
class Wrapping:
    """How a document breaks its lines, and the words that it has in the middle of them."""

    by_syllable: bool
    known: Counter[str] = field(default_factory=Counter)


def wrapping(paragraphs: Iterable[Sequence[Line]]) -> Wrapping:
    """How these paragraphs break their lines."""
    many = list(paragraphs)
    known = Counter(
        word.strip(",.()\"'") for lines in many for line in lines for word in line.text.split()[1:-1]
    )
    broken = begun = roomy = seen = 0
    for lines in many:
        if len(lines) < 2:
            continue
        right = max(line.box.right for line in lines)
        natural = _natural(lines)
        for line, below in pairwise(lines):
            if HANGUL.match(line.text[-1:]) and HANGUL.match(below.text[:1]):
                seen += 1
                room = right - line.box.right > ROOM * line.size
                roomy += room
                broken += room or _stretched(line, natural)
                begun += bool(PARTICLE.match(below.text.split()[0]))
    cut = begun >= max(CUTS, CUT * seen) and roomy <= SEEN * seen
    return Wrapping(by_syllable=cut or (seen > 0 and broken <= SEEN * seen), known=known)


def joined(lines: Sequence[Line], way: Wrapping) -> str:
    """The text of lines that follow each other."""
    text = ""
    for line in lines:
        text = put_together(text, line.text.strip(), way)
    return text


def put_together(text: str, more: str, way: Wrapping) -> str:
    """The text and what follows on the next line."""
    if not text or not more:
        return text or more
    if text[-1] == "-" and text[-2:-1].isalpha() and text[-2:-1].isascii() and more[0].islower():
        return text[:-1] + more
    return text + ("" if way.by_syllable and _cut(text, more, way) else " ") + more


def _cut(text: str, more: str, way: Wrapping) -> bool:
    """Whether the line's end is within a word."""
    if not (HANGUL.match(text[-1]) and HANGUL.match(more[0])):
        return text[-1].isdigit() and bool(HANGUL.match(more[0])) and bool(BEGINS.match(more.split()[0]))
    last, first = text.split()[-1].strip(",.()\"'"), more.split()[0].strip(",.()\"'")
    whole, apart = way.known[last + first], min(way.known[last], way.known[first])
    if whole != apart:
        return whole > apart
    if BEGINS.match(first):
        return True
    return not ENDS.search(last) or len(last) < 2


def _natural(lines: Sequence[Line]) -> float:
    """The space between words where none is stretched, of the type's size."""
    gaps = [_gap(line) / line.size for line in lines if len(line.words) > 1]
    return min(gaps, default=0.0)


def _gap(line: Line) -> float:
    return median([after.left - word.right for word, after in pairwise(line.words)])


def _stretched(line: Line, natural: float) -> bool:
    spaces = len(line.words) - 1
    return spaces > 0 and spaces * (_gap(line) / line.size - natural) > STRETCHED
