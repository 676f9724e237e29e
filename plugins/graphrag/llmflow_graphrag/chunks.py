"""A document cut into passages along its own structure: sections, tables, sentences; never inside a sentence.

A chunk is a stretch of the document's text, `text[start:end]`, under the headings that lead to it. Its key is
made of what it says, not of where it stands: a paragraph that moves, or gains a neighbour, stays the same
chunk.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from llmflow_graphrag import sentences
from llmflow_graphrag.documents import Box, Document, Element
from llmflow_graphrag.keys import key
from llmflow_graphrag.scope import Scope

TARGET = 420.0  # weight of a chunk: about so many tokens of a usual embedder
MOST = 640.0  # of one that can't be cut nicely: a long sentence, a row of a table
HANGUL_WEIGHT, OTHER_WEIGHT = 0.62, 0.26  # tokens a sign, over the tokenizers of e5, BGE-M3 and Qwen
MOST_BOXES = 32
HANGUL = re.compile("[가-힣]")


@dataclass(frozen=True)
class Chunk:
    """A passage of a document, in its order; `heading` leads from the outermost section inwards."""

    key: str
    ordinal: int
    start: int
    end: int
    text: str
    heading: tuple[str, ...]
    page: int | None
    boxes: tuple[Box, ...]


@dataclass(frozen=True)
class _Stretch:
    start: int
    end: int
    heading: tuple[str, ...]


def chunks(scope: Scope, document: Document) -> list[Chunk]:
    """The chunks of a document, in order; the law: each one's text is the document's between its offsets."""
    seen: dict[str, int] = {}
    found = []
    starts = [element.start for element in document.elements]
    for ordinal, stretch in enumerate(_packed(document)):
        text = document.text[stretch.start : stretch.end]
        content = key("content", document.title, *stretch.heading, text, *sorted(document.access))
        repeat = seen[content] = seen.get(content, 0) + 1
        first = max(0, bisect_left(starts, stretch.start) - 1)
        under = [
            e for e in document.elements[first : bisect_left(starts, stretch.end)] if e.end > stretch.start
        ]
        pages = [e.page for e in under if e.page is not None]
        found.append(
            Chunk(
                key("chunk", scope.key, document.id, content, repeat),
                ordinal,
                stretch.start,
                stretch.end,
                text,
                stretch.heading,
                min(pages, default=None),
                tuple(e.box for e in under if e.box)[:MOST_BOXES],
            )
        )
    return found


def place(title: str, heading: tuple[str, ...]) -> str:
    """Where a passage stands, for people and for models: the title, then the headings that are not the title again."""
    return " > ".join((title, *(heading[1:] if heading[:1] == (title,) else heading)))


def weight(text: str) -> float:
    """About how many tokens a text has."""
    hangul = 0 if text.isascii() else len(HANGUL.findall(text))
    return hangul * HANGUL_WEIGHT + (len(text) - hangul) * OTHER_WEIGHT


def _packed(document: Document) -> Iterator[_Stretch]:
    """Pieces of a section put together up to the target; a section that is small stays whole and alone."""
    open_: _Stretch | None = None
    for piece in _pieces(document):
        if open_ is not None:
            joined = document.text[open_.start : piece.end]
            if open_.heading == piece.heading and weight(joined) <= TARGET:
                open_ = _Stretch(open_.start, piece.end, open_.heading)
                continue
            yield open_
        open_ = piece
    if open_ is not None:
        yield open_


def _pieces(document: Document) -> Iterator[_Stretch]:
    path: list[tuple[int, str]] = []
    waiting: Element | None = (
        None  # a heading, which belongs to the text below it, under further headings or not
    )
    for element in document.elements:
        if element.kind == "heading":
            if waiting and element.level <= waiting.level:
                yield _Stretch(waiting.start, waiting.end, _names(path))
                waiting = None
            title = " ".join(document.text[element.start : element.end].strip("# \t\n").split())[:120]
            path = [step for step in path if step[0] < element.level] + [(element.level, title)]
            waiting = waiting or element
            continue
        first = waiting.start if waiting else element.start
        waiting = None
        for start, end in _cut(document.text, first, element.end, table=element.kind == "table"):
            yield _Stretch(start, end, _names(path))
    if waiting:
        yield _Stretch(waiting.start, waiting.end, _names(path))


def _names(path: Iterable[tuple[int, str]]) -> tuple[str, ...]:
    return tuple(title for _, title in path)


def _cut(text: str, start: int, end: int, *, table: bool) -> Iterator[tuple[int, int]]:
    """An element whole where it fits; else its sentences, or rows, put together up to the target."""
    piece = text[start:end]
    if weight(piece) <= TARGET:
        yield from _trimmed(text, start, end)
        return
    parts = _rows(text, start, end) if table else sentences.spans(text, start, end)
    first, last = start, start
    for begin, stop in _bounded(text, parts):
        if last > first and weight(text[first:stop]) > TARGET:
            yield from _trimmed(text, first, last)
            first = begin
        last = stop
    yield from _trimmed(text, first, last)


def _rows(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end:
        stop = text.find("\n", start, end)
        stop = end if stop < 0 else stop + 1
        yield start, stop
        start = stop


def _bounded(text: str, parts: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The same, with those that are too heavy cut between words, or anywhere where there are none."""
    for start, end in parts:
        while weight(text[start:end]) > MOST:
            stop = start + int(TARGET / HANGUL_WEIGHT)
            blank = text.rfind(" ", start + 1, stop)
            stop = blank if blank > 0 else stop
            yield start, stop
            start = stop
        yield start, end


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    piece = text[start:end]
    inside = piece.strip()
    if inside:
        first = start + len(piece) - len(piece.lstrip())
        yield first, first + len(inside)
