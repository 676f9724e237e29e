"""How often a stream hands on what it has: at once while there is room, less often the more streams are open.

Each piece that leaves a plugin costs it, the daemon and Dify a fixed amount of work, however long its text is. The
first token of an answer, and any token on a quiet stream, goes out at once. Between two pieces of one stream lies a
pause that grows with the number of open streams, so that all streams together hand on a bounded number of pieces a
second; what arrives in the meantime is merged into the next piece. A lone stream never waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PIECE = 0.002  # seconds of pause that each further open stream adds: at most 500 pieces a second in all,
LONGEST = 0.1  # seconds: but ten a second of each stream, below which text would seem to stutter


class Pace:
    """The pace of all open streams of a process."""

    def __init__(self, sleep: Callable[[float], None] = time.sleep) -> None:
        self._sleep, self._open = sleep, 0

    @contextmanager
    def stream(self) -> Iterator[None]:
        """Count a stream as open."""
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1

    def rest(self) -> None:
        """Wait as long as the other open streams make advisable; call it after a piece went out."""
        if self._open > 1:
            self._sleep(min(LONGEST, (self._open - 1) * PIECE))


PACE = Pace()
