"""Infinity: several models a server, listed at /models with what each can.

Unless it is started with --lengths-via-tokenize, Infinity counts characters where it bills tokens. It cuts long texts
at their end without a word, at a length that it does not tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from llmflow_kit import answers, faults, pooling, vectors
from llmflow_kit.batches import Limits
from llmflow_kit.faults import Rejected
from llmflow_kit.pooling import END, Asker, Known, Pairs, Served, Texts, Vectors

CHARACTERS = 122_880  # of one text; Infinity refuses longer ones
PAYLOAD = 16_000_000  # bytes of a request; Infinity has no limit of its own
TOKENS = 65_536  # of a request: enough for the server to sort by length, little enough for an answer in time
ROUNDS = 4  # batches of its own that Infinity sorts together
MOST_TEXTS = 2048  # in a request
CAN = {
    "embed": pooling.EMBEDDING,
    "rerank": pooling.RERANK,
    "image_embed": pooling.IMAGES,
    "classify": pooling.OTHER,
    "audio_embed": pooling.OTHER,
}


@dataclass(frozen=True)
class Infinity:
    """How Infinity is asked."""

    prefix: str = ""  # of all paths, as --url-prefix says

    def embed(self, ask: Asker, request: Texts) -> Vectors:
        """The vectors of a batch of texts."""
        answer = self._embed(ask, request.model, request.texts, {"dimensions": request.dimensions})
        billed, characters = answers.usage(answer), sum(len(text.strip()) for text in request.texts)
        return Vectors(
            vectors=vectors.of_data(answer, len(request.texts)),
            tokens=None if billed == characters else billed,
        )

    def embed_images(self, ask: Asker, model: Served, images: Sequence[str]) -> Vectors:
        """The vectors of a batch of pictures."""
        answer = self._embed(ask, model, images, {"modality": "image"})
        return Vectors(vectors.of_data(answer, len(images)), None)

    def takes_images(self, ask: Asker, model: Served, kind: str) -> bool:  # noqa: ARG002
        """Whether an embedding model does, as the server says of it."""
        return kind == pooling.EMBEDDING and pooling.IMAGES in model.can

    def embed_sparse(self, ask: Asker, request: Texts) -> NoReturn:  # noqa: ARG002
        """Refuse: Infinity has dense vectors only."""
        raise Rejected("Infinity has no sparse vectors: use TEI with a SPLADE model.", field=faults.ENDPOINT)

    def rerank(self, ask: Asker, request: Pairs) -> list[float]:
        """The scores of a batch of documents."""
        if not isinstance(request.query, str) or not all(isinstance(d, str) for d in request.documents):
            raise Rejected("Infinity ranks text only: for images use vLLM.", field=faults.ENDPOINT)
        body = {
            "model": request.model.name,
            "query": request.query,
            "documents": list(request.documents),
            "raw_scores": request.raw,
            "return_documents": False,
        }
        found = answers.rows(ask.post(f"{self.prefix}/rerank", body), "results")
        return answers.scores(answers.in_order(found, "relevance_score", len(request.documents)))

    def count_tokens(self, ask: Asker, model: Served, texts: Sequence[str]) -> NoReturn:  # noqa: ARG002
        """Refuse: Infinity counts no tokens."""
        raise Rejected("Infinity counts no tokens.")

    def _embed(self, ask: Asker, model: Served, inputs: Sequence[str], how: Mapping[str, Any]) -> Any:
        body = {"model": model.name, "input": list(inputs), "encoding_format": "base64", **how}
        return ask.post(f"{self.prefix}/embeddings", body)


def known(models: Any, prefix: str = "") -> Known:
    """What /models says; raises Rejected where it is another server's list."""
    found = answers.rows(models, "data")
    if not found or not all(row.get("owned_by") == "infinity" for row in found):
        raise Rejected(
            "The server is neither TEI nor Infinity: it may be vLLM, which has a plugin of its own.",
            field=faults.ENDPOINT,
        )
    return Known(Infinity(prefix), tuple(map(_served, found)))


def _served(row: Mapping[str, Any]) -> Served:
    stats, capabilities = row.get("stats"), row.get("capabilities")
    batch = stats.get("batch_size") if isinstance(stats, dict) else None
    texts = min(MOST_TEXTS, ROUNDS * (batch if type(batch) is int and batch > 0 else 32))
    return Served(
        name=str(row.get("id")),
        can=frozenset(CAN[name] for name in capabilities or () if name in CAN),
        limits=Limits(texts, TOKENS, PAYLOAD),
        most_characters=CHARACTERS,
        cuts=frozenset({END}),
    )
