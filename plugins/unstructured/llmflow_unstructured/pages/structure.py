"""Pages become elements: running heads, headings with their depth, paragraphs, lists, captions, footnotes, tables."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import pairwise

from llmflow_unstructured import tables as told
from llmflow_unstructured.elements import Box, Element, Kind
from llmflow_unstructured.pages import grids, joining
from llmflow_unstructured.pages.joining import MARK, Wrapping
from llmflow_unstructured.pages.lines import Block, Line, blocks, lines, ordered
from llmflow_unstructured.pages.words import Sheet, around, median

MARGIN = 0.12  # of a page's height, where running heads and feet are
SAME_PLACE, SAME_TEXT = 8.0, 0.8  # points, and likeness, of a running head on two pages
NEARBY = 2  # pages on which a running head must be seen again: left and right pages may have their own
PITCH = 1.3  # of the usual distance of lines, from which on a paragraph ends
INDENT = 0.6  # of the type's size, of a paragraph's first line
LARGER, SMALLER = 1.13, 0.92  # than the body, of headings and of footnotes
SIZES = 1.09  # ratio of headings of different depth
HEADING = 90  # letters, at most
NOTES = 0.5  # of a page's height, below which footnotes stand

PAGE_NUMBER = re.compile(
    r"[-–—\[(<\s]*(?:page\s*|p\.?\s*)?(?:\d{1,4}|[ivxlc]{1,6})(?:\s*(?:/|of|중)\s*\d{1,4})?\s*(?:쪽|페이지|면)?[-–—\])>\s]*",
    re.IGNORECASE,
)
CAPTION = re.compile(
    r"[\[<(【〈]?\s*(?:그림|표|사진|도표|도|별표|figure|fig\.?|table|chart|photo)\s*[\dA-Z]{1,3}(?:[-.–]\d{1,3})*\s*"
    r"(?:[.:)\]>】〉]|\s)",
    re.IGNORECASE,
)
NOTE = re.compile(
    r"(?:\d{1,3}\s?\)|\(\d{1,3}\)|\[\d{1,3}\]|\d{1,3}\.?\s|[¹²³⁴-⁹]+|[*†‡§]+|주\s*\d*\s*[):.])\s*"
)
NUMBERED = re.compile(
    r"(?:(?P<chapter>제\s?\d+\s?[장편부])|(?P<part>제\s?\d+\s?[절조관])|(?P<dotted>\d{1,2}(?:\.\d{1,2})*)\.?\s|(?P<roman>[IVX]{1,5})\.\s"
    r"|(?P<chapter_en>(?:chapter|appendix|part)\s+[\dIVX]+))",
    re.IGNORECASE,
)
LINE_END = re.compile(r"(?<!\d)[.?!。…:;][\"'”’)\]]*$")  # `2008. 10.` goes on with the day
SENTENCE_END = re.compile(r"[.?!。…:;][\"'”’)\]]*$")


@dataclass(frozen=True)
class _Paragraph:
    """Lines that are one paragraph, not yet of a kind."""

    page: int
    lines: tuple[Line, ...]

    @property
    def size(self) -> float:
        return median([line.size for line in self.lines], [len(line.text) for line in self.lines])

    @property
    def bold(self) -> bool:
        return all(line.bold for line in self.lines)

    @property
    def box(self) -> Box:
        return around(line.box for line in self.lines)


_Item = _Paragraph | grids.Table


@dataclass(frozen=True)
class _Document:
    """What the pages of a document have in common."""

    sheets: dict[int, Sheet]
    body: float
    heights: tuple[float, ...]  # of headings, the largest first
    numbered: int  # the depth of headings with a single number
    wrapping: Wrapping
    running: frozenset[tuple[int, Box]]


def elements(sheets: Sequence[Sheet], *, with_tables: bool = True) -> Iterator[Element]:
    """The elements of all pages, in reading order."""
    pages = [(sheet, _items(sheet, with_tables=with_tables)) for sheet in sheets]
    document = _document(pages)
    for sheet, items in pages:
        for item in _continued(items, document):
            yield _element(item, sheet, document)


def _items(sheet: Sheet, *, with_tables: bool) -> list[_Item]:
    """Paragraphs and tables in reading order."""
    found, others = (
        grids.tables(sheet.words, sheet.rules) if with_tables else ([], lines(sheet.words, sheet.rules))
    )
    parts: list[Block | grids.Table] = [*_with_marks(blocks(others)), *found]
    items: list[_Item] = []
    for at in ordered([part.box for part in parts]):
        part = parts[at]
        if isinstance(part, Block):
            items += [_Paragraph(sheet.number, group) for group in _paragraphs(part)]
        else:
            items.append(part)
    return items


def _with_marks(found: list[Block]) -> list[Block]:
    """Blocks with the marks of their items, which may stand apart to their left."""
    marks = [block for block in found if all(MARK.fullmatch(line.text + " ") for line in block.lines)]
    loose = [line for block in marks for line in block.lines]
    kept = []
    for block in found:
        if block in marks:
            continue
        own = []
        for line in block.lines:
            mark = next(
                (
                    mark
                    for mark in loose
                    if mark.box.right <= line.box.left + 1
                    and line.box.left - mark.box.right < 3 * line.size
                    and abs(mark.box.bottom - line.box.bottom) < 0.5 * line.size
                ),
                None,
            )
            if mark:
                loose.remove(mark)
            own.append(Line((*mark.words, *line.words)) if mark else line)
        kept.append(Block(tuple(own)))
    return kept + [Block((line,)) for line in loose]


# ---- paragraphs


def _paragraphs(block: Block) -> Iterator[tuple[Line, ...]]:
    """A block cut where a paragraph ends: by a wider gap, an indent, a mark, another type."""
    pitch = median([below.box.bottom - line.box.bottom for line, below in pairwise(block.lines)])
    group: list[Line] = []
    for line in block.lines:
        if group and _begins(group, line, block, pitch):
            yield tuple(group)
            group = []
        group.append(line)
    if group:
        yield tuple(group)


def _begins(group: Sequence[Line], line: Line, block: Block, pitch: float) -> bool:
    last, box = group[-1], block.box
    if line.box.bottom - last.box.bottom > PITCH * pitch and len(block.lines) > 2:
        return True
    if line.bold != last.bold and (line.bold or all(other.bold for other in group)):
        return True
    if _other_size(last, line):
        return True
    left = sorted(other.box.left for other in block.lines)[len(block.lines) // 4]
    ended = box.right - last.box.right > 1.5 * last.size or bool(LINE_END.search(last.text))
    item = bool(MARK.match(line.text)) and line.box.left <= group[0].box.left + INDENT * line.size
    if item and (ended or MARK.match(group[0].text)):
        return True
    indented = INDENT * line.size < line.box.left - left < 4 * line.size
    within_item = bool(MARK.match(group[0].text)) and line.box.left > group[0].box.left + INDENT * line.size
    return ended and indented and not within_item and last.box.left <= left + INDENT * line.size


def _other_size(last: Line, line: Line) -> bool:
    return max(last.size, line.size) > LARGER * min(last.size, line.size)


def _continued(items: Sequence[_Item], document: _Document) -> Iterator[_Item]:
    """Paragraphs put together that a column's end has parted."""
    open_: _Paragraph | None = None
    for item in items:
        if open_ and isinstance(item, _Paragraph) and _goes_on(open_, item, document):
            open_ = replace(open_, lines=(*open_.lines, *item.lines))
            continue
        if open_:
            yield open_
        open_ = item if isinstance(item, _Paragraph) else None
        if open_ is None:
            yield item
    if open_:
        yield open_


def _goes_on(above: _Paragraph, below: _Paragraph, document: _Document) -> bool:
    last, first = above.lines[-1], below.lines[0]
    if (
        _kind(above, document) not in ("NarrativeText", "ListItem")
        or _kind(below, document) != "NarrativeText"
    ):
        return False
    if first.box.top > last.box.top or _other_size(last, first) or above.bold != below.bold:
        return False
    return not SENTENCE_END.search(last.text) and not MARK.match(first.text)


# ---- what pages have in common


def _document(pages: Sequence[tuple[Sheet, list[_Item]]]) -> _Document:
    paragraphs = [item for _, items in pages for item in items if isinstance(item, _Paragraph)]
    all_lines = [line for paragraph in paragraphs for line in paragraph.lines]
    body = median([line.size for line in all_lines], [len(line.text) for line in all_lines]) or 10.0
    sheets = {sheet.number: sheet for sheet, _ in pages}
    running = frozenset(_running(sheets, paragraphs, body))
    document = _Document(sheets, body, (), 0, joining.wrapping(p.lines for p in paragraphs), running)
    heads = [p for p in paragraphs if _kind(p, document) == "Title"]
    sizes = tuple(_sizes(heads))
    return replace(document, heights=sizes, numbered=_numbered(heads, sizes))


def _numbered(heads: Sequence[_Paragraph], sizes: Sequence[float]) -> int:
    """The depth of headings with a single number, by the largest of them; of parts of parts alone, by theirs."""
    ranks = []
    for head in heads:
        found = NUMBERED.match(_text(head))
        if found and found["dotted"]:
            ranks.append(_rank(head, sizes) - found["dotted"].count("."))
    return max(0, min(ranks, default=0))


def _sizes(heads: Sequence[_Paragraph]) -> list[float]:
    """The sizes that headings have, alike ones taken for one, the largest first."""
    sizes: list[float] = []
    for size in sorted((head.size for head in heads), reverse=True):
        if not sizes or sizes[-1] / size > SIZES:
            sizes.append(size)
    return sizes


def _running(
    sheets: dict[int, Sheet], paragraphs: Sequence[_Paragraph], body: float
) -> Iterator[tuple[int, Box]]:
    """Lines in the margins that come again on a page nearby, and page numbers."""
    by_page: dict[int, list[_Paragraph]] = defaultdict(list)
    for paragraph in paragraphs:
        sheet = sheets[paragraph.page]
        if len(paragraph.lines) <= 2 and _margin(paragraph.box, sheet) and paragraph.size < LARGER * body:
            by_page[paragraph.page].append(paragraph)
    numbers = sorted(sheets)
    for at, number in enumerate(numbers):
        near = [other for other in numbers[max(0, at - NEARBY) : at + NEARBY + 1] if other != number]
        for paragraph in by_page[number]:
            again = any(_same(paragraph, other) for page in near for other in by_page[page])
            alone = (
                len(numbers) == 1
                and paragraph.size < SMALLER * body
                and _outermost(paragraph, sheets[number])
            )
            if again or alone or PAGE_NUMBER.fullmatch(_text(paragraph)):
                yield number, paragraph.box


def _margin(box: Box, sheet: Sheet) -> bool:
    return box.bottom < MARGIN * sheet.height or box.top > (1 - MARGIN) * sheet.height


def _outermost(paragraph: _Paragraph, sheet: Sheet) -> bool:
    """Whether a paragraph stands in the first or last part of the page, where no text does."""
    return paragraph.box.bottom < 0.07 * sheet.height or paragraph.box.top > 0.94 * sheet.height


def _same(one: _Paragraph, other: _Paragraph) -> bool:
    if abs(one.box.top - other.box.top) > SAME_PLACE:
        return False
    first, second = (re.sub(r"\d+", "#", _text(paragraph)) for paragraph in (one, other))
    return SequenceMatcher(None, first, second, autojunk=False).ratio() >= SAME_TEXT


def _text(paragraph: _Paragraph) -> str:
    return " ".join(line.text for line in paragraph.lines)


# ---- kinds


def _kind(paragraph: _Paragraph, document: _Document) -> Kind:
    text, sheet = _text(paragraph), document.sheets[paragraph.page]
    if (paragraph.page, paragraph.box) in document.running:
        if PAGE_NUMBER.fullmatch(text):
            return "PageNumber"
        return "Header" if paragraph.box.top < sheet.height / 2 else "Footer"
    if not any(letter.isalnum() for letter in text):
        return "UncategorizedText"
    if CAPTION.match(text) and len(text) <= HEADING and not text.endswith("다."):
        return "FigureCaption"
    if _is_heading(paragraph, text, document.body):
        return "Title"
    small = paragraph.size <= SMALLER * document.body
    if small and paragraph.box.top > NOTES * sheet.height and NOTE.match(text):
        return "Footnote"
    return "ListItem" if MARK.match(text) else "NarrativeText"


def _is_heading(paragraph: _Paragraph, text: str, body: float) -> bool:
    if len(text) > HEADING or len(paragraph.lines) > 3 or SENTENCE_END.search(text):
        return False
    larger = paragraph.size >= LARGER * body
    if NUMBERED.match(text):
        return larger or (paragraph.bold and paragraph.size >= 0.97 * body)
    return larger or (paragraph.bold and paragraph.size >= 0.97 * body and len(text) < HEADING / 2)


def _depth(paragraph: _Paragraph, document: _Document) -> int:
    """By size; of numbered headings, by their numbers from where such headings begin."""
    found = NUMBERED.match(_text(paragraph))
    if found and found["dotted"]:
        return document.numbered + found["dotted"].count(".")
    return _rank(paragraph, document.heights)


def _rank(paragraph: _Paragraph, sizes: Sequence[float]) -> int:
    return next((at for at, size in enumerate(sizes) if size / paragraph.size <= SIZES), len(sizes))


def _element(item: _Item, sheet: Sheet, document: _Document) -> Element:
    size = (sheet.width, sheet.height)
    if isinstance(item, grids.Table):
        return Element("Table", told.text(item.grid), sheet.number, item.box, size, html=told.html(item.grid))
    kind = _kind(item, document)
    text = joining.joined(item.lines, document.wrapping)
    depth = _depth(item, document) if kind == "Title" else 0
    return Element(kind, text, sheet.number, item.box, size, depth=depth)
