"""How much of made pages was read: letters, cells of tables, kinds of elements."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from llmflow_unstructured.elements import Element
from llmflow_unstructured.tables import from_html

from support.made_pages import Told


def accuracy(truth: str, read: str) -> float:
    """One less the share of edits that make the text of what was read, blanks taken as one."""
    wanted, got = " ".join(truth.split()), " ".join(read.split())
    return 1 - edits(wanted, got) / max(1, len(wanted))


def edits(one: str, other: str) -> int:
    """Letters to put in, take out or change: Levenshtein's distance."""
    signs = np.frombuffer(other.encode("utf-32-le"), dtype=np.uint32)
    places = np.arange(len(other) + 1)
    row = places.copy()
    for number, sign in enumerate(one, start=1):
        next_ = np.empty_like(row)
        next_[0] = number
        next_[1:] = np.minimum(row[:-1] + (signs != ord(sign)), row[1:] + 1)
        row = np.minimum.accumulate(next_ - places) + places
    return int(row[-1])


def cells_f1(truth: Sequence[Told], read: Iterable[Element]) -> tuple[int, int, int]:
    """Cells that were found with place, span and text; cells that were read; cells that there are."""
    wanted: Counter[tuple[object, ...]] = Counter()
    got: Counter[tuple[object, ...]] = Counter()
    for number, table in enumerate(told for told in truth if told.cells):
        wanted.update((number, c.row, c.column, c.rows, c.columns, _bare(c.text)) for c in table.cells)
    for number, element in enumerate(element for element in read if element.kind == "Table"):
        cells = from_html(element.html).cells
        got.update((number, c.row, c.column, c.rows, c.columns, _bare(c.text)) for c in cells)
    return (wanted & got).total(), got.total(), wanted.total()


def kinds(truth: Sequence[Told], read: Iterable[Element], kind: str) -> tuple[int, int, int]:
    """Elements of a kind that were found with nearly their text; those that were read; those that there are."""
    wanted = [_bare(told.text) for told in truth if told.kind == kind]
    got = [_bare(element.text) for element in read if element.kind == kind]
    left, right = list(got), 0
    for text in wanted:
        match = next((other for other in left if edits(text, other) <= 0.2 * len(text) + 1), None)
        if match is not None:
            left.remove(match)
            right += 1
    return right, len(got), len(wanted)


def f1(found: Iterable[tuple[int, int, int]]) -> float:
    """The mean of precision and recall over all pages."""
    counts = list(found)
    read_and_wanted = sum(got + wanted for _, got, wanted in counts)
    return 2 * sum(right for right, _, _ in counts) / max(1, read_and_wanted)


def _bare(text: str) -> str:
    return "".join(text.split())
