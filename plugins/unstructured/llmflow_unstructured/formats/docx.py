"""DOCX: headings, lists with their numbers, tables, notes, heads and feet, text boxes. Changes count as accepted.

Read from the XML itself: the libraries for DOCX write it well, but show neither notes nor text boxes nor changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from llmflow_unstructured.elements import Element, Event, Failed
from llmflow_unstructured.formats import Source, cells, charts, ooxml, prose, xml
from llmflow_unstructured.formats.numbering import Counters, Level, Style
from llmflow_unstructured.formats.ooxml import Package, Relation
from llmflow_unstructured.formats.xml import Node
from llmflow_unstructured.tables import Cell

HEADING = re.compile(r"^(?:heading|제목|개요)\s?(\d)$", re.IGNORECASE)
TITLES = {"title": 0, "제목": 0, "subtitle": 1, "부제": 1}
LIST = re.compile(r"^(?:list|목록)(?: (?:bullet|number|continue|paragraph))? ?(\d?)$", re.IGNORECASE)
CAPTION = ("caption", "캡션")
CODE = re.compile(r"code|코드|preformatted|listing", re.IGNORECASE)
SEQUENCE = re.compile(r"\bSEQ\b")
LINK = re.compile(r'HYPERLINK\s+"(https?://[^"]+|mailto:[^"]+)"')
ACCEPTED = (
    "ins",
    "moveTo",
    "smartTag",
    "customXml",
    "fldSimple",
    "sdt",
    "sdtContent",
    "hyperlink",
    "dir",
    "bdo",
)
SIGNS = {"tab": "\t", "cr": "\n", "noBreakHyphen": "-", "ptab": "\t"}
STYLES: dict[str, Style] = {
    "decimal": "digit", "decimalZero": "zero", "decimalEnclosedCircle": "circle", "upperRoman": "ROMAN",
    "lowerRoman": "roman", "upperLetter": "LATIN", "lowerLetter": "latin", "ganada": "ganada", "chosung": "jamo",
    "koreanCounting": "hangul", "koreanDigital": "hangul", "ideographDigital": "hanja", "none": "none",
    "chineseCounting": "hanja",
}  # fmt: skip
MOST_BASES = 20  # styles that a style may be based on, one on the other


@dataclass(frozen=True)
class Look:
    """What a style says: its name, its heading's depth (None for no heading), the list it numbers in."""

    name: str = ""
    depth: int | None = None
    list: str = ""
    level: int = 0


@dataclass
class Inline:
    """What is found along a paragraph."""

    pieces: list[str] = field(default_factory=list)
    objects: list[Element] = field(default_factory=list)
    link: str = ""
    codes: str = ""  # the instructions of its fields
    page: int | None = None  # where its text begins
    code: int = 0  # how many fields are open that have not come to their result


def read(source: Source) -> Iterator[Event]:
    """The elements of a DOCX document. Raises BadDocument or TooLarge."""
    package = Package(source)
    part = package.main("word/document.xml")
    content = package.archive.read(part)
    root, whole = xml.parsed(content)
    reader = _Reader(source, package, part, paged=_is_paged(content))
    yield from reader.margins(root, "header")
    yield from reader.body(root)
    yield from reader.margins(root, "footer")
    if not whole:
        yield Failed("the document", "It is damaged: what follows the damage is left out.")


def _is_paged(content: bytes) -> bool:
    """Whether a document says where its pages end."""
    return b"lastRenderedPageBreak" in content or b'w:type="page"' in content or b"pageBreakBefore" in content


class _Reader:
    """Walks one document."""

    def __init__(self, source: Source, package: Package, part: str, *, paged: bool) -> None:
        self._source, self._package = source, package
        self._relations = package.relations(part)
        self._looks = _looks(self._related_root("styles"))
        self._lists, self._counted_as = _lists(self._related_root("numbering"))
        self._notes = {kind: self._note_nodes(kind) for kind in ("footnote", "endnote")}
        self._counters = Counters()
        self._page: int | None = 1 if paged else None
        self._fresh = True  # no text since the last page break
        self._titled = False  # the document has a title above its headings

    def body(self, root: Node) -> Iterator[Element]:
        """The elements of the document's body."""
        body = xml.child(root, "body")
        blocks = list(body) if body is not None else []
        for number, block in enumerate(blocks):
            self._source.limits.check_time()
            yield from self._block(block)
            if number % 100 == 99:
                self._source.progress(number + 1, len(blocks))

    def margins(self, root: Node, kind: Literal["header", "footer"]) -> Iterator[Element]:
        """The running heads or feet of all sections, each text once."""
        said: dict[str, None] = {}
        for reference in xml.below(root, f"{kind}Reference"):
            relation = self._relations.get(xml.attribute(reference, "id"))
            if relation and relation.target in self._package:
                page, relations = self._page, self._relations
                self._relations = self._package.relations(relation.target)
                said[cells.text(self._blocks(self._package.root(relation.target)))] = None
                self._page, self._relations = page, relations
        for text in filter(None, said):
            yield Element("Header" if kind == "header" else "Footer", text)

    def _blocks(self, node: Node) -> Iterator[Element]:
        for block in node:
            yield from self._block(block)

    def _block(self, node: Node) -> Iterator[Element]:
        """A paragraph, a table, or what stands around them."""
        match xml.local(node):
            case "p":
                yield from self._paragraph(node)
            case "tbl":
                yield from self._table(node)
            case "sdt" | "sdtContent" | "customXml" | "ins" | "moveTo" | "txbxContent":
                yield from self._blocks(node)

    def _paragraph(self, node: Node) -> Iterator[Element]:
        """A paragraph's text, then what is anchored in it."""
        about = xml.child(node, "pPr")
        if about is not None and _on(xml.child(about, "pageBreakBefore")) and not self._fresh:
            self._turn()
        found = Inline()
        self._inline(node, found)
        said = prose.clean("".join(found.pieces))
        if said:
            yield replace(self._kind(said, about, found), page=found.page or self._page)
        yield from found.objects
        if about is not None and (section := xml.child(about, "sectPr")) is not None:
            kind = xml.child(section, "type")
            if self._page is not None and (kind is None or xml.attribute(kind, "val") != "continuous"):
                self._turn()

    def _kind(self, said: str, about: Node | None, found: Inline) -> Element:
        """The paragraph by its style, its numbering, and else by its text."""
        style = xml.child(about, "pStyle") if about is not None else None
        look = self._looks.get(xml.attribute(style, "val") if style is not None else "", Look())
        list_, level = _numbering(about, look)
        depth = _outline(about, look)
        if look.name in CAPTION or (SEQUENCE.search(found.codes) and prose.is_caption(said)):
            return Element("FigureCaption", said, link=found.link)
        if depth is not None:
            self._titled = self._titled or look.name in TITLES
            below = 1 if self._titled and look.name not in TITLES else 0
            label = self._label(list_, level)
            return Element("Title", f"{label} {said}".strip(), depth=depth + below, link=found.link)
        named = LIST.match(look.name)
        if list_ or named:
            depth = level if list_ else max(0, int(named[1] or 1) - 1) if named else 0
            label = self._label(list_, level)
            return Element("ListItem", f"{label} {said}".strip(), depth=depth, link=found.link)
        if CODE.search(look.name):
            return Element("CodeSnippet", said)
        return prose.paragraph(said, link=found.link)

    def _label(self, list_: str, level: int) -> str:
        levels = self._lists.get(list_)
        return self._counters.next(self._counted_as.get(list_, list_), levels, level) if levels else ""

    def _inline(self, node: Node, found: Inline) -> None:
        """All along a paragraph, or a part of one."""
        for one in node:
            name = xml.local(one)
            if name == "r":
                self._run(one, found)
            elif name in ACCEPTED:
                if name == "hyperlink" and not found.link:
                    found.link = ooxml.web_address(self._relations.get(xml.attribute(one, "id")))
                found.codes += xml.attribute(one, "instr")
                self._inline(one, found)
            elif name in ("oMath", "oMathPara"):
                said = "".join(text.text or "" for text in xml.below(one, "t"))
                found.objects += [Element("Formula", said, page=self._page)] if said.strip() else []
            elif name == "AlternateContent":
                self._inline(_chosen(one), found)

    def _run(self, node: Node, found: Inline) -> None:
        about = xml.child(node, "rPr")
        if about is not None and _on(xml.child(about, "vanish")):
            return
        for one in node:
            self._in_run(one, xml.local(one), found)

    def _in_run(self, node: Node, name: str, found: Inline) -> None:
        """One thing in a run: its text, its breaks, or what is anchored here."""
        match name:
            case "t" if found.code == 0:
                self._say(node.text or "", found)
            case "tab" | "cr" | "noBreakHyphen" | "ptab":
                found.pieces.append(SIGNS[name])
            case "br" if xml.attribute(node, "type") == "page":
                self._turn()
            case "br":
                found.pieces.append("\n")
            case "lastRenderedPageBreak":
                if not self._fresh:
                    self._turn()
            case "sym":
                code = xml.attribute(node, "char")
                found.pieces.append("•" if code.upper().startswith("F0") else "")
            case "instrText":
                found.codes += node.text or ""
                address = LINK.search(found.codes)
                found.link = found.link or (address[1] if address else "")
            case "fldChar":
                kind = xml.attribute(node, "fldCharType")
                found.code += {"begin": 1, "separate": -1}.get(kind, 0)
                found.code = 0 if kind == "end" else max(0, found.code)
            case "footnoteReference" | "endnoteReference":
                found.objects += self._note(name.removesuffix("Reference"), xml.attribute(node, "id"))
            case "drawing" | "pict" | "object":
                found.objects += self._drawn(node)
            case "AlternateContent":
                for one in _chosen(node):
                    self._in_run(one, xml.local(one), found)

    def _say(self, said: str, found: Inline) -> None:
        if said.strip():
            self._fresh = False
            found.page = found.page or self._page
        found.pieces.append(said)

    def _turn(self) -> None:
        """Begin a page."""
        self._page, self._fresh = (self._page or 1) + 1, True

    def _note(self, kind: str, id_: str) -> Iterator[Element]:
        """A note, once, where it is first referred to."""
        node = self._notes[kind].pop(id_, None)
        said = cells.text(self._blocks(node)) if node is not None else ""
        if said:
            yield Element("Footnote", said, page=self._page)

    def _drawn(self, node: Node) -> Iterator[Element]:
        """The text boxes, the pictures and the charts of a drawing, new or old."""
        for one in xml.below(node, "blip", "imagedata"):
            relation = self._relations.get(xml.attribute(one, "embed") or xml.attribute(one, "id"))
            yield self._picture(node, relation)
        for one in xml.below(node, "chart"):
            relation = self._relations.get(xml.attribute(one, "id"))
            if relation and relation.target in self._package:
                for element in charts.read(self._package.root(relation.target), self._source):
                    yield replace(element, page=self._page)
        for box in xml.below(node, "txbxContent"):
            if not _within(box, node, "txbxContent", "Fallback"):
                yield from self._blocks(box)

    def _picture(self, node: Node, relation: Relation | None) -> Element:
        properties = next(xml.below(node, "docPr"), None)
        names = ("descr", "title", "name") if properties is not None else ()
        called = next(filter(None, (xml.attribute(properties, name) for name in names)), "")
        content, kind = (
            self._package.picture(relation.target) if relation and not relation.outside else (b"", "")
        )
        return Element("Image", prose.clean(called), page=self._page, picture=content, picture_type=kind)

    def _table(self, node: Node) -> Iterator[Element]:
        """A table; what is merged downwards belongs to the cell above."""
        places: list[Cell] = []
        nodes: list[Node] = []
        open_: dict[int, int] = {}  # column → the cell that reaches down to here
        page = self._page
        for y, row in enumerate(row for row in _unwrapped(node, "tr") if not _is_deleted(row)):
            about = xml.child(row, "trPr")
            before = xml.child(about, "gridBefore") if about is not None else None
            x = min(1000, xml.number(before, "val")) if before is not None else 0
            head = about is not None and _on(xml.child(about, "tblHeader"))
            for box in _unwrapped(row, "tc"):
                self._source.budget.fill(1)
                columns, merge = _span(box)
                above = open_.get(x)
                if merge == "continue" and above is not None:
                    places[above] = replace(places[above], rows=y + 1 - places[above].row)
                else:
                    open_[x] = len(places)
                    if merge != "restart":
                        open_.pop(x)
                    places.append(Cell(y, x, "", columns=columns, head=head))
                    nodes.append(box)
                x += columns
        held = [list(self._blocks(box)) for box in nodes]
        yield from cells.table(held, lambda number, said: replace(places[number], text=said), page)

    def _related_root(self, kind: str) -> Node | None:
        target = next((one.target for one in self._relations.values() if one.kind == kind), "")
        return self._package.root(target) if target in self._package else None

    def _note_nodes(self, kind: str) -> dict[str, Node]:
        root = self._related_root(f"{kind}s")
        nodes = xml.children(root, kind) if root is not None else ()
        return {xml.attribute(one, "id"): one for one in nodes if not xml.attribute(one, "type")}


def _looks(root: Node | None) -> dict[str, Look]:
    """The paragraph styles by their ids, with what they inherit; "" is the default one."""
    nodes = (
        {xml.attribute(one, "styleId"): one for one in xml.children(root, "style")}
        if root is not None
        else {}
    )
    looks = {id_: _look(id_, nodes) for id_ in nodes}
    for id_, node in nodes.items():
        if xml.attribute(node, "type") == "paragraph" and xml.attribute(node, "default") in ("1", "true"):
            looks[""] = replace(looks[id_], depth=None)
    return looks


def _look(id_: str, nodes: Mapping[str, Node]) -> Look:
    look = Look()
    for _ in range(MOST_BASES):
        node = nodes.get(id_)
        if node is None:
            break
        name, base = xml.child(node, "name"), xml.child(node, "basedOn")
        own = (xml.attribute(name, "val") if name is not None else "").lower()
        about = xml.child(node, "pPr")
        list_, level = _numbering(about, look)
        look = Look(look.name or own, look.depth, list_, level)
        if look.depth is None:
            heading = HEADING.match(own)
            depth = int(heading[1]) - 1 if heading else TITLES.get(own)
            look = replace(look, depth=_outline(about, Look(depth=depth)))
        id_ = xml.attribute(base, "val") if base is not None else ""
    return look


def _outline(about: Node | None, look: Look) -> int | None:
    """The depth of a heading, None for other text: what a paragraph says itself goes before its style."""
    level = xml.child(about, "outlineLvl") if about is not None else None
    if level is None:
        return look.depth
    depth = xml.number(level, "val", 9)
    return depth if 0 <= depth < 9 else None


def _numbering(about: Node | None, look: Look) -> tuple[str, int]:
    """The list that a paragraph is in, "" for none, and its level."""
    node = xml.child(about, "numPr") if about is not None else None
    if node is None:
        return look.list, look.level
    list_, level = xml.child(node, "numId"), xml.child(node, "ilvl")
    id_ = xml.attribute(list_, "val") if list_ is not None else look.list
    return ("" if id_ == "0" else id_), min(
        9, max(0, xml.number(level, "val") if level is not None else look.level)
    )


def _lists(root: Node | None) -> tuple[dict[str, dict[int, Level]], dict[str, str]]:
    """The levels of each list, and under which name it counts: lists of one kind go on counting."""
    if root is None:
        return {}, {}
    kinds = {
        xml.attribute(one, "abstractNumId"): {
            xml.number(at, "ilvl"): _level(at) for at in xml.children(one, "lvl")
        }
        for one in xml.children(root, "abstractNum")
    }
    lists, counted = {}, {}
    for node in xml.children(root, "num"):
        id_, kind = xml.attribute(node, "numId"), xml.child(node, "abstractNumId")
        name = xml.attribute(kind, "val") if kind is not None else ""
        lists[id_] = dict(kinds.get(name, {}))
        counted[id_] = f"kind {name}"
        for override in xml.children(node, "lvlOverride"):
            level, start = xml.number(override, "ilvl"), xml.child(override, "startOverride")
            counted[id_] = f"list {id_}"
            if start is not None and level in lists[id_]:
                lists[id_][level] = replace(lists[id_][level], start=xml.number(start, "val", 1))
    return lists, counted


def _level(node: Node) -> Level:
    def value(name: str) -> str:
        found = xml.child(node, name)
        return xml.attribute(found, "val") if found is not None else ""

    if value("numFmt") == "bullet":
        return Level("", "none")
    start = value("start")
    text = re.sub(r"%(\d)", r"^\1", value("lvlText"))
    return Level(
        text, STYLES.get(value("numFmt"), "digit"), int(start) if start.isdigit() and len(start) < 6 else 1
    )


def _chosen(node: Node) -> Node:
    """What of the alternatives for new and old readers is to be read: the first."""
    choice = xml.child(node, "Choice")
    return choice if choice is not None else next(xml.children(node, "Fallback"), ())


def _unwrapped(node: Node, name: str) -> Iterator[Node]:
    """The rows or the cells right below, those in content controls and accepted changes as well."""
    for one in node:
        if xml.local(one) == name:
            yield one
        elif xml.local(one) in ACCEPTED:
            yield from _unwrapped(one, name)


def _is_deleted(row: Node) -> bool:
    about = xml.child(row, "trPr")
    return about is not None and xml.child(about, "del") is not None


def _span(box: Node) -> tuple[int, str]:
    """How many columns a cell spans, and whether it begins or goes on with what is merged downwards."""
    about = xml.child(box, "tcPr")
    across = xml.child(about, "gridSpan") if about is not None else None
    down = xml.child(about, "vMerge") if about is not None else None
    columns = min(1000, max(1, xml.number(across, "val", 1))) if across is not None else 1
    return columns, (xml.attribute(down, "val") or "continue") if down is not None else ""


def _on(switch: Node | None) -> bool:
    return switch is not None and xml.attribute(switch, "val") not in ("0", "false", "off", "none")


def _within(node: Node, top: Node, *names: str) -> bool:
    """Whether a node lies in one of a name, below `top`."""
    above = node.getparent()
    while above is not None and above is not top:
        if xml.local(above) in names:
            return True
        above = above.getparent()
    return False
