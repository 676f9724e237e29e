"""Reads spoiled documents one after the other, each in a fork that bounds itself as the sandbox's reader does.

    python -m support.hostile_reader SEED COUNT FIRST STEP MEMORY SECONDS

A fork has all modules loaded already, which is what makes thousands of documents a matter of a minute. A line of JSON
says how each ended: what was told last, the exit status, seconds, and the most memory it took.
"""

from __future__ import annotations

import io
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

from llmflow_unstructured import child, formats, sandbox
from llmflow_unstructured import pages as pages_
from llmflow_unstructured.elements import Element, Failed
from llmflow_unstructured.errors import BadDocument, NoEngine
from llmflow_unstructured.limits import MEBI, Limits
from llmflow_unstructured.partition import Options

from support import hostile_documents, made_pages, made_scans
from support.tesseract import Missing

HOW = Options(pictures=True)
SPARE = 15.0  # seconds that a reader may be late on a busy machine


def bomb(name: str, limits: Limits) -> tuple[str, int]:
    """Why a bomb gave no more, and the most bytes that a child of this process took."""
    _, why = read_by_sandbox(name, hostile_documents.bombs()[name], limits)
    return why, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


def read_by_sandbox(name: str, data: bytes, limits: Limits) -> tuple[int, str]:
    """How many elements there were, and why there were no more."""
    try:
        found = list(sandbox.read(data, name, HOW, limits))
    except (BadDocument, NoEngine) as error:
        return 0, str(error)
    why = " ".join(one.why for one in found if isinstance(one, Failed))
    return sum(isinstance(one, Element) for one in found), why


def read(name: str, data: bytes, limits: Limits) -> dict[str, Any]:
    """How reading a document ends."""
    bounds = {key: value for key, value in asdict(limits).items() if key != "ends"}
    order = {"name": name, "options": asdict(HOW), "limits": bounds}
    begun = time.monotonic()
    document = os.memfd_create("document")
    os.write(document, data)
    os.lseek(document, 0, os.SEEK_SET)
    out, into = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(out)
        _become(document, into, json.dumps(order))
    os.close(document)
    os.close(into)
    lines, late = _said(out, begun + limits.seconds + SPARE)
    os.close(out)
    if late:
        os.kill(process, signal.SIGKILL)
    _, status, used = os.wait4(process, 0)
    return {
        "name": name,
        "told": lines,
        "late": late,
        "status": os.waitstatus_to_exitcode(status),
        "seconds": round(time.monotonic() - begun, 3),
        "memory": used.ru_maxrss * 1024,
    }


def _become(document: int, into: int, order: str) -> None:
    """Be the reader, up to the end of the process."""
    os.dup2(document, 0)
    os.dup2(into, 1)
    sys.stdin, sys.stdout, sys.argv = os.fdopen(0), os.fdopen(1, "w"), ["child", order]
    code = 70
    try:
        child.main()
        code = 0
    finally:
        os._exit(code)


def _said(out: int, until: float) -> tuple[dict[str, int], bool]:
    """How often each kind of line came, and whether the reader was still at it in the end."""
    held = b""
    while (left := until - time.monotonic()) > 0 and select.select([out], [], [], left)[0]:
        piece = os.read(out, 1 << 20)
        if not piece:
            kinds = [next(iter(json.loads(line))) for line in held.splitlines()]
            return {kind: kinds.count(kind) for kind in set(kinds)}, False
        held += piece
    return {}, True


def _documents(seed: int, count: int, first: int, step: int) -> Iterator[tuple[str, bytes]]:
    return islice(hostile_documents.spoiled(count, seed, pages()), first, None, step)


def pages() -> dict[str, bytes]:
    """A PDF with its text, a scanned one, and pictures; nothing where the machine has no fonts for them."""
    try:
        made = made_pages.report(1, 2)
    except Missing:
        return {}
    picture = made_scans.picture(made.pdf, resolution=50)
    found = {"a.pdf": made.pdf, "scan.pdf": made_scans.scan([(picture, 50)])}
    for kind in ("png", "jpeg", "tiff"):
        target = io.BytesIO()
        picture.save(target, kind)
        found[f"a.{kind}"] = target.getvalue()
    return found


def main() -> None:
    """Read every `step`-th document from the `first` on."""
    seed, count, first, step, memory, seconds = map(int, sys.argv[1:])
    limits = Limits(size=64 * MEBI, unpacked=256 * MEBI, seconds=float(seconds), memory=memory)
    for package in (formats, pages_):
        for path in sorted(Path(package.__file__ or "").parent.glob("[a-z]*.py")):
            import_module(f"{package.__name__}.{path.stem}")
    for name, data in _documents(seed, count, first, step):
        sys.stdout.write(json.dumps(read(name, data, limits)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
