"""Guards against a model that goes in circles: the same call again, two calls in turn, rounds that bring nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

RUNS = 2  # how often the same call may run with the same arguments: a status may change once
SAME = 4  # how often the model may ask for it before the run ends
WARN_STALE, END_STALE = 3, 5  # rounds in a row that bring nothing new


@dataclass(frozen=True)
class Round:
    """The calls that a model made at once, by their fingerprints, and whether they brought something new."""

    calls: tuple[str, ...]
    fresh: bool = False


@dataclass(frozen=True)
class Verdict:
    """Whether to go on; `why` names the circle."""

    act: Literal["go", "warn", "end"]
    why: Literal["", "same", "ping-pong", "stale"] = ""


def fingerprint(name: str, arguments: str) -> str:
    """A short name for a call: equal for equal arguments, however they are written."""
    with suppress(ValueError):  # what can't be read is compared as it stands
        arguments = json.dumps(json.loads(arguments), sort_keys=True)
    return hashlib.sha256(f"{name}\0{arguments}".encode()).hexdigest()[:16]


def times(rounds: Sequence[Round], call: str) -> int:
    """How often a call was asked for."""
    return sum(one.calls.count(call) for one in rounds)


def verdict(rounds: Sequence[Round]) -> Verdict:
    """What the rounds so far say."""
    if not rounds:
        return Verdict("go")
    most = max((times(rounds, call) for call in rounds[-1].calls), default=0)
    if most >= SAME:
        return Verdict("end", "same")
    if _alternating(rounds, 6):
        return Verdict("end", "ping-pong")
    stale = _stale(rounds)
    if stale >= END_STALE:
        return Verdict("end", "stale")
    if most > RUNS:
        return Verdict("warn", "same")
    if _alternating(rounds, 4):
        return Verdict("warn", "ping-pong")
    return Verdict("warn", "stale") if stale == WARN_STALE else Verdict("go")


def _alternating(rounds: Sequence[Round], length: int) -> bool:
    """Whether the last rounds are A, B, A, B…"""
    last = [one.calls for one in rounds[-length:]]
    return (
        len(last) == length
        and last[0] != last[1]
        and all(a == b for a, b in zip(last, last[2:], strict=False))
    )


def _stale(rounds: Sequence[Round]) -> int:
    """How many rounds at the end brought nothing new."""
    found = 0
    for one in reversed(rounds):
        if one.fresh:
            break
        found += 1
    return found
