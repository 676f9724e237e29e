"""Tables on a page: by their ruled lines, and where there are none by words that stand in columns."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from llmflow_unstructured.elements import Box
from llmflow_unstructured.pages import joining
from llmflow_unstructured.pages.lines import Line, in_row, lines, pieces
from llmflow_unstructured.pages.words import Rule, Word, around, median
from llmflow_unstructured.tables import Cell, Grid, grid

NEAR = 3.0  # points between the ends of rules that meet, and between two that are one
COVERS = 0.5  # of a cell's side, by a rule that closes it
FILLED = 0.3  # of a table's cells
LEVEL = 0.4  # of the type's size, that parts of a column may be out of line
OVER = 0.5  # of the type's size, that a part must reach over the middle of the white to be in both columns
BETWEEN = (
    0.75  # of the usual distance of rows: a part alone that is closer to the rows above and below is of both
)
FEWEST = 0.25  # share of rows that have a part in each column
FULL, FULLEST = (
    0.85,
    0.5,
)  # prose in columns fills them: a line so full of its column, and the share of such lines
LONGEST, WORDY = 30, 3  # letters and words of the usual cell
RUNNING = 3  # lines of more words that all fill their column are running text, whatever stands beside them
MOST_RULES = 3_000
WIDEST_ROW = 2.2  # of the type's size, between two rows of a table without rules

_Found = tuple[Box, list[Cell], list[Word]]


@dataclass(frozen=True)
class Table:
    """A table where it stands."""

    box: Box
    grid: Grid


def tables(words: Sequence[Word], rules: Sequence[Rule]) -> tuple[list[Table], list[Line]]:
    """The tables of a page, and the lines that are in none."""
    found: list[Table] = []
    rest = list(words)
    for finder in (_ruled, _barred):
        tables, gone = _kept(finder(rest, rules))
        found += tables
        rest = [word for word in rest if id(word) not in gone]
    others = lines(rest, rules)
    tables, gone = _kept(_aligned(others))
    return found + tables, [line for line in others if id(line.words[0]) not in gone]


def _kept(found: Iterable[_Found]) -> tuple[list[Table], set[int]]:
    """Those that are tables, and which words are theirs."""
    tables: list[Table] = []
    gone: set[int] = set()
    for box, cells, used in found:
        table = grid(cells)
        if table.rows * table.columns >= 2:
            tables.append(Table(box, table))
            gone |= {id(word) for word in used}
    return tables, gone


# ---- with lines


def _ruled(words: Sequence[Word], rules: Sequence[Rule]) -> list[_Found]:
    """Tables whose cells have lines around them."""
    found = []
    for group in _meeting(rules):
        across = [rule for rule in group if rule.across]
        down = [rule for rule in group if not rule.across]
        if len(across) < 2 or not down:
            continue
        box = around(group)
        xs = _places([edge for rule in down for edge in (rule.left, rule.right)], box.left, box.right)
        ys = _places([edge for rule in across for edge in (rule.top, rule.bottom)], box.top, box.bottom)
        inside = [word for word in words if _holds(box, word)]
        cells = _cells(xs, ys, across, down, inside)
        if len(cells) >= 2 and sum(bool(cell.text) for cell in cells) >= FILLED * len(cells):
            found.append((box, cells, inside))
    return found


def _meeting(rules: Sequence[Rule]) -> list[list[Rule]]:
    """Rules that touch, each group together."""
    rules = sorted(rules[:MOST_RULES], key=lambda rule: rule.top)
    parent = list(range(len(rules)))

    def root(at: int) -> int:
        while parent[at] != at:
            parent[at] = parent[parent[at]]
            at = parent[at]
        return at

    for at, one in enumerate(rules):
        for other in range(at + 1, len(rules)):
            if rules[other].top > one.bottom + NEAR:
                break
            if rules[other].left <= one.right + NEAR and rules[other].right >= one.left - NEAR:
                parent[root(at)] = root(other)
    groups: dict[int, list[Rule]] = defaultdict(list)
    for at, rule in enumerate(rules):
        groups[root(at)].append(rule)
    return list(groups.values())


def _places(edges: Sequence[float], first: float, last: float) -> list[float]:
    """Where lines run, those close together taken for one."""
    places: list[list[float]] = []
    for edge in sorted((*edges, first, last)):
        if places and edge - places[-1][-1] <= NEAR:
            places[-1].append(edge)
        else:
            places.append([edge])
    return [sum(place) / len(place) for place in places]


def _cells(
    xs: Sequence[float],
    ys: Sequence[float],
    across: Sequence[Rule],
    down: Sequence[Rule],
    words: Sequence[Word],
) -> list[Cell]:
    """The cells between the lines: where a line is missing two places are one cell."""
    rows, columns = len(ys) - 1, len(xs) - 1
    if rows < 1 or columns < 1 or rows * columns > 20_000:
        return []
    owner: dict[tuple[int, int], tuple[int, int]] = {}
    spans: dict[tuple[int, int], tuple[int, int]] = {}
    for y in range(rows):
        for x in range(columns):
            if (y, x) in owner:
                continue
            wide = 1
            while (
                x + wide < columns
                and (y, x + wide) not in owner
                and not _closed(down, xs[x + wide], ys[y], ys[y + 1])
            ):
                wide += 1
            high = 1
            while y + high < rows and not any(
                _closed(across, ys[y + high], xs[x + i], xs[x + i + 1]) for i in range(wide)
            ):
                high += 1
            spans[y, x] = (high, wide)
            owner |= {(y + j, x + i): (y, x) for j in range(high) for i in range(wide)}
    held: dict[tuple[int, int], list[Word]] = defaultdict(list)
    for word in words:
        y, x = _band(ys, (word.top + word.bottom) / 2), _band(xs, (word.left + word.right) / 2)
        held[owner[y, x]].append(word)
    return [Cell(y, x, _said(held[y, x]), *spans[y, x], head=y == 0) for y, x in spans]


def _closed(rules: Iterable[Rule], place: float, start: float, end: float) -> bool:
    """Whether rules at a place cover that much of a side."""
    covered = 0.0
    for rule in rules:
        at, low, high = (
            (rule.top, rule.left, rule.right) if rule.across else (rule.left, rule.top, rule.bottom)
        )
        if abs(at - place) <= NEAR * 1.5:
            covered += max(0.0, min(high, end) - max(low, start))
    return covered >= COVERS * (end - start)


def _band(edges: Sequence[float], place: float) -> int:
    return max(0, min(len(edges) - 2, sum(edge <= place for edge in edges) - 1))


def _holds(box: Box, word: Word) -> bool:
    across, down = (word.left + word.right) / 2, (word.top + word.bottom) / 2
    return box.left - 1 <= across <= box.right + 1 and box.top - 1 <= down <= box.bottom + 1


def _said(words: Sequence[Word]) -> str:
    if not words:
        return ""
    return joining.joined(
        sorted(lines(words), key=lambda line: line.box.top), joining.Wrapping(by_syllable=False)
    )


# ---- with lines above and below only


def _barred(words: Sequence[Word], rules: Sequence[Rule]) -> list[_Found]:
    """Tables between lines of one width across the page."""
    bars: dict[tuple[int, int], list[Rule]] = defaultdict(list)
    for rule in rules[:MOST_RULES]:
        if rule.across:
            bars[round(rule.left / NEAR / 2), round(rule.right / NEAR / 2)].append(rule)
    found = []
    for bar in bars.values():
        for group in _stacked(sorted(bar, key=lambda rule: rule.top), words):
            box = around(group)
            inside = [word for word in words if _holds(box, word)]
            cells = _columned(inside)
            if cells:
                found.append((box, cells, inside))
    return found


def _stacked(bars: Sequence[Rule], words: Sequence[Word]) -> Iterator[list[Rule]]:
    """Bars with nothing but rows of a table between them."""
    group = list(bars[:1])
    for bar in bars[1:]:
        between = [word for word in words if _holds(around([group[-1], bar]), word)]
        rows = _rows(pieces(between))
        if rows and 2 * sum(len(row) >= 2 for row in rows) > len(rows):
            group.append(bar)
            continue
        if len(group) > 1:
            yield group
        group = [bar]
    if len(group) > 1:
        yield group


# ---- without lines


def _aligned(others: Sequence[Line]) -> list[_Found]:
    """Tables of which only the columns tell."""
    found = []
    for rows in _runs(_rows(others)):
        parts = [line for row in rows for line in row]
        inside = [word for line in parts for word in line.words]
        if _prose(parts):
            continue
        cells = _columned(inside)
        if cells and len({cell.column for cell in cells}) >= 2 and len({cell.row for cell in cells}) >= 3:
            found.append((around(inside), cells, inside))
    return found


def _rows(found: Sequence[Line]) -> list[list[Line]]:
    rows: list[list[Line]] = []
    for line in sorted(found, key=lambda line: (line.box.top + line.box.bottom) / 2):
        if rows and in_row(rows[-1][0].box, line.box):
            rows[-1].append(line)
        else:
            rows.append([line])
    return rows


def _runs(rows: Sequence[list[Line]]) -> list[list[list[Line]]]:
    """Rows of several parts that follow each other."""
    runs: list[list[list[Line]]] = []
    last: list[Line] = []
    for row in rows:
        if len(row) >= 2:
            gap = row[0].box.top - last[0].box.bottom if last else 0.0
            if len(last) >= 2 and gap <= WIDEST_ROW * row[0].size:
                runs[-1].append(row)
            else:
                runs.append([row])
        last = row
    return [run for run in runs if len(run) >= 3]


def _prose(parts: Sequence[Line]) -> bool:
    """Whether these are columns of running text, or items with their marks."""
    if (
        median([len(line.text) for line in parts]) > LONGEST
        or median([len(line.words) for line in parts]) > WORDY
    ):
        return True
    first = [line for line in parts if joining.MARK.fullmatch(line.text + " ")]
    by_left: dict[int, list[Line]] = defaultdict(list)
    for line in parts:
        by_left[round(line.box.left / (2 * line.size))].append(line)
    full = 0
    for column in by_left.values():
        width = max(line.box.right - line.box.left for line in column)
        filled = [line for line in column if line.box.right - line.box.left > FULL * width]
        if len(column) >= RUNNING and all(len(line.words) > WORDY for line in filled) and filled == column:
            return True
        full += sum(len(line.words) > 2 for line in filled)
    return full > FULLEST * len(parts) or 2.5 * len(first) >= len(parts)


def _columned(words: Sequence[Word]) -> list[Cell]:
    """Cells by rows and columns of words; what reaches over the white between them spans."""
    rows = [sorted(row, key=lambda part: part.box.left) for row in _rows(pieces(words))]
    edges = _edges(rows)
    if not edges:
        return []
    size = median([part.size for row in rows for part in row])
    reaches = [[_reach(edges, part.box, size * OVER) for part in row] for row in rows]
    columns: dict[int, list[Box]] = defaultdict(list)
    for row, reach in zip(rows[1:], reaches[1:], strict=True):  # a head is set otherwise
        for part, (column, wide) in zip(row, reach, strict=True):
            columns[column] += [part.box] if wide == 1 else []
    held: dict[tuple[int, int, int, int], list[Word]] = defaultdict(list)
    for number, high, at in _numbered(rows):
        taken = {x for first, wide in reaches[at] for x in range(first, first + wide)}
        for part, (first, wide) in zip(rows[at], reaches[at], strict=True):
            if (
                wide == 1
                and at
                and len(rows[at]) > 1
                and not _in_line(part.box, columns[first], size * LEVEL)
            ):
                first, wide = _centred(edges, part, first, taken)
            held[number, first, high, wide] += part.words
    if len({place[0] for place in held}) < 2 or max(len(_said(cell)) for cell in held.values()) > LONGEST * 6:
        return []
    return [Cell(y, x, _said(cell), high, wide, y == 0) for (y, x, high, wide), cell in sorted(held.items())]


def _in_line(box: Box, column: Sequence[Box], slack: float) -> bool:
    """Whether a part begins, ends or has its middle where the others of its column have."""
    if len(column) < 3:
        return True
    return any(
        abs(place - median(places)) <= slack
        for place, *places in zip(*map(_marks, (box, *column)), strict=True)
    )


def _marks(box: Box) -> tuple[float, float, float]:
    return box.left, box.right, (box.left + box.right) / 2


def _centred(edges: Sequence[float], part: Line, column: int, taken: set[int]) -> tuple[int, int]:
    """The columns of a part out of line with its own: with the nearer neighbour, if that is empty."""
    middle = (part.box.left + part.box.right) / 2
    near = [(abs(middle - edges[at]), at) for at in (column - 1, column) if 0 <= at < len(edges)]
    at = min(near)[1]
    other = at if at < column else at + 1
    return (column, 1) if other in taken else (at, 2)


def _edges(rows: Sequence[Sequence[Line]]) -> list[float]:
    """Where columns part, by the rows that have the most parts: spans take some from the others."""
    counts = Counter(len(row) for row in rows if len(row) >= 2)
    least = max(2, int(FEWEST * counts.total()))
    usual = max((count for count in counts if counts[count] >= least or count == len(rows[0])), default=0)
    full = [row for row in rows if len(row) == usual]
    if not usual:
        return []
    edges = []
    for at in range(usual - 1):
        ends, starts = [row[at].box.right for row in full], [row[at + 1].box.left for row in full]
        end, start = max(ends), min(starts)
        if end > start:
            end, start = median(ends), median(starts)
        edges.append(_clearest(end, start, [part.box for row in rows for part in row]))
    return edges if edges == sorted(edges) else []


def _clearest(first: float, last: float, boxes: Sequence[Box]) -> float:
    """The middle of the widest strip between two places that the fewest boxes reach over."""
    stops = {first, last, *(edge for box in boxes for edge in (box.left, box.right) if first < edge < last)}
    strips = [
        (sum(box.left < (start + end) / 2 < box.right for box in boxes), start - end, (start + end) / 2)
        for start, end in pairwise(sorted(stops))
    ]
    return min(strips, default=(0, 0.0, (first + last) / 2))[2]


def _numbered(rows: Sequence[Sequence[Line]]) -> Iterator[tuple[int, int, int]]:
    """Each row: its number, how many it is, its place; a part alone, close between two rows, is of both."""
    middles = [sum(part.box.top + part.box.bottom for part in row) / 2 / len(row) for row in rows]
    pitch = median([below - above for above, below in pairwise(middles)])
    pitch = max(pitch, median([b - a for (a, b), (r, s) in zip(pairwise(middles), pairwise(rows), strict=True)
                               if len(r) > 1 and len(s) > 1]))  # fmt: skip
    number = 0
    for at, row in enumerate(rows):
        near = 0 < at < len(rows) - 1 and middles[at] - middles[at - 1] < BETWEEN * pitch
        if near and len(row) == 1 and middles[at + 1] - middles[at] < BETWEEN * pitch:
            yield number - 1, 2, at
            continue
        yield number, 1, at
        number += 1


def _reach(edges: Sequence[float], box: Box, slack: float) -> tuple[int, int]:
    """The first column that something is in, and how many it reaches over."""
    first = sum(place <= box.left + slack for place in edges)
    last = sum(place < box.right - slack for place in edges)
    return first, max(1, last - first + 1)
