"""What is found in a text: an entity between two offsets, how sure, and by which rule. Never the text itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Finding:
    """An entity in a text."""

    start: int
    end: int
    entity: str
    score: float
    rule: str


def resolve(found: Iterable[Finding]) -> list[Finding]:
    """Findings that don't overlap, in the text's order: of those that do, the surest stays, then the longest."""
    kept: list[Finding] = []
    taken: list[tuple[int, int]] = []
    for one in sorted(found, key=lambda f: (-f.score, f.start - f.end, f.start, f.entity)):
        if all(one.end <= start or end <= one.start for start, end in taken):
            kept.append(one)
            taken.append((one.start, one.end))
    return sorted(kept)
