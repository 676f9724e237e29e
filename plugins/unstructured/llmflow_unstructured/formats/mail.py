"""E-mail: who wrote to whom about what, the body as HTML or text, and each attachment as the document it is."""

from __future__ import annotations

import email
import email.errors
import email.header
import email.message
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from llmflow_unstructured.elements import Element, Event, Failed
from llmflow_unstructured.errors import BadDocument, NoEngine
from llmflow_unstructured.formats import Source, decoding, html, text

HEADERS = (("From", "From"), ("To", "To"), ("Cc", "Cc"), ("Date", "Date"))
LONGEST_HEADER = 4000  # signs of a header that are looked at
MOST_PARTS = 1000
NARROW = 4096  # bytes that tell how wide a message was written
SPACES = re.compile(r"\s+")

Message = email.message.Message


def read(source: Source) -> Iterator[Event]:
    """The elements of a message. Raises BadDocument or TooLarge."""
    message = email.message_from_bytes(_narrow(source.data))
    rows = [(label, decoded(message.get(name))) for name, label in HEADERS]
    yield from envelope(decoded(message.get("Subject")), rows)
    rich, plain, attached = _parts(message, source)
    if rich is not None:
        yield from html.elements(_content(rich), source)
    elif plain is not None:
        yield from text.paragraphs(_content(plain))
    for number, (name, data) in enumerate(attached, 1):
        yield from attachment(source, name, data)
        source.progress(number, len(attached))


def envelope(subject: str, rows: Sequence[tuple[str, str]]) -> Iterator[Element]:
    """The head of a message: its subject as title, the rest line by line."""
    if subject:
        yield Element("Title", subject)
    said = "\n".join(f"{label}: {value}" for label, value in rows if value)
    if said:
        yield Element("UncategorizedText", said)


def attachment(source: Source, name: str, data: bytes) -> Iterator[Event]:
    """A file within another, its elements marked with its name; one that can't be read spoils nothing else."""
    try:
        for event in source.read(source.packed(data, name)):
            if isinstance(event, Element):
                yield replace(event, inside=f"{name}/{event.inside}" if event.inside else name)
            elif isinstance(event, Failed):
                yield Failed(f"{name}: {event.where}", event.why)
            else:
                yield event
    except (BadDocument, NoEngine) as error:
        yield Failed(name, str(error))


def decoded(header: object) -> str:
    """A header as people read it; raw bytes of old mailers included."""
    if header is None:
        return ""
    given = header if isinstance(header, email.header.Header) else str(header)[:LONGEST_HEADER]
    try:
        pieces = email.header.decode_header(given)
    except (email.errors.HeaderParseError, ValueError):
        return SPACES.sub(" ", str(given))
    said = "".join(_piece(piece, encoding) for piece, encoding in pieces)
    return SPACES.sub(" ", said[:LONGEST_HEADER]).strip()


def _piece(piece: bytes | str, encoding: str | None) -> str:
    data = piece.encode("utf-8", "surrogateescape") if isinstance(piece, str) else piece
    return _as_text(data, "utf-8" if isinstance(piece, str) and not encoding else encoding or "")


def _narrow(data: bytes) -> bytes:
    """A message that was saved as UTF-16, as mail has it."""
    encoding = decoding.decode(data[:NARROW])[1] if b"\0" in data[:NARROW] else ""
    return decoding.decode(data)[0].encode("utf-8", "replace") if encoding.startswith("utf-16") else data


def _parts(
    message: Message, source: Source
) -> tuple[Message | None, Message | None, list[tuple[str, bytes]]]:
    """The body as HTML and as text, None where there is none, and the attachments with their names."""
    rich: Message | None = None
    plain: Message | None = None
    attached: list[tuple[str, bytes]] = []
    for number, part in enumerate(_leaves(message)):
        if number >= MOST_PARTS:
            raise BadDocument(f"The message has more than {MOST_PARTS} parts.")
        kind, name = part.get_content_type(), decoded(part.get_filename())
        aside = part.get_content_disposition() == "attachment" or bool(name)
        if kind == "text/html" and not aside and rich is None:
            rich = part
        elif kind == "text/plain" and not aside and plain is None:
            plain = part
        elif kind == "message/rfc822" or (aside and (source.pictures or part.get("Content-ID") is None)):
            attached.append((name or f"message {len(attached) + 1}.eml", _bytes(part)))
    return rich, plain, attached


def _leaves(message: Message) -> Iterator[Message]:
    """The parts that hold something; a message within is one part."""
    waiting = [message]
    while waiting:
        part = waiting.pop()
        held = part.get_payload()
        if isinstance(held, list) and part.get_content_type() != "message/rfc822":
            waiting += [one for one in reversed(held) if isinstance(one, Message)]
        else:
            yield part


def _bytes(part: Message) -> bytes:
    held = part.get_payload()
    if isinstance(held, list):
        return held[0].as_bytes() if held and isinstance(held[0], Message) else b""
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _content(part: Message) -> str:
    return _as_text(_bytes(part), part.get_content_charset() or "")


def _as_text(data: bytes, encoding: str) -> str:
    """Bytes in the encoding that they are said to have, or in the one that they look to have."""
    named = {"ks_c_5601-1987": "cp949", "euc-kr": "cp949", "unknown-8bit": ""}.get(encoding.lower(), encoding)
    if named:
        try:
            return data.decode(named)
        except (LookupError, UnicodeDecodeError):
            pass
    return decoding.decode(data)[0]
