"""MSG, the messages that Outlook saves: properties in the streams of a compound file."""

from __future__ import annotations

import re
from collections.abc import Iterator

from llmflow_unstructured.elements import Event, Failed
from llmflow_unstructured.formats import Source, decoding, html, mail, text
from llmflow_unstructured.formats.ole import Compound

SUBJECT, SENDER, SENDER_ADDRESS, TO, CC = "0037", "0C1A", "5D01", "0E04", "0E03"
BODY, RICH_BODY = "1000", "1013"
DATA, LONG_NAME, SHORT_NAME, EMBEDDED = "3701", "3707", "3704", "3701000D"
ATTACHMENT = re.compile(r"^(__attach_version1\.0_#[0-9A-F]{8})/")


def read(source: Source) -> Iterator[Event]:
    """The elements of a message. Raises BadDocument or TooLarge."""
    compound = Compound(source)
    sender, address = _property(compound, SENDER), _property(compound, SENDER_ADDRESS)
    rows = [
        ("From", f"{sender} <{address}>" if sender and address else sender or address),
        ("To", _property(compound, TO)),
        ("Cc", _property(compound, CC)),
    ]
    yield from mail.envelope(_property(compound, SUBJECT), rows)
    rich, plain = _property(compound, RICH_BODY), _property(compound, BODY)
    if rich.strip():
        yield from html.elements(rich, source)
    else:
        yield from text.paragraphs(plain)
    folders = sorted({match[1] for path in compound.paths if (match := ATTACHMENT.match(path))})
    for number, folder in enumerate(folders, 1):
        name = _property(compound, LONG_NAME, folder) or _property(compound, SHORT_NAME, folder)
        name = name or f"attachment {number}"
        path = f"{folder}/__substg1.0_{DATA}0102"
        if path in compound:
            yield from mail.attachment(source, name, compound.read(path))
        elif any(one.startswith(f"{folder}/__substg1.0_{EMBEDDED}") for one in compound.paths):
            yield Failed(name, "It is a message within a message: save it by itself.")
        source.progress(number, len(folders))


def _property(compound: Compound, code: str, folder: str = "") -> str:
    """A text property, whether Unicode, in the sender's encoding, or as bytes; "" where there is none."""
    before = f"{folder}/" if folder else ""
    for kind in ("001F", "001E", "0102"):
        path = f"{before}__substg1.0_{code}{kind}"
        if path in compound:
            content = compound.read(path)
            said = content.decode("utf-16-le", "replace") if kind == "001F" else decoding.decode(content)[0]
            return said.strip("\x00").strip()
    return ""
