"""What names are compared by: a norm, which spelling doesn't change, and a sound, which the script doesn't change.

`norm`: Unicode's compatibility form, no case, no blanks or punctuation, no article and no legal form ("(주)한빛
소프트" and "한빛소프트 주식회사" are one). `sound`: the consonants of the name as it is spoken, so that 삼성
and Samsung can be seen to be one; it is a hint, never an identity.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

NAMES_KEPT = 100_000  # names whose norm and sound are remembered: they repeat as words do
LONGEST = 80  # characters of a name that is worth keeping

LEGAL_FORM = re.compile(
    r"㈜|\(주\)|\(유\)|\(사\)|\(재\)|주식회사|유한회사|사단법인|재단법인"
    r"|[\s,]+(?:incorporated|inc|limited|ltd|llc|gmbh|corporation|corp|company|co|plc)\b\.?",
    re.IGNORECASE,
)
ARTICLE = re.compile(r"^(?:the|a|an)\s+", re.IGNORECASE)
POSSESSIVE = re.compile(r"['’]s?$")
NOISE = re.compile(r"[\W_]+")

# Hangul as sounds: the consonants of Revised Romanization, folded into classes that a foreign spelling falls into
# as well. C stands for all of ch, j and z.
LEADS = "k k n t t l m p p s s - C C C k t p h".split()
# ㅇ counts as n: Samsung, Hyundai
TAILS = "- k k k n n n t l k m l l l p l m p p t t n t t k t p t".split()
CLASSES = (
    ("ph", "p"), ("th", "t"), ("ch", "C"), ("sh", "s"), ("ck", "k"), ("qu", "k"), ("ng", "n"), ("x", "ks"),
    ("ce", "s"), ("ci", "s"), ("cy", "s"), ("c", "k"), ("b", "p"), ("f", "p"), ("v", "p"), ("d", "t"), ("g", "k"),
    ("q", "k"), ("j", "C"), ("z", "C"), ("r", "l"),
)  # fmt: skip
SOUNDLESS = re.compile("[aeiouywh-]")
DOUBLE = re.compile(r"(.)\1+")
SHORTEST_SOUND = 3  # consonants; shorter ones fit too many names


@lru_cache(NAMES_KEPT)
def norm(name: str) -> str:
    """What two spellings of one name have in common; "" for what is no name."""
    folded = unicodedata.normalize("NFKC", name.strip())[: LONGEST * 2].casefold()
    bare = LEGAL_FORM.sub(" ", folded).strip() or folded
    bare = ARTICLE.sub("", POSSESSIVE.sub("", bare))
    return NOISE.sub("", bare)[:LONGEST]


@lru_cache(NAMES_KEPT)
def sound(norm_: str) -> str:
    """The consonants that a norm is spoken with, "" where they are too few, or digits are among the signs."""
    if any(sign.isdigit() for sign in norm_):
        return ""
    spoken = "".join(_hangul(sign) if "가" <= sign <= "힣" else sign for sign in norm_)
    if not spoken.isascii():
        return ""
    for written, heard in CLASSES:
        spoken = spoken.replace(written, heard)
    consonants = DOUBLE.sub(r"\1", SOUNDLESS.sub("", spoken))
    return consonants if len(consonants) >= SHORTEST_SOUND else ""


def _hangul(syllable: str) -> str:
    lead, rest = divmod(ord(syllable) - ord("가"), 588)
    return f"{LEADS[lead]}a{TAILS[rest % 28]}"
