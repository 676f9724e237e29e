"""Words that are written so that a search misses them and a model doesn't: other letters, letters apart, encodings.

Each way of disguise has a cheap sign; where a text has none of them, nothing is done.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

_LEET = str.maketrans("013457@$!", "oieastasi")
_LIKE_LATIN = str.maketrans("аеорсхуіѕԁɡοαενικρτυχ", "aeopcxyisdgoaevikptux")
_DIGIT_IN_WORD = re.compile(r"[a-z][013457$][a-z]")
_OTHER_ALPHABET = re.compile(r"[a-z][\u0370-\u04ff\u0501\u0261]|[\u0370-\u04ff\u0501\u0261][a-z]")
_APART = re.compile(
    r"(?<![a-z0-9])[a-z](?:[ ._*\-]{1,3}[a-z](?![a-z])){7,200}"
    r"|(?<![가-힣])[가-힣](?:[._*\-/|~·][가-힣]){1,60}"
    r"|(?<![가-힣])[가-힣](?:[ ][가-힣](?![가-힣])){5,60}"
)
_BETWEEN = re.compile(r"[ ._*\-/|~·]{1,3}")
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_\-])[A-Za-z0-9+/_\-]{24,2000}={0,2}(?![A-Za-z0-9+/=])")
_HEX = re.compile(r"(?<![0-9A-Za-z])(?:[2-7][0-9a-fA-F][ ]?){16,600}(?![0-9A-Za-z])")
_PERCENT = re.compile(r"(?:[!-$&-~]{0,30}%[0-9A-Fa-f]{2}){3,200}[!-$&-~]{0,30}")
_ROTATED = re.compile(r"vtaber|cerivbhf|vafgehpgvba|flfgrz|cebzcg|qvfertneq")
_REVERSED = re.compile(r"snoitcurtsni|tpmorp|erongi|suoiverp|sdrager ?sid")


@dataclass(frozen=True)
class View:
    """A text as it is to be read, and where each of its signs stands in what was written."""

    text: str
    places: Sequence[int]  # one more than the text has signs

    def original(self, start: int, end: int) -> tuple[int, int]:
        """A span of what was written."""
        return self.places[start], self.places[end - 1] + 1


def views(text: str) -> Iterator[View]:
    """Other ways to read a text in small letters, sign for sign."""
    if _OTHER_ALPHABET.search(text):
        yield View(text.translate(_LIKE_LATIN), range(len(text) + 1))
    if _DIGIT_IN_WORD.search(text):
        yield View(text.translate(_LEET), range(len(text) + 1))
    if _APART.search(text):
        yield _together(text)


def decoded(text: str) -> Iterator[tuple[int, int, str]]:
    """What is encoded in a text, and where."""
    for match in _BASE64.finditer(text):
        yield from _readable(match.span(), _from_base64(match.group()))
    for match in _HEX.finditer(text):
        yield from _readable(match.span(), _from_hex(match.group()))
    for match in _PERCENT.finditer(text):
        yield (*match.span(), unquote(match.group()))
    low = text.lower()
    if _ROTATED.search(low):
        yield 0, len(text), codecs.decode(text, "rot13")
    if _REVERSED.search(low):
        yield 0, len(text), text[::-1]


def _together(text: str) -> View:
    """The letters of words that are written apart, put together; a wider gap stays one between words."""
    signs: list[str] = []
    places: list[int] = []
    last = 0
    for run in _APART.finditer(text):
        signs += text[last : run.start()]
        places += range(last, run.start())
        last = run.start()
        for gap in _BETWEEN.finditer(text, run.start(), run.end()):
            signs += text[last : gap.start()]
            places += range(last, gap.start())
            if len(gap.group()) > 1:
                signs.append(" ")
                places.append(gap.start())
            last = gap.end()
        signs += text[last : run.end()]
        places += range(last, run.end())
        last = run.end()
    signs += text[last:]
    places += range(last, len(text) + 1)
    return View("".join(signs), places)


def _readable(span: tuple[int, int], raw: bytes) -> Iterator[tuple[int, int, str]]:
    """Bytes that are a text."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return
    if len(text) >= 12 and all(sign.isprintable() or sign.isspace() for sign in text):
        yield (*span, text)


def _from_base64(word: str) -> bytes:
    plain = word.rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4))
    except (binascii.Error, ValueError):
        return b""


def _from_hex(word: str) -> bytes:
    try:
        return bytes.fromhex(word)
    except ValueError:
        return b""
