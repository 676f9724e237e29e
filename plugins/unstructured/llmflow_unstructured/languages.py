"""The languages of a text by its letters, in Tesseract's and Unstructured's names."""

from __future__ import annotations

import re

HANGUL = re.compile("[가-힣ㄱ-ㅣ]+")
KANA = re.compile("[ぁ-ヿ]+")
HAN = re.compile("[\u4e00-\u9fff]+")
LATIN = re.compile("[A-Za-z\u00c0-\u024f]+")
LEAST, LEAST_LATIN = 0.1, 0.34  # share of the letters that makes a language; names in Latin letters make none
SAMPLE = 4000  # signs that are looked at


def languages_of(text: str) -> tuple[str, ...]:
    """The languages that a text is written in, the main one first."""
    sample = text[:SAMPLE]
    counts = {
        "kor": _letters(HANGUL, sample),
        "jpn": _letters(KANA, sample),
        "chi_sim": _letters(HAN, sample),
        "eng": _letters(LATIN, sample),
    }
    if counts["kor"] or counts["jpn"]:  # both write Chinese signs as well
        main = "kor" if counts["kor"] >= counts["jpn"] else "jpn"
        counts[main] += counts.pop("chi_sim")
    total = sum(counts.values())
    ranked = sorted(counts.items(), key=lambda item: -item[1])
    return tuple(
        name for name, count in ranked if count and count >= (LEAST_LATIN if name == "eng" else LEAST) * total
    )


def _letters(script: re.Pattern[str], sample: str) -> int:
    return sum(map(len, script.findall(sample)))
