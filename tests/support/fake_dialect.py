"""A dialect without a server: the made-up model of the stand-ins answers in this process, asked by a real engine."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llmflow_kit.batches import Limits
from llmflow_kit.connection import Connection, Server
from llmflow_kit.faults import Rejected
from llmflow_kit.pooling import Asker, Engine, Known, Pairs, Served, Texts, Vectors

from support.fake_engines import count, logistic, logit, vector

MODEL = "made-up"


@dataclass
class FakeDialect:
    """Answers at once, and remembers what it was asked."""

    tokens: bool = True  # whether it counts them
    before: Callable[[Asker, Any], None] = lambda _ask, _request: None  # called with each request
    asked: list[Texts | Pairs] = field(default_factory=list)
    counted: list[Sequence[str]] = field(default_factory=list)

    def embed(self, ask: Asker, request: Texts) -> Vectors:
        """Made-up vectors."""
        self.asked.append(request)
        self.before(ask, request)
        found = [array("f", vector(text)) for text in request.texts]
        return Vectors(found, sum(map(count, request.texts)) if self.tokens else None)

    def embed_images(self, ask: Asker, model: Served, images: Sequence[str]) -> Vectors:
        """Made-up vectors of data URIs."""
        return self.embed(ask, Texts(model, images))

    def takes_images(self, ask: Asker, model: Served, kind: str) -> bool:
        """Yes."""
        return True

    def embed_sparse(self, ask: Asker, request: Texts) -> list[Mapping[int, float]]:
        """A weight for each length of word."""
        self.asked.append(request)
        self.before(ask, request)
        return [{len(word): 1.5 for word in text.split()} for text in request.texts]

    def rerank(self, ask: Asker, request: Pairs) -> list[float]:
        """Made-up scores."""
        self.asked.append(request)
        self.before(ask, request)
        logits = [logit(request.query, document) for document in request.documents]
        return logits if request.raw else list(map(logistic, logits))

    def count_tokens(self, ask: Asker, model: Served, texts: Sequence[str]) -> list[int]:
        """Made-up counts."""
        if not self.tokens:
            raise Rejected("It counts no tokens.")
        self.counted.append(texts)
        return list(map(count, texts))


def served(**change: Any) -> Served:
    """The made-up model as a server says of it."""
    usual: dict[str, Any] = {"name": MODEL, "context_size": 256, "limits": Limits(4, 1000, 100_000)}
    return Served(**usual | change)


def engine(dialect: FakeDialect, sleep: Callable[[float], None] = lambda _: None, **change: Any) -> Engine:
    """An engine whose servers are never really asked."""
    known = Known(dialect, (served(**change),))
    return Engine(Connection((Server("http://nowhere"),)), lambda _: known, sleep=sleep)
