"""A stand-in for vLLM with `--runner pooling` on loopback: the wire of vLLM 0.32 with one model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from support.fake_engines import (
    CONTEXT,
    EMBEDDER,
    RERANKER,
    SHORT_DIMENSIONS,
    Reply,
    Rows,
    Wire,
    count,
    logistic,
    logit,
    packed,
    vector,
)

COMMON = ("/health", "/metrics", "/tokenize", "/v1/models", "/version")
ROUTES = {
    "embedding": ("/pooling", "/rerank", "/score", "/v1/embeddings", "/v1/rerank", "/v1/score"),
    "reranker": ("/classify", "/pooling", "/rerank", "/score", "/v1/rerank", "/v1/score"),
    "llm": ("/v1/chat/completions", "/v1/completions"),
}


@dataclass(frozen=True)
class PoolingWire(Wire):
    """vLLM with one model; `kind` is embedding, reranker or llm."""

    kind: str = "embedding"
    version: str = "0.32.0"
    matryoshka: bool = True
    images: bool = False
    hidden: frozenset[str] = frozenset()  # routes that a gateway before it does not let through
    work: ClassVar[frozenset[str]] = frozenset({"/v1/embeddings", "/v1/rerank", "/rerank", "/score"})
    unauthorised: ClassVar[Reply] = Reply({"error": "Unauthorized"}, 401)
    unknown: ClassVar[Reply] = Reply({"detail": "Not Found"}, 404)

    def guards(self, path: str) -> bool:
        """Whether a path wants a key: vLLM looks at how it begins."""
        return path.startswith("/v1")

    @property
    def model(self) -> str:
        """The model's name."""
        return RERANKER if self.kind == "reranker" else EMBEDDER

    def get(self, path: str) -> Reply:
        """The answer to GET."""
        if path in self.hidden:
            return self.unknown
        if path == "/v1/models":
            row = {
                "id": self.model,
                "object": "model",
                "owned_by": "vllm",
                "parent": None,
                "max_model_len": CONTEXT,
            }
            return Reply({"object": "list", "data": [row]})
        if path == "/version":
            return Reply({"version": self.version})
        if path == "/openapi.json":
            return Reply(
                {"openapi": "3.1.0", "paths": {route: {} for route in (*COMMON, *ROUTES[self.kind])}}
            )
        return self.unknown

    def post(self, path: str, body: Any, change: Callable[[Rows], Rows]) -> Reply:
        """The answer to POST."""
        if path in self.hidden:
            return self.unknown
        if path == "/tokenize":
            tokens = count(body["prompt"])
            return Reply(
                {"count": tokens, "max_model_len": CONTEXT, "tokens": [7] * tokens, "token_strs": None}
            )
        if path not in ROUTES[self.kind]:
            return self.unknown
        if body["model"] != self.model:
            return _error(404, f"The model `{body['model']}` does not exist.", "NotFoundError")
        if path == "/v1/embeddings":
            return self._embed(body, change)
        return self._score(body, change) if path.endswith("/score") else self._rerank(body, change)

    def _embed(self, body: Any, change: Callable[[Rows], Rows]) -> Reply:
        if "normalize" in body:
            return _error(
                400, "Parameter `normalize` was removed; use `use_activation` instead.", param="normalize"
            )
        dimensions = body.get("dimensions")
        if dimensions and (not self.matryoshka or dimensions > SHORT_DIMENSIONS):
            return _error(
                400,
                f"Model '{self.model}' does not support Matryoshka embeddings; dimensions must be unset"
                f" (received dimensions={dimensions}).",
            )
        if "messages" in body and not self.images:
            return _error(400, f"{self.model} is not a multimodal model")
        texts = [_said(body["messages"])] if "messages" in body else body["input"]
        if not texts:
            return _error(400, "You must pass at least one prompt")
        if refusal := _too_long(body, max(map(count, texts))):
            return refusal
        scale = 2.0 if body.get("use_activation") is False else 1.0
        seen = [_cut(body, text) for text in texts]
        rows = change(
            [(i, [scale * n for n in vector(t, dimensions or SHORT_DIMENSIONS)]) for i, t in enumerate(seen)]
        )
        encode = packed if body.get("encoding_format") == "base64" else list
        data = [{"index": i, "object": "embedding", "embedding": encode(v)} for i, v in rows]
        head = {"id": "embd-8aac7093994b606a", "object": "list", "created": 1, "model": self.model}
        return Reply({**head, "data": data, "usage": _usage(sum(map(count, seen)))})

    def _rerank(self, body: Any, change: Callable[[Rows], Rows]) -> Reply:
        rows = self._scored(body, body["query"], body["documents"])
        if isinstance(rows, Reply):
            return rows
        rows = change(rows)
        rows.sort(key=lambda row: row[1] if isinstance(row[1], float) else 0.0, reverse=True)
        results = [
            {"index": i, "document": {"text": "echo", "multi_modal": None}, "relevance_score": v}
            for i, v in rows
        ]
        usage = {"prompt_tokens": 9, "total_tokens": 9}
        return Reply(
            {"id": "score-8cac250eb87d6b23", "model": self.model, "usage": usage, "results": results}
        )

    def _score(self, body: Any, change: Callable[[Rows], Rows]) -> Reply:
        rows = self._scored(body, body["text_1"], body["text_2"])
        if isinstance(rows, Reply):
            return rows
        data = [{"index": index, "object": "score", "score": value} for index, value in change(rows)]
        head = {"id": "score-9a9fdb8fb8c8f8bf", "object": "list", "created": 1, "model": self.model}
        return Reply({**head, "data": data, "usage": _usage(9)})

    def _scored(self, body: Any, query: Any, documents: list[Any]) -> Rows | Reply:
        """The scores, or a refusal."""
        if not self.images and not all(isinstance(text, str) for text in [query, *documents]):
            return _error(400, "MultiModalParam is not supported for BertForSequenceClassification")
        if not documents:
            return _error(400, "At least one text_pair element must be given")
        asked, told = _plain(query), list(map(_plain, documents))
        if refusal := _too_long(body, max(count(asked) + count(document) - 1 for document in told)):
            return refusal
        score = logit if body.get("use_activation") is False else lambda q, d: logistic(logit(q, d))
        return [(i, score(asked, document)) for i, document in enumerate(told)]


def _plain(given: Any) -> str:
    """A text; of content parts, the texts and pictures in them."""
    return given if isinstance(given, str) else _said([given])


def _said(messages: list[Any]) -> str:
    parts = [part for message in messages for part in message["content"]]
    return " ".join(part["text"] if part["type"] == "text" else part["image_url"]["url"] for part in parts)


def _cut(body: Any, text: str) -> str:
    if "truncate_prompt_tokens" not in body:
        return text
    words = text.split(" ")
    fitting = CONTEXT - 2
    return " ".join(words[-fitting:] if body.get("truncation_side") == "left" else words[:fitting])


def _too_long(body: Any, tokens: int) -> Reply | None:
    if tokens <= CONTEXT or "truncate_prompt_tokens" in body:
        return None
    return _error(
        400,
        f"This model's maximum context length is {CONTEXT} tokens. However, your prompt contains at least"
        f" {CONTEXT + 1} input tokens, which exceeds this limit even without any output tokens."
        f" Please reduce the length of the input prompt. (parameter=input_tokens, value={CONTEXT + 1})",
        param="input_tokens",
    )


def _usage(tokens: int) -> dict[str, Any]:
    rest = {"prompt_tokens_details": None, "completion_tokens_details": None}
    return {"prompt_tokens": tokens, "total_tokens": tokens, "completion_tokens": 0, **rest}


def _error(status: int, message: str, kind: str = "BadRequestError", param: str | None = None) -> Reply:
    return Reply({"error": {"message": message, "type": kind, "param": param, "code": status}}, status)
