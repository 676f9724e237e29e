"""How much of made pages is read, and how fast, beside plain `tesseract` on the same pages.

    python -m bench.bench_unstructured [PAGES]

Pages of known Korean and English text: as PDF text, and as scans of three qualities; with one column and two, with
tables. Half of the figures are of the text and the dice that the reading was made with, half of others that are only
measured. Plain is `tesseract -l kor+eng` as it comes, with threads of its own, page after page; and the same told that
there is one column (`--psm 4`). Ours and plain take turns, some pages each. Prints JSON: accuracies are one less the
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
from functools import partial
from typing import Any, TypeVar

from llmflow_unstructured.elements import Element
from llmflow_unstructured.limits import Limits
from llmflow_unstructured.pages import PageOptions, Strategy, pdf, tesseract
from support import made_pages, made_scans, page_measure
from support.made_pages import DEVELOPMENT, FACES, HELD_OUT, Look, Made, some_look
from support.made_scans import QUALITIES, Scan
from support.tesseract import real_tesseract

PAGES = 6
TEXT_PAGES = 60
TURN = 3  # pages that ours and plain take in turns
SEEDS = {DEVELOPMENT: 1000, HELD_OUT: 8000}
FACE_NAMES = list(FACES)
ONE_COLUMN = ("--psm", "4")
T = TypeVar("T")


def measure(pages: int = PAGES) -> dict[str, Any]:
    """All of it."""
    os.environ[tesseract.PROGRAM] = str(real_tesseract().program)
    kinds = [(columns, quality) for columns in (1, 2) for quality in QUALITIES]
    return {
        "pages": pages,
        **{
            text: {
                f"{quality}_{columns}": _scanned(quality, pages, columns, text) for columns, quality in kinds
            }
            for text in (DEVELOPMENT, HELD_OUT)
        },
        "tables": {
            "ruled_text_f1": _tables(4 * pages, ruled=True, quality=None),
            "unruled_text_f1": _tables(4 * pages, ruled=False, quality=None),
            "ruled_noisy_f1": _tables(pages, ruled=True, quality="noisy"),
            "unruled_noisy_f1": _tables(pages, ruled=False, quality="noisy"),
        },
        "text": _text(),
    }


def _scanned(quality: str, pages: int, columns: int, text: str) -> dict[str, float]:
    """Accuracies and seconds a page, ours and plain, on the same pages."""
    seeds = range(SEEDS[text], SEEDS[text] + pages)
    made = [made_pages.prose(seed, look=some_look(seed, columns, text)) for seed in seeds]
    scans = [QUALITIES[quality](one.pdf, 0, seed) for one, seed in zip(made, seeds, strict=True)]
    ours: list[str] = []
    plain: list[str] = []
    seconds = plain_seconds = 0.0
    for first in range(0, pages, TURN):
        turn = scans[first : first + TURN]
        read, took = _timed(partial(_read, made_scans.scan(turn)))
        seconds += took
        ours += [_text_of([one for one in read if one.page == page]) for page in range(1, len(turn) + 1)]
        said, took = _timed(partial(_plain_pages, turn))
        plain_seconds += took
        plain += said
    figures = {
        "accuracy": _mean(made, ours),
        "least": min(_accuracies(made, ours)),
        "plain_accuracy": _mean(made, plain),
        "seconds_a_page": round(seconds / pages, 2),
        "plain_to_ours_seconds": round(plain_seconds / seconds, 2),
    }
    if (quality, columns) == ("noisy", 1):
        figures["plain_one_column_accuracy"] = _mean(made, [_plain(scan, *ONE_COLUMN) for scan in scans])
    return figures


def _tables(pages: int, *, ruled: bool, quality: str | None) -> float:
    found = []
    for at in range(pages):
        look = Look(face=FACE_NAMES[at % len(FACE_NAMES)], size=10)
        made = made_pages.tables(200 + at, ruled=ruled, look=look)
        data = made_scans.scan([QUALITIES[quality](made.pdf, 0, at)]) if quality else made.pdf
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


def _plain(scan: Scan, *more: str) -> str:
    picture, resolution = scan
    kept = io.BytesIO()
    picture.save(kept, "PNG")
    command = [os.environ[tesseract.PROGRAM], "-", "-", "-l", "kor+eng", "--dpi", str(resolution), *more]
    done = subprocess.run(command, input=kept.getvalue(), capture_output=True, check=True)
    return done.stdout.decode()


def _plain_pages(scans: Sequence[Scan]) -> list[str]:
    return [_plain(scan) for scan in scans]


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    started = time.perf_counter()
    return work(), time.perf_counter() - started


def _text_of(elements: Sequence[Element]) -> str:
    return "\n".join(element.text for element in elements)


def _accuracies(made: Sequence[Made], texts: Sequence[str]) -> list[float]:
    return [round(page_measure.accuracy(one.text(0), text), 4) for one, text in zip(made, texts, strict=True)]


def _mean(made: Sequence[Made], texts: Sequence[str]) -> float:
    return round(statistics.mean(_accuracies(made, texts)), 4)


if __name__ == "__main__":
    chosen = int(sys.argv[1]) if len(sys.argv) > 1 else PAGES
    sys.stdout.write(json.dumps(measure(chosen), indent=1, ensure_ascii=False) + "\n")
