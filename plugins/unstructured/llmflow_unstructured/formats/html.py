"""HTML: the main content of a page, without what is hidden, runs, or leads elsewhere. Nothing it names is fetched."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree
from lxml import html as lxml_html

from llmflow_unstructured import tables
from llmflow_unstructured.elements import Element, Kind
from llmflow_unstructured.errors import BadDocument
from llmflow_unstructured.formats import Source, decoding, prose, xml
from llmflow_unstructured.formats.xml import Node
from llmflow_unstructured.tables import Spanned

CHARSET = re.compile(rb"<meta[^>]{1,200}charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{2,40})", re.IGNORECASE)
HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
DATA = re.compile(r"^data:(image/[a-z0-9.+-]{2,40});base64,", re.IGNORECASE)
SKIPPED = frozenset(
    "script style template noscript iframe object embed applet head svg canvas audio video select button input "
    "textarea datalist nav aside dialog".split()
)
BLOCKS = frozenset(
    "address article blockquote body center dd details div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 "
    "h5 h6 header hr html li main ol p pre section summary table tbody td tfoot th thead tr ul".split()
)
HEADINGS = {f"h{level}": level - 1 for level in range(1, 7)}
LISTS = ("ul", "ol", "menu")
CLOSED = ("article", "main", "section", "td")  # a head or foot within one belongs to the content
MOST_NESTED = 200
LINE_END = "\x00"  # stands for a `br`: line ends in the source are blanks


def read(source: Source) -> Iterator[Element]:
    """The elements of a page. Raises BadDocument."""
    declared = CHARSET.search(source.data[:2048])
    text, encoding = decoding.decode(source.data)
    if declared and encoding not in ("utf-8", "utf-16", "utf-32"):
        text = _declared(source.data, declared[1].decode("ascii"), text)
    yield from elements(text, source)


def elements(text: str, source: Source) -> Iterator[Element]:
    """The elements of a page that is text already. Raises BadDocument."""
    parser = lxml_html.HTMLParser(no_network=True, remove_comments=True, remove_pis=True, huge_tree=False)
    try:
        root = lxml_html.document_fromstring(_undeclared(text), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError) as error:
        raise BadDocument("It is not HTML.") from error
    reader = _Reader(source)
    reader.walk(_main(root))
    reader.flush()
    yield from reader.found


@dataclass
class _Reader:
    """Collects elements along a tree; text outside of blocks is gathered until the next one begins."""

    source: Source
    found: list[Element] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)
    link: str = ""
    kind: Kind | None = None  # of the block whose text is gathered, None for plain text
    depth: int = 0
    label: str = ""

    def walk(self, node: Node, lists: int = 0, nested: int = 0) -> None:
        """All of a node: its text, its children, and what follows each."""
        self.pieces.append(node.text or "")
        for number, child in enumerate(node):
            if number % 256 == 0:
                self.source.limits.check_time()
            name = child.tag.lower() if isinstance(child.tag, str) else ""
            if name and nested < MOST_NESTED and not _is_hidden(child, name):
                self._child(child, name, lists, nested + 1)
            self.pieces.append(child.tail or "")

    def flush(self) -> None:
        """Make an element of the text that is gathered."""
        said = prose.clean("".join(self.pieces).replace("\n", " ").replace(LINE_END, "\n"))
        if said and self.kind is None:
            self.found.append(prose.paragraph(said, link=self.link))
        elif said and self.kind is not None:
            text = f"{self.label} {said}".strip()
            self.found.append(Element(self.kind, text, depth=self.depth, link=self.link))
        self.pieces, self.link, self.kind, self.depth, self.label = [], "", None, 0, ""

    def _child(self, node: Node, name: str, lists: int, nested: int) -> None:
        if name == "br":
            self.pieces.append(LINE_END)
        elif name == "img":
            self._image(node)
        elif name == "table":
            self.flush()
            self._table(node, lists, nested)
        elif name == "pre":
            self.flush()
            said = "".join(node.itertext()).strip("\n").rstrip()
            self.found += [Element("CodeSnippet", said)] if said.strip() else []
        elif name in LISTS:
            self.flush()
            self._list(node, name, lists, nested)
        elif name in HEADINGS:
            self._block(node, lists, nested, "Title", HEADINGS[name])
        elif name in ("figcaption", "caption"):
            self._block(node, lists, nested, "FigureCaption", 0)
        elif name in BLOCKS:
            self._block(node, lists, nested, None, 0)
        else:
            if name == "a" and not self.link:
                href = (node.get("href") or "").strip()
                self.link = href if href.lower().startswith(("http://", "https://", "mailto:")) else ""
            self.walk(node, lists, nested)

    def _block(self, node: Node, lists: int, nested: int, kind: Kind | None, depth: int) -> None:
        self.flush()
        self.kind, self.depth = kind, depth
        self.walk(node, lists, nested)
        self.flush()

    def _list(self, node: Node, name: str, lists: int, nested: int) -> None:
        number = xml.number(node, "start", 1)
        for item in node:
            tag = item.tag.lower() if isinstance(item.tag, str) else ""
            if tag in LISTS and nested < MOST_NESTED:
                self._list(item, tag, lists + 1, nested + 1)
            elif tag and not _is_hidden(item, tag):
                self.kind, self.depth = "ListItem", lists
                self.label = f"{number}." if name == "ol" else ""
                number += 1
                self.walk(item, lists + 1, nested)
                self.flush()
            self.pieces = []

    def _table(self, node: Node, lists: int, nested: int) -> None:
        """A table of data; one that only places things on the page is read as what it holds."""
        rows = [row for row in _rows(node) if not _is_hidden(row, "tr")]
        boxes = [[box for box in row if box.tag in ("td", "th")] for row in rows]
        count = sum(map(len, boxes))
        self.source.budget.fill(count)
        placing = (node.get("role") or "").lower() in ("presentation", "none")
        if count <= 1 or placing or any(True for one in node for _ in xml.below(one, "table")):
            self.walk(node, lists, nested)
            self.flush()
            return
        for caption in xml.children(node, "caption"):
            self._block(caption, lists, nested, "FigureCaption", 0)
        made = tables.from_spans([self._cell(box, nested) for box in row] for row in boxes)
        if any(cell.text for cell in made.cells):
            self.found.append(Element("Table", tables.text(made), html=tables.html(made)))

    def _cell(self, node: Node, nested: int) -> Spanned:
        within = _Reader(self.source)
        within.walk(node, nested=nested)
        within.flush()
        said = "\n".join(element.text for element in within.found)
        head = node.tag == "th" or (node.getparent() is not None and _is_in_head(node))
        return said, tables.span(node.get("rowspan")), tables.span(node.get("colspan")), head

    def _image(self, node: Node) -> None:
        """A picture that says what it shows; its file only where it lies in the page itself."""
        said, content, kind = prose.clean(node.get("alt") or ""), b"", ""
        data = DATA.match(node.get("src") or "")
        if data and self.source.pictures:
            try:
                content, kind = base64.b64decode(node.get("src")[data.end() :]), data[1]
            except (binascii.Error, ValueError):
                content = b""
            content = content if self.source.budget.picture(len(content)) else b""
        if said or content:
            self.found.append(Element("Image", said, picture=content, picture_type=kind if content else ""))


def _rows(node: Node) -> list[Node]:
    """The rows of a table, its head first."""
    found = []
    for one in node:
        if one.tag in ("thead", "tbody", "tfoot"):
            found += [row for row in one if row.tag == "tr"]
        elif one.tag == "tr":
            found.append(one)
    return found


def _is_in_head(cell: Node) -> bool:
    above = cell.getparent().getparent()
    return above is not None and above.tag == "thead"


def _main(root: Node) -> Node:
    """What a page is about: its `main` or its only article, else its body."""
    for path in ("//main", "//*[@role='main']", "//article"):
        found = root.xpath(path)
        if len(found) == 1 and "".join(found[0].itertext()).strip():
            return found[0]
    body = root.find("body")
    return root if body is None else body


def _is_hidden(node: Node, name: str) -> bool:
    """Whether nobody sees it, or it is no content: what leads around a site, and its head and foot."""
    if name in SKIPPED or node.get("hidden") is not None or node.get("aria-hidden") == "true":
        return True
    if HIDDEN_STYLE.search(node.get("style") or ""):
        return True
    if name in ("header", "footer"):
        within = any(True for _ in node.iterancestors(*CLOSED))
        return not within and not (name == "header" and any(True for _ in node.iter("h1")))
    return False


def _declared(data: bytes, encoding: str, otherwise: str) -> str:
    """The text in the encoding that a page declares, where that is one and reads well."""
    try:
        text = data.decode(
            {"euc-kr": "cp949", "ks_c_5601-1987": "cp949"}.get(encoding.lower(), encoding), "replace"
        )
    except LookupError:
        return otherwise
    return text if text.count("\ufffd") <= otherwise.count("\ufffd") else otherwise


def _undeclared(text: str) -> str:
    """The text without an XML declaration, whose encoding no longer holds, and without NUL."""
    return re.sub(r"^\s*<\?xml[^>]*\?>", "", text.replace("\x00", ""), count=1)
