"""Writes HWP 5 documents, after Hancom's published format: paragraphs, tables, notes, heads, pictures, equations."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from support.ole_file import compound

PARA_HEADER, PARA_TEXT, PARA_CHAR_SHAPE, PARA_LINE_SEG = 0x42, 0x43, 0x44, 0x45
CTRL_HEADER, LIST_HEADER, SHAPE, RECTANGLE, TABLE, PICTURE, EQUATION = (
    0x47,
    0x48,
    0x4C,
    0x4F,
    0x4D,
    0x55,
    0x58,
)
NORMAL, LARGE = 0, 1  # shapes of letters
PLAIN, OUTLINE_1, OUTLINE_2, NUMBERED, BULLET = range(5)  # shapes of paragraphs
STYLES = (("바탕글", "Normal", PLAIN), ("개요 1", "Outline 1", OUTLINE_1), ("개요 2", "Outline 2", OUTLINE_2),
          ("캡션", "Caption", PLAIN))  # fmt: skip
HEADINGS = {OUTLINE_1: (1, 0), OUTLINE_2: (1, 1), NUMBERED: (2, 0), BULLET: (3, 0)}  # kind and level
DIGITS, SYLLABLES = 0, 8  # how a numbering counts
LEVELS = (("^1.", DIGITS), ("^2.", SYLLABLES), ("^3)", DIGITS), ("^4)", SYLLABLES), ("(^5)", DIGITS),
          ("(^6)", SYLLABLES), ("^7", DIGITS))  # fmt: skip
END = "\r"
EXTENDED = 0x0B


def record(tag: int, level: int, data: bytes) -> bytes:
    """A record with its header."""
    if len(data) < 0xFFF:
        return struct.pack("<I", tag | level << 10 | len(data) << 20) + data
    return struct.pack("<II", tag | level << 10 | 0xFFF << 20, len(data)) + data


def string(text: str) -> bytes:
    """A text with its length before it."""
    return struct.pack("<H", len(text.encode("utf-16-le")) // 2) + text.encode("utf-16-le")


def control(name: bytes, code: int = EXTENDED) -> bytes:
    """The eight units that stand for a control in a text."""
    return struct.pack("<H", code) + name[::-1].ljust(12, b"\0") + struct.pack("<H", code)


@dataclass
class Hwp:
    """A document that grows by paragraphs; every method puts one thing after what is there."""

    flags: int = 1  # compressed
    sections: list[bytes] = field(default_factory=lambda: [b""])
    files: dict[str, bytes] = field(default_factory=dict)

    def paragraph(
        self,
        text: str,
        shape: int = PLAIN,
        style: int = 0,
        letters: int = NORMAL,
        *,
        breaks: int = 0,
        lines: Sequence[int] = (),
    ) -> Hwp:
        """A paragraph of text; `breaks` is 4 for a new page, `lines` are the places of its lines on the page."""
        self.sections[-1] += paragraph(text, 0, shape, style, letters, breaks=breaks, lines=lines)
        return self

    def table(self, rows: Sequence[Sequence[str]], caption: str = "", heads: int = 0) -> Hwp:
        """A table without spans."""
        cells = [(x, y, 1, 1, text, y < heads) for y, row in enumerate(rows) for x, text in enumerate(row)]
        return self.spanned(cells, len(rows), max(map(len, rows)), caption)

    def spanned(
        self,
        cells: Sequence[tuple[int, int, int, int, str, bool]],
        rows: int,
        columns: int,
        caption: str = "",
    ) -> Hwp:
        """A table of cells: column, row, columns and rows that it spans, text, whether it is a head."""
        held = b""
        if caption:
            held += record(LIST_HEADER, 2, struct.pack("<HHI", 1, 0, 0) + bytes(14)) + paragraph(caption, 2)
        held += record(TABLE, 2, struct.pack("<IHHH8x", 0, rows, columns, 0) + bytes(2 * rows + 2))
        for x, y, across, down, text, head in cells:
            place = struct.pack("<HHI4H", 1, 0, head << 18, x, y, across, down)
            held += record(LIST_HEADER, 2, place + struct.pack("<II4HHI", 1000, 500, 0, 0, 0, 0, 1, 1000))
            held += b"".join(paragraph(line, 2) for line in text.split("\n"))
        return self._anchored(b"tbl ", held)

    def margin(self, name: bytes, text: str, code: int = 16, before: str = "") -> Hwp:
        """A running head `head`, a foot `foot`, or a note `fn  ` or `en  ` that is anchored in a text."""
        held = record(LIST_HEADER, 2, struct.pack("<HHI", 1, 0, 0)) + paragraph(text, 2)
        return self._anchored(name, held, code, before)

    def box(self, text: str) -> Hwp:
        """A box of text."""
        shape = record(SHAPE, 2, b"cer$" * 2 + bytes(180))
        shape += record(LIST_HEADER, 3, struct.pack("<HHI", 1, 0, 0)) + paragraph(text, 3)
        return self._anchored(b"gso ", shape + record(RECTANGLE, 3, bytes(33)))

    def picture(self, content: bytes, extension: str = "png") -> Hwp:
        """A picture that lies in the document."""
        number = len(self.files) + 1
        self.files[f"BIN{number:04X}.{extension}"] = content
        data = bytes(71) + struct.pack("<H", number) + bytes(8)
        return self._anchored(b"gso ", record(SHAPE, 2, b"cip$" * 2 + bytes(180)) + record(PICTURE, 3, data))

    def equation(self, script: str) -> Hwp:
        """An equation."""
        return self._anchored(b"eqed", record(EQUATION, 2, bytes(4) + string(script) + bytes(16)))

    def link(self, text: str, address: str) -> Hwp:
        """A paragraph that is a link."""
        command = string(address.replace(":", "\\:") + ";1;0;0;")
        field_ = record(CTRL_HEADER, 1, b"%hlk"[::-1] + struct.pack("<IB", 0, 0) + command + bytes(4))
        said = control(b"%hlk", 3) + text.encode("utf-16-le") + control(b"%hlk", 4)
        self.sections[-1] += paragraph(said, 0, below=field_)
        return self

    def section(self) -> Hwp:
        """Another section."""
        self.sections.append(b"")
        return self

    def content(self) -> bytes:
        """The document as a file."""
        streams = {"FileHeader": file_header(self.flags), "DocInfo": self._packed(self._declared())}
        for number, section in enumerate(self.sections):
            streams[f"BodyText/Section{number}"] = self._packed(_section_head() + section)
        streams |= {f"BinData/{name}": self._packed(content) for name, content in self.files.items()}
        return compound(streams)

    def _anchored(self, name: bytes, held: bytes, code: int = EXTENDED, before: str = "") -> Hwp:
        head = record(CTRL_HEADER, 1, name[::-1] + bytes(42))
        said = before.encode("utf-16-le") + control(name, code)
        self.sections[-1] += paragraph(said, 0, below=head + held)
        return self

    def _packed(self, data: bytes) -> bytes:
        engine = zlib.compressobj(wbits=-15)
        return engine.compress(data) + engine.flush() if self.flags & 1 else data

    def _declared(self) -> bytes:
        found = record(0x10, 0, struct.pack("<H24x", len(self.sections))) + record(0x11, 0, bytes(72))
        for number, name in enumerate(self.files, 1):
            found += record(0x12, 1, struct.pack("<HH", 1, number) + string(name.partition(".")[2]))
        for size in (1000, 1600):
            found += record(0x15, 1, bytes(42) + struct.pack("<I", size) + bytes(22))
        levels = b"".join(struct.pack("<IhhI", style << 5, 0, 0, 0) + string(text) for text, style in LEVELS)
        found += record(0x17, 1, levels + struct.pack("<H7I", 0, *[1] * 7))
        for shape in range(5):
            kind, level = HEADINGS.get(shape, (0, 0))
            found += record(
                0x19,
                1,
                struct.pack("<I", kind << 23 | level << 25) + bytes(26) + struct.pack("<H", 1) + bytes(22),
            )
        for name, english, shape in STYLES:
            found += record(
                0x1A, 1, string(name) + string(english) + struct.pack("<BBhHH", 0, 0, 1042, shape, 0)
            )
        return found


def _section_head() -> bytes:
    """What a section begins with: its outline's numbering, and one column."""
    section = struct.pack("<4sIHHHIH", b"secd"[::-1], 0, 1134, 0, 0, 8000, 1) + bytes(18)
    below = record(CTRL_HEADER, 1, section)
    below += record(CTRL_HEADER, 1, struct.pack("<4sHH", b"cold"[::-1], 1 << 2, 0) + bytes(8))
    return paragraph(control(b"secd", 2) + control(b"cold", 2), 0, below=below)


def paragraph(
    text: str | bytes,
    level: int,
    shape: int = PLAIN,
    style: int = 0,
    letters: int = NORMAL,
    *,
    below: bytes = b"",
    breaks: int = 0,
    lines: Sequence[int] = (),
) -> bytes:
    """A paragraph on a level; `below` are the records of what is anchored in it."""
    said = text.encode("utf-16-le") if isinstance(text, str) else text
    said += END.encode("utf-16-le")
    head = struct.pack("<IIHBBHHHI", len(said) // 2, 0, shape, style, breaks, 1, 0, len(lines), 0)
    found = record(PARA_HEADER, level, head) + record(PARA_TEXT, level + 1, said)
    found += record(PARA_CHAR_SHAPE, level + 1, struct.pack("<II", 0, letters))
    if lines:
        found += record(
            PARA_LINE_SEG, level + 1, b"".join(struct.pack("<Ii28x", 0, place) for place in lines)
        )
    return found + below


def file_header(flags: int) -> bytes:
    """The stream that says what kind of HWP a file is."""
    return (b"HWP Document File".ljust(32, b"\0") + struct.pack("<II", 0x05000300, flags)).ljust(256, b"\0")
