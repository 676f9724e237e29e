"""Tables as cells, as HTML, as Markdown and as plain text: one home for all the ways between them.

A cell has its place in the grid and how far it spans. Places and spans come from files and are not trusted: empty rows
and columns are closed up, spans end with the table, and of two cells in one place the first stays.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from html import escape
from html.parser import HTMLParser

DENSEST, SMALL = 64, 1024  # places of a grid for each cell in it, and for all; a sparser one loses its gaps
BLANKS = re.compile(r"[^\S\n]+")
ROW = re.compile(r"^\s*\|?(.*?)\|?\s*$")
PIPE = re.compile(r"(?<!\\)\|")
Spanned = tuple[
    str, int, int, bool
]  # a cell's text, the rows and columns that it spans, whether it is a head
LINES = ("br", "p", "div", "li", "table")  # what begins a line within a cell
RULE = re.compile(r"^:?-+:?$")


@dataclass(frozen=True)
class Cell:
    """A cell whose upper left corner is in `row` and `column`, both from 0."""

    row: int
    column: int
    text: str
    rows: int = 1
    columns: int = 1
    head: bool = False


@dataclass(frozen=True)
class Grid:
    """The cells of a table, none over another, sorted by row and column."""

    cells: tuple[Cell, ...]
    rows: int
    columns: int

    @property
    def heads(self) -> int:
        """How many rows at the top are heads: those whose cells all are, at least one, and no whole table."""
        by_row: dict[int, bool] = {}
        for cell in self.cells:
            by_row[cell.row] = by_row.get(cell.row, True) and cell.head
        count = next((row for row in range(self.rows) if not by_row.get(row, False)), self.rows)
        reach = max((c.row + c.rows for c in self.cells if c.row < max(1, count)), default=1)
        return reach if reach < self.rows else 1


def grid(cells: Iterable[Cell]) -> Grid:
    """A sound grid of any cells."""
    given = sorted(cells, key=lambda cell: (cell.row, cell.column))
    across, down = sorted({cell.column for cell in given}), sorted({cell.row for cell in given})
    taken: set[tuple[int, int]] = set()
    kept = []
    for cell in given:
        row, column = bisect_left(down, cell.row), bisect_left(across, cell.column)
        if (row, column) in taken:
            continue
        rows = max(1, bisect_left(down, cell.row + cell.rows) - row)
        columns = max(1, bisect_left(across, cell.column + cell.columns) - column)
        if len(taken) + rows * columns > DENSEST * len(given) + SMALL:
            rows = columns = 1
        if rows == columns == 1:
            taken.add((row, column))
        else:
            columns = next((x for x in range(1, columns) if (row, column + x) in taken), columns)
            taken.update((y, x) for y in range(row, row + rows) for x in range(column, column + columns))
        kept.append(Cell(row, column, cell.text, rows, columns, cell.head))
    return Grid(tuple(kept), len(down), len(across))


def from_rows(rows: Sequence[Sequence[str]], heads: int = 1) -> Grid:
    """A table without spans; its first `heads` rows are heads."""
    return grid(Cell(y, x, text, head=y < heads) for y, row in enumerate(rows) for x, text in enumerate(row))


def html(table: Grid) -> str:
    """The table as HTML, its spans kept."""
    lines, heads = ["<table>"], table.heads
    rows: Sequence[Sequence[Cell | None]] = _by_row(table, spread=False) if _filled(table) else _packed(table)
    for number, row in enumerate(rows):
        lines.append("<tr>")
        lines += [_td(cell, head=number < heads and (cell is None or cell.head)) for cell in row]
        lines.append("</tr>")
    return "".join((*lines, "</table>"))


def text(table: Grid) -> str:
    """The table as text: a tab between cells, a line for each row, a cell that spans said once."""
    if not _filled(table):
        return "\n".join("\t".join(_line(cell.text) for cell in row) for row in _packed(table))
    lines = []
    for row in _by_row(table, spread=None):
        lines.append("\t".join(_line(cell.text) if cell else "" for cell in row).rstrip("\t"))
    return "\n".join(lines)


def markdown(table: Grid) -> str:
    """The table as Markdown. What spans rows is repeated in each, so that every row says all of it."""
    if not table.cells:
        return ""
    rows = [_marked(row) for row in _by_row(table, spread=True)] if _filled(table) else _packed_marked(table)
    width = max(map(len, rows))
    rows = [row + [""] * (width - len(row)) for row in rows]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]])


def rows_of(table: Grid, first: int, last: int) -> Grid:
    """The rows from `first` up to `last` as a table of their own; what reaches in from above is repeated."""
    cells = []
    for cell in table.cells:
        start, end = max(cell.row, first), min(cell.row + cell.rows, last)
        if start < end:
            cells.append(replace(cell, row=start, rows=end - start))
    return grid(cells)


def joined(above: Grid, below: Grid) -> Grid:
    """One table below another."""
    moved = (replace(cell, row=cell.row + above.rows) for cell in below.cells)
    return Grid((*above.cells, *moved), above.rows + below.rows, max(above.columns, below.columns))


def from_spans(rows: Iterable[Sequence[Spanned]]) -> Grid:
    """A table as HTML tells it, row by row: each cell comes at the next place that spans from above leave free."""
    found: list[Cell] = []
    open_: dict[int, int] = {}  # column → rows that a cell above still covers
    for y, row in enumerate(rows):
        x, below = 0, {column: left - 1 for column, left in open_.items() if left > 1}
        for said, down, across, head in row:
            while open_.get(x, 0) > 0:
                x += 1
            found.append(Cell(y, x, said, down, across, head))
            below |= {column: down - 1 for column in range(x, x + across) if down > 1}
            x += across
        open_ = below
    return grid(found)


def span(given: str | None) -> int:
    """A `rowspan` or `colspan` as a number."""
    return min(1000, int(given)) if given and given.isascii() and given.isdigit() and int(given) > 0 else 1


def from_html(given: str) -> Grid:
    """The first table in some HTML; a table within a cell is that cell's text."""
    reader = _Reader()
    reader.feed(given)
    reader.close()
    return from_spans(reader.rows())


def from_markdown(given: str) -> Grid:
    """The cells of a Markdown table."""
    rows = []
    for number, line in enumerate(given.strip().splitlines()):
        inner = ROW.match(line)
        cells = [cell.strip().replace("\\|", "|") for cell in PIPE.split(inner[1] if inner else line)]
        if number != 1 or not all(RULE.match(cell) for cell in cells):
            rows.append([cell.replace("<br>", "\n") for cell in cells])
    return from_rows(rows)


def _filled(table: Grid) -> bool:
    return table.rows * table.columns <= DENSEST * len(table.cells) + SMALL


def _by_row(table: Grid, spread: bool | None) -> list[list[Cell | None]]:
    """Cells by row, None for a gap. A span is said once and left out below and beside it (False), stands as gaps
    (None), or stands in every row that it covers (True).
    """
    rows: list[list[Cell | bool | None]] = [[None] * table.columns for _ in range(table.rows)]
    for cell in table.cells:
        for y in range(cell.row, cell.row + cell.rows):
            for x in range(cell.column, cell.column + cell.columns):
                rows[y][x] = False
            if spread or y == cell.row:
                rows[y][cell.column] = cell
    found: list[list[Cell | None]] = []
    for row in rows:
        if spread is False:
            found.append([one for one in row if not isinstance(one, bool)])
        else:
            found.append([None if isinstance(one, bool) else one for one in row])
    return found


def _packed(table: Grid) -> list[list[Cell]]:
    rows: dict[int, list[Cell]] = {}
    for cell in table.cells:
        rows.setdefault(cell.row, []).append(cell)
    return [rows[number] for number in sorted(rows)]


def _td(cell: Cell | None, *, head: bool) -> str:
    name = "th" if head else "td"
    if cell is None:
        return f"<{name}></{name}>"
    spans = f' rowspan="{cell.rows}"' if cell.rows > 1 else ""
    spans += f' colspan="{cell.columns}"' if cell.columns > 1 else ""
    return f"<{name}{spans}>{escape(cell.text.strip(), quote=False).replace(chr(10), '<br>')}</{name}>"


def _marked(row: Sequence[Cell | None]) -> list[str]:
    return [
        _blank(cell.text).replace("|", "\\|").replace("\n", "<br>") if cell is not None else ""
        for cell in row
    ]


def _packed_marked(table: Grid) -> list[list[str]]:
    return [_marked(row) for row in _packed(table)]


def _blank(given: str) -> str:
    return "\n".join(filter(None, (line.strip() for line in BLANKS.sub(" ", given).splitlines())))


def _line(given: str) -> str:
    return " ".join(given.split())


class _Reader(HTMLParser):
    """Collects the rows of the outermost table."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._depth = 0
        self._rows: list[list[Spanned]] = []
        self._cell: list[str] | None = None
        self._about = (1, 1, False)
        self._ended = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A table, a row, a cell, or a line end within one."""
        if tag == "table":
            self._depth += 1
        if self._ended or self._depth == 0:
            return
        if tag in LINES or (self._depth > 1 and tag in ("tr", "td", "th")):
            self._say(" " if tag in ("td", "th") else "\n")
        elif tag == "tr" and self._depth == 1:
            self._finish()
            self._rows.append([])
        elif tag in ("td", "th"):
            self._finish()
            of = dict(attrs)
            self._cell, self._about = [], (span(of.get("rowspan")), span(of.get("colspan")), tag == "th")

    def handle_endtag(self, tag: str) -> None:
        """The end of a cell, a row or a table."""
        if tag == "table":
            self._depth = max(0, self._depth - 1)
            self._ended = self._ended or self._depth == 0
            self._say("\n")
        if self._ended or (self._depth == 1 and tag in ("td", "th", "tr")):
            self._finish()

    def handle_data(self, data: str) -> None:
        """Text; line ends in the source are blanks."""
        self._say(" ".join(data.split("\n")))

    def rows(self) -> list[list[Spanned]]:
        """The rows that were found."""
        self._finish()
        return self._rows

    def _say(self, said: str) -> None:
        if self._cell is not None:
            self._cell.append(said)

    def _finish(self) -> None:
        if self._cell is not None:
            if not self._rows:
                self._rows.append([])
            said = "\n".join(_line(line) for line in "".join(self._cell).splitlines()).strip()
            self._rows[-1].append((said, *self._about))
        self._cell = None
