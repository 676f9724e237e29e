"""XLSX: each sheet's tables, with numbers and dates as they are shown. Sheets are streamed; empty ones cost nothing."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from lxml import etree

from llmflow_unstructured import tables
from llmflow_unstructured.elements import Element, Event, Failed, Noted
from llmflow_unstructured.errors import BadDocument
from llmflow_unstructured.formats import Source, prose, xml
from llmflow_unstructured.formats.numberformat import BUILT_IN, shown
from llmflow_unstructured.formats.ooxml import Package
from llmflow_unstructured.formats.xml import Node
from llmflow_unstructured.tables import Cell

REFERENCE = re.compile(r"^\$?([A-Z]{1,3})\$?(\d{1,7})$")
TRUTH = {"1": "TRUE", "0": "FALSE"}
MOST_FORMATS = 70_000
MOST_ROWS, MOST_COLUMNS = 1_048_576, 16_384


@dataclass(frozen=True)
class Book:
    """What all sheets of a workbook share."""

    strings: list[str]
    formats: list[str]  # by the number of a cell's style
    since_1904: bool


def read(source: Source) -> Iterator[Event]:
    """The elements of a workbook; a sheet is a page. Raises BadDocument or TooLarge."""
    package = Package(source)
    part = package.main("xl/workbook.xml")
    root, relations = package.root(part), package.relations(part)
    by_kind = {one.kind: one.target for one in relations.values()}
    about = xml.child(root, "workbookPr")
    book = Book(
        _strings(package, source, by_kind.get("sharedStrings", "")),
        _formats(package, by_kind.get("styles", "")),
        about is not None and xml.attribute(about, "date1904") in ("1", "true"),
    )
    sheets = [sheet for node in xml.children(root, "sheets") for sheet in xml.children(node, "sheet")]
    for number, sheet in enumerate(sheets, 1):
        name = xml.attribute(sheet, "name")
        relation = relations.get(next((value for key, value in sheet.items() if key.endswith("}id")), ""))
        source.progress(number, len(sheets))
        if xml.attribute(sheet, "state") in ("hidden", "veryHidden"):
            yield Noted(f'The sheet "{name}" is hidden: it was left out.')
        elif relation is not None and relation.kind == "worksheet":
            try:
                yield from _sheet(package, source, relation.target, book, number, name)
            except BadDocument as error:
                yield Failed(f'sheet "{name}"', str(error))


def _sheet(
    package: Package, source: Source, part: str, book: Book, number: int, name: str
) -> Iterator[Event]:
    """The tables of a sheet, from top to bottom; rows with nothing in them lie between."""
    found: list[Cell] = []
    spans: dict[tuple[int, int], tuple[int, int]] = {}
    whole = True
    try:
        for node in _streamed(package.archive.read(part), ("row", "mergeCell")):
            source.limits.check_time()
            if xml.local(node) == "mergeCell":
                spans |= _span(xml.attribute(node, "ref"))
                continue
            row = xml.number(node, "r", found[-1].row + 2 if found else 1) - 1
            filled = [cell for cell in _cells(node, row, book) if cell.text]
            source.budget.fill(len(filled))
            found += filled
    except etree.XMLSyntaxError:
        whole = False
    for block in _blocks(found, spans):
        for element in _elements(block):
            yield replace(element, page=number, page_name=name)
    if not whole:
        yield Failed(f'sheet "{name}"', "It is damaged: what follows the damage is left out.")


def _cells(row: Node, number: int, book: Book) -> Iterator[Cell]:
    column = -1
    for node in row:
        if xml.local(node) == "c":
            place = REFERENCE.match(node.get("r", ""))
            column = _column(place[1]) if place else column + 1
            if 0 <= number < MOST_ROWS and column < MOST_COLUMNS:
                yield Cell(number, column, _shown(node, book))


def _shown(node: Node, book: Book) -> str:
    """A cell's value as the sheet shows it."""
    kind, value = node.get("t", ""), xml.child(node, "v")
    if kind == "inlineStr":
        held = xml.child(node, "is")
        return _rich(held) if held is not None else ""
    said = (value.text or "").strip() if value is not None else ""
    if kind == "s":
        return book.strings[int(said)] if said.isdigit() and int(said) < len(book.strings) else ""
    if kind in ("str", "e"):
        return prose.clean(said)
    if kind == "b":
        return TRUTH.get(said, said)
    if kind == "d":
        return said.replace("T", " ")
    style = node.get("s", "0")
    known = style.isdigit() and len(style) < 9 and int(style) < len(book.formats)
    format_ = book.formats[int(style)] if known else "General"
    return shown(said, format_, since_1904=book.since_1904) if said else ""


def _blocks(found: list[Cell], spans: dict[tuple[int, int], tuple[int, int]]) -> Iterator[list[Cell]]:
    """The cells with their spans, apart where a row is empty."""
    block: list[Cell] = []
    reach = -1
    for cell in sorted(found, key=lambda one: (one.row, one.column)):
        rows, columns = spans.get((cell.row, cell.column), (1, 1))
        if block and cell.row > reach:
            yield block
            block = []
        block.append(cell if rows == columns == 1 else replace(cell, rows=rows, columns=columns))
        reach = max(reach, cell.row + rows)
    if block:
        yield block


def _elements(block: list[Cell]) -> Iterator[Element]:
    """A block's titles, one to a row above the table, then the table."""
    rows: dict[int, list[Cell]] = {}
    for cell in block:
        rows.setdefault(cell.row, []).append(cell)
    numbers = sorted(rows)
    while numbers and len(rows[numbers[0]]) == 1 and (len(numbers) == 1 or len(rows[numbers[1]]) != 1):
        (only,) = rows[numbers.pop(0)]
        title = bool(numbers) and len(only.text) <= prose.LONGEST_TITLE
        yield Element("Title", only.text) if title else prose.paragraph(only.text)
    if numbers:
        heads = [replace(cell, head=True) for cell in rows[numbers[0]]]
        made = tables.grid((*heads, *(cell for number in numbers[1:] for cell in rows[number])))
        yield Element("Table", tables.text(made), html=tables.html(made))


def _strings(package: Package, source: Source, part: str) -> list[str]:
    if part not in package:
        return []
    strings = []
    try:
        for node in _streamed(package.archive.read(part), ("si",)):
            source.limits.check_time()
            strings.append(_rich(node))
    except etree.XMLSyntaxError:
        return strings  # cells that name a later one stay empty
    return strings


def _rich(node: Node) -> str:
    """A text of several runs, without the readings above Chinese signs."""
    pieces = []
    for one in node:
        if xml.local(one) == "t":
            pieces.append(one.text or "")
        elif xml.local(one) == "r":
            pieces += [text.text or "" for text in xml.children(one, "t")]
    return prose.clean("".join(pieces))


def _formats(package: Package, part: str) -> list[str]:
    if part not in package:
        return []
    root = package.root(part)
    known: dict[int, str] = dict(BUILT_IN)
    for node in xml.below(root, "numFmt"):
        known[xml.number(node, "numFmtId")] = xml.attribute(node, "formatCode")
    styles = xml.child(root, "cellXfs")
    nodes = list(xml.children(styles, "xf"))[:MOST_FORMATS] if styles is not None else []
    return [known.get(xml.number(node, "numFmtId"), "General") for node in nodes]


def _streamed(content: bytes, names: Iterable[str]) -> Iterator[Node]:
    """The nodes of some names, each forgotten once it was looked at."""
    wanted = [f"{{*}}{name}" for name in names]
    events = etree.iterparse(
        io.BytesIO(content),
        tag=wanted,
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    for _, node in events:
        yield node
        node.clear()
        parent = node.getparent()
        while parent is not None and node.getprevious() is not None:
            del parent[0]


def _span(reference: str) -> dict[tuple[int, int], tuple[int, int]]:
    """The upper left cell of a merged range, with the rows and columns that it covers."""
    first, _, last = reference.partition(":")
    start, end = REFERENCE.match(first), REFERENCE.match(last)
    if not start or not end:
        return {}
    rows, columns = int(end[2]) - int(start[2]) + 1, _column(end[1]) - _column(start[1]) + 1
    return {(int(start[2]) - 1, _column(start[1])): (max(1, rows), max(1, columns))}


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1
