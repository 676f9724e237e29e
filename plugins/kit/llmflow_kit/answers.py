"""Answers to batches: one value for each text, told by its index. A missing, doubled or strange one is no answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from llmflow_kit.faults import Garbled


def rows(body: Any, name: str) -> list[dict[str, Any]]:
    """The objects under `name` in an answer, or the answer itself where `name` is ""; raises Garbled."""
    found = (body.get(name) if isinstance(body, dict) else None) if name else body
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise Garbled("The server's answer is not what its protocol says.")
    return found


def in_order(found: Sequence[dict[str, Any]], value: str, count: int) -> list[Any]:
    """What `value` names in each row, by the rows' `index`; raises Garbled unless each of `count` is there once."""
    if len(found) != count:
        raise Garbled(f"The server answered {len(found)} times to {count} texts.")
    placed: dict[int, Any] = {}
    for row in found:
        index = row.get("index")
        if type(index) is not int or not 0 <= index < count or index in placed:
            raise Garbled("The server's answer gives one of the texts no index, or two.")
        placed[index] = row.get(value)
    return [placed[index] for index in range(count)]


def scores(values: Sequence[Any]) -> list[float]:
    """Scores as numbers; raises Garbled for one that is none: ranking by it would only look like an order."""
    for index, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise Garbled(f"The server's score of document {index + 1} is not a number.")
    return [float(value) for value in values]


def usage(body: Any) -> int | None:
    """The tokens that an OpenAI answer bills, None where it does not say."""
    found = body.get("usage") if isinstance(body, dict) else None
    count = found.get("prompt_tokens") if isinstance(found, dict) else None
    return count if type(count) is int and count >= 0 else None
