"""A stand-in for Text Embeddings Inference on loopback: the wire of TEI 1.9, from its published API.

It counts a token a word. No build of the real server can be had from language registries; where there is one, the same
test that compares the others' stand-ins with theirs runs against it ($LLMFLOW_TEST_TEI_URL).
"""

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

STATUS = {
    "Backend": 424,
    "Empty": 400,
    "Overloaded": 429,
    "Tokenizer": 422,
    "Unhealthy": 503,
    "Validation": 422,
}


@dataclass
class Refused(Exception):
    """A refusal of one of TEI's types."""

    kind: str
    message: str


@dataclass(frozen=True)
class TeiWire(Wire):
    """TEI with one model; `kind` is embedding, splade or reranker."""

    kind: str = "embedding"
    batch: int = 32
    batch_tokens: int = 16_384
    at_once: int = 512
    auto_truncate: bool = True
    payload: int = 2_000_000
    prompts: tuple[tuple[str, str], ...] = (("query", "ask: "),)
    name: str = ""
    work: ClassVar[frozenset[str]] = frozenset(
        {"/embed", "/v1/embeddings", "/embeddings", "/embed_sparse", "/rerank"}
    )

    def guards(self, path: str) -> bool:
        """Whether a path wants a key: those of the model, not those of its health."""
        return path in self.work or path in ("/info", "/tokenize")

    def get(self, path: str) -> Reply:
        """The answer to GET."""
        if path == "/info":
            return Reply(self._info())
        return Reply(b"") if path == "/health" else self.unknown

    def post(self, path: str, body: Any, change: Callable[[Rows], Rows]) -> Reply:
        """The answer to POST."""
        routes = {
            "/embed": self._embed,
            "/v1/embeddings": self._openai,
            "/embeddings": self._openai,
            "/embed_sparse": self._sparse,
            "/rerank": self._rerank,
            "/tokenize": self._tokenize,
        }
        if path not in routes:
            return self.unknown
        try:
            return routes[path](body, change)
        except Refused as refused:
            status = STATUS[refused.kind]
            if routes[path] == self._openai:
                return Reply({"message": refused.message, "code": status, "type": refused.kind}, status)
            return Reply({"error": refused.message, "error_type": refused.kind}, status)

    def _info(self) -> dict[str, Any]:
        labels = {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}
        about = {
            "embedding": {"embedding": {"pooling": "mean"}},
            "splade": {"embedding": {"pooling": "splade"}},
            "reranker": {"reranker": labels},
        }
        name = self.name or (RERANKER if self.kind == "reranker" else EMBEDDER)
        return {
            "model_id": f"/data/{name}",
            "model_sha": None,
            "model_dtype": "float32",
            "served_model_name": f"/data/{name}",
            "model_type": about[self.kind],
            "max_concurrent_requests": self.at_once,
            "max_input_length": CONTEXT,
            "max_batch_tokens": self.batch_tokens,
            "max_batch_requests": None,
            "max_client_batch_size": self.batch,
            "auto_truncate": self.auto_truncate,
            "tokenization_workers": 2,
            "version": "1.9.3",
            "sha": "0d124dc9773be6ac5a9a57d8439aba9bbbf33273",
            "docker_label": None,
        }

    def _openai(self, body: Any, change: Callable[[Rows], Rows]) -> Reply:
        texts = self._texts(body["input"], body, truncate=self.auto_truncate)
        rows = change([(i, self._vector(t, body.get("dimensions"))) for i, t in enumerate(texts)])
        encode = packed if body.get("encoding_format") == "base64" else list
        data = [{"object": "embedding", "embedding": encode(v), "index": i} for i, v in rows]
        tokens = sum(map(count, texts))
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return Reply(
            {"object": "list", "data": data, "model": self._info()["served_model_name"], "usage": usage}
        )

    def _embed(self, body: Any, change: Callable[[Rows], Rows]) -> Reply:
        texts = self._texts(body["inputs"], body, truncate=body.get("truncate", self.auto_truncate))
        scale = 1.0 if body.get("normalize", True) else 2.0
        rows = [
            (i, [scale * n for n in self._vector(t, body.get("dimensions"))]) for i, t in enumerate(texts)
        ]
        headers = {"x-compute-tokens": str(sum(map(count, texts)))}
        return Reply([value for _, value in change(rows)], headers=headers)

    def _sparse(self, body: Any, change: Callable[[Rows], Rows]) -> Reply:
        if self.kind != "splade":
            raise Refused("Backend", "Backend error: Model is not an embedding model with SPLADE pooling")
        texts = self._texts(body["inputs"], body, truncate=body.get("truncate", self.auto_truncate))
        rows: Rows = [
            (i, [{"index": len(word), "value": 1.5} for word in sorted(set(text.split()), key=len)])
            for i, text in enumerate(texts)
        ]
        return Reply([value for _, value in change(rows)])

    def _rerank(self, body: Any, change: Callable[[Rows], Rows]) -> Reply:
        if not body["texts"]:
            raise Refused("Empty", "`texts` cannot be empty")
        if self.kind != "reranker":
            raise Refused("Backend", "Backend error: model is not a re-ranker model")
        self._bounded(body["texts"])
        for text in body["texts"]:
            pair = count(body["query"]) + count(text) - 1
            self._short_enough(pair, truncate=body.get("truncate", self.auto_truncate))
        score = logit if body.get("raw_scores") else lambda q, d: logistic(logit(q, d))
        rows = change([(i, score(body["query"], text)) for i, text in enumerate(body["texts"])])
        rows.sort(key=lambda row: row[1] if isinstance(row[1], float) else 0.0, reverse=True)
        return Reply([{"index": index, "score": value} for index, value in rows])

    def _tokenize(self, body: Any, change: Callable[[Rows], Rows]) -> Reply:
        self._bounded(body["inputs"])
        special = {"id": 0, "text": "<s>", "special": True, "start": None, "stop": None}
        token = {"id": 7, "text": "x", "special": False, "start": 0, "stop": 1}
        return Reply([[special, *([token] * (count(text) - 2)), special] for text in body["inputs"]])

    def _texts(self, inputs: list[str], body: Any, *, truncate: bool) -> list[str]:
        """The texts as the model sees them: with a prompt, cut."""
        if self.kind == "reranker":
            raise Refused("Backend", "Backend error: Model is not an embedding model")
        if not inputs:
            raise Refused("Empty", "`inputs` cannot be empty")
        self._bounded(inputs)
        prompts, name = dict(self.prompts), body.get("prompt_name")
        if name is not None and name not in prompts:
            raise Refused(
                "Validation",
                f"Input validation error: `default-prompt-name` is set to `{name}` but it was not found in the"
                f" Sentence Transformers prompts. Available prompts: {list(prompts)}",
            )
        seen = []
        for text in inputs:
            if not text:
                raise Refused("Validation", "Input validation error: `inputs` cannot be empty")
            self._short_enough(count(text), truncate=truncate)
            words = (prompts.get(name, "") + text).split(" ")
            fitting = CONTEXT - 2
            left = body.get("truncation_direction") == "left"
            seen.append(
                " ".join(words[-fitting:] if left else words[:fitting])
                if truncate
                else prompts.get(name, "") + text
            )
        return seen

    def _bounded(self, texts: list[str]) -> None:
        if len(texts) > self.batch:
            raise Refused("Validation", f"batch size {len(texts)} > maximum allowed batch size {self.batch}")

    def _short_enough(self, tokens: int, *, truncate: bool) -> None:
        if not truncate and tokens > CONTEXT:
            raise Refused(
                "Validation",
                f"Input validation error: `inputs` must have less than {CONTEXT} tokens. Given: {tokens}",
            )

    def _vector(self, text: str, dimensions: int | None) -> list[float]:
        if dimensions is not None and dimensions > SHORT_DIMENSIONS:
            raise Refused(
                "Validation",
                "Input validation error: `dimensions` should be smaller than the maximum embedding dimension.",
            )
        return vector(text, dimensions or SHORT_DIMENSIONS)
