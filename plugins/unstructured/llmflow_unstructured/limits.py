"""Bounds of one document. A file is hostile until it is read."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from llmflow_unstructured.errors import TooLarge

MEBI = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """What one file may cost; sizes in bytes, times in seconds."""

    size: int = 100 * MEBI
    unpacked: int = 500 * MEBI  # of an archive or a compressed stream, all members together
    ratio: int = 200  # of unpacked to packed bytes
    members: int = 10_000
    nesting: int = 3  # archives in archives, messages in messages
    pages: int = 2_000
    pixels: int = 60_000_000  # of one image or rendered page
    cells: int = 1_000_000
    characters: int = 50_000_000
    seconds: float = 600.0
    memory: int = 1024 * MEBI  # of the process that reads it
    ends: float = field(default=float("inf"))

    def started(self) -> Limits:
        """The same bounds, with the clock running."""
        return replace(self, ends=time.monotonic() + self.seconds)

    def check_time(self) -> None:
        """Raise TooLarge once `seconds` have passed since `started`."""
        if time.monotonic() > self.ends:
            raise TooLarge(
                f"Reading it took longer than {self.seconds:.0f} seconds: split it, or raise the limit."
            )


USUAL = Limits()
