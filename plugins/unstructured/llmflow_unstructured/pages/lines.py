"""Words become lines and blocks, and blocks their reading order: by the white between them, for print and scan alike.

A gap between two words parts columns only if the white goes on above and below it; so the wide spaces of a justified
line stay spaces. Blocks are ordered after Breuel: what is above comes first where two share a column; of two columns
the left one comes first, as long as nothing that spans both stands between them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from llmflow_unstructured.elements import Box
from llmflow_unstructured.pages.words import Rule, Word, around, median

SAME_ROW = 0.5  # of the lower of two words, that they must share to stand in a row
CLOSE, FAR = 0.8, 4.0  # of the type's size: gaps that are spaces, and that never are
GUTTER, ROWS = (
    0.5,
    3,
)  # the least width, of the type's size, of a gap that parts columns, and the rows it must part
WITHIN, PITCH = (
    6,
    2.2,
)  # the rows that it must part between lines without it that are near, in the type's size
WIDE, MANY = 1.6, 7  # of the type's size, and rows: white that parts columns whatever edges it has
STRAIGHT = 0.3  # of the type's size, that the edge of a column may waver
REACH, FURTHEST = (
    4.0,
    12.0,
)  # of the type's size: how far to the side, and up and down, a gutter is looked for
LEADING = 1.25  # of the type's size, between two lines of a block
ALIKE = 1.22  # ratio of sizes within a block
ORDERED = 150  # blocks that are ordered by what is between them; more are no page of text


@dataclass(frozen=True)
class Line:
    """Words in a row, from left to right."""

    words: tuple[Word, ...]

    @cached_property
    def box(self) -> Box:
        """Around its words."""
        return around(self.words)

    @cached_property
    def size(self) -> float:
        """Of most of its type."""
        return median([word.size for word in self.words], [len(word.text) or 1 for word in self.words])

    @cached_property
    def bold(self) -> bool:
        """Whether most of it is."""
        return 2 * sum(len(word.text) for word in self.words if word.bold) > sum(
            len(word.text) for word in self.words
        )

    @cached_property
    def text(self) -> str:
        """Its words with the spaces between them."""
        return "".join(
            word.text if not at or word.glued else f" {word.text}" for at, word in enumerate(self.words)
        )


@dataclass(frozen=True)
class Block:
    """Lines that belong together, from top to bottom."""

    lines: tuple[Line, ...]

    @cached_property
    def box(self) -> Box:
        """Around its lines."""
        return around(line.box for line in self.lines)


def lines(words: Iterable[Word], rules: Iterable[Rule] = ()) -> list[Line]:
    """The words in rows, cut where columns part, and at rules that run down the page."""
    walls = [rule for rule in rules if not rule.across]
    return _joined(pieces(words, walls), walls)


def blocks(found: Sequence[Line]) -> list[Block]:
    """Lines of like type, close below each other, where neither has another neighbour."""
    below = {at: _below(found, at) for at in range(len(found))}
    above = defaultdict(list)
    for at, others in below.items():
        for other in others:
            above[other].append(at)
    first = {at: at for at in range(len(found))}
    for at, others in below.items():
        if len(others) == 1 and above[others[0]] == [at] and _alike(found[at], found[others[0]]):
            first[others[0]] = at
    groups: dict[int, list[int]] = defaultdict(list)
    for at in sorted(range(len(found)), key=lambda at: found[at].box.top):
        root = at
        while first[root] != root:
            root = first[root]
        groups[root].append(at)
    return [Block(tuple(found[at] for at in group)) for group in groups.values()]


def ordered(boxes: Sequence[Box]) -> list[int]:
    """The numbers of the boxes in reading order."""
    by_place = sorted(range(len(boxes)), key=lambda at: (boxes[at].top, boxes[at].left))
    if len(boxes) > ORDERED:
        return by_place
    waits = {
        at: {other for other in by_place if other != at and _before(boxes, other, at)} for at in by_place
    }
    order: list[int] = []
    while by_place:
        at = next((at for at in by_place if not waits[at].difference(order)), by_place[0])
        by_place.remove(at)
        order.append(at)
    return order


# ---- rows


def pieces(words: Iterable[Word], walls: Sequence[Rule] = ()) -> list[Line]:
    """Words in a row with gaps that are surely spaces."""
    open_: list[list[Word]] = []
    done: list[list[Word]] = []
    for word in sorted(words, key=lambda word: (word.left, word.top)):
        best, nearest = None, CLOSE
        still = []
        for row in open_:
            last = row[-1]
            gap = (word.left - last.right) / max(1.0, last.size, word.size)
            if gap > FAR:
                done.append(row)
                continue
            still.append(row)
            if gap <= nearest and gap > -1.0 and in_row(last, word) and not _walled(walls, last, word):
                best, nearest = row, gap
        open_ = still
        if best is None:
            open_.append([word])
        else:
            best.append(word)
    return [Line(tuple(row)) for row in (*done, *open_)]


def in_row(one: Word | Box, other: Word | Box) -> bool:
    """Whether two things stand beside each other."""
    shared = min(one.bottom, other.bottom) - max(one.top, other.top)
    return shared > SAME_ROW * max(0.1, min(one.bottom - one.top, other.bottom - other.top))


def _walled(walls: Sequence[Rule], one: Word | Box, other: Word | Box) -> bool:
    """Whether a rule runs down between two things of a row."""
    middle = (max(one.top, other.top) + min(one.bottom, other.bottom)) / 2
    return any(
        one.right - 1 <= (wall.left + wall.right) / 2 <= other.left + 1 and wall.top <= middle <= wall.bottom
        for wall in walls
    )


def _joined(found: Iterable[Line], walls: Sequence[Rule]) -> list[Line]:
    """Pieces of a row put together where no gutter parts them."""
    pieces = sorted(found, key=lambda piece: piece.box.left)
    after: dict[int, int] = {}
    inner: set[int] = (
        set()
    )  # a piece follows one other, though it may stand behind several that lie on each other
    for at, piece in enumerate(pieces):
        follower = _follower(pieces, at)
        if follower is None or follower in inner or _walled(walls, piece.box, pieces[follower].box):
            continue
        if not _gutter(pieces, piece, pieces[follower]):
            after[at] = follower
            inner.add(follower)
    joined = []
    for at in range(len(pieces)):
        if at in inner:
            continue
        words = list(pieces[at].words)
        while at in after:
            at = after[at]
            words += pieces[at].words
        joined.append(Line(tuple(words)))
    return joined


def _follower(pieces: Sequence[Line], at: int) -> int | None:
    """The piece to the right in the same row, unless it is far or has one nearer to its left."""
    piece = pieces[at]
    right = [
        other
        for other in range(at + 1, len(pieces))
        if pieces[other].box.left >= piece.box.right - piece.size * 0.3
        and in_row(piece.box, pieces[other].box)
    ]
    nearest = min(right, key=lambda other: pieces[other].box.left, default=None)
    if nearest is None or pieces[nearest].box.left - piece.box.right > FAR * max(
        piece.size, pieces[nearest].size
    ):
        return None
    between = any(
        other not in (at, nearest)
        and piece.box.right < pieces[other].box.right <= pieces[nearest].box.left
        and in_row(pieces[other].box, pieces[nearest].box)
        for other in range(len(pieces))
    )
    return None if between else nearest


def _gutter(pieces: Sequence[Line], one: Line, other: Line) -> bool:
    """Whether the white between two pieces of a row goes on over some rows, along a straight edge or widely."""
    size = max(one.size, other.size)
    free = (one.box.right, other.box.left)
    ends, starts, within = [one.box.right], [other.box.left], True
    for downwards in (False, True):
        free, passed_left, passed_right, stopped = _white(pieces, one, free, size, downwards=downwards)
        ends += passed_left
        starts += passed_right
        within &= stopped
    least = WITHIN if within else ROWS
    if len(ends) < least or len(starts) < least or free[1] - free[0] < GUTTER * size:
        return False
    wide = free[1] - free[0] >= WIDE * size or min(len(ends), len(starts)) > MANY
    return wide or _straight(starts, other.box.left, size) or _straight(ends, one.box.right, size)


def _straight(edges: Sequence[float], edge: float, size: float) -> bool:
    level = sum(abs(place - edge) <= STRAIGHT * size for place in edges)
    return level >= max(ROWS, 0.5 * len(edges))


def _white(
    pieces: Sequence[Line], start: Line, free: tuple[float, float], size: float, *, downwards: bool
) -> tuple[tuple[float, float], list[float], list[float], bool]:
    """What stays free of a gap on the way up or down, the edges of the pieces passed on its left and right, and whether
    the next line but a usual distance on ended it."""
    sign = 1 if downwards else -1
    middle = (start.box.top + start.box.bottom) / 2
    reach = REACH * size
    rows = sorted(
        (
            (sign * ((piece.box.top + piece.box.bottom) / 2 - middle), piece)
            for piece in pieces
            if piece.box.right > free[0] - reach and piece.box.left < free[1] + reach
        ),
        key=lambda row: row[0],
    )
    ends: list[float] = []
    starts: list[float] = []
    passed, stopped = 0.0, False
    for distance, piece in rows:
        if distance <= size * 0.5:
            continue
        if distance > FURTHEST * size or (len(ends) > MANY and len(starts) > MANY):
            break
        left, right = free
        if piece.box.right <= left:
            ends.append(piece.box.right)
        elif piece.box.left >= right:
            starts.append(piece.box.left)
        elif piece.box.left < left and right - piece.box.right >= GUTTER * size:
            free = (piece.box.right, right)
            ends.append(piece.box.right)
        elif piece.box.right > right and piece.box.left - left >= GUTTER * size:
            free = (left, piece.box.left)
            starts.append(piece.box.left)
        else:
            stopped = distance - passed < PITCH * size
            break
        passed = distance
    return free, ends, starts, stopped


# ---- blocks


def _below(found: Sequence[Line], at: int) -> list[int]:
    """The lines next below that share some of its width."""
    box = found[at].box
    reach = LEADING * found[at].size
    near = [
        other
        for other, line in enumerate(found)
        if other != at
        and line.box.top > (box.top + box.bottom) / 2
        and line.box.top - box.bottom <= reach
        and min(line.box.right, box.right) - max(line.box.left, box.left) > 0
    ]
    return [
        other
        for other in near
        if not any(
            found[third].box.bottom <= found[other].box.top + 0.3 * found[other].size
            and min(found[third].box.right, found[other].box.right)
            > max(found[third].box.left, found[other].box.left)
            for third in near
            if third != other
        )
    ]


def _alike(one: Line, other: Line) -> bool:
    return max(one.size, other.size) <= ALIKE * max(0.1, min(one.size, other.size))


# ---- order


def _before(boxes: Sequence[Box], one: int, other: int) -> bool:
    """Whether one must be read before the other."""
    a, b = boxes[one], boxes[other]
    if _share_width(a, b):
        return (a.top, a.left) < (b.top, b.left)
    if _share_height(a, b):
        return a.left < b.left
    left, right = (a, b) if a.left < b.left else (b, a)
    others = [box for at, box in enumerate(boxes) if at not in (one, other)]
    if left.top < right.top or not _columns(left, right, others):
        return a.top < b.top
    return a is left


def _columns(left: Box, right: Box, others: Sequence[Box]) -> bool:
    """Whether what is further down on the left is of a column beside that of what is on the right."""
    spanned = any(
        _share_width(box, left)
        and _share_width(box, right)
        and right.bottom <= box.bottom
        and box.top <= left.top
        for box in others
    )
    return not spanned and any(
        (_share_width(box, left) and not _share_width(box, right) and _share_height(box, right))
        or (_share_width(box, right) and not _share_width(box, left) and _share_height(box, left))
        for box in others
    )


def _share_width(a: Box, b: Box) -> bool:
    return min(a.right, b.right) - max(a.left, b.left) > 0.1 * min(a.right - a.left, b.right - b.left)


def _share_height(a: Box, b: Box) -> bool:
    return min(a.bottom, b.bottom) - max(a.top, b.top) > 0.1 * min(a.bottom - a.top, b.bottom - b.top)
