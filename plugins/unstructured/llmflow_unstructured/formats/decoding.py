"""Bytes as text: Unicode by its marks, Korean encodings told from others by what they spell."""

from __future__ import annotations

import codecs
import re

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
SAMPLE = 64 * 1024  # bytes that are looked at to tell encodings apart
HANGUL = re.compile("[가-힣]")
FOREIGN = re.compile("[^\x00-\x7f]")
# Syllables that make up a third of any Korean text; other encodings read as Korean spell them rarely.
COMMON = re.compile("[이다는의에을가하고를한로은지어기도서사대자시인해수리정일부니전있그나과보아제]")
LEAST_HANGUL, LEAST_COMMON = 0.6, 0.12  # shares of the signs beyond ASCII
FEW = 24  # syllables below which nothing can be said of how common they are
TEXT = re.compile(
    "[\t\n\r -~\xa0-\u024f\u2000-\u206f\u2190-\u25ff\u3000-\u30ff\u3131-\u318e\u4e00-\u9fff가-힣\uff00-\uffef]"
)
LATIN = re.compile("[\xa1-\u024f\u2010-\u2044\u20ac\u2122]")
DAMAGE = 0.02  # share of signs that may be damaged in UTF-8


def decode(data: bytes) -> tuple[str, str]:
    """The text in some bytes, and the name of its encoding."""
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace"), encoding.removesuffix("-sig")
    wide = _wide(data[:SAMPLE])
    if wide:
        return data.decode(wide, "replace"), wide
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        encoding = _guessed(data)
    return data.decode(encoding, "replace"), encoding


def _wide(sample: bytes) -> str:
    """UTF-16 without a mark: every other byte of its ASCII, blanks and line ends at least, is zero."""
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    half = max(1, len(sample) // 2)
    if len(sample) >= 4 and max(even, odd) > 0.02 * half and min(even, odd) <= 0.1 * max(even, odd):
        encoding = "utf-16-le" if odd > even else "utf-16-be"
        text = sample[: len(sample) // 2 * 2].decode(encoding, "replace")
        return encoding if len(TEXT.findall(text)) > 0.8 * len(text) else ""
    return ""


def _guessed(data: bytes) -> str:
    """The encoding of bytes that are not UTF-8."""
    sample = data[:SAMPLE]
    for encoding in ("euc-kr", "cp949"):
        if _is_korean(sample, encoding) and (encoding == "cp949" or _decodes(data, encoding)):
            return encoding
    damaged = sample.decode("utf-8", "replace")
    if FOREIGN.search(damaged.replace("\ufffd", "")) and damaged.count("\ufffd") <= DAMAGE * len(damaged):
        return "utf-8"
    import charset_normalizer  # which takes longer to load than most documents to read

    best = charset_normalizer.from_bytes(sample).best()
    beyond = FOREIGN.findall(str(best)) if best else []
    if best is None or len(LATIN.findall("".join(beyond))) == len(beyond):
        return "cp1252"  # the code pages of Latin letters can't be told apart by statistics: the one of Western Europe
    return best.encoding


def _is_korean(sample: bytes, encoding: str) -> bool:
    text = sample.decode(encoding, "replace")
    beyond = len(FOREIGN.findall(text))
    hangul, common = len(HANGUL.findall(text)), len(COMMON.findall(text))
    damage = text.count("\ufffd")
    return (
        beyond > 0
        and damage <= max(1, DAMAGE * len(text))
        and hangul >= LEAST_HANGUL * beyond
        and (common >= LEAST_COMMON * hangul or (hangul < FEW and hangul == beyond))
    )


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
