"""Text Embeddings Inference (TEI): one model a server, which says at /info what it takes.

TEI has two routes to vectors. OpenAI's packs them as base64 and bills tokens, but cuts as the server was started to,
always gives unit vectors and knows no prompts; the native one does as it is told, in plain numbers. The first is taken
whenever it does what is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, NoReturn

from llmflow_kit import answers, faults, pooling, vectors
from llmflow_kit.batches import Limits
from llmflow_kit.faults import Garbled, Rejected
from llmflow_kit.pooling import END, REFUSE, START, Asker, Known, Pairs, Served, Texts, Vectors

PAYLOAD = (
    1_900_000  # bytes of a request: TEI takes 2 000 000 unless it is told otherwise, and does not say so
)
LONGEST = (
    250  # characters a token of the context that TEI looks at; what is longer it refuses, or cuts by bytes
)
KINDS = {"embedding": pooling.EMBEDDING, "reranker": pooling.RERANK, "classifier": pooling.OTHER}


@dataclass(frozen=True)
class Tei:
    """How TEI is asked."""

    auto_truncate: bool  # whether the server cuts long texts at their end where a request does not say

    def embed(self, ask: Asker, request: Texts) -> Vectors:
        """The vectors of a batch of texts."""
        if self._suits_openai(request):
            body = {"model": request.model.name, "input": list(request.texts), **_dimensions(request)}
            answer = ask.post("/v1/embeddings", {**body, "encoding_format": "base64"})
            return Vectors(vectors.of_data(answer, len(request.texts)), answers.usage(answer))
        how = {"normalize": request.normalize, **_dimensions(request)}
        answer = ask.post("/embed", _inputs(request) | how)
        return Vectors(vectors.of_rows(answer, len(request.texts)), None)

    def embed_images(self, ask: Asker, model: Served, images: Sequence[str]) -> NoReturn:  # noqa: ARG002
        """Refuse: TEI takes text only."""
        raise Rejected("TEI embeds text only: for images use Infinity, or vLLM.", field=faults.ENDPOINT)

    def takes_images(self, ask: Asker, model: Served, kind: str) -> bool:  # noqa: ARG002
        """No."""
        return False

    def embed_sparse(self, ask: Asker, request: Texts) -> list[Mapping[int, float]]:
        """The weights of a batch of texts, by a model with SPLADE pooling."""
        answer = ask.post("/embed_sparse", _inputs(request))
        if not isinstance(answer, list) or len(answer) != len(request.texts):
            raise Garbled("The server's answer is not one list of weights for each text.")
        return [_weights(answers.rows(row, "")) for row in answer]

    def rerank(self, ask: Asker, request: Pairs) -> list[float]:
        """The scores of a batch of documents."""
        if not isinstance(request.query, str) or not all(isinstance(d, str) for d in request.documents):
            raise Rejected("TEI ranks text only: for images use vLLM.", field=faults.ENDPOINT)
        body = {"query": request.query, "texts": list(request.documents), "raw_scores": request.raw}
        found = answers.rows(ask.post("/rerank", body | _truncation(request.truncation)), "")
        return answers.scores(answers.in_order(found, "score", len(request.documents)))

    def count_tokens(self, ask: Asker, model: Served, texts: Sequence[str]) -> list[int]:  # noqa: ARG002
        """The tokens of each text."""
        found = ask.post("/tokenize", {"inputs": list(texts)})
        if not isinstance(found, list) or len(found) != len(texts):
            raise Garbled("The server's answer is not the tokens of each text.")
        return [len(answers.rows(row, "")) for row in found]

    def _suits_openai(self, request: Texts) -> bool:
        cut = END if self.auto_truncate else REFUSE
        return request.normalize and not request.prompt and request.truncation == cut


def known(info: Any) -> Known:
    """What /info says; raises Garbled for an answer that is not TEI's."""
    if not isinstance(info, dict) or "max_client_batch_size" not in info:
        raise Garbled("The server's answer to /info is not TEI's.", field=faults.ENDPOINT)
    texts = _number(info, "max_client_batch_size", 32)
    names = [str(info.get(name)) for name in ("served_model_name", "model_id") if info.get(name)]
    served = Served(
        name=names[0] if names else "",
        aliases=frozenset(names) | {PurePosixPath(name).name for name in names},
        can=_kinds(info.get("model_type")),
        context_size=_number(info, "max_input_length", 0),
        limits=Limits(texts, _number(info, "max_batch_tokens", 16_384), PAYLOAD),
        most_characters=LONGEST * _number(info, "max_input_length", 0),
        at_once=max(1, _number(info, "max_concurrent_requests", 512) // texts),  # TEI counts texts
    )
    return Known(Tei(auto_truncate=info.get("auto_truncate") is True), (served,))


def _kinds(model_type: Any) -> frozenset[str]:
    """The kinds that TEI's {"embedding": {"pooling": …}} means; a plain word in older versions."""
    kind = next(iter(model_type), "") if isinstance(model_type, dict) else model_type
    about = model_type.get(kind) if isinstance(model_type, dict) else None
    if isinstance(about, dict) and about.get("pooling") == "splade":
        return frozenset({pooling.SPARSE})
    return frozenset({KINDS[kind]} if kind in KINDS else ())


def _inputs(request: Texts) -> dict[str, Any]:
    prompt = {"prompt_name": request.prompt} if request.prompt else {}
    return {"inputs": list(request.texts), **_truncation(request.truncation), **prompt}


def _truncation(truncation: str) -> dict[str, Any]:
    return {
        "truncate": truncation != REFUSE,
        "truncation_direction": "left" if truncation == START else "right",
    }


def _dimensions(request: Texts) -> dict[str, int]:
    return {"dimensions": request.dimensions} if request.dimensions else {}


def _weights(row: Sequence[Mapping[str, Any]]) -> Mapping[int, float]:
    weights = answers.scores([item.get("value") for item in row])
    tokens = [item.get("index") for item in row]
    if not all(type(token) is int for token in tokens):
        raise Garbled("The server's answer holds a weight without its token.")
    return dict(zip(tokens, weights, strict=True))  # type: ignore[arg-type]  # just checked


def _number(info: Mapping[str, Any], name: str, usual: int) -> int:
    value = info.get(name)
    return value if type(value) is int and value > 0 else usual
