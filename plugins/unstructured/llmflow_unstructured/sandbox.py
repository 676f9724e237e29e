"""A file is read in a process of its own, which has no network, bounded memory and bounded time.

What it reads comes back line by line, so that a reader that is killed leaves what it had read. The process that asks
never crashes and never waits longer than the limits say.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from llmflow_unstructured.elements import Element, Event, Failed, Found, Noted, from_json
from llmflow_unstructured.errors import BadDocument, NoEngine, TooLarge
from llmflow_unstructured.limits import USUAL, Limits
from llmflow_unstructured.partition import PLAIN, Options, Progress

GRACE = 3.0  # seconds that a reader gets to end by itself once its time is over
LONGEST_LINE = 512 << 20  # bytes
INHERITED = (
    "PATH",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "TESSDATA_PREFIX",
    "LLMFLOW_TESSERACT",
    "PYTHONPATH",
    "VIRTUAL_ENV",
)
SINGLE = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_THREAD_LIMIT": "1",
}  # each thread more reserves memory of the bound
ERRORS: dict[str, type[Exception]] = {kind.__name__: kind for kind in (BadDocument, TooLarge, NoEngine)}
HERE = Path(__file__).parents[1]


def read(
    data: bytes,
    name: str,
    options: Options = PLAIN,
    limits: Limits = USUAL,
    progress: Progress | None = None,
) -> Iterator[Event]:
    """What `partition` gives for a file, read in a process of its own. Raises BadDocument, TooLarge or NoEngine."""
    if len(data) > limits.size:
        raise TooLarge(f"The file is larger than {limits.size >> 20} MiB.")
    order = json.dumps({"name": name, "options": asdict(options), "limits": _plain(limits)})
    begun = False
    with _running(data, order, limits.seconds + GRACE) as (process, late):
        for kind, what in _lines(process):
            if kind == "end":
                return
            if kind == "error":
                why = _error(what)
                break
            if kind == "progress":
                if progress:
                    progress(*what)
                continue
            event = _event(kind, what)
            begun = begun or isinstance(event, Element)
            yield event
        else:
            why = _death(process.wait(), late.is_set(), limits)
    if not begun:
        raise why
    yield Failed("the rest", str(why))


@dataclass(frozen=True)
class Piece:
    """A run of a PDF's pages as a file of its own; 0 and 0 is all of a file that was not split."""

    data: bytes = field(repr=False)
    first: int = 0
    last: int = 0


def split(data: bytes, pages: int, limits: Limits = USUAL) -> list[Piece]:
    """A PDF in files of so many pages, taken apart in a process of its own. Raises BadDocument or TooLarge."""
    order = json.dumps({"split": pages, "limits": _plain(limits)})
    with _running(data, order, limits.seconds + GRACE) as (process, late):
        found: list[Piece] = []
        for kind, what in _lines(process):
            if kind == "end":
                return found
            if kind == "error":
                raise _error(what)
            first, last, content = what
            found.append(Piece(base64.b64decode(content), first, last))
        raise _death(process.wait(), late.is_set(), limits)


@contextmanager
def _running(
    data: bytes, order: str, seconds: float
) -> Iterator[tuple[subprocess.Popen[bytes], threading.Event]]:
    """A reader at work, and whether it was ended for being late; it is gone afterwards, with all that it started."""
    late = threading.Event()
    with tempfile.TemporaryDirectory(prefix="llmflow-") as scratch, _file(data) as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "llmflow_unstructured.child", order],
            stdin=file,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=HERE,
            env=_environment(scratch),
            start_new_session=True,
        )

        def end() -> None:
            late.set()
            _kill(process)

        clock = threading.Timer(seconds, end)
        clock.start()
        try:
            yield process, late
        finally:
            clock.cancel()
            _kill(process)
            process.wait()
            if process.stdout:
                process.stdout.close()


@contextmanager
def _file(data: bytes) -> Iterator[int]:
    """The document as a file without a name, at its start."""
    descriptor = os.memfd_create("document")
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


def _environment(scratch: str) -> Mapping[str, str]:
    """No more than a reader needs: this process may hold keys in its own."""
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return {**kept, **SINGLE, "TMPDIR": scratch}


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _lines(process: subprocess.Popen[bytes]) -> Iterator[tuple[str, Any]]:
    """What the reader says, and of which kind it is; a line that is cut off says nothing."""
    if process.stdout is None:
        return
    while line := process.stdout.readline(LONGEST_LINE):
        if not line.endswith(b"\n"):
            return
        yield from json.loads(line).items()


def _event(kind: str, what: Any) -> Event:
    match kind:
        case "element":
            return from_json(what)
        case "failed":
            return Failed(*what)
        case "noted":
            return Noted(what)
        case _:
            return Found(what)


def _error(what: Any) -> Exception:
    kind, text = what
    return ERRORS[kind](text)


def _death(code: int, late: bool, limits: Limits) -> BadDocument:
    """Why a reader ended without saying so."""
    if late or code == -signal.SIGXCPU:
        return TooLarge(
            f"Reading it took longer than {limits.seconds:.0f} seconds: split it, or raise the limit."
        )
    if code in (-signal.SIGKILL, -signal.SIGABRT):
        return TooLarge("Reading it takes more memory than there is: split it, or raise the limit.")
    return BadDocument(f"It is damaged: its reader ended with {code}.")


def _plain(limits: Limits) -> dict[str, Any]:
    """The limits without the clock, which is this process's own."""
    return {name: value for name, value in asdict(limits).items() if name != "ends"}
