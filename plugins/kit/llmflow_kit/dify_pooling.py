"""What the SDK files of embedding and rerank models share: Dify's words for an Embedder and a Reranker.

Mixed into the SDK's model classes, before them; a plugin says only where its forms lead.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from dify_plugin.entities.model import AIModelEntity, EmbeddingInputType
from dify_plugin.entities.model.rerank import MultiModalRerankResult, RerankDocument, RerankResult
from dify_plugin.entities.model.text_embedding import (
    EmbeddingUsage,
    MultiModalContent,
    MultiModalEmbeddingResult,
    TextEmbeddingResult,
)

from llmflow_kit import dify, pictures, pooling
from llmflow_kit.embedding import Embedded, Embedder
from llmflow_kit.faults import Fault, Rejected
from llmflow_kit.rerank import Ranked, Reranker

LINE = 5 << 20  # bytes of an answer's line; a longer one makes the daemon end the plugin
NUMBER = 24  # bytes of a number in it, at most
ROOM = 4096  # bytes around the numbers
BATCHES = 8  # requests' worth of texts that Dify hands over at once, so that several are under way
UNKNOWN_SIZE, UNKNOWN_CHUNKS = 512, 32  # until the server can be asked: what every model in use takes


class Embeds(dify.Translated):
    """An embedding model; `embedder` is the plugin's own."""

    @staticmethod
    @abstractmethod
    def embedder(credentials: Mapping[str, object], model: str) -> Embedder:
        """The model that a form describes; raises a Fault."""

    def check(self, model: str, credentials: Mapping[str, Any]) -> None:
        """Embed one word; raises a Fault."""
        self.embedder(credentials, model).check()

    def _invoke(
        self,
        model: str,
        credentials: dict[str, Any],
        texts: list[str],
        user: str | None = None,  # noqa: ARG002 - the SDK's signature
        input_type: EmbeddingInputType = EmbeddingInputType.DOCUMENT,
    ) -> TextEmbeddingResult:
        began, query = time.perf_counter(), input_type is EmbeddingInputType.QUERY
        headers = dify.current_trace().headers()
        embedded = self.embedder(credentials, model).embed(texts, query=query, headers=headers)
        return TextEmbeddingResult(model=model, embeddings=_numbers(embedded), usage=_usage(embedded, began))

    def _invoke_multimodal(
        self,
        model: str,
        credentials: dict[str, Any],
        documents: list[MultiModalContent],
        user: str | None = None,  # noqa: ARG002 - the SDK's signature
        input_type: EmbeddingInputType = EmbeddingInputType.DOCUMENT,
    ) -> MultiModalEmbeddingResult:
        began, query = time.perf_counter(), input_type is EmbeddingInputType.QUERY
        parts = [(document.content_type.value, document.content) for document in documents]
        headers = dify.current_trace().headers()
        embedded = self.embedder(credentials, model).embed_mixed(parts, query=query, headers=headers)
        return MultiModalEmbeddingResult(
            model=model, embeddings=_numbers(embedded), usage=_usage(embedded, began)
        )

    def get_num_tokens(self, model: str, credentials: dict[str, Any], texts: list[str]) -> list[int]:
        """The tokens of each text, counted by the server where it counts."""
        return self.embedder(credentials, model).count_tokens(texts)

    def get_customizable_model_schema(self, model: str, credentials: Mapping[str, Any]) -> AIModelEntity:
        """What Dify shows and allows for this model; careful guesses while its server is down."""
        embedder = self.embedder(credentials, model)
        try:
            served, dimensions = embedder.engine.known().model(model), embedder.dimensions()
            vision = embedder.engine.takes_images(model, pooling.EMBEDDING)
        except Fault:
            return _schema(model, "text-embedding", embedder.style.context_size)
        fitting = max(1, (LINE - ROOM) // (NUMBER * dimensions))
        return _schema(
            model,
            "text-embedding",
            embedder.style.context_size or served.context_size,
            label=f"{model} ({dimensions})",
            chunks=min(BATCHES * served.limits.texts, fitting),
            vision=vision,
        )


class Reranks(dify.Translated):
    """A rerank model; `reranker` is the plugin's own."""

    @staticmethod
    @abstractmethod
    def reranker(credentials: Mapping[str, object], model: str) -> Reranker:
        """The model that a form describes; raises a Fault."""

    def check(self, model: str, credentials: Mapping[str, Any]) -> None:
        """Rank two words; raises a Fault."""
        self.reranker(credentials, model).check()

    def _invoke(
        self,
        model: str,
        credentials: dict[str, Any],
        query: str,
        docs: list[str],
        score_threshold: float | None = None,
        top_n: int | None = None,
        user: str | None = None,  # noqa: ARG002 - the SDK's signature
    ) -> RerankResult:
        headers = dify.current_trace().headers()
        ranked = self.reranker(credentials, model).rerank(
            query, docs, top_n=top_n, threshold=score_threshold, headers=headers
        )
        return RerankResult(model=model, docs=_documents(ranked, docs))

    def _invoke_multimodal(
        self,
        model: str,
        credentials: dict[str, Any],
        query: MultiModalContent,
        docs: Sequence[MultiModalContent],
        score_threshold: float | None = None,
        top_n: int | None = None,
        user: str | None = None,  # noqa: ARG002 - the SDK's signature
    ) -> MultiModalRerankResult:
        headers = dify.current_trace().headers()
        ranked = self.reranker(credentials, model).rerank(
            _parts(query), list(map(_parts, docs)), top_n=top_n, threshold=score_threshold, headers=headers
        )
        return MultiModalRerankResult(
            model=model, docs=_documents(ranked, [document.content for document in docs])
        )

    def get_customizable_model_schema(self, model: str, credentials: Mapping[str, Any]) -> AIModelEntity:
        """What Dify shows for this model; a careful guess while its server is down."""
        reranker = self.reranker(credentials, model)
        try:
            served = reranker.engine.known().model(model)
            vision = reranker.engine.takes_images(model, pooling.RERANK)
        except Fault:
            return _schema(model, "rerank", reranker.ranking.context_size)
        return _schema(model, "rerank", reranker.ranking.context_size or served.context_size, vision=vision)


def _numbers(embedded: Embedded) -> list[list[float]]:
    """The vectors as the SDK wants them; raises Rejected for more than an answer to Dify can hold."""
    count = sum(map(len, embedded.vectors))
    if count * NUMBER + ROOM > LINE:
        raise Rejected(
            f"The {len(embedded.vectors)} vectors are more than Dify takes in one answer; ask for fewer at once."
        )
    return [vector.tolist() for vector in embedded.vectors]


def _usage(embedded: Embedded, began: float) -> EmbeddingUsage:
    """The tokens, free of charge."""
    return EmbeddingUsage.model_validate(
        {
            "tokens": embedded.tokens,
            "total_tokens": embedded.tokens,
            "unit_price": 0,
            "price_unit": 0,
            "total_price": 0,
            "currency": "USD",
            "latency": time.perf_counter() - began,
        }
    )


def _documents(ranked: Sequence[Ranked], texts: Sequence[str]) -> list[RerankDocument]:
    """The caller's own documents, never what a server echoes."""
    return [RerankDocument(index=one.index, text=texts[one.index], score=one.score) for one in ranked]


def _parts(content: MultiModalContent) -> Any:
    """A text, or a picture as the content part that engines take."""
    if content.content_type.value == "text":
        return content.content
    return [{"type": "image_url", "image_url": {"url": pictures.data_uri(content.content)}}]


def _schema(
    model: str,
    kind: str,
    context_size: int,
    *,
    label: str = "",
    chunks: int = UNKNOWN_CHUNKS,
    vision: bool = False,
) -> AIModelEntity:
    properties = {"context_size": context_size or UNKNOWN_SIZE}
    return AIModelEntity.model_validate(
        {
            "model": model,
            "label": {"en_US": label or model},
            "model_type": kind,
            "fetch_from": "customizable-model",
            "features": ["vision"] if vision else [],
            "model_properties": properties | ({"max_chunks": chunks} if kind == "text-embedding" else {}),
        }
    )
