"""What is the same everywhere: addresses of the net, bank and wallet numbers, numbers of American and British offices.

Presidio's recognisers where they are right, in their own patterns and checks. Two things are put in order before: `\\b`
is meant for Latin letters and digits, so that a particle of Hangul may follow (regex.ASCII), and a number that only a
word beside it makes one is found only beside that word.

Not taken from Presidio: e-mail (checking one, it asks the internet for a list of domains), URL (a file name is one to
it), cards (no Mastercard that begins with 2, no American Express in its own groups), phones (no Korean ones by itself).
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

import regex  # type: ignore[import-untyped]  # what Presidio compiles with; one flag of it is all that is used

from llmflow_presidio.finding import Finding
from llmflow_presidio.recognisers.numbers import _OTHER
from llmflow_presidio.recognisers.rule import THRESHOLD, Rule, before

if TYPE_CHECKING:
    from presidio_analyzer import PatternRecognizer

_CHAPTER = re.compile(  # four numbers after one of these are a place in a document
    r"(?:section|chapter|clause|article|paragraph|appendix|figure|table|step|절|장|항|항목|표|그림|부록|§|"
    r"[<>=~!]=)[ ]?$",
    re.IGNORECASE,
)
_HEADING = re.compile(r"\d(?:\.\d){3}\.[ ]?[A-Za-z가-힣]|::(?![0-9A-Fa-f])")  # 1.2.2.1. Lists
_PORT = re.compile(r":\d{1,5}(?![0-9A-Za-z:.])")
_ENGINES = "presidio_analyzer.nlp_engine"
_SUFFIXES = "TLDEXTRACT_PUBLIC_SUFFIX_LIST_URLS"


class _NoEngines(ModuleType):
    """Presidio's language engines, none of which is used: they want spaCy, which is larger than a package may be."""

    __path__: list[str] = []  # noqa: RUF012 - what makes a module a package

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


@cache
def presidio() -> ModuleType:
    """Presidio's own recognisers, without its engines and what those would load."""
    os.environ.setdefault(_SUFFIXES, "")  # of tldextract, which Presidio imports: nothing is fetched
    if _ENGINES not in sys.modules:
        sys.modules[_ENGINES] = _NoEngines(_ENGINES)
    from presidio_analyzer import predefined_recognizers

    return predefined_recognizers


@dataclass(frozen=True)
class Borrowed:
    """One of Presidio's recognisers, asked only where its kind of thing may be."""

    name: str
    entity: str
    recogniser: PatternRecognizer
    gate: re.Pattern[str]
    said: re.Pattern[str] | None = None  # words, one of which must stand near
    least: float = 0.0  # how sure it is at least

    def find(self, text: str) -> Iterator[Finding]:
        """What Presidio finds and its check doesn't refuse."""
        if not self.gate.search(text) or (self.said and not self.said.search(text)):
            return
        for found in self.recogniser.analyze(text, [self.entity]):
            start, end = found.start, found.end
            if self.said and not self.said.search(
                text[max(0, start - 40) : start] + " " + text[end : end + 20]
            ):
                continue
            lead = text[max(0, start - 24) : start]
            if self.entity == "IP_ADDRESS" and _HEADING.match(text, start):
                continue
            if self._part_of_more(text, start, end) or _OTHER.search(lead) or _CHAPTER.search(lead):
                continue
            score = 0.9 if self.said else max(found.score, self.least)
            if score >= THRESHOLD:
                yield Finding(start, end, self.entity, score, self.name)

    def _part_of_more(self, text: str, start: int, end: int) -> bool:
        """Whether it is cut out of something longer, as four numbers are of a version with five."""
        port = self.entity == "IP_ADDRESS" and _PORT.match(text, end)
        goes_on = not port and re.match(r"[.\-:]?[0-9A-Za-z]", text[end : end + 2])
        return bool(goes_on or re.search(r"[0-9A-Za-z][.\-:]?$", text[max(0, start - 2) : start]))


def borrowed() -> tuple[Borrowed, ...]:
    """Presidio's recognisers that are taken as they are."""
    theirs = presidio()
    ascii_only = [
        ("iban", theirs.IbanRecognizer(), r"[A-Z]{2}\d{2}", None),
        ("crypto", theirs.CryptoRecognizer(), r"(?:bc1|[13])[a-zA-HJ-NP-Z0-9]{25}", None),
        ("ip", theirs.IpRecognizer(), r"\d\.\d{1,3}\.\d{1,3}\.\d|::|[0-9A-Fa-f]:[0-9A-Fa-f]{1,4}:", None),
        ("mac", theirs.MacAddressRecognizer(), r"(?:[0-9A-Fa-f]{2}[:-]){5}|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.", None),
        ("us-ssn", theirs.UsSsnRecognizer(), r"\d{3}[- .]?\d{2}", r"ssn|social ?security|사회보장"),
        ("us-itin", theirs.UsItinRecognizer(), r"9\d{2}[- ]?\d{2}", r"itin|taxpayer"),
        ("us-passport", theirs.UsPassportRecognizer(), r"\d{8}", r"passport"),
        ("uk-nino", theirs.UkNinoRecognizer(), r"[A-Za-z]{2} ?\d{2}", r"\bnino?\b|\bni (?:number|no)|"
            r"national insurance"),
        ("uk-nhs", theirs.NhsRecognizer(), r"\d{3}[- ]?\d{3}", r"nhs|health service"),
    ]  # fmt: skip
    return tuple(_borrow(*one) for one in ascii_only)


def _borrow(name: str, recogniser: Any, gate: str, said: str | None) -> Borrowed:
    recogniser.global_regex_flags |= regex.ASCII
    words = re.compile(said, re.IGNORECASE | re.ASCII) if said else None
    least = 0.85 if name == "ip" else 0.0  # surer than the address of the web that it is a part of
    return Borrowed(name, recogniser.supported_entities[0], recogniser, re.compile(gate), words, least)


def _email(match: re.Match[str]) -> float:
    domain = match.group().rpartition("@")[2]
    if match.group().startswith("git@") and match.string[match.end() : match.end() + 1] == ":":
        return 0.0  # where a repository is
    return 0.95 if not domain.replace(".", "").isdigit() else 0.0


def _phone(match: re.Match[str]) -> float:
    lead = before(match, 24)
    if _OTHER.search(lead):
        return 0.0
    number = re.sub("[^0-9]", "", match.group())
    if match.group().startswith("+"):
        return 0.9 if 8 <= len(number) <= 15 else 0.0
    said = re.search("phone|call|tel|mobile|cell|fax|contact|text|reach|전화|연락", lead, re.IGNORECASE)
    return 0.85 if said or "(" in match.group() else 0.6 if match.group().count("-") == 2 else 0.0


RULES = (
    Rule(
        "email",
        "EMAIL_ADDRESS",
        re.compile(
            r"(?<![A-Za-z0-9._%+\-])"
            r"[A-Za-z0-9_][A-Za-z0-9."
            r"_%+\-]{0,63}@(?:[A-Za-z0-9][A-Za-z0-9\-]{0,62}\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9\-])"
        ),
        _email,
        "@",
    ),
    Rule(
        "ethereum",
        "CRYPTO",
        re.compile(r"(?<![0-9A-Za-z])0x[0-9a-fA-F]{40}(?![0-9A-Za-z])"),
        0.9,
        "0x",
    ),
    Rule(
        "url",
        "URL",
        re.compile(
            r"(?<![A-Za-z0-9])(?:https?://|ftp://|"
            r"www\.)[A-Za-z0-9\-._~:/?#\[\]@!$&*+;=%]{3,2000}(?<![.,:;!?\]])",
            re.IGNORECASE,
        ),
        0.8,
        re.compile(r"://|www\.", re.IGNORECASE),
    ),
    Rule(
        "phone",
        "PHONE_NUMBER",
        re.compile(
            r"(?<![0-9A-Za-z])(?<![0-9][-.])(?:\+(?!82)\d{1,3}[-. ]{0,2}(?:\(\d{1,4}\)[-. ]?)?\d{1,4}(?:[-. "
            r"]\d{2,8}){1,4}|\+(?!82)\d{8,15}|"
            r"(?:1[-. ])?\([2-9]\d{2}\)[ ]?\d{3}[-. ]\d{4}|"
            r"(?:1[-. ])?[2-9]\d{2}[-. ]\d{3}[-. ]\d{4}|0(?:20[ ]\d{4}[ ]\d{4}|\d{3}[ ]\d{3}[ ]\d{4}|"
            r"\d{4}[ ]\d{6}))(?![0-9])(?![-.][0-9])"
        ),
        _phone,
        re.compile(r"\d{3}"),
    ),
)
