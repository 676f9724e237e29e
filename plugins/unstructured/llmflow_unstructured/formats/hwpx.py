"""HWPX, the open format of Hancom's word processor: OWPML in a ZIP. A bounded reader of our own."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePosixPath

from llmflow_unstructured.elements import Element, Event, Failed, Kind
from llmflow_unstructured.errors import BadDocument
from llmflow_unstructured.formats import Source, cells, charts, hancom, prose, xml
from llmflow_unstructured.formats.hancom import Looks, Paragraph, Shape, Writer
from llmflow_unstructured.formats.numbering import Level, Style
from llmflow_unstructured.formats.packed import Archive
from llmflow_unstructured.formats.xml import Node
from llmflow_unstructured.tables import Cell

PACKAGE, HEAD, MANIFEST = "Contents/content.hpf", "Contents/header.xml", "META-INF/manifest.xml"
SECTION = re.compile(r"^Contents/section(\d+)\.xml$")
HEADINGS = {"OUTLINE": "outline", "NUMBER": "number", "BULLET": "bullet"}
STYLES: dict[str, Style] = {
    "DIGIT": "digit",
    "CIRCLED_DIGIT": "circle",
    "ROMAN_CAPITAL": "ROMAN",
    "ROMAN_SMALL": "roman",
    "LATIN_CAPITAL": "LATIN",
    "LATIN_SMALL": "latin",
    "HANGUL_SYLLABLE": "ganada",
    "HANGUL_JAMO": "jamo",
    "HANGUL_PHONETIC": "hangul",
    "IDEOGRAPH": "hanja",
}
MARGINS: dict[str, Kind] = {
    "header": "Header",
    "footer": "Footer",
    "footNote": "Footnote",
    "endNote": "Footnote",
}
DRAWN = (
    "rect",
    "ellipse",
    "polygon",
    "curve",
    "arc",
    "line",
    "connectLine",
    "textart",
    "container",
    "ole",
    "chart",
)
SIGNS = {"tab": "\t", "lineBreak": "\n", "nbSpace": " ", "fwSpace": " ", "hyphen": "-"}
ORIGINAL_NAME = re.compile(r"원본 그림의 이름:\s*(\S[^\n]*)")
NAMELESS = "그림입니다."


def read(source: Source) -> Iterator[Event]:
    """The elements of a HWPX document. Raises BadDocument or TooLarge."""
    archive = Archive(source)
    if MANIFEST in archive and b"encryption-data" in archive.read(MANIFEST):
        raise BadDocument("It is protected by a password: save it without one.")
    hrefs, spine = _package(archive)
    sections = [href for href in spine if SECTION.match(href) and href in archive] or _by_name(archive)
    if not sections:
        raise BadDocument("The HWPX document has no section.")
    reader = _Reader(source, archive, hrefs, Writer(_looks(archive)))
    for number, href in enumerate(sections, 1):
        source.limits.check_time()
        try:
            yield from reader.section(archive.read(href), number)
        except BadDocument as error:
            if len(sections) == 1:
                raise
            yield Failed(f"section {number}", str(error))
        source.progress(number, len(sections))


class _Reader:
    """Walks the sections of one document."""

    def __init__(self, source: Source, archive: Archive, hrefs: dict[str, str], writer: Writer) -> None:
        self._source, self._archive, self._hrefs, self._writer = source, archive, hrefs, writer
        self._page, self._low, self._columns = 0, 0, 1  # `_low`: how far down the page the last line stood
        self._ends: set[str] = set()  # deletions that end somewhere in the section
        self._deleted = ""
        self._repeated: set[tuple[str, str]] = set()  # heads and feet that were given already

    def section(self, content: bytes, number: int) -> Iterator[Event]:
        """The elements of a section, which begins a page."""
        root, whole = xml.parsed(content)
        self._page, self._low, self._columns, self._deleted = self._page + 1, -1, 1, ""
        self._ends = {xml.attribute(node, "Id") for node in xml.below(root, "deleteEnd")}
        sizes = ((self._size(run), len("".join(run.itertext()))) for run in xml.below(root, "run"))
        self._writer.usual = hancom.usual_size(pair for pair in sizes if all(pair))
        outline = next(xml.below(root, "secPr"), None)
        self._writer.outline = xml.number(outline, "outlineShapeIDRef") if outline is not None else 0
        for number_, paragraph in enumerate(xml.children(root, "p")):
            self._source.limits.check_time()
            broken = number_ > 0 and xml.attribute(paragraph, "pageBreak") == "1"
            yield from self._placed(paragraph, broken)
        if not whole:
            yield Failed(f"section {number}", "It is damaged: what follows the damage is left out.")

    def _placed(self, paragraph: Node, broken: bool) -> Iterator[Element]:
        """A paragraph of the body, on the page where its first line stands."""
        lines = [
            xml.number(line, "vertpos") for array in xml.children(paragraph, "linesegarray") for line in array
        ]
        if broken or (lines and self._columns == 1 and lines[0] < self._low):
            self._page, self._low = self._page + 1, -1
        yield from self._paragraph(paragraph)
        for line in lines:
            if self._columns == 1 and line < self._low:
                self._page += 1
            self._low = line

    def _paragraphs(self, node: Node | None) -> Iterator[Element]:
        if node is not None:
            for paragraph in xml.children(node, "p"):
                yield from self._paragraph(paragraph)

    def _paragraph(self, node: Node) -> Iterator[Element]:
        """A paragraph's text, then what is anchored in it."""
        pieces: list[str] = []
        objects: list[Element] = []
        link, sizes = "", []
        for run in xml.children(node, "run"):
            before = sum(map(len, pieces))
            for one in run:
                address = self._inline(one, pieces, objects)
                link = link or address
            sizes.append((self._size(run), sum(map(len, pieces)) - before))
        size = hancom.usual_size(pair for pair in sizes if pair[1])
        shape, style = xml.number(node, "paraPrIDRef", -1), xml.number(node, "styleIDRef", -1)
        element = self._writer.element(Paragraph("".join(pieces), shape, style, size, link), self._page)
        if element:
            yield element
        yield from objects

    def _inline(self, node: Node, pieces: list[str], objects: list[Element]) -> str:
        """One thing in a run: adds its text or its elements; the address of a link, "" for all else."""
        name = xml.local(node)
        if name == "t":
            self._text(node, pieces)
        elif name == "ctrl":
            links = [self._control(one, pieces, objects) for one in node]
            return next(filter(None, links), "")
        elif name == "tbl":
            objects += self._table(node)
        elif name == "pic":
            objects += self._picture(node)
        elif name == "equation":
            script = xml.child(node, "script")
            said = prose.clean("".join(script.itertext())) if script is not None else ""
            objects += [Element("Formula", said, page=self._page)] if said else []
        elif name in DRAWN:
            objects += self._drawn(node)
        elif name == "dutmal":
            main = xml.child(node, "mainText")
            pieces.append("".join(main.itertext()) if main is not None else "")
        elif name == "compose":
            pieces.append(xml.attribute(node, "composeText"))
        return ""

    def _text(self, node: Node, pieces: list[str]) -> None:
        """The text of a `t`, without what a tracked change deletes."""
        self._say(node.text, pieces)
        for sign in node:
            name = xml.local(sign)
            if name in SIGNS:
                self._say(SIGNS[name], pieces)
            elif name == "deleteBegin" and xml.attribute(sign, "Id") in self._ends:
                self._deleted = self._deleted or xml.attribute(sign, "Id")
            elif name == "deleteEnd" and xml.attribute(sign, "Id") == self._deleted:
                self._deleted = ""
            self._say(sign.tail, pieces)

    def _say(self, said: str | None, pieces: list[str]) -> None:
        if said and not self._deleted:
            pieces.append(said)

    def _control(self, node: Node, pieces: list[str], objects: list[Element]) -> str:
        name = xml.local(node)
        if name in MARGINS:
            objects += self._margin(MARGINS[name], node)
        elif name == "autoNum" and xml.attribute(node, "numType") in ("TABLE", "PICTURE", "EQUATION"):
            pieces.append(xml.attribute(node, "num"))
        elif name == "colPr":
            self._columns = max(1, xml.number(node, "colCount", 1))
        elif name == "fieldBegin" and xml.attribute(node, "type") == "HYPERLINK":
            texts = ("".join(one.itertext()) for one in xml.below(node, "stringParam"))
            return next(filter(None, map(hancom.web_address, texts)), "")
        return ""

    def _margin(self, kind: Kind, node: Node) -> Iterator[Element]:
        """A running head or foot, once for all pages, or a note."""
        said = cells.text(self._paragraphs(xml.child(node, "subList")))
        if said and not (kind in ("Header", "Footer") and (kind, said) in self._repeated):
            self._repeated.add((kind, said))
            yield Element(kind, said, page=self._page)

    def _table(self, node: Node) -> Iterator[Element]:
        """A table with its caption."""
        captions = self._captions(node)
        boxes = [cell for row in xml.children(node, "tr") for cell in xml.children(row, "tc")]
        self._source.budget.fill(len(boxes))
        held = [list(self._paragraphs(xml.child(box, "subList"))) for box in boxes]
        yield from captions
        yield from cells.table(held, lambda number, said: _cell(boxes[number], said, number), self._page)

    def _drawn(self, node: Node) -> Iterator[Element]:
        """The text in a drawing, and in what is grouped in it; a chart's numbers."""
        chart = xml.attribute(node, "chartIDRef")
        if chart in self._archive:
            for element in charts.read(xml.parse(self._archive.read(chart)), self._source):
                yield replace(element, page=self._page)
        yield from self._paragraphs(xml.child(node, "drawText", "subList"))
        for one in node:
            if xml.local(one) == "pic":
                yield from self._picture(one)
            elif xml.local(one) in DRAWN:
                yield from self._drawn(one)
        yield from self._captions(node)

    def _captions(self, node: Node) -> list[Element]:
        said = cells.text(self._paragraphs(xml.child(node, "caption", "subList")))
        return [Element("FigureCaption", said, page=self._page)] if said else []

    def _picture(self, node: Node) -> Iterator[Element]:
        """A picture by what it is called, with its file where pictures are asked for."""
        image, comment = xml.child(node, "img"), xml.child(node, "shapeComment")
        href = self._hrefs.get(xml.attribute(image, "binaryItemIDRef"), "") if image is not None else ""
        said = "".join(comment.itertext()).strip() if comment is not None else ""
        original = ORIGINAL_NAME.search(said)
        called = original[1].strip() if original else prose.clean(said).replace(NAMELESS, "").strip()
        content = b""
        if self._source.pictures and href in self._archive.members:
            size = self._archive.members[href].file_size
            content = self._archive.read(href) if self._source.budget.picture(size) else b""
        kind = mimetypes.guess_type(href)[0] or "application/octet-stream"
        name = called or PurePosixPath(href).name
        yield Element("Image", name, page=self._page, picture=content, picture_type=kind if content else "")
        yield from self._captions(node)

    def _size(self, run: Node) -> int:
        return self._writer.looks.sizes.get(xml.number(run, "charPrIDRef", -1), 0)


def _cell(node: Node, said: str, number: int) -> Cell:
    place, span = xml.child(node, "cellAddr"), xml.child(node, "cellSpan")
    row = xml.number(place, "rowAddr", number) if place is not None else number
    column = xml.number(place, "colAddr") if place is not None else 0
    rows = xml.number(span, "rowSpan", 1) if span is not None else 1
    columns = xml.number(span, "colSpan", 1) if span is not None else 1
    return Cell(row, column, said, max(1, rows), max(1, columns), xml.attribute(node, "header") == "1")


def _package(archive: Archive) -> tuple[dict[str, str], list[str]]:
    """The parts by their ids, and the parts to read in order; nothing where the package file is missing."""
    if PACKAGE not in archive:
        return {}, []
    root = xml.parse(archive.read(PACKAGE))
    hrefs = {xml.attribute(item, "id"): xml.attribute(item, "href") for item in xml.below(root, "item")}
    spine = (hrefs.get(xml.attribute(item, "idref"), "") for item in xml.below(root, "itemref"))
    return hrefs, list(dict.fromkeys(spine))


def _by_name(archive: Archive) -> list[str]:
    found = [(int(match[1]), name) for name in archive.members if (match := SECTION.match(name))]
    return [name for _, name in sorted(found)]


def _looks(archive: Archive) -> Looks:
    looks = Looks()
    if HEAD not in archive:
        return looks
    root = xml.parse(archive.read(HEAD))
    for node in xml.below(root, "charPr"):
        looks.sizes[xml.number(node, "id", -1)] = xml.number(node, "height")
    for node in xml.below(root, "paraPr"):
        heading = next(xml.below(node, "heading"), None)
        if heading is not None:
            looks.shapes[xml.number(node, "id", -1)] = _shape(heading)
    for node in xml.below(root, "style"):
        name, shape = xml.attribute(node, "name"), xml.number(node, "paraPrIDRef", -1)
        looks.styles[xml.number(node, "id", -1)] = (name, shape)
    for node in xml.below(root, "numbering"):
        levels = {xml.number(head, "level", 1) - 1: _level(head) for head in xml.children(node, "paraHead")}
        looks.numberings[xml.number(node, "id", -1)] = levels
    return looks


def _shape(heading: Node) -> Shape:
    kind = HEADINGS.get(xml.attribute(heading, "type"), "")
    level = min(9, max(0, xml.number(heading, "level")))
    return Shape(kind, level, xml.number(heading, "idRef"))  # type: ignore[arg-type]


def _level(head: Node) -> Level:
    style = STYLES.get(xml.attribute(head, "numFormat"), "digit")
    return Level("".join(head.itertext()), style, xml.number(head, "start", 1))
