"""How much of made pages is read, and how fast, beside plain `tesseract` on the same pages.

    python -m bench.bench_unstructured [PAGES]

Pages of known Korean and English text, the same in every run: as PDF text, and as scans of three qualities; with one
column and two, with tables. Plain is `tesseract -l kor+eng`, page after page. Prints JSON: accuracies are one less the
edits over the letters, tables are the F1 of cells with place, span and text.
"""

from __future__ import annotations

import io
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from llmflow_unstructured.elements import Element
from llmflow_unstructured.limits import Limits
from llmflow_unstructured.pages import PageOptions, Strategy, pdf, tesseract
from PIL import Image
from support import made_pages, page_measure
from support.made_pages import FACES, QUALITIES, Look, Made
from support.tesseract import real_tesseract

PAGES = 6
TEXT_PAGES = 60
FACE_NAMES = list(FACES)
Scan = tuple[Image.Image, int]
T = TypeVar("T")


def measure(pages: int = PAGES) -> dict[str, Any]:
    """All of it."""
    os.environ[tesseract.PROGRAM] = str(real_tesseract().program)
    return {
        "pages": pages,
        "one_column": {quality: _scanned(quality, pages, columns=1) for quality in QUALITIES},
        "two_columns": {quality: _scanned(quality, pages, columns=2) for quality in QUALITIES},
        "tables": {
            "ruled_text_f1": _tables(4 * pages, ruled=True, quality=None),
            "unruled_text_f1": _tables(4 * pages, ruled=False, quality=None),
            "ruled_noisy_f1": _tables(pages, ruled=True, quality="noisy"),
            "unruled_noisy_f1": _tables(pages, ruled=False, quality="noisy"),
        },
        "text": _text(),
    }


def _scanned(quality: str, pages: int, columns: int) -> dict[str, float]:
    """Accuracies and seconds a page, ours and plain, on the same pages."""
    looks = [
        Look(FACE_NAMES[at % len(FACE_NAMES)], columns=columns, by_syllable=at % 2 > 0) for at in range(pages)
    ]
    made = [made_pages.prose(100 + at, look=look) for at, look in enumerate(looks)]
    scans = [QUALITIES[quality](one.pdf, 0, at) for at, one in enumerate(made)]
    whole = made_pages.scan(scans)
    ours, seconds = _timed(lambda: _read(whole))
    plain, plain_seconds = _timed(lambda: [_plain(scan) for scan in scans])
    texts = [_text_of([one for one in ours if one.page == page]) for page in range(1, pages + 1)]
    return {
        "accuracy": _mean(made, texts),
        "plain_accuracy": _mean(made, plain),
        "seconds_a_page": round(seconds / pages, 2),
        "plain_to_ours_seconds": round(plain_seconds / seconds, 2),
    }


def _tables(pages: int, *, ruled: bool, quality: str | None) -> float:
    found = []
    for at in range(pages):
        look = Look(face=FACE_NAMES[at % len(FACE_NAMES)], size=10)
        made = made_pages.tables(200 + at, ruled=ruled, look=look)
        data = made_pages.scan([QUALITIES[quality](made.pdf, 0, at)]) if quality else made.pdf
        found.append(page_measure.cells_f1(made.pages[0], _read(data)))
    return round(page_measure.f1(found), 4)


def _text() -> dict[str, float]:
    """Pages of PDF text a second of one core, and how much of them is read in order."""
    made = [made_pages.report(300 + columns, TEXT_PAGES // 2, Look(columns=columns)) for columns in (1, 2)]
    started = time.process_time()
    read = [_read(one.pdf, "fast") for one in made]
    seconds = time.process_time() - started
    said = ["\n".join(map(one.text, range(len(one.pages)))) for one in made]
    accuracies = [
        page_measure.accuracy(truth, _text_of(found)) for truth, found in zip(said, read, strict=True)
    ]
    return {
        "pages_a_core_second": round(TEXT_PAGES / seconds, 1),
        "accuracy": round(statistics.mean(accuracies), 4),
    }


def _read(data: bytes, strategy: Strategy = "auto") -> list[Element]:
    found = pdf.read(data, PageOptions(strategy), Limits(), _unheard)
    return [one for one in found if isinstance(one, Element)]


def _unheard(done: int, count: int) -> None:
    """Progress that nobody looks at."""


def _plain(scan: Scan) -> str:
    picture, resolution = scan
    kept = io.BytesIO()
    picture.save(kept, "PNG")
    command = [os.environ[tesseract.PROGRAM], "-", "-", "-l", "kor+eng", "--dpi", str(resolution)]
    env = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    done = subprocess.run(command, input=kept.getvalue(), env=env, capture_output=True, check=True)
    return done.stdout.decode()


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    started = time.perf_counter()
    return work(), time.perf_counter() - started


def _text_of(elements: Sequence[Element]) -> str:
    return "\n".join(element.text for element in elements)


def _mean(made: Sequence[Made], texts: Sequence[str]) -> float:
    rows = [page_measure.accuracy(one.text(0), text) for one, text in zip(made, texts, strict=True)]
    return round(statistics.mean(rows), 4)


if __name__ == "__main__":
    chosen = int(sys.argv[1]) if len(sys.argv) > 1 else PAGES
    sys.stdout.write(json.dumps(measure(chosen), indent=1, ensure_ascii=False) + "\n")
