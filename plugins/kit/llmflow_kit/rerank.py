"""Documents ranked by a query, the same for every kind of server: batches, checks, one threshold for all of them.

A score says how well a document answers the query by itself. It does not depend on the other documents of the request,
so a threshold that was found once holds for every request.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmflow_kit import answers, pooling
from llmflow_kit.batches import Size, plan, together
from llmflow_kit.endpoints import PROMPT
from llmflow_kit.faults import Rejected
from llmflow_kit.fitting import fitted
from llmflow_kit.http import NO_HEADERS
from llmflow_kit.pooling import END, PROMPT_AT_ONCE, TRUNCATIONS, Engine, Line, Pairs, Served
from llmflow_kit.settings import Form

LABELS: Mapping[str, str] = {  # as in the provider files of the plugins that rerank; a test compares them
    "document_truncation": "Documents that are too long / 너무 긴 문서",
    "scores": "Scores / 점수",
}
PROBABILITY, RAW = "probability", "raw"
PICTURE = 1000  # tokens that a picture is taken for


@dataclass(frozen=True)
class Ranking:
    """How a form wants documents ranked."""

    raw: bool = False  # the model's own scores, in whatever range, instead of probabilities
    truncation: str = END
    context_size: int = 0  # tokens; 0 for what the server says


def ranking(form: Form) -> Ranking:
    """The fields of LABELS, bad ones noted in `form`."""
    return Ranking(
        raw=form.choice("scores", (PROBABILITY, RAW), default=PROBABILITY) == RAW,
        truncation=form.choice("document_truncation", TRUNCATIONS, default=END),
        context_size=form.whole_number("context_size", 1, 10_000_000, default=0),
    )


@dataclass(frozen=True)
class Ranked:
    """A document by its place in the request, and its score."""

    index: int
    score: float


@dataclass(frozen=True)
class Reranker:
    """One model on the servers of an engine."""

    engine: Engine
    model: str
    ranking: Ranking = Ranking()

    def rerank(
        self,
        query: Any,
        documents: Sequence[Any],
        *,
        top_n: int | None = None,
        threshold: float | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> list[Ranked]:
        """The best documents first, equals in their old order; raises a Fault. Each is a text or content parts.

        `top_n` None or 0 keeps all that reach the threshold.
        """
        if not documents:
            return []
        if isinstance(query, str) and not query.strip():
            raise Rejected("The query is empty or blank; there is nothing to rank by.")
        scores = self.scores(query, documents, headers)
        kept = [
            Ranked(index, score)
            for index, score in enumerate(scores)
            if threshold is None or score >= threshold
        ]
        kept.sort(key=lambda ranked: -ranked.score)  # a stable sort
        return kept[:top_n] if top_n and top_n > 0 else kept

    def scores(
        self, query: Any, documents: Sequence[Any], headers: Mapping[str, str] = NO_HEADERS
    ) -> list[float]:
        """The score of each document, in their order; raises a Fault."""
        known = self.engine.known()
        model = known.model(self.model)
        asked = _size(query)
        ready = self._ready(documents, model, asked)
        line = Line(self.engine.servers, PROMPT, headers)

        def send(batch: list[int]) -> list[float]:
            some = [ready[index] for index in batch]
            pairs = Pairs(model, query, some, self.ranking.truncation, self.ranking.raw)
            return answers.scores(known.dialect.rerank(line, pairs))

        batches = plan([_beside(asked, _size(document)) for document in ready], model.limits)
        with self.engine.changes_noticed(self.model):
            found = pooling.placed(batches, together(send, batches, PROMPT_AT_ONCE))
        return [found[index] for index in range(len(documents))]

    def check(self) -> None:
        """Raise the Fault that keeps the model from ranking, after two short documents at most."""
        self.engine.check(self.model, pooling.RERANK)
        self.rerank("ping", ["ping", "pong"])

    def _ready(self, documents: Sequence[Any], model: Served, query: Size) -> list[Any]:
        """The documents as they are sent: texts of a length that is taken beside the query, parts as they are."""
        size = self.ranking.context_size or model.context_size
        within = max(1, size - query.tokens) if size else 0
        return [
            fitted(
                document,
                f"Document {number} of {len(documents)}",
                model,
                self.ranking.truncation,
                within,
                field="document_truncation",
            )
            if isinstance(document, str)
            else document
            for number, document in enumerate(documents, 1)
        ]


def probability(logit: float) -> float:
    """The logistic function, for any logit."""
    if logit < 0:
        return math.exp(logit) / (1 + math.exp(logit))
    return 1 / (1 + math.exp(-logit))


def _size(content: Any) -> Size:
    """What a text, or a list of content parts, costs."""
    if isinstance(content, str):
        (size,) = pooling.sizes([content])
        return size
    parts = [_size(part["text"]) if "text" in part else Size(PICTURE, len(str(part))) for part in content]
    return Size(sum(part.tokens for part in parts), sum(part.bytes for part in parts))


def _beside(query: Size, document: Size) -> Size:
    """A document's cost; the query is computed with each, but sent once."""
    return Size(query.tokens + document.tokens, document.bytes)
