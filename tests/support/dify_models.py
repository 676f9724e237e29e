"""Dify's models as a plugin sees them when it asks back: vectors by words, answers by a script."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from support.graphrag import HashEmbedder

EMBEDDER = {"provider": "llmflow/embeddings/embeddings", "model": "hash", "model_type": "text-embedding"}
USAGE = {
    "tokens": 1, "total_tokens": 1, "unit_price": "0", "price_unit": "0", "total_price": "0", "currency": "USD",
    "latency": 0.0,
}  # fmt: skip


@dataclass
class DifyModels:
    """Answers backwards invocations; `asked` counts them by kind."""

    asked: dict[str, int] = field(default_factory=dict)
    embedder: HashEmbedder = field(default_factory=HashEmbedder)

    def __call__(self, invocation: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """What Dify would answer to one invocation."""
        kind, request = invocation["type"], invocation["request"]
        self.asked[kind] = self.asked.get(kind, 0) + 1
        if kind != "text_embedding":
            raise LookupError(f"no model of Dify's for {kind}")
        vectors = self.embedder.documents(request["texts"])
        yield {"model": request["model"], "embeddings": vectors, "usage": USAGE}
