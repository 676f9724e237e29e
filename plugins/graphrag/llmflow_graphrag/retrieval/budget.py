"""The time of one question: steps run beside each other, and what is not ready when it ends is left out by name."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from typing import TypeVar

from llmflow_graphrag.errors import GraphragError

T = TypeVar("T")


class Budget:
    """Seconds for one question, what each step took of them, and which steps did not come to an end.

    A failure of a store is not hidden: where nothing at all can be answered, `give_up` raises the first.
    """

    def __init__(self, seconds: float, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._began = time.monotonic()
        self._until = self._began + seconds
        self.milliseconds: dict[str, float] = {}
        self.missing: list[str] = []
        self._first_failure: GraphragError | None = None

    def start(self, name: str, step: Callable[[], T]) -> Future[T]:
        """Begin a step beside the others."""

        def timed() -> T:
            began = time.perf_counter()
            try:
                return step()
            finally:
                self.milliseconds[name] = round((time.perf_counter() - began) * 1000, 2)

        return self._pool.submit(timed)

    def result(self, name: str, future: Future[T]) -> T | None:
        """What a step gave, None where it failed or there is no time left for it."""
        try:
            return future.result(max(0.0, self.left))
        except TooLate:
            future.cancel()
            self.missing.append(name)
        except GraphragError as failure:
            self._first_failure = self._first_failure or failure
            self.missing.append(name)
        return None

    def run(self, name: str, step: Callable[[], T]) -> T | None:
        """Begin a step and wait for it."""
        if self.over:
            self.missing.append(name)
            return None
        return self.result(name, self.start(name, step))

    @property
    def over(self) -> bool:
        """Whether the time has ended."""
        return self.left <= 0

    @property
    def left(self) -> float:
        """Seconds until the time ends; less than 0 after it."""
        return self._until - time.monotonic()

    @property
    def spent(self) -> float:
        """Milliseconds since the question came."""
        return round((time.monotonic() - self._began) * 1000, 2)

    def give_up(self) -> None:
        """Raise the first failure, if there was one: for when nothing is left to answer with."""
        if self._first_failure:
            raise self._first_failure
