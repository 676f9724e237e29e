"""Work side by side that ends with those who wait for it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager


@contextmanager
def side_by_side(most: int) -> Iterator[ThreadPoolExecutor]:
    """Up to so many threads; where the block is left early, what has not begun never does."""
    pool = ThreadPoolExecutor(most)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
