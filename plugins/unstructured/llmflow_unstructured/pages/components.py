"""What hangs together in a black-and-white picture: boxes around it, found by runs of its rows, with numpy alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Components:
    """The parts of a picture, each with its box (right and bottom just outside) and its count of dots."""

    shape: tuple[int, int]
    starts: Numbers  # of each run, in the flat picture
    ends: Numbers
    labels: Numbers  # the part that each run is of
    left: Numbers
    top: Numbers
    right: Numbers
    bottom: Numbers
    dots: Numbers

    def __len__(self) -> int:
        return len(self.left)

    @cached_property
    def width(self) -> Numbers:
        """Of each part."""
        return self.right - self.left

    @cached_property
    def height(self) -> Numbers:
        """Of each part."""
        return self.bottom - self.top

    def mask(self, chosen: Mask) -> Mask:
        """A picture of the chosen parts alone."""
        kept = chosen[self.labels] if len(self) else np.zeros(0, np.bool_)
        return drawn(self.starts[kept], self.ends[kept], self.shape)


def runs(picture: Mask) -> tuple[Numbers, Numbers]:
    """Where each run of dots in a row begins and ends, in the flat picture with one empty column more."""
    high, wide = picture.shape
    padded = np.zeros(1 + high * (wide + 1), np.bool_)  # an empty dot before all the rows
    padded[1:].reshape(high, wide + 1)[:, :-1] = picture
    change = np.flatnonzero(padded[1:] != padded[:-1])
    return change[0::2], change[1::2]


def components(picture: Mask) -> Components:
    """The parts of a picture that touch, corners included."""
    high, wide = picture.shape[0], picture.shape[1]
    starts, ends = runs(picture)
    labels = _labels(starts, ends, wide + 1)
    count = int(np.max(labels)) + 1 if len(labels) else 0
    rows, lefts = np.divmod(starts, wide + 1)
    rights = lefts + (ends - starts)
    left, top = np.full(count, wide), np.full(count, high)
    right, bottom, dots = np.zeros(count, np.int64), np.zeros(count, np.int64), np.zeros(count, np.int64)
    np.minimum.at(left, labels, lefts)
    np.minimum.at(top, labels, rows)
    np.maximum.at(right, labels, rights)
    np.maximum.at(bottom, labels, rows + 1)
    np.add.at(dots, labels, ends - starts)
    return Components((high, wide), starts, ends, labels, left, top, right, bottom, dots)


def closed(picture: Mask, gap: int) -> Mask:
    """The picture with the gaps in its rows filled that are at most so wide."""
    starts, ends = runs(picture)
    if not len(starts):
        return picture
    high, wide = picture.shape
    row = starts // (wide + 1)
    apart = (starts[1:] - ends[:-1] > gap) | (row[1:] != row[:-1])
    return drawn(starts[np.append(True, apart)], ends[np.append(apart, True)], (high, wide))


def drawn(starts: Numbers, ends: Numbers, shape: tuple[int, int]) -> Mask:
    """A picture of runs, as `runs` gives them."""
    high, wide = shape
    edges = np.zeros(2 * len(starts) + 2, np.int64)
    edges[1:-1:2], edges[2:-1:2], edges[-1] = starts, ends, high * (wide + 1)
    dark = np.arange(len(edges) - 1) % 2 == 1
    return np.repeat(dark, np.diff(edges)).reshape(high, wide + 1)[:, :-1]


def _labels(starts: Numbers, ends: Numbers, pitch: int) -> Numbers:
    """A number for each run, the same for all that touch, from 0 without gaps."""
    above, below = _touching(starts, ends, pitch)
    parent = np.arange(len(starts))
    while len(above):
        one, other = parent[above], parent[below]
        apart = one != other
        if not apart.any():
            break
        above, below = above[apart], below[apart]
        np.minimum.at(parent, np.maximum(one, other)[apart], np.minimum(one, other)[apart])
        while not np.array_equal(parent, parent[parent]):
            parent = parent[parent]
    return np.unique(parent, return_inverse=True)[1].reshape(-1) if len(parent) else parent


def _touching(starts: Numbers, ends: Numbers, pitch: int) -> tuple[Numbers, Numbers]:
    """Pairs of runs, one of them in the row below the other."""
    first = np.searchsorted(ends, starts + pitch, side="left")  # ends at or right of the start: corners touch
    last = np.searchsorted(starts, ends + pitch, side="right")
    count = np.maximum(0, last - first)
    above = np.repeat(np.arange(len(starts)), count)
    offset = np.arange(len(above)) - np.repeat(np.cumsum(count) - count, count)
    return above, np.repeat(first, count) + offset
