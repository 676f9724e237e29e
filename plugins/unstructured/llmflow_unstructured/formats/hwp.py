"""HWP 5, the binary format of Hancom's word processor: records in streams of a compound file.

A reader of our own, bounded: a section is read a paragraph at a time, nesting ends where no document's does, and every
length is checked against what is there. Layouts are those of Hancom's published format, revision 1.3.
"""

from __future__ import annotations

import mimetypes
import re
import struct
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from llmflow_unstructured.elements import Element, Event, Failed, Kind
from llmflow_unstructured.errors import BadDocument
from llmflow_unstructured.formats import Source, cells, hancom, prose
from llmflow_unstructured.formats.hancom import Looks, Paragraph, Shape, Writer
from llmflow_unstructured.formats.numbering import Level, Style
from llmflow_unstructured.formats.ole import Compound
from llmflow_unstructured.formats.packed import inflated
from llmflow_unstructured.tables import Cell

SIGNATURE = b"HWP Document File"
COMPRESSED, PASSWORD, DISTRIBUTED, DRM = 1 << 0, 1 << 1, 1 << 2, 1 << 4  # flags of the file header
SECTION = re.compile(r"^BodyText/Section(\d+)$")

BIN_DATA, CHAR_SHAPE, NUMBERING, PARA_SHAPE, STYLE = 0x12, 0x15, 0x17, 0x19, 0x1A
PARA_HEADER, PARA_TEXT, PARA_CHAR_SHAPE, PARA_LINE_SEG = 0x42, 0x43, 0x44, 0x45
CTRL_HEADER, LIST_HEADER, SHAPE, TABLE, PICTURE, EQUATION = 0x47, 0x48, 0x4C, 0x4D, 0x55, 0x58

DEEPEST = 120  # levels of records; what lies deeper counts as there
SIGN_WIDTH = 8  # units of a control in a text, but of those that are one sign
ONE_UNIT = {0, 10, 13, *range(24, 32)}
SIGNS = {9: "\t", 10: "\n", 24: "-", 30: " ", 31: " "}
EXTENDED = {
    1,
    2,
    3,
    11,
    12,
    14,
    15,
    16,
    17,
    18,
    21,
    22,
    23,
}  # each stands for one control below the paragraph
PAGE_BREAK = 1 << 2
HEAD_CELL = 1 << 18
COLUMNS = (2, 0xFF)  # shift and mask of a column definition's count
WORDS = (b"tdut", b"tcps")
CAPTIONED = {3, 4, 5}  # automatic numbers of pictures, tables, equations
MARGINS: dict[bytes, Kind] = {b"head": "Header", b"foot": "Footer", b"fn  ": "Footnote", b"en  ": "Footnote"}
HEADINGS: tuple[hancom.Heading, ...] = ("", "outline", "number", "bullet")
STYLES: dict[int, Style] = {
    0: "digit", 1: "circle", 2: "ROMAN", 3: "roman", 4: "LATIN", 5: "latin", 8: "ganada", 10: "jamo",
    12: "hangul", 13: "hanja",
}  # fmt: skip


@dataclass
class Record:
    """A record with those below it."""

    tag: int
    data: bytes = field(repr=False)
    below: list[Record] = field(default_factory=list)

    def first(self, tag: int) -> Record | None:
        """The first record of a kind right below."""
        return next((one for one in self.below if one.tag == tag), None)


def read(source: Source) -> Iterator[Event]:
    """The elements of a HWP 5 document. Raises BadDocument or TooLarge."""
    compound = Compound(source)
    flags = _flags(compound.read("FileHeader"))
    unpack: Callable[[bytes], bytes] = (lambda data: inflated(data, source)) if flags & COMPRESSED else bytes
    looks, files = _declared(records(unpack(compound.read("DocInfo"))))
    found = sorted((int(match[1]), path) for path in compound.paths if (match := SECTION.match(path)))
    if not found:
        raise BadDocument("The HWP document has no section.")
    reader = _Reader(source, compound, files, Writer(looks), unpack)
    for number, (_, path) in enumerate(found, 1):
        try:
            yield from reader.section(unpack(compound.read(path)))
        except BadDocument as error:
            if len(found) == 1:
                raise
            yield Failed(f"section {number}", str(error))
        source.progress(number, len(found))


def records(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Tag, level and content of each record; the last one may be cut off."""
    at, end = 0, len(data)
    while at + 4 <= end:
        (head,) = struct.unpack_from("<I", data, at)
        at += 4
        size = head >> 20
        if size == 0xFFF:
            if at + 4 > end:
                return
            (size,) = struct.unpack_from("<I", data, at)
            at += 4
        yield head & 0x3FF, (head >> 10) & 0x3FF, data[at : at + size]
        at += size


def trees(found: Iterator[tuple[int, int, bytes]]) -> Iterator[Record]:
    """The records of the outermost level, each with all that is below it."""
    path: list[Record] = []
    for tag, level, data in found:
        record = Record(tag, data)
        level = min(level, DEEPEST, len(path))
        if level == 0:
            if path:
                yield path[0]
            path = [record]
        else:
            del path[level:]
            path[-1].below.append(record)
            path.append(record)
    if path:
        yield path[0]


class _Reader:
    """Walks the sections of one document."""

    def __init__(
        self,
        source: Source,
        compound: Compound,
        files: list[str],
        writer: Writer,
        unpack: Callable[[bytes], bytes],
    ) -> None:
        self._source, self._compound, self._files = source, compound, files
        self._writer, self._unpack = writer, unpack
        self._page, self._low, self._columns = 0, 0, 1  # `_low`: how far down the page the last line stood
        self._repeated: set[tuple[str, str]] = set()  # heads and feet that were given already

    def section(self, data: bytes) -> Iterator[Element]:
        """The elements of a section, which begins a page."""
        self._page, self._low, self._columns = self._page + 1, -1, 1
        self._writer.usual = hancom.usual_size(self._sizes(data))
        for number, record in enumerate(trees(records(data))):
            self._source.limits.check_time()
            if record.tag == PARA_HEADER:
                broken = number > 0 and _byte(record.data, 11) & PAGE_BREAK > 0
                yield from self._placed(record, broken)

    def _sizes(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Sizes of letters with how many have them, paragraph by paragraph."""
        letters = 0
        for tag, _, content in records(data):
            if tag == PARA_HEADER:
                letters = _word(content, 0) & 0x7FFFFFFF
            elif tag == PARA_CHAR_SHAPE and letters > 1:
                yield self._size(content), letters

    def _placed(self, record: Record, broken: bool) -> Iterator[Element]:
        """A paragraph of the body, on the page where its first line stands."""
        segments = record.first(PARA_LINE_SEG)
        lines = (
            [place for _, place, *_ in struct.iter_unpack("<Ii28x", _whole(segments.data, 36))]
            if segments
            else []
        )
        if broken or (lines and self._columns == 1 and lines[0] < self._low):
            self._page, self._low = self._page + 1, -1
        yield from self._paragraph(record)
        for line in lines:
            if self._columns == 1 and line < self._low:
                self._page += 1
            self._low = line

    def _paragraphs(self, among: list[Record]) -> Iterator[Element]:
        for record in among:
            if record.tag == PARA_HEADER:
                yield from self._paragraph(record)

    def _paragraph(self, record: Record) -> Iterator[Element]:
        """A paragraph's text, then what is anchored in it."""
        controls = [one for one in record.below if one.tag == CTRL_HEADER]
        objects: list[Element] = []
        words: list[str] = []  # what stands in the text for each control
        link = ""
        for control in controls:
            name = control.data[3::-1] if len(control.data) >= 4 else b""
            words.append(_word_of(name, control.data))
            link = link or (_address(control.data) if name == b"%hlk" else "")
            objects += self._control(name, control)
        text = record.first(PARA_TEXT)
        shapes = record.first(PARA_CHAR_SHAPE)
        said = _text(text.data, words) if text else ""
        size = self._size(shapes.data) if shapes else 0
        paragraph = Paragraph(said, _half(record.data, 8), _byte(record.data, 10), size, link)
        element = self._writer.element(paragraph, self._page)
        if element:
            yield element
        yield from objects

    def _control(self, name: bytes, record: Record) -> Iterator[Element]:
        if name in MARGINS:
            yield from self._margin(MARGINS[name], record)
        elif name == b"tbl ":
            yield from self._table(record)
        elif name in (b"gso ", b"eqed"):
            yield from self._drawn(record, record)
        elif name == b"secd":
            self._writer.outline = _half(record.data, 18)
        elif name == b"cold":
            self._columns = max(1, (_half(record.data, 4) >> COLUMNS[0]) & COLUMNS[1])

    def _margin(self, kind: Kind, record: Record) -> Iterator[Element]:
        """A running head or foot, once for all pages, or a note."""
        said = cells.text(self._paragraphs(record.below))
        if said and not (kind in ("Header", "Footer") and (kind, said) in self._repeated):
            self._repeated.add((kind, said))
            yield Element(kind, said, page=self._page)

    def _table(self, record: Record) -> Iterator[Element]:
        """A table with its caption."""
        captions: list[Element] = []
        boxes: list[tuple[Record, list[Record]]] = []
        begun = False
        for one in record.below:
            begun = begun or one.tag == TABLE
            if one.tag == LIST_HEADER:
                boxes.append((one, []))
            elif one.tag == PARA_HEADER and boxes:
                boxes[-1][1].append(one)
            if not begun and one.tag == PARA_HEADER:
                captions += self._paragraph(one)
                boxes.clear()
        boxes = [box for box in boxes if len(box[0].data) >= 16]
        self._source.budget.fill(len(boxes))
        yield from _caption(captions, self._page)
        held = [list(self._paragraphs(paragraphs)) for _, paragraphs in boxes]
        yield from cells.table(held, lambda number, said: _cell(boxes[number][0].data, said), self._page)

    def _drawn(self, record: Record, anchor: Record) -> Iterator[Element]:
        """The text and the pictures in a drawing, in what is grouped in it, and its caption."""
        for one in record.below:
            if one.tag == PICTURE:
                yield self._picture(one.data, anchor.data)
            elif one.tag == EQUATION:
                said = prose.clean(_string(one.data, 4)[0])
                yield from [Element("Formula", said, page=self._page)] if said else []
            elif one.tag == SHAPE:
                yield from self._drawn(one, anchor)
        within = list(self._paragraphs(record.below))
        yield from _caption(within, self._page) if record is anchor else within

    def _picture(self, data: bytes, anchor: bytes) -> Element:
        """A picture by what it is called, with its file where pictures are asked for."""
        number = _half(data, 71)
        name = self._files[number - 1] if 0 < number <= len(self._files) else ""
        content = b""
        if self._source.pictures and f"BinData/{name}" in self._compound:
            content = self._unpack(self._compound.read(f"BinData/{name}"))
            content = content if self._source.budget.picture(len(content)) else b""
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        original = re.search(r"원본 그림의 이름:\s*(\S[^\r\n]*)", _string(anchor, 44)[0])
        called = original[1].strip() if original else name
        return Element(
            "Image", called, page=self._page, picture=content, picture_type=kind if content else ""
        )

    def _size(self, shapes: bytes) -> int:
        """The size of most letters of a paragraph: that of the run that is longest, but for the last."""
        runs = list(struct.iter_unpack("<II", _whole(shapes, 8)))
        lengths = [(after[0] - run[0], run[1]) for run, after in pairwise(runs)]
        best = max(lengths, default=(0, runs[-1][1] if runs else -1))[1]
        return self._writer.looks.sizes.get(best, 0)


def _flags(header: bytes) -> int:
    """The flags of the file header; raises BadDocument for what can't be read without a key."""
    if not header.startswith(SIGNATURE) or len(header) < 40:
        raise BadDocument("It is no HWP 5 document: its header is damaged.")
    (flags,) = struct.unpack_from("<I", header, 36)
    if flags & PASSWORD:
        raise BadDocument("It is protected by a password: save it without one.")
    if flags & DISTRIBUTED:
        raise BadDocument(
            "It is a distribution document, which only Hancom's viewer reads: ask for the original."
        )
    if flags & DRM:
        raise BadDocument("It is protected by rights management: save it without.")
    return int(flags)


def _declared(found: Iterator[tuple[int, int, bytes]]) -> tuple[Looks, list[str]]:
    """The shapes, styles and numberings of a document, and the names of the files in it."""
    looks, files = Looks(), []
    for tag, _, data in found:
        if tag == PARA_SHAPE:
            attributes = _word(data, 0)
            kind = HEADINGS[(attributes >> 23) & 3]
            looks.shapes[len(looks.shapes)] = Shape(kind, (attributes >> 25) & 7, _half(data, 30))
        elif tag == STYLE:
            name, at = _string(data, 0)
            _, at = _string(data, at)
            looks.styles[len(looks.styles)] = (name, _half(data, at + 4))
        elif tag == NUMBERING:
            looks.numberings[len(looks.numberings) + 1] = dict(enumerate(_levels(data)))
        elif tag == CHAR_SHAPE:
            looks.sizes[len(looks.sizes)] = _word(data, 42)
        elif tag == BIN_DATA:
            files.append(_file(data))
    return looks, files


def _levels(data: bytes) -> Iterator[Level]:
    """The seven levels of a numbering."""
    at, levels = 0, []
    for _ in range(7):
        style = STYLES.get((_word(data, at) >> 5) & 0xF, "digit")
        text, at = _string(data, at + 12)
        levels.append((text, style))
    for number, (text, style) in enumerate(levels):
        start = _word(data, at + 2 + 4 * number) if at + 6 + 4 * number <= len(data) else 1
        yield Level(text, style, start if 0 < start < 1_000_000 else 1)


def _file(data: bytes) -> str:
    """The name of an embedded file's stream, "" for one that is only linked."""
    if _half(data, 0) & 0xF != 1:
        return ""
    return f"BIN{_half(data, 2):04X}.{_string(data, 4)[0]}"


def _text(data: bytes, words: list[str]) -> str:
    """A paragraph's text; `words` is what stands for each of its extended controls."""
    units = array("H", _whole(data, 2))
    pieces: list[str] = []
    at = control = 0
    for place in [index for index, unit in enumerate(units) if unit < 32]:
        if place < at:
            continue  # within a control
        pieces.append(data[2 * at : 2 * place].decode("utf-16-le", "replace"))
        unit = units[place]
        at = place + (1 if unit in ONE_UNIT else SIGN_WIDTH)
        pieces.append(SIGNS.get(unit, ""))
        if unit in EXTENDED:
            pieces.append(words[control] if control < len(words) else "")
            control += 1
    pieces.append(data[2 * at : 2 * len(units)].decode("utf-16-le", "replace"))
    return "".join(pieces)


def _word_of(name: bytes, data: bytes) -> str:
    """What a control puts into the text: the number of a caption, signs above others, signs over one another."""
    if name == b"atno" and _word(data, 4) & 0xF in CAPTIONED:
        return str(_half(data, 8))
    return _string(data, 4)[0] if name in WORDS else ""


def _address(data: bytes) -> str:
    return hancom.web_address(_string(data, 9)[0])


def _caption(held: list[Element], page: int) -> list[Element]:
    said = cells.text(held)
    return [Element("FigureCaption", said, page=page)] if said else []


def _cell(data: bytes, said: str) -> Cell:
    column, row, columns, rows = struct.unpack_from("<4H", data, 8)
    return Cell(row, column, said, max(1, rows), max(1, columns), _word(data, 4) & HEAD_CELL > 0)


def _string(data: bytes, at: int) -> tuple[str, int]:
    """A string with its length before it, and where it ends."""
    end = at + 2 + 2 * _half(data, at)
    return data[at + 2 : end].decode("utf-16-le", "replace"), end


def _whole(data: bytes, size: int) -> bytes:
    return data[: len(data) // size * size]


def _byte(data: bytes, at: int) -> int:
    return data[at] if at < len(data) else 0


def _half(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "little")


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")
