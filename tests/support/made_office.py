"""Writes DOCX, PPTX, XLSX, EML and MSG documents, with what their libraries don't write put in as XML."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from typing import Any

from support.ole_file import compound

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
NOTES = (
    f'<w:footnotes xmlns:w="{WORD}"><w:footnote w:type="separator" w:id="-1"><w:p/></w:footnote>'
    '<w:footnote w:id="1"><w:p><w:r><w:t>각주 내용</w:t></w:r></w:p></w:footnote></w:footnotes>'
)


def png(width: int = 1, height: int = 1) -> bytes:
    """A grey picture."""

    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + b"\x80" * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", zlib.compress(rows)) + part(b"IEND", b"")
    )


def docx(fill: Callable[[Any], object] = lambda _: None, *, body: str = "") -> bytes:
    """A DOCX document; `body` is XML before its last section."""
    from docx import Document  # the libraries take half a second each to load

    document = Document()
    fill(document)
    held = _saved(document)
    if body:
        place = re.compile(rb"(<w:sectPr.*?</w:sectPr></w:body>)", re.DOTALL)
        held = edited(held, "word/document.xml", lambda xml: place.sub(body.encode() + rb"\1", xml))
    return held


def with_footnotes(document: bytes) -> bytes:
    """A DOCX document with a part of notes, and the relation to it."""
    relation = (
        b'<Relationship Id="rIdNotes" Type="http://x/footnotes" Target="footnotes.xml"/></Relationships>'
    )
    held = edited(document, "word/footnotes.xml", lambda _: NOTES.encode())
    return edited(
        held, "word/_rels/document.xml.rels", lambda xml: xml.replace(b"</Relationships>", relation)
    )


def pptx(fill: Callable[[Any], object]) -> bytes:
    """A presentation."""
    from pptx import Presentation

    presentation = Presentation()
    fill(presentation)
    return _saved(presentation)


def xlsx(fill: Callable[[Any], object]) -> bytes:
    """A workbook."""
    from openpyxl import Workbook

    workbook = Workbook()
    fill(workbook)
    return _saved(workbook)


def eml(text: str, *, html: str = "", attached: Mapping[str, bytes] | None = None, **headers: str) -> bytes:
    """A message."""
    message = EmailMessage()
    for name, value in headers.items():
        message[name] = value
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    for name, data in (attached or {}).items():
        message.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
    return bytes(message)


def msg(properties: Mapping[str, str], attached: Mapping[str, bytes] | None = None) -> bytes:
    """A message as Outlook saves it; properties by their codes."""
    streams = {f"__substg1.0_{code}001F": text.encode("utf-16-le") for code, text in properties.items()}
    streams["__properties_version1.0"] = bytes(32)
    for number, (name, data) in enumerate((attached or {}).items()):
        folder = f"__attach_version1.0_#{number:08X}"
        streams[f"{folder}/__substg1.0_3707001F"] = name.encode("utf-16-le")
        streams[f"{folder}/__substg1.0_37010102"] = data
    return compound(streams)


def zipped(members: Mapping[str, bytes]) -> bytes:
    """A ZIP archive."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target.getvalue()


def edited(archive: bytes, name: str, change: Callable[[bytes], bytes]) -> bytes:
    """A ZIP archive with one member changed, or added."""
    target = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(archive)) as old,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        names = old.namelist()
        for member in names:
            content = old.read(member)
            new.writestr(member, change(content) if member == name else content)
        if name not in names:
            new.writestr(name, change(b""))
    return target.getvalue()


def _saved(document: Any) -> bytes:
    target = io.BytesIO()
    document.save(target)
    return target.getvalue()
