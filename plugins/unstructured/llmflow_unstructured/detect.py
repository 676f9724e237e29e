"""What a file is, by what is in it. Its name only tells kinds of plain text apart; one that lies is reported."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Literal

from llmflow_unstructured.errors import BadDocument
from llmflow_unstructured.formats import Source, decoding, ole
from llmflow_unstructured.formats.ole import Compound
from llmflow_unstructured.formats.packed import Archive

Format = Literal[
    "pdf", "image", "docx", "pptx", "xlsx", "hwpx", "hwp", "msg", "eml", "html", "markdown", "csv", "text", "zip",
    "gzip",
]  # fmt: skip

MEDIA: dict[Format, str] = {
    "pdf": "application/pdf",
    "image": "image/png",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "hwpx": "application/hwp+zip",
    "hwp": "application/x-hwp",
    "msg": "application/vnd.ms-outlook",
    "eml": "message/rfc822",
    "html": "text/html",
    "markdown": "text/markdown",
    "csv": "text/csv",
    "text": "text/plain",
    "zip": "application/zip",
    "gzip": "application/gzip",
}
PICTURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
)
NAMES: dict[str, Format] = {
    "pdf": "pdf", "png": "image", "jpg": "image", "jpeg": "image", "tif": "image", "tiff": "image", "bmp": "image",
    "gif": "image", "webp": "image", "docx": "docx", "docm": "docx", "pptx": "pptx", "pptm": "pptx", "xlsx": "xlsx",
    "xlsm": "xlsx", "hwpx": "hwpx", "hwp": "hwp", "msg": "msg", "eml": "eml", "html": "html", "htm": "html",
    "md": "markdown", "markdown": "markdown", "csv": "csv", "tsv": "csv", "txt": "text", "text": "text", "log": "text",
    "zip": "zip", "gz": "gzip",
}  # fmt: skip
PLAIN: tuple[Format, ...] = ("markdown", "csv", "text")  # told apart by their names
MAIN_PARTS: tuple[tuple[str, Format], ...] = (
    ("wordprocessingml.document.main", "docx"),
    ("wordprocessingml.template.main", "docx"),
    ("word.document.macroEnabled.main", "docx"),
    ("presentationml.presentation.main", "pptx"),
    ("presentationml.slideshow.main", "pptx"),
    ("powerpoint.presentation.macroEnabled.main", "pptx"),
    ("spreadsheetml.sheet.main", "xlsx"),
    ("excel.sheet.macroEnabled.main", "xlsx"),
)
OLD = {"WordDocument": ".docx", "Workbook": ".xlsx", "Book": ".xlsx", "PowerPoint Document": ".pptx"}
HTML = re.compile(
    rb"^\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.I | re.DOTALL
)
HEADER = re.compile(rb"^(?:from |[A-Za-z][A-Za-z0-9-]{0,60}:)", re.IGNORECASE)
MAIL = re.compile(
    rb"^(?:received|from|to|subject|date|message-id|mime-version|return-path|delivered-to):", re.I | re.M
)
CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
LOOKED_AT = 4096  # bytes of text
BINARY = 0.05  # share of control signs from which nothing is text


def detect(source: Source) -> tuple[Format, str]:
    """The format of a file, and its media type. Raises BadDocument for what is not taken, and says what is."""
    data = source.data
    if not data.strip():
        raise BadDocument("The file is empty.")
    if b"%PDF-" in data[:1024]:
        return _told("pdf")
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image", "image/webp"
    for mark, media in PICTURES:
        if data.startswith(mark) and (mark != b"BM" or data[6:10] == bytes(4)):
            return "image", media
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _told(_packed(Archive(source)))
    if data.startswith(ole.SIGNATURE):
        return _told(_compound(Compound(source)))
    if data.startswith(b"\x1f\x8b"):
        return _told("gzip")
    if data.startswith(b"HWP Document File V3"):
        raise BadDocument("It is a document of HWP 3 or older: save it as HWPX.")
    if data.startswith(b"{\\rtf"):
        raise BadDocument("RTF is not taken: save it as DOCX.")
    return _told(_text(data, named(source.name)))


def named(name: str) -> Format | None:
    """The format that a file's name says, None where it says nothing."""
    return NAMES.get(PurePath(name).suffix.lower().removeprefix("."))


def _told(found: Format) -> tuple[Format, str]:
    return found, MEDIA[found]


def _packed(archive: Archive) -> Format:
    if "Contents/header.xml" in archive or "Contents/section0.xml" in archive:
        return "hwpx"
    if "[Content_Types].xml" in archive:
        types = archive.read("[Content_Types].xml").decode("utf-8", "replace")
        found = next((of for part, of in MAIN_PARTS if part in types), None)
        if found is None:
            raise BadDocument("It is an Office file of a kind that is not taken: DOCX, PPTX and XLSX are.")
        return found
    if "mimetype" in archive and archive.read("mimetype").startswith(b"application/vnd.oasis"):
        raise BadDocument("OpenDocument is not taken: save it as DOCX, PPTX or XLSX.")
    return "zip"


def _compound(compound: Compound) -> Format:
    if "FileHeader" in compound:
        return "hwp"
    if "__properties_version1.0" in compound:
        return "msg"
    if "EncryptedPackage" in compound:
        raise BadDocument("It is protected by a password: save it without one.")
    for stream, now in OLD.items():
        if stream in compound:
            raise BadDocument(f"It is a document of Office 2003 or older: save it as {now}.")
    raise BadDocument("It is a compound file of a kind that is not taken.")


def _text(data: bytes, name: Format | None) -> Format:
    head = data[:LOOKED_AT]
    if HTML.match(head.removeprefix(b"\xef\xbb\xbf")):
        return "html"
    text, encoding = decoding.decode(head)
    if _is_mail(head) or (encoding.startswith("utf-16") and _is_mail(text.encode("utf-8", "replace"))):
        return "eml"
    narrow = not encoding.startswith("utf-16") and not encoding.startswith("utf-32")
    if narrow and len(CONTROLS.findall(head)) > BINARY * len(head):
        raise BadDocument("It is binary data of a kind that is not taken.")
    if HTML.match(text.encode("utf-8", "replace")):
        return "html"
    if name == "html" and "</" in text:
        return "html"
    return name if name in PLAIN else "text"


def _is_mail(head: bytes) -> bool:
    """Whether a text begins with the headers of a message: two at least that only mail has."""
    headers = head.replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    return bool(HEADER.match(head)) and len(set(map(bytes.lower, MAIL.findall(headers)))) >= 2
