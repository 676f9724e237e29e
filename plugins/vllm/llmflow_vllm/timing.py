"""How long an answer took, and what goes with its last piece so that an app, or a log, can tell."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from llmflow_kit.traces import Trace

from llmflow_vllm.stream import Piece


@dataclass
class Timing:
    """A stop watch, started when it is made; all in seconds."""

    begun: float = field(default_factory=time.perf_counter)
    first: float | None = None  # until the first text or call

    @property
    def total(self) -> float:
        """Since the beginning."""
        return time.perf_counter() - self.begun

    def over(self, pieces: Iterable[Piece]) -> Iterator[Piece]:
        """The same pieces, the first of them timed."""
        for piece in pieces:
            if self.first is None:
                self.first = self.total
            yield piece


def metadata(piece: Piece, watch: Timing, trace: Trace) -> dict[str, Any]:
    """What the last message of an answer carries as its opaque body: ids, seconds, tokens, probabilities."""
    first, total = watch.first or 0.0, watch.total
    told: dict[str, Any] = {
        "request_id": trace.request_id,
        "trace_id": trace.trace_id,
        "time_to_first_token": round(first, 4),
        "duration": round(total, 4),
    }
    if piece.usage:
        after_first = max(piece.usage.completion - 1, 0)
        told["tokens_per_second"] = round(after_first / (total - first), 1) if total > first else 0.0
        told["cached_tokens"] = piece.usage.cached
        told["reasoning_tokens"] = piece.usage.thoughts
    if piece.queued is not None:
        told["queue_time"] = round(piece.queued, 4)
    if piece.logprobs:
        told["logprobs"] = list(piece.logprobs)
    return {"llmflow": told}


def line(told: Mapping[str, Any]) -> str:
    """The figures for a log: nothing of what was said."""
    return ", ".join(f"{name} {value}" for name, value in told["llmflow"].items() if name != "logprobs")
