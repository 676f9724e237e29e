"""PPTX: a slide is a page; its shapes are read as people read them, the title first, then down and to the right."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from llmflow_unstructured import tables
from llmflow_unstructured.elements import Box, Element, Event, Failed, Noted
from llmflow_unstructured.errors import BadDocument
from llmflow_unstructured.formats import Source, charts, ooxml, prose, xml
from llmflow_unstructured.formats.numbering import Counters, Level, Style
from llmflow_unstructured.formats.ooxml import Package, Relation
from llmflow_unstructured.formats.xml import Node
from llmflow_unstructured.tables import Cell

POINT = 12_700  # of the units that places are in
SAME_ROW = 24.0  # points: shapes whose tops differ by less are read from the left
TITLES = ("title", "ctrTitle")
BODIES = ("", "body", "obj")  # placeholders whose paragraphs are points
MARGINS = ("dt", "sldNum", "hdr")  # what a master repeats on each slide
AUTOMATIC = re.compile(r"^(arabic|roman|alpha)(?:Uc|Lc)?(Period|ParenR|ParenBoth|Plain)$")
STYLES: dict[str, Style] = {
    "arabic": "digit", "romanUc": "ROMAN", "romanLc": "roman", "alphaUc": "LATIN", "alphaLc": "latin",
}  # fmt: skip
AROUND = {"Period": "^1.", "ParenR": "^1)", "ParenBoth": "(^1)", "Plain": "^1"}
NOTES = "notes"


@dataclass(frozen=True)
class Shape:
    """A thing on a slide with its place."""

    node: Node
    kind: str  # of its placeholder, "-" for none
    box: Box | None
    number: int
    name: str


def read(source: Source) -> Iterator[Event]:
    """The elements of a presentation. Raises BadDocument or TooLarge."""
    package = Package(source)
    part = package.main("ppt/presentation.xml")
    root, relations = package.root(part), package.relations(part)
    ids = [id_ for node in xml.children(root, "sldIdLst") for id_ in _ids(node)]
    slides = [relations[id_].target for id_ in ids if id_ in relations]
    if ids and not slides:
        raise BadDocument("The presentation lacks its slides.")
    reader = _Reader(source, package, _size(root))
    for number, slide in enumerate(slides, 1):
        source.limits.check_time()
        try:
            yield from reader.slide(slide, number)
        except BadDocument as error:
            yield Failed(f"slide {number}", str(error))
        source.progress(number, len(slides))


def _ids(node: Node) -> Iterator[str]:
    """The relations of the slides in order: the attribute `id` that has a namespace."""
    for one in xml.children(node, "sldId"):
        yield next((str(value) for key, value in one.items() if key.endswith("}id")), "")


class _Reader:
    """Reads one slide after the other."""

    def __init__(self, source: Source, package: Package, size: tuple[float, float] | None) -> None:
        self._source, self._package, self._size = source, package, size
        self._relations: Mapping[str, Relation] = {}
        self._page = 0

    def slide(self, part: str, number: int) -> Iterator[Event]:
        """The elements of a slide, then the speaker's notes."""
        root = self._package.root(part)
        if xml.attribute(root, "show") in ("0", "false"):
            yield Noted(f"Slide {number} is hidden: it was left out.")
            return
        self._relations, self._page = self._package.relations(part), number
        places = self._inherited()
        for shape in _in_order(self._shapes(xml.child(root, "cSld", "spTree"), places)):
            for element in self._shape(shape):
                yield replace(
                    element, page=number, box=shape.box, page_size=self._size if shape.box else None
                )
        notes = next((one.target for one in self._relations.values() if one.kind == "notesSlide"), "")
        if notes in self._package:
            yield from self._notes(notes)

    def _inherited(self) -> dict[str, Box]:
        """Where the layout and its master put placeholders: by number, else by kind."""
        found: dict[str, Box] = {}
        relations = self._relations
        for kind in ("slideLayout", "slideMaster"):
            part = next((one.target for one in relations.values() if one.kind == kind), "")
            if part not in self._package:
                break
            tree = xml.child(self._package.root(part), "cSld", "spTree")
            for node in xml.children(tree, "sp") if tree is not None else ():
                placeholder, box = _placeholder(node), _box(node)
                if placeholder is not None and box:
                    found.setdefault(f"#{xml.attribute(placeholder, 'idx')}", box)
                    found.setdefault(xml.attribute(placeholder, "type"), box)
            relations = self._package.relations(part)
        return found

    def _shapes(self, tree: Node | None, places: Mapping[str, Box]) -> Iterator[Shape]:
        for number, node in enumerate(tree if tree is not None else ()):
            name = xml.local(node)
            if name == "AlternateContent":
                yield from self._shapes(xml.child(node, "Choice"), places)
            elif name in ("sp", "pic", "graphicFrame", "grpSp", "cxnSp"):
                placeholder = _placeholder(node)
                kind = xml.attribute(placeholder, "type") if placeholder is not None else "-"
                index = f"#{xml.attribute(placeholder, 'idx')}" if placeholder is not None else ""
                yield Shape(node, kind, _box(node) or places.get(index) or places.get(kind), number, name)

    def _shape(self, shape: Shape) -> Iterator[Element]:
        """What a shape holds; a group's shapes in their own order."""
        if shape.name == "grpSp":
            for one in _in_order(self._shapes(shape.node, {})):
                yield from self._shape(one)
        elif shape.name == "graphicFrame":
            yield from self._frame(shape.node)
        elif shape.name == "pic":
            yield self._picture(shape.node)
        elif shape.kind not in MARGINS:
            body = xml.child(shape.node, "txBody")
            yield from self._text(body, shape.kind) if body is not None else ()

    def _text(self, body: Node, kind: str) -> Iterator[Element]:
        """The paragraphs of a shape."""
        paragraphs = list(xml.children(body, "p"))
        if kind in TITLES or kind in ("subTitle", "ftr"):
            said = prose.clean("\n".join(map(_said, paragraphs)))
            if said and kind == "ftr":
                yield Element("Footer", said)
            elif said:
                yield Element("Title", said.replace("\n", " "), depth=0 if kind in TITLES else 1)
            return
        counters = Counters()
        several = sum(1 for one in paragraphs if _said(one).strip()) > 1
        for paragraph in paragraphs:
            said = prose.clean(_said(paragraph))
            if said:
                yield self._paragraph(paragraph, said, counters, pointed=kind in BODIES and several)

    def _paragraph(self, node: Node, said: str, counters: Counters, *, pointed: bool) -> Element:
        about = xml.child(node, "pPr")
        level = min(9, max(0, xml.number(about, "lvl"))) if about is not None else 0
        link = next(filter(None, map(self._link, xml.below(node, "hlinkClick"))), "")
        signs = {xml.local(one): one for one in about} if about is not None else {}
        if "buAutoNum" in signs:
            label = _label(xml.attribute(signs["buAutoNum"], "type"), level, counters)
            return Element("ListItem", f"{label} {said}".strip(), depth=level, link=link)
        if "buNone" not in signs and ("buChar" in signs or pointed):
            return Element("ListItem", said, depth=level, link=link)
        return prose.paragraph(said, link=link)

    def _link(self, node: Node) -> str:
        return ooxml.web_address(self._relations.get(xml.attribute(node, "id")))

    def _frame(self, node: Node) -> Iterator[Element]:
        """A table, a chart's numbers, or the words of a diagram."""
        table = next(xml.below(node, "tbl"), None)
        if table is not None:
            yield from self._table(table)
        for reference in xml.below(node, "chart"):
            relation = self._relations.get(xml.attribute(reference, "id"))
            if relation and relation.target in self._package:
                yield from charts.read(self._package.root(relation.target), self._source)
        for reference in xml.below(node, "relIds"):
            relation = self._relations.get(xml.attribute(reference, "dm"))
            if relation and relation.target in self._package:
                for paragraph in xml.below(self._package.root(relation.target), "p"):
                    said = prose.clean(_said(paragraph))
                    yield from [Element("ListItem", said)] if said else []

    def _table(self, node: Node) -> Iterator[Element]:
        about = xml.child(node, "tblPr")
        headed = about is not None and xml.attribute(about, "firstRow") in ("1", "true")
        found = []
        for y, row in enumerate(xml.children(node, "tr")):
            for x, box in enumerate(xml.children(row, "tc")):
                self._source.budget.fill(1)
                if "1" not in (xml.attribute(box, "hMerge"), xml.attribute(box, "vMerge")):
                    found.append(_cell(box, y, x, head=headed and y == 0))
        made = tables.grid(found)
        if any(cell.text for cell in found):
            yield Element("Table", tables.text(made), html=tables.html(made))

    def _picture(self, node: Node) -> Element:
        about = next(xml.below(node, "cNvPr"), None)
        names = ("descr", "title", "name") if about is not None else ()
        called = next(filter(None, (xml.attribute(about, name) for name in names)), "")
        image = next(xml.below(node, "blip"), None)
        relation = self._relations.get(xml.attribute(image, "embed")) if image is not None else None
        content, kind = (
            self._package.picture(relation.target) if relation and not relation.outside else (b"", "")
        )
        return Element("Image", prose.clean(called), picture=content, picture_type=kind)

    def _notes(self, part: str) -> Iterator[Element]:
        for node in xml.below(self._package.root(part), "sp"):
            placeholder, body = _placeholder(node), xml.child(node, "txBody")
            if placeholder is not None and xml.attribute(placeholder, "type") == "body" and body is not None:
                said = prose.clean("\n".join(map(_said, xml.children(body, "p"))))
                yield from [Element("NarrativeText", said, page=self._page, page_name=NOTES)] if said else []


def _in_order(shapes: Iterator[Shape]) -> list[Shape]:
    """The shapes as they are read: titles, then by rows of shapes whose tops are about alike."""
    found = sorted(
        shapes, key=lambda one: (one.kind not in TITLES, one.box.top if one.box else float("inf"), one.number)
    )
    ordered: list[Shape] = []
    row: list[Shape] = []
    for shape in found:
        if row and not _beside(row[0], shape):
            ordered += sorted(row, key=lambda one: one.box.left if one.box else 0.0)
            row = []
        row.append(shape)
    return ordered + sorted(row, key=lambda one: one.box.left if one.box else 0.0)


def _beside(first: Shape, other: Shape) -> bool:
    if first.kind in TITLES or first.box is None or other.box is None:
        return False
    return other.box.top - first.box.top < SAME_ROW


def _placeholder(node: Node) -> Node | None:
    for one in node:
        if xml.local(one).startswith("nv"):
            return next(xml.below(one, "ph"), None)
    return None


def _box(node: Node) -> Box | None:
    about = xml.child(node, "spPr")
    frame = next((one for one in (about, xml.child(node, "grpSpPr"), node) if one is not None), None)
    place = xml.child(frame, "xfrm") if frame is not None else None
    offset, extent = (xml.child(place, "off"), xml.child(place, "ext")) if place is not None else (None, None)
    if offset is None or extent is None:
        return None
    left, top = xml.number(offset, "x") / POINT, xml.number(offset, "y") / POINT
    return Box(left, top, left + xml.number(extent, "cx") / POINT, top + xml.number(extent, "cy") / POINT)


def _size(root: Node) -> tuple[float, float] | None:
    node = xml.child(root, "sldSz")
    return (xml.number(node, "cx") / POINT, xml.number(node, "cy") / POINT) if node is not None else None


def _said(paragraph: Node) -> str:
    """A paragraph's text, with its line ends."""
    pieces = []
    for one in paragraph.iter():
        name = xml.local(one)
        if name == "t":
            pieces.append(one.text or "")
        elif name in ("br", "tab"):
            pieces.append("\n" if name == "br" else "\t")
    return "".join(pieces)


def _label(kind: str, level: int, counters: Counters) -> str:
    found = AUTOMATIC.match(kind)
    if found is None:
        return ""
    style = STYLES.get(kind.removesuffix(found[2]), "digit")
    text = AROUND[found[2]].replace("1", str(level + 1))
    return counters.next(kind, {level: Level(text, style)}, level)


def _cell(node: Node, y: int, x: int, *, head: bool) -> Cell:
    body = xml.child(node, "txBody")
    said = prose.clean("\n".join(map(_said, xml.children(body, "p")))) if body is not None else ""
    columns, rows = xml.number(node, "gridSpan", 1), xml.number(node, "rowSpan", 1)
    return Cell(y, x, said, max(1, rows), max(1, columns), head)
