"""What is found in a text: an entity between two offsets, how sure, and by which rule. Never the text itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from llmflow_presidio.entities import ENTITIES

SHORTEST = 12  # signs of a part of a sentence that is worth a finding of its own


@dataclass(frozen=True, order=True)
class Finding:
    """An entity in a text."""

    start: int
    end: int
    entity: str
    score: float
    rule: str


def resolve(found: Iterable[Finding]) -> list[Finding]:
    """Findings that don't overlap, in the text's order: of those that do, the surest stays, then the longest.

    A sentence that injects an instruction stays beside what else is in it, as the parts that are left: neither may
    hide the other.
    """
    kept: list[Finding] = []
    sentences: list[Finding] = []
    for one in sorted(found, key=lambda f: (-f.score, f.start - f.end, f.start, f.entity)):
        if ENTITIES[one.entity].family == "conduct":
            sentences.append(one)
        elif not any(_overlap(one, other) for other in kept):
            kept.append(one)
    for one in sentences:
        others = [other for other in kept if _overlap(one, other)]
        left = [*_left(one, others)]
        if not left and all(ENTITIES[other.entity].family == "secret" for other in others):
            kept = [other for other in kept if other not in others]  # an encoded instruction looks like a key
            left = [one]
        kept += left
    return sorted(kept)


def _left(one: Finding, others: list[Finding]) -> Iterator[Finding]:
    """What of a finding no other stands over: its long parts, or else the longest."""
    parts, start = [], one.start
    for other in sorted(others):
        parts.append((start, other.start))
        start = max(start, other.end)
    parts.append((start, one.end))
    longest = max(end - start for start, end in parts)
    for start, end in parts:
        if longest > 0 and (end - start >= SHORTEST or end - start == longest):
            yield replace(one, start=start, end=end)


def _overlap(one: Finding, other: Finding) -> bool:
    return one.start < other.end and other.start < one.end
