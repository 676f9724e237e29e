"""CSV and its kin: the sign between the fields is found out, Korean encodings as well. The first row is the head."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator

from llmflow_unstructured import tables
from llmflow_unstructured.elements import Element
from llmflow_unstructured.errors import BadDocument
from llmflow_unstructured.formats import Source, decoding, text

BETWEEN = (",", "\t", ";", "|")
SAMPLE = 50  # rows from which the dialect is found out
LONGEST_FIELD = 10_000_000  # signs
TOLD = re.compile(r"^sep=(.)\r?\n")  # Excel's own way of telling


def read(source: Source) -> Iterator[Element]:
    """The table, or the paragraphs of what is no table after all. Raises BadDocument or TooLarge."""
    content, _ = decoding.decode(source.data)
    told = TOLD.match(content)
    content = content[told.end() :] if told else content
    csv.field_size_limit(LONGEST_FIELD)
    between = told[1] if told else _between(content)
    if not between:
        yield from text.paragraphs(content)
        return
    rows = []
    try:
        for row in csv.reader(io.StringIO(content, newline=""), delimiter=between):
            source.limits.check_time()
            source.budget.fill(len(row))
            if any(field.strip() for field in row):
                rows.append([field.strip() for field in row])
    except csv.Error as error:
        raise BadDocument(f"Row {len(rows) + 1} can't be read as CSV.") from error
    made = tables.from_rows(rows)
    if made.cells:
        yield Element("Table", tables.text(made), html=tables.html(made))


def _between(content: str) -> str:
    """The sign that parts most rows into the same number of fields, "" where none does."""
    best, most = "", 0.0
    for sign in BETWEEN:
        widths = _widths(content, sign)
        width, count = widths.most_common(1)[0] if widths else (1, 0)
        score = count / max(1, widths.total()) + min(width, 100) / 1000
        if width > 1 and score > most:
            best, most = sign, score
    return best


def _widths(content: str, between: str) -> Counter[int]:
    """How many of the first rows have how many fields."""
    widths: Counter[int] = Counter()
    try:
        for row in csv.reader(io.StringIO(content, newline=""), delimiter=between):
            widths[len(row)] += bool(row)
            if widths.total() >= SAMPLE:
                break
    except csv.Error:
        return Counter()
    return widths
