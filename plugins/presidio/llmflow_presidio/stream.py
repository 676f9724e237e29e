"""A text that grows: what was found in its beginning is remembered, and only its end is searched.

Dify sends a stream's whole text again and again. Remembered is, for each text, how far its closed pieces reach, a
digest of that much, and what was found there: offsets, no text. What comes back is what one pass over the whole finds.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llmflow_presidio import scan
from llmflow_presidio.finding import Finding
from llmflow_presidio.recognisers.rule import Recogniser

HEAD = 64  # signs that a stream is recognised by, before its digest is looked at
MOST, SECONDS = 512, 600.0  # streams that are remembered, and for how long


@dataclass(frozen=True)
class _Beginning:
    """What is known of a text's beginning."""

    length: int
    digest: bytes
    found: tuple[Finding, ...]
    seen: float


class Remembered:
    """The beginnings of the streams that are under way."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._known: OrderedDict[bytes, _Beginning] = OrderedDict()

    def scan(self, text: str, whose: str, among: Sequence[Recogniser] | None = None) -> list[Finding]:
        """What `scan.scan` finds; `whose` keeps texts apart that are searched for different things."""
        key = _digest(f"{whose}\0{text[:HEAD]}")
        start, found = self._recall(key, text)
        closed, kept = start, list(found)
        for piece, there in scan.pieces(text, start, among):
            found.extend(there)
            if piece.closed:
                closed, kept = piece.end, list(found)
        if closed > start:
            self._keep(key, text, closed, kept)
        return found

    def _recall(self, key: bytes, text: str) -> tuple[int, list[Finding]]:
        """How far the text is known, and what was found up to there."""
        with self._lock:
            known = self._known.get(key)
            if known and known.seen + SECONDS < self._clock():
                del self._known[key]
                known = None
        if known is None or len(text) < known.length or _digest(text[: known.length]) != known.digest:
            return 0, []
        return known.length, list(known.found)

    def _keep(self, key: bytes, text: str, length: int, found: Sequence[Finding]) -> None:
        with self._lock:
            self._known[key] = _Beginning(length, _digest(text[:length]), tuple(found), self._clock())
            self._known.move_to_end(key)
            while len(self._known) > MOST:
                self._known.popitem(last=False)


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
