"""What a paragraph without a style is, by its text alone: a heading of a statute, a list item, prose, or a scrap."""

from __future__ import annotations

import re

from llmflow_unstructured.elements import Element, Kind

LEGAL = re.compile(r"^제\s?\d{1,4}\s?(편|장|절|관|조)(?:의\s?\d{1,3})?(?=[\s(（]|$)")
LEGAL_DEPTHS = {"편": 0, "장": 1, "절": 2, "관": 3, "조": 4}
ARTICLE = re.compile(r"^제\s?\d{1,4}\s?조(?:의\s?\d{1,3})?\s?[(（][^)）]{1,60}[)）]$")
SIGNS = "□■◻◼○●◦∘•·‧∙▪▫▶▷►‣–—*+-"
LIST_SIGN = re.compile(
    rf"^([{SIGNS}]|[0-9]{{1,2}}[.)]|\([0-9]{{1,2}}\)|[가-하][.)]|\([가-하]\)|[①-⑳])\s+(?=\S)"
)
DEPTHS = (  # of list signs, in the order that Korean offices write them
    (re.compile(r"[□■◻◼]|[0-9]+\."), 0),
    (re.compile(r"[○●◦∘]|[가-하]\."), 1),
    (re.compile(r"[–—-]|[0-9]+\)"), 2),
    (re.compile(r"[·‧∙]|[가-하]\)"), 3),
    (re.compile(r"\([0-9]+\)"), 4),
    (re.compile(r"\([가-하]\)"), 5),
    (re.compile(r"[①-⑳]"), 6),
)
SENTENCE = re.compile(r"(다|요|음|함|임|됨|까|죠|것)[.?!]|[a-z0-9)\]][.!?](\s|$)")
CAPTION = re.compile(r"^[\[<(〈《【]?\s?(그림|표|사진|도표|Figure|Fig\.|Table)\s?\d+", re.IGNORECASE)
SPACES = re.compile(r"[^\S\n]+")
LONG = 60  # signs from which a paragraph without an end of a sentence is prose nevertheless
LONGEST_TITLE = 100


def kind_of(text: str) -> tuple[Kind, int]:
    """The kind of a paragraph, and its level."""
    legal = LEGAL.match(text)
    if legal and len(text) <= LONGEST_TITLE and (legal[1] != "조" or ARTICLE.match(text)):
        return "Title", LEGAL_DEPTHS[legal[1]]
    sign = LIST_SIGN.match(text)
    if sign:
        return "ListItem", next((depth for kind, depth in DEPTHS if kind.fullmatch(sign[1])), 0)
    if len(text) >= LONG or SENTENCE.search(text):
        return "NarrativeText", 0
    return "UncategorizedText", 0


def paragraph(text: str, page: int | None = None, link: str = "") -> Element:
    """A paragraph without a style as an element."""
    kind, depth = kind_of(text)
    return Element(kind, text, page=page, depth=depth, link=link)


def is_caption(text: str) -> bool:
    """Whether a paragraph reads as what stands below a picture or above a table."""
    return len(text) <= 200 and bool(CAPTION.match(text))


def clean(said: str) -> str:
    """Text without blanks at the ends of lines and runs of them within, and without empty lines."""
    lines = (SPACES.sub(" ", line).strip() for line in said.replace("\r", "\n").splitlines())
    return "\n".join(line for line in lines if line)
