"""Server-sent events: the bytes of a response in, the data of each event out.

Lines end with LF, CRLF or CR; comments and other fields are skipped; bytes are decoded by whole lines, so
that a character split between two chunks stays whole. An event that no empty line closes is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from llmflow_kit.faults import Garbled

DONE = "[DONE]"  # the data of an OpenAI stream's last event
MAX_EVENT = 2 << 20  # bytes; a longer line or event is refused, so that no server can fill our memory

LINE_END = re.compile(rb"\r\n|\n|\r(?=[^\n])")  # a CR at the very end may yet turn out to be a CRLF


def events(chunks: Iterable[bytes], limit: int = MAX_EVENT) -> Iterator[str]:
    """Yield the data of each event, its lines joined by LF; raises Garbled for what is no event stream."""
    data: list[str] = []
    size = 0
    for line in _lines(chunks, limit):
        if not line:
            if data:
                yield "\n".join(data)
            data, size = [], 0
        elif line.startswith(b"data:"):
            size += len(line)
            if size > limit:
                raise Garbled(f"The server sent an event of more than {limit >> 20} MiB.")
            data.append(_text(line[5:].removeprefix(b" ")))


def _lines(chunks: Iterable[bytes], limit: int) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *lines, rest = LINE_END.split(rest + chunk)
        yield from lines
        if len(rest) > limit:
            raise Garbled(f"The server sent a line of more than {limit >> 20} MiB.")
    if rest.endswith(b"\r"):
        yield rest[:-1]


def _text(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as exc:
        raise Garbled("The server sent bytes that are not UTF-8.") from exc
