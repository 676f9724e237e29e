"""The process that reads one file: its orders are its argument, the file is its input, its output is JSON lines.

It bounds itself before it looks at the file. `sandbox` starts it and ends it.
"""

from __future__ import annotations

import base64
import io
import json
import math
import os
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from llmflow_unstructured.elements import Element, Failed, Found, Noted, as_json
from llmflow_unstructured.errors import BadDocument, NoEngine
from llmflow_unstructured.limits import Limits
from llmflow_unstructured.partition import Options, partition

SPARE = 5  # seconds over the limit after which the kernel ends what nobody else has ended
NEW_USER, NEW_NETWORK = 0x10000000, 0x40000000  # as the kernel names them: CLONE_NEWUSER, CLONE_NEWNET
WRITTEN = 1 << 30  # bytes of a file that it may write


def main() -> None:
    """Read the file on standard input and say what is in it."""
    order = json.loads(sys.argv[1])
    limits = Limits(**order["limits"])
    _bound(limits)
    try:
        data = sys.stdin.buffer.read()
        if "split" in order:
            _split(data, order["split"], limits)
        else:
            options = Options(**{**order["options"], "languages": tuple(order["options"]["languages"])})
            _read(data, order["name"], options, limits)
    except (BadDocument, NoEngine) as error:
        _say("error", (type(error).__name__, str(error)))
    except MemoryError:
        _say(
            "error",
            ("TooLarge", "Reading it takes more memory than the limit: split it, or raise the limit."),
        )
    else:
        _say("end", True)


def _read(data: bytes, name: str, options: Options, limits: Limits) -> None:
    for event in partition(data, name, options, limits, lambda *done: _say("progress", done)):
        match event:
            case Element():
                _say("element", next(as_json([event], filename="", filetype="")))
            case Failed():
                _say("failed", (event.where, event.why))
            case Noted():
                _say("noted", event.what)
            case Found():
                _say("found", event.media)


def _split(data: bytes, pages: int, limits: Limits) -> None:
    """The PDF in files of so many pages."""
    import pypdfium2  # which only this needs, and takes a while to load

    try:
        document = pypdfium2.PdfDocument(data)
        total = min(len(document), limits.pages)
        for first in range(0, total, pages):
            last = min(total, first + pages)
            piece = pypdfium2.PdfDocument.new()
            piece.import_pages(document, pages=list(range(first, last)))
            written = io.BytesIO()
            piece.save(written)
            _say("piece", (first + 1, last, base64.b64encode(written.getvalue()).decode()))
    except pypdfium2.PdfiumError as error:
        raise BadDocument("The PDF is damaged, or protected by a password.") from error


def _bound(limits: Limits) -> None:
    """No network, and no more memory and time than the limits say, whatever the readers do."""
    _leave_network()
    sys.addaudithook(_refuse_sockets)
    seconds = math.ceil(limits.seconds) + SPARE
    signal.alarm(seconds)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (WRITTEN, WRITTEN))
    worked = seconds * (os.cpu_count() or 1)  # of all threads together
    resource.setrlimit(resource.RLIMIT_CPU, (worked, worked + SPARE))
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory, limits.memory))


def _leave_network() -> None:
    """Go where there is no network, where the system lets this process, and Python 3.12 or newer knows how."""
    unshare: Callable[[int], None] = getattr(os, "unshare", _stay)
    for flags in (NEW_NETWORK, NEW_USER | NEW_NETWORK):
        with suppress(OSError):
            unshare(flags)
            return


def _stay(_: int) -> None:
    """Do nothing: this Python can't leave."""


def _refuse_sockets(event: str, _: tuple[Any, ...]) -> None:
    """Where it doesn't: no code in Python opens a socket, and none of the libraries in C does of its own accord."""
    if event.startswith("socket."):
        raise PermissionError("a document's reader has no network")


def _say(kind: str, what: object) -> None:
    sys.stdout.write(json.dumps({kind: what}, separators=(",", ":")) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
