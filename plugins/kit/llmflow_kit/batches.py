"""Many texts in few requests: which texts travel together, and how many requests are under way at once.

A server pads the texts that it computes together to the longest of them, so texts of like length travel together,
the longest first: then no long request starts when all others are done. How many requests a server bears it does not
say beforehand; it is found out as TCP finds the rate of a line: one more after each round that went well, half as
many when the server says that it is full.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

A = TypeVar("A")
T = TypeVar("T")


@dataclass(frozen=True)
class Size:
    """What one text costs: tokens to compute, bytes to send."""

    tokens: int
    bytes: int


@dataclass(frozen=True)
class Limits:
    """What one request may hold."""

    texts: int
    tokens: int
    bytes: int


def plan(sizes: Sequence[Size], limits: Limits) -> list[list[int]]:
    """The numbers of the texts of each request; a text that is beyond the limits travels alone."""
    batches: list[list[int]] = []
    tokens = sent = 0
    for index in sorted(range(len(sizes)), key=lambda i: sizes[i].tokens, reverse=True):
        size = sizes[index]
        tokens, sent = tokens + size.tokens, sent + size.bytes
        if not batches or len(batches[-1]) == limits.texts or tokens > limits.tokens or sent > limits.bytes:
            batches.append([])
            tokens, sent = size.tokens, size.bytes
        batches[-1].append(index)
    return batches


class _Began(threading.local):
    """The age of the window when this thread took its place; None while it has none."""

    age: int | None = None


class Window:
    """How many requests may be under way at servers that are shared by everybody in this process."""

    def __init__(self, size: float, most: int, sleep: Callable[[float], None] = time.sleep) -> None:
        self.size, self.most = min(size, most), most
        self._sleep = sleep
        self._underway = self._age = 0  # the age changes whenever the window shrinks
        self._room = threading.Condition()
        self._began = _Began()

    def bound(self, most: int) -> None:
        """Never let more than `most` be under way."""
        with self._room:
            self.size, self.most = min(self.size, most), most

    @contextmanager
    def place(self) -> Iterator[None]:
        """Wait for room, and take it; where the work succeeds, the window grows."""
        with self._room:
            self._room.wait_for(lambda: self._underway < int(self.size))
            self._underway += 1
        self._began.age = self._age
        well = False
        try:
            yield
            well = True
        finally:
            with self._room:
                self._underway -= 1
                self.size = min(self.most, self.size + 1 / self.size) if well else self.size
                self._room.notify_all()
            self._began.age = None

    def rest(self, seconds: float) -> None:
        """Wait because servers are full; of all in a place that find it so at once, the first shrinks the window."""
        with self._room:
            if self._began.age == self._age:
                self.size = max(1.0, self.size / 2)
                self._age += 1
                self._began.age = self._age
        self._sleep(seconds)


def together(do: Callable[[A], T], items: Sequence[A], most: int) -> list[T]:
    """What `do` returns for each item, in their order, up to `most` at once; after a failure none is begun."""
    if len(items) <= 1 or most == 1:
        return [do(item) for item in items]
    failed = threading.Event()

    def attempt(item: A) -> T:
        if failed.is_set():
            raise CancelledError  # seen by nobody: what failed stands before it
        try:
            return do(item)
        except BaseException:
            failed.set()
            raise

    with ThreadPoolExecutor(min(most, len(items))) as pool:
        running = [pool.submit(attempt, item) for item in items]
    return [future.result() for future in running]
