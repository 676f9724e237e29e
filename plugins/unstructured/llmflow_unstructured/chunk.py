"""Elements become chunks: under one heading, up to a size, whole tables where they fit and split by rows where not.

A chunk is Unstructured's CompositeElement or Table. Its `parent_id` is the id of the heading that it stands under, as
the elements have it; `headings` is the path of headings to it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from llmflow_unstructured import tables
from llmflow_unstructured.elements import Element, Placed, placed
from llmflow_unstructured.errors import BadDocument

IN_MARGINS = ("Header", "Footer", "PageNumber")
SENTENCE = re.compile(r"(?<=[.?!。])\s+|\n+")
BETWEEN = "\n\n"


@dataclass(frozen=True)
class Sizes:
    """How long chunks are, in signs."""

    most: int = 1000
    wanted: int = 0  # a chunk that long is closed at the next element; 0 is as long as the most
    overlap: int = 0  # of a chunk's end that the next one begins with, where a text had to be cut
    least: int = 200  # a section shorter than this goes together with the next
    margins: bool = False  # heads and feet of pages as well

    def __post_init__(self) -> None:
        """Raise BadDocument for sizes that fit no chunk."""
        if self.most < 50 or not 0 <= self.overlap <= self.most // 2 or not 0 <= self.wanted <= self.most:
            raise BadDocument(
                "Chunks take at least 50 characters, overlap by at most half of that, and begin anew at no more."
            )


USUAL = Sizes()


@dataclass
class Chunk:
    """A piece of a document to be found as one."""

    text: str
    held: list[Placed] = field(default_factory=list)
    headings: tuple[str, ...] = ()
    parent: str = ""
    html: str = ""  # of a table
    goes_on: bool = False  # with what the chunk before began


@dataclass
class _Section:
    """The elements under one heading, with the headings above."""

    headings: tuple[str, ...]
    parent: str
    held: list[Placed] = field(default_factory=list)


def by_title(elements: Iterable[Element], sizes: Sizes = USUAL, *, filename: str = "") -> Iterator[Chunk]:
    """The chunks of a document, in its order."""
    for section in _together(_sections(elements, sizes, filename), sizes):
        yield from _packed(section, sizes)


def basic(elements: Iterable[Element], sizes: Sizes = USUAL, *, filename: str = "") -> Iterator[Chunk]:
    """The chunks of a document as its elements follow one another, whatever their headings."""
    held = [
        one
        for one in placed(elements, filename=filename)
        if sizes.margins or one.element.kind not in IN_MARGINS
    ]
    yield from _packed(_Section((), "", held), sizes)


def as_json(chunks: Iterable[Chunk], *, filename: str, filetype: str) -> Iterator[dict[str, Any]]:
    """The chunks as the Unstructured API gives them."""
    for number, chunk in enumerate(chunks):
        pages = [one.element.page for one in chunk.held if one.element.page is not None]
        languages = dict.fromkeys(name for one in chunk.held for name in one.element.languages)
        inside = next((one.element.inside for one in chunk.held if one.element.inside), "")
        metadata: dict[str, Any] = {"filename": filename, "filetype": filetype}
        metadata |= {"page_number": min(pages)} if pages else {}
        metadata |= {"last_page_number": max(pages)} if pages and max(pages) > min(pages) else {}
        metadata |= {"parent_id": chunk.parent} if chunk.parent else {}
        metadata |= {"headings": list(chunk.headings)} if chunk.headings else {}
        metadata |= {"text_as_html": chunk.html} if chunk.html else {}
        metadata |= {"languages": list(languages)} if languages else {}
        metadata |= {"inside": inside} if inside else {}
        metadata |= {"is_continuation": True} if chunk.goes_on else {}
        metadata["orig_element_ids"] = list(dict.fromkeys(one.id for one in chunk.held))
        kind = "Table" if chunk.html else "CompositeElement"
        said = "\0".join((filename, str(number), kind, chunk.text))
        id_ = hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:32]
        yield {"type": kind, "element_id": id_, "text": chunk.text, "metadata": metadata}


def _sections(elements: Iterable[Element], sizes: Sizes, filename: str) -> Iterator[_Section]:
    """A section for each heading with what stands under it, up to the next."""
    section = _Section((), "")
    path: list[tuple[int, str]] = []
    for one in placed(elements, filename=filename):
        element = one.element
        if element.kind in IN_MARGINS and not sizes.margins:
            continue
        if section.held and element.inside != section.held[-1].element.inside:
            yield section
            path, section = [], _Section((), "")
        if element.kind == "Title":
            if section.held:
                yield section
            while path and path[-1][0] >= element.depth:
                path.pop()
            above = tuple(text for _, text in path)
            path.append((element.depth, " ".join(element.text.split())))
            section = _Section((*above, path[-1][1]), one.id)
        section.held.append(one)
    if section.held:
        yield section


def _together(sections: Iterator[_Section], sizes: Sizes) -> Iterator[_Section]:
    """Sections shorter than the least go together with the next, as far as the chunk takes both."""
    waiting: _Section | None = None
    for section in sections:
        if waiting is None:
            waiting = section
        elif (
            _length(waiting) < sizes.least
            and _length(waiting) + _length(section) <= sizes.most
            and _same(waiting, section)
        ):
            waiting.held += section.held
        else:
            yield waiting
            waiting = section
    if waiting is not None:
        yield waiting


def _same(first: _Section, other: _Section) -> bool:
    """Whether two sections may be one chunk: of one file, the second within the first or beside it."""
    above = len(first.headings) - 1
    return (
        first.held[-1].element.inside == other.held[0].element.inside
        and len(other.headings) > above
        and other.headings[: max(0, above)] == first.headings[: max(0, above)]
    )


def _length(section: _Section) -> int:
    return sum(len(one.element.text) + len(BETWEEN) for one in section.held)


def _packed(section: _Section, sizes: Sizes) -> Iterator[Chunk]:
    """The chunks of a section."""
    wanted = sizes.wanted or sizes.most
    open_ = Chunk("", headings=section.headings, parent=section.parent)
    for one in section.held:
        if one.element.kind == "Table" and one.element.html:
            if not _is_title(open_) or len(open_.text) > sizes.most // 2:
                yield from [open_] if open_.text else []
                open_ = Chunk("", headings=section.headings, parent=section.parent)
            yield from _tables(one, open_, sizes)
            open_ = Chunk("", headings=section.headings, parent=section.parent)
            continue
        room = sizes.most
        if open_.text and _is_title(open_) and len(open_.text) <= sizes.most // 2:
            room -= len(open_.text) + len(BETWEEN)  # a heading stays with what follows it
        for number, piece in enumerate(_pieces(one.element.text, sizes, room)):
            joined = open_.text + BETWEEN + piece if open_.text else piece
            if open_.text and (len(joined) > sizes.most or len(open_.text) >= wanted or number):
                yield open_
                open_ = Chunk(piece, [one], section.headings, section.parent, goes_on=number > 0)
            else:
                open_.text = joined
                open_.held.append(one)
    yield from [open_] if open_.text else []


def _is_title(chunk: Chunk) -> bool:
    """Whether a chunk holds nothing but headings and captions, which belong to the table that follows."""
    return all(one.element.kind in ("Title", "FigureCaption") for one in chunk.held)


def _tables(one: Placed, before: Chunk, sizes: Sizes) -> Iterator[Chunk]:
    """A table whole, or by rows with its head on top of each part; what stands before it is said in each."""
    lead = before.text + BETWEEN if before.text else ""
    parts = list(_by_rows(one.element, max(50, sizes.most - len(lead))))
    for number, (text, html) in enumerate(parts):
        held = [*before.held, one]
        yield Chunk(lead + text, held, before.headings, before.parent, html, goes_on=number > 0)


def _by_rows(table: Element, most: int) -> Iterator[tuple[str, str]]:
    """Parts of a table that are no longer than the most, one row at least, as text and as HTML."""
    if len(table.text) <= most:
        yield table.text, table.html
        return
    grid = tables.from_html(table.html)
    heads = min(grid.heads, grid.rows - 1)
    head = tables.rows_of(grid, 0, heads)
    lengths = _row_lengths(grid)
    start, length = heads, 0
    around = sum(lengths[:heads])
    for row in range(heads, grid.rows):
        if row > start and around + length + lengths[row] > most:
            yield _part(grid, head, start, row)
            start, length = row, 0
        length += lengths[row]
    yield _part(grid, head, start, grid.rows)


def _part(grid: tables.Grid, head: tables.Grid, start: int, end: int) -> tuple[str, str]:
    part = tables.joined(head, tables.rows_of(grid, start, end))
    return tables.text(part), tables.html(part)


def _row_lengths(grid: tables.Grid) -> list[int]:
    lengths = [grid.columns] * grid.rows
    for cell in grid.cells:
        lengths[cell.row] += len(cell.text)
    return lengths


def _pieces(text: str, sizes: Sizes, first: int) -> Iterator[str]:
    """A text in pieces of at most the size, the first of at most `first`; cut between sentences, words, or where it
    must be, with the overlap.
    """
    rest, most = text.strip(), first
    while len(rest) > most:
        end = _cut(rest, most)
        most = sizes.most
        yield rest[:end].strip()
        begin = max(1, end - sizes.overlap) if sizes.overlap else end
        blank = rest.find(" ", begin, end)
        rest = rest[blank + 1 if sizes.overlap and blank >= 0 else begin :].strip()
    if rest:
        yield rest


def _cut(text: str, most: int) -> int:
    """Where to cut: after the last sentence in the second half, else at the last blank there, else at the end."""
    ends = [found.start() for found in SENTENCE.finditer(text, most // 2, most)]
    if ends:
        return ends[-1]
    blank = text.rfind(" ", most // 2, most)
    return blank if blank > 0 else most
