"""What comes in: text, Markdown, or the elements of a parser, as one text with its structure on top.

The text is kept as it is, sign by sign, so that every offset that comes out again fits it. Only signs that no store
takes are replaced, each by one other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from llmflow_graphrag.errors import BadDocument
from llmflow_graphrag.scope import EVERYONE, labels, name

Kind = Literal["heading", "text", "table"]
Metadata = Mapping[str, str | int | float | bool]

LONGEST = 32_000_000  # characters of a document
MOST_METADATA = 64  # keys of a document
LONGEST_VALUE = 1024  # characters of a metadata value
CONTROL_SHARE = 0.02  # of control characters in a text; more make it binary
NOT_STORED = {code: " " for code in range(32) if chr(code) not in "\t\n\r"} | {127: " "}
SURROGATE = re.compile("[\ud800-\udfff]")

HEADING = re.compile(r"^(#{1,6})[ \t]+(\S.*?)[ \t]*#*[ \t]*$")
FENCE = re.compile(r"^ {0,3}(```+|~~~+)")
TABLE_ROW = re.compile(r"^\s*\|.*\|\s*$")
LEGAL_HEADING = re.compile(r"^\s*(제\s?\d+\s?(?:편|장|절|관|조)(?:의\s?\d+)?)(?=[\s(（]|$)")
LEGAL_LEVELS = {"편": 1, "장": 2, "절": 3, "관": 4, "조": 5}


@dataclass(frozen=True)
class Box:
    """Where an element stands on its page: corners in the page's own unit, from its upper left."""

    page: int
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class Element:
    """A piece of a document's text, from `start` up to `end`; `level` is 1 to 6 for headings."""

    start: int
    end: int
    kind: Kind = "text"
    level: int = 0
    page: int | None = None
    box: Box | None = None


@dataclass(frozen=True)
class Document:
    """A document to take in. `id` is the caller's name for it, and the same id replaces what was there."""

    id: str
    title: str
    text: str
    elements: tuple[Element, ...]
    access: frozenset[str] = frozenset({EVERYONE})
    metadata: Metadata = field(default_factory=dict)


def from_text(
    id_: str,
    text: str,
    *,
    title: str = "",
    access: Sequence[str] = (EVERYONE,),
    metadata: Metadata | None = None,
) -> Document:
    """A document of plain text: paragraphs, and headings of Korean statutes. Raises BadDocument."""
    clean = _clean(text, id_)
    return _document(id_, title or id_, clean, tuple(_paragraphs(clean)), access, metadata)


def from_markdown(
    id_: str,
    text: str,
    *,
    title: str = "",
    access: Sequence[str] = (EVERYONE,),
    metadata: Metadata | None = None,
) -> Document:
    """A document of Markdown; its first heading is the title where none is given. Raises BadDocument."""
    clean = _clean(text, id_)
    elements = tuple(_markdown(clean))
    first = next((clean[e.start : e.end].strip("# \t") for e in elements if e.kind == "heading"), "")
    return _document(id_, title or first or id_, clean, elements, access, metadata)


def from_elements(
    id_: str,
    elements: Sequence[Mapping[str, Any]],
    *,
    title: str = "",
    access: Sequence[str] = (EVERYONE,),
    metadata: Metadata | None = None,
) -> Document:
    """A document of elements as Unstructured gives them: `type`, `text`, `metadata.page_number`, `.coordinates`.

    Its text is theirs, a blank line between two. Raises BadDocument.
    """
    pieces: list[str] = []
    found: list[Element] = []
    length = 0
    for number, given in enumerate(elements, 1):
        piece, element = _element(given, number, length)
        if piece.strip():
            pieces.append(piece)
            found.append(element)
            length += len(piece) + 2
    clean = _clean("\n\n".join(pieces), id_)
    first = next((clean[e.start : e.end] for e in found if e.kind == "heading"), "")
    return _document(id_, title or first or id_, clean, tuple(found), access, metadata)


def _document(
    id_: str,
    title: str,
    text: str,
    elements: tuple[Element, ...],
    access: Sequence[str],
    metadata: Metadata | None,
) -> Document:
    name(id_, "document id")
    short = " ".join(_clean_signs(title).split())[:200] or id_
    return Document(id_, short, text, elements, labels(list(access)), _metadata(metadata or {}))


def _metadata(given: Metadata) -> Metadata:
    if len(given) > MOST_METADATA:
        raise BadDocument(f"{len(given)} metadata keys were given; at most {MOST_METADATA} are taken.")
    for key, value in given.items():
        name(key, "metadata key")
        if not isinstance(value, (str, int, float, bool)):
            raise BadDocument(f'The metadata "{key}" must be text, a number, or true or false.')
        if isinstance(value, str) and len(value) > LONGEST_VALUE:
            raise BadDocument(f'The metadata "{key}" is longer than {LONGEST_VALUE} characters.')
    return {
        key: _clean_signs(value) if isinstance(value, str) else value for key, value in sorted(given.items())
    }


def _clean(text: str, id_: str) -> str:
    if len(text) > LONGEST:
        raise BadDocument(
            f'The document "{id_}" has {len(text):,} characters; at most {LONGEST:,} are taken: split it.'
        )
    if not text.strip():
        raise BadDocument(f'The document "{id_}" is empty.')
    controls = sum(text.count(chr(code)) for code in NOT_STORED)
    if controls > len(text) * CONTROL_SHARE:
        raise BadDocument(f'The document "{id_}" is not text but binary data: parse it first.')
    return _clean_signs(text)


def _clean_signs(text: str) -> str:
    return SURROGATE.sub("\ufffd", text.translate(NOT_STORED))


def _element(given: Mapping[str, Any], number: int, start: int) -> tuple[str, Element]:
    try:
        text, of = str(given.get("text") or ""), given.get("type")
        about = given.get("metadata") or {}
        page = about.get("page_number")
        box = _box(about.get("coordinates") or {}, page)
        level = min(6, int(about.get("category_depth") or 0) + 1)
    except (AttributeError, TypeError, ValueError) as error:
        raise BadDocument(f"Element {number} is not in the form that Unstructured gives.") from error
    kind: Kind = "heading" if of == "Title" else "table" if of == "Table" else "text"
    end = start + len(text)
    return text, Element(start, end, kind, level if kind == "heading" else 0, page, box)


def _box(coordinates: Mapping[str, Any], page: int | None) -> Box | None:
    points = coordinates.get("points")
    if not points or page is None:
        return None
    across, down = [float(point[0]) for point in points], [float(point[1]) for point in points]
    return Box(page, min(across), min(down), max(across), max(down))


def _paragraphs(text: str) -> list[Element]:
    found = []
    for start, end in _blocks(text):
        legal = LEGAL_HEADING.match(text[start:end])
        if not legal:
            found.append(Element(start, end))
            continue
        sign = next(sign for sign in LEGAL_LEVELS if sign in legal[1])
        line = text.find("\n", start, end)
        stop = end if line < 0 else line
        found.append(Element(start, stop, "heading", LEGAL_LEVELS[sign]))
        if text[stop:end].strip():
            found.append(Element(stop + 1, end))
    return found


def _blocks(text: str) -> list[tuple[int, int]]:
    """Runs of lines between blank ones, and before each heading of a statute."""
    found: list[tuple[int, int]] = []
    start = position = 0
    for line in text.splitlines(keepends=True):
        ends = position + len(line)
        if not line.strip():
            found.append((start, position))
            start = ends
        elif LEGAL_HEADING.match(line) and position > start:
            found.append((start, position))
            start = position
        position = ends
    found.append((start, position))
    return [(first, last) for first, last in found if text[first:last].strip()]


def _markdown(text: str) -> list[Element]:
    found: list[Element] = []
    start, position, fence, table = 0, 0, "", False

    def close(end: int) -> None:
        nonlocal start
        if text[start:end].strip():
            found.append(Element(start, end, "table" if table else "text"))
        start = end

    for line in text.splitlines(keepends=True):
        ends = position + len(line)
        bare = line.rstrip("\r\n")
        mark = FENCE.match(bare)
        if mark and (not fence or mark[1].startswith(fence)):
            fence = "" if fence else mark[1][:3]
        elif not fence:
            heading = HEADING.match(bare)
            row = bool(TABLE_ROW.match(bare))
            if heading or not bare.strip() or row != table:
                close(position)
            table = row
            if heading:
                found.append(Element(position, position + len(bare), "heading", len(heading[1])))
                start = ends
        position = ends
    close(position)
    return found
