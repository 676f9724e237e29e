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
        change = np.zeros(self.shape[0] * (self.shape[1] + 1) + 1, np.int8)
        np.add.at(change, self.starts[kept], 1)
        np.add.at(change, self.ends[kept], -1)
        flat = np.cumsum(change[:-1], dtype=np.int8).astype(np.bool_)
        return flat.reshape(self.shape[0], self.shape[1] + 1)[:, :-1]


def runs(picture: Mask) -> tuple[Numbers, Numbers]:
    """Where each run of dots in a row begins and ends, in the flat picture with one empty column more."""
    high, wide = picture.shape
    padded = np.zeros((high, wide + 1), np.int8)
    padded[:, :-1] = picture
    change = np.diff(padded.ravel(), prepend=np.int8(0))
    return np.flatnonzero(change == 1), np.flatnonzero(change == -1)


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
    if len(starts) < 2:
        return picture
    row = starts // (picture.shape[1] + 1)
    fill = (starts[1:] - ends[:-1] <= gap) & (row[1:] == row[:-1])
    change = np.zeros(picture.shape[0] * (picture.shape[1] + 1) + 1, np.int8)
    change[starts] += 1
    change[ends] -= 1
    change[ends[:-1][fill]] += 1
    change[starts[1:][fill]] -= 1
    flat = np.cumsum(change[:-1], dtype=np.int8).astype(np.bool_)
    return flat.reshape(picture.shape[0], picture.shape[1] + 1)[:, :-1]


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
