"""Server-sent events: the bytes of a response in, the data of the events that came together out.

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


def batches(chunks: Iterable[bytes], limit: int = MAX_EVENT) -> Iterator[list[str]]:
    """Yield the data of the events that each chunk completes, an event's lines joined by LF.

    Raises Garbled for what is no event stream; the events before it in the same chunk are yielded first.
    """
    held: list[bytes] = []  # of a line whose end has not come: joined once it has, not at every chunk
    data: list[str] = []
    size = length = 0
    for chunk in chunks:
        held.append(chunk)
        length += len(chunk)
        if not (b"\n" in chunk or b"\r" in chunk or held[0] == b"\r"):
            _bound(length, limit, "a line")
            continue
        *lines, rest = _split(b"".join(held))
        held, length = [rest], len(rest)
        events: list[str] = []
        try:
            for line in lines:
                if line.startswith(b"data:"):
                    size += len(line)
                    _bound(size, limit, "an event")
                    data.append(_text(line[5:].removeprefix(b" ")))
                elif not line:
                    if data:
                        events.append("\n".join(data))
                    data, size = [], 0
            _bound(length, limit, "a line")
        except Garbled:
            if events:
                yield events
            raise
        if events:
            yield events
    if data and b"".join(held) == b"\r":  # the empty line that closes the last event
        yield ["\n".join(data)]


def _split(lines: bytes) -> list[bytes]:
    return LINE_END.split(lines) if b"\r" in lines else lines.split(b"\n")


def _bound(size: int, limit: int, what: str) -> None:
    if size > limit:
        raise Garbled(f"The server sent {what} of more than {limit >> 20} MiB.")


def _text(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as exc:
        raise Garbled("The server sent bytes that are not UTF-8.") from exc
