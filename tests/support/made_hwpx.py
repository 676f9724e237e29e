"""Writes HWPX documents: a ZIP of OWPML with styles, numberings, tables, notes, heads, pictures and tracked changes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from support.made_hwp import BULLET, LEVELS, NORMAL, NUMBERED, OUTLINE_1, OUTLINE_2, PLAIN, STYLES, SYLLABLES

SPACES = " ".join(
    f'xmlns:{short}="http://www.hancom.co.kr/hwpml/2011/{name}"'
    for short, name in (("hp", "paragraph"), ("hs", "section"), ("hh", "head"), ("hc", "core"))
)
HEADINGS = {
    OUTLINE_1: ("OUTLINE", 0),
    OUTLINE_2: ("OUTLINE", 1),
    NUMBERED: ("NUMBER", 0),
    BULLET: ("BULLET", 0),
}
SECTION_HEAD = '<hp:run charPrIDRef="0"><hp:secPr id="" outlineShapeIDRef="1"/></hp:run>'


@dataclass
class Hwpx:
    """A document that grows by paragraphs; every method puts one thing after what is there."""

    sections: list[str] = field(default_factory=lambda: [""])
    files: dict[str, bytes] = field(default_factory=dict)
    encrypted: bool = False

    def paragraph(
        self,
        text: str,
        shape: int = PLAIN,
        style: int = 0,
        letters: int = NORMAL,
        *,
        breaks: int = 0,
        lines: Sequence[int] = (),
    ) -> Hwpx:
        """A paragraph of text; `breaks` is 4 for a new page, `lines` are the places of its lines on the page."""
        self.sections[-1] += paragraph(
            f"<hp:t>{escape(text)}</hp:t>", shape, style, letters, breaks=breaks, lines=lines
        )
        return self

    def raw(self, inside: str) -> Hwpx:
        """A paragraph of one run with anything in it."""
        self.sections[-1] += paragraph(inside)
        return self

    def table(self, rows: Sequence[Sequence[str]], caption: str = "", heads: int = 0) -> Hwpx:
        """A table without spans."""
        cells = [(x, y, 1, 1, text, y < heads) for y, row in enumerate(rows) for x, text in enumerate(row)]
        return self.spanned(cells, len(rows), max(map(len, rows)), caption)

    def spanned(
        self,
        cells: Sequence[tuple[int, int, int, int, str, bool]],
        rows: int,
        columns: int,
        caption: str = "",
    ) -> Hwpx:
        """A table of cells: column, row, columns and rows that it spans, text, whether it is a head."""
        found = f'<hp:tbl rowCnt="{rows}" colCnt="{columns}">'
        if caption:
            found += f"<hp:caption>{held(caption)}</hp:caption>"
        for row in sorted({place for _, place, *_ in cells}):
            found += "<hp:tr>"
            for x, y, across, down, text, head in cells:
                if y == row:
                    found += (
                        f'<hp:tc header="{int(head)}">{held(text)}<hp:cellAddr colAddr="{x}" rowAddr="{y}"/>'
                    )
                    found += f'<hp:cellSpan colSpan="{across}" rowSpan="{down}"/></hp:tc>'
            found += "</hp:tr>"
        return self.raw(found + "</hp:tbl>")

    def margin(self, name: bytes, text: str, code: int = 16, before: str = "") -> Hwpx:
        """A running head `head`, a foot `foot`, or a note `fn  ` or `en  ` that is anchored in a text."""
        kind = {b"head": "header", b"foot": "footer", b"fn  ": "footNote", b"en  ": "endNote"}[name]
        said = f"<hp:t>{escape(before)}</hp:t>" if before else ""
        return self.raw(f"{said}<hp:ctrl><hp:{kind}>{held(text)}</hp:{kind}></hp:ctrl>")

    def box(self, text: str) -> Hwpx:
        """A box of text."""
        return self.raw(f"<hp:rect><hp:drawText>{held(text)}</hp:drawText></hp:rect>")

    def picture(self, content: bytes, extension: str = "png") -> Hwpx:
        """A picture that lies in the document."""
        name = f"image{len(self.files) + 1}"
        self.files[f"BinData/{name}.{extension}"] = content
        return self.raw(f'<hp:pic><hc:img binaryItemIDRef="{name}"/></hp:pic>')

    def equation(self, script: str) -> Hwpx:
        """An equation."""
        return self.raw(f"<hp:equation><hp:script>{escape(script)}</hp:script></hp:equation>")

    def link(self, text: str, address: str) -> Hwpx:
        """A paragraph that is a link."""
        path = escape(address.replace(":", "\\:"))
        return self.raw(
            '<hp:ctrl><hp:fieldBegin type="HYPERLINK"><hp:parameters><hp:stringParam name="Path">'
            f"{path};1;0;0;</hp:stringParam></hp:parameters></hp:fieldBegin></hp:ctrl><hp:t>{escape(text)}</hp:t>"
        )

    def section(self) -> Hwpx:
        """Another section."""
        self.sections.append("")
        return self

    def content(self) -> bytes:
        """The document as a file."""
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("mimetype", "application/hwp+zip", zipfile.ZIP_STORED)
            archive.writestr("Contents/header.xml", _header())
            for number, section in enumerate(self.sections):
                body = f"<hs:sec {SPACES}><hp:p>{SECTION_HEAD}</hp:p>{section}</hs:sec>"
                archive.writestr(
                    f"Contents/section{number}.xml", f"<?xml version='1.0' encoding='UTF-8'?>{body}"
                )
            archive.writestr("Contents/content.hpf", self._package())
            inside = "<odf:encryption-data/>" if self.encrypted else ""
            archive.writestr(
                "META-INF/manifest.xml", f'<odf:manifest xmlns:odf="urn:odf">{inside}</odf:manifest>'
            )
            for name, content in self.files.items():
                archive.writestr(name, content)
        return target.getvalue()

    def _package(self) -> str:
        items = {f"section{number}": f"Contents/section{number}.xml" for number in range(len(self.sections))}
        items |= {name.partition("/")[2].partition(".")[0]: name for name in self.files}
        listed = "".join(f'<opf:item id="{id_}" href="{href}"/>' for id_, href in items.items())
        spine = "".join(f'<opf:itemref idref="section{number}"/>' for number in range(len(self.sections)))
        return (
            '<opf:package xmlns:opf="http://www.idpf.org/2007/opf/">'
            f"<opf:manifest>{listed}</opf:manifest><opf:spine>{spine}</opf:spine></opf:package>"
        )


def paragraph(
    inside: str,
    shape: int = PLAIN,
    style: int = 0,
    letters: int = NORMAL,
    *,
    breaks: int = 0,
    lines: Sequence[int] = (),
) -> str:
    """A paragraph of one run."""
    segments = "".join(f'<hp:lineseg vertpos="{place}"/>' for place in lines)
    return (
        f'<hp:p paraPrIDRef="{shape}" styleIDRef="{style}" pageBreak="{int(breaks == 4)}">'
        f'<hp:run charPrIDRef="{letters}">{inside}</hp:run>'
        + (f"<hp:linesegarray>{segments}</hp:linesegarray>" if lines else "")
        + "</hp:p>"
    )


def held(text: str) -> str:
    """Paragraphs within something, one a line."""
    lines = (paragraph(f"<hp:t>{escape(line)}</hp:t>") for line in text.split("\n"))
    return f"<hp:subList>{''.join(lines)}</hp:subList>"


def _header() -> str:
    letters = "".join(
        f'<hh:charPr id="{number}" height="{size}"/>' for number, size in enumerate((1000, 1600))
    )
    shapes = ""
    for shape in range(5):
        kind, level = HEADINGS.get(shape, ("NONE", 0))
        shapes += f'<hh:paraPr id="{shape}"><hh:heading type="{kind}" idRef="1" level="{level}"/></hh:paraPr>'
    styles = "".join(
        f'<hh:style id="{number}" type="PARA" name="{name}" engName="{english}" paraPrIDRef="{shape}"/>'
        for number, (name, english, shape) in enumerate(STYLES)
    )
    heads = "".join(
        f'<hh:paraHead start="1" level="{level}" '
        f'numFormat="{"HANGUL_SYLLABLE" if style == SYLLABLES else "DIGIT"}">{text}</hh:paraHead>'
        for level, (text, style) in enumerate(LEVELS, 1)
    )
    return (
        f'<hh:head {SPACES}><hh:refList>{letters}<hh:numberings><hh:numbering id="1">{heads}</hh:numbering>'
        f"</hh:numberings>{shapes}{styles}</hh:refList></hh:head>"
    )
