"""A stand-in for Infinity on loopback: the wire of infinity-emb 0.0.78 with an embedder and a reranker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from support.fake_engines import (
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

LONGEST, MOST_TEXTS = 122_880, 2048
CREATED, ID = 1_795_669_859, "infinity-a521daf1-ead4-4e56-8732-8c4d41376391"


@dataclass(frozen=True)
class InfinityWire(Wire):
    """Infinity; `prefix` is its --url-prefix, `images` whether the embedder takes pictures."""

    prefix: str = ""
    images: bool = False
    tokens: bool = False  # --lengths-via-tokenize
    work: ClassVar[frozenset[str]] = frozenset({"/embeddings", "/rerank", "/v1/embeddings", "/v1/rerank"})
    unauthorised: ClassVar[Reply] = Reply({"detail": "Unauthorized"}, 401, {"www-authenticate": "Bearer"})
    unknown: ClassVar[Reply] = Reply({"detail": "Not Found"}, 404)

    def guards(self, path: str) -> bool:
        """Whether a path wants a key: those that are there, but for its health."""
        return path in {f"{self.prefix}/{name}" for name in ("models", "embeddings", "rerank")}

    def get(self, path: str) -> Reply:
        """The answer to GET."""
        if path == "/health":
            return Reply({"unix": 1795669860.04})
        if path != f"{self.prefix}/models":
            return self.unknown
        can = {EMBEDDER: ["embed", *(["image_embed"] if self.images else [])], RERANKER: ["rerank"]}
        return Reply({"data": [_row(name, what) for name, what in can.items()], "object": "list"})

    def post(self, path: str, body: Any, change: Callable[[Rows], Rows]) -> Reply:
        """The answer to POST."""
        if path == f"{self.prefix}/embeddings":
            return self._embed(body, change)
        return self._rerank(body, change) if path == f"{self.prefix}/rerank" else self.unknown

    def _embed(self, body: Any, change: Callable[[Rows], Rows]) -> Reply:
        if invalid := _invalid(body["input"], "input"):
            return invalid
        modality = body.get("modality", "text")
        if refusal := self._not_for(
            body["model"], "embed" if modality == "text" else "image_embed", modality
        ):
            return refusal
        dimensions = body.get("dimensions") or SHORT_DIMENSIONS
        if dimensions > SHORT_DIMENSIONS:
            kind = "<class 'infinity_emb.primitives.MatryoshkaDimError'>"
            return _error(
                f"{kind} -> matryoshka_dim={dimensions} is not in a valid range."
                f" Select between 1 and {SHORT_DIMENSIONS}."
            )
        rows = change([(i, vector(text.strip())[:dimensions]) for i, text in enumerate(body["input"])])
        encode = packed if body.get("encoding_format") == "base64" else list
        data = [{"object": "embedding", "embedding": encode(v), "index": i} for i, v in rows]
        length = count if self.tokens else lambda text: len(text.strip())
        return _answer("list", "data", data, body["model"], sum(map(length, body["input"])))

    def _rerank(self, body: Any, change: Callable[[Rows], Rows]) -> Reply:
        if invalid := _invalid(body["documents"], "documents"):
            return invalid
        if refusal := self._not_for(body["model"], "rerank", ""):
            return refusal
        score = logit if body.get("raw_scores") else lambda q, d: logistic(logit(q, d))
        rows = change([(i, score(body["query"], text)) for i, text in enumerate(body["documents"])])
        rows.sort(key=lambda row: row[1] if isinstance(row[1], float) else 0.0, reverse=True)
        results = [{"relevance_score": value, "index": index, "document": None} for index, value in rows]
        characters = sum(len(body["query"]) + len(text) for text in body["documents"])
        return _answer("rerank", "results", results, body["model"], characters)

    def _not_for(self, model: str, what: str, modality: str) -> Reply | None:
        """The refusal of a model that is not there, or cannot do this."""
        can = {EMBEDDER: {"embed", *(["image_embed"] if self.images else [])}, RERANKER: {"rerank"}}
        if model not in can:
            return _error(
                f"Invalid model: Engine for model name `{model}` not found."
                f" Available model names are {[EMBEDDER, RERANKER]}"
            )
        if what in can[model]:
            return None
        doing = f"`embed` for modality `{modality}`" if modality else f"`{what}`"
        why = f"the loaded moded cannot fullyfill `{what}`. Options are {can[model]}."
        return _error(f"ModelNotDeployedError: model=`{model}` does not support {doing}. Reason: {why}")


def _row(name: str, capabilities: list[str]) -> dict[str, Any]:
    stats = {"queue_fraction": 0.0, "queue_absolute": 0, "results_pending": 0, "batch_size": 32}
    return {
        "id": name,
        "stats": stats,
        "object": "model",
        "owned_by": "infinity",
        "created": CREATED,
        "backend": "torch",
        "capabilities": capabilities,
    }


def _answer(kind: str, name: str, rows: list[Any], model: str, length: int) -> Reply:
    usage = {"prompt_tokens": length, "total_tokens": length}
    return Reply({"object": kind, name: rows, "model": model, "usage": usage, "id": ID, "created": CREATED})


def _error(message: str) -> Reply:
    return Reply({"error": {"message": message, "type": None, "param": None, "code": 400}}, 400)


def _invalid(texts: list[str], name: str) -> Reply | None:
    """FastAPI's refusal, which quotes what was sent."""
    place = ["body", name]
    if not texts:
        message = "List should have at least 1 item after validation, not 0"
        return Reply({"detail": [{"type": "too_short", "loc": place, "msg": message, "input": texts}]}, 422)
    if len(texts) > MOST_TEXTS:
        message = f"List should have at most {MOST_TEXTS} items after validation, not {len(texts)}"
        return Reply({"detail": [{"type": "too_long", "loc": place, "msg": message, "input": texts}]}, 422)
    for text in texts:
        if len(text.strip()) > LONGEST:
            message = f"String should have at most {LONGEST} characters"
            return Reply(
                {"detail": [{"type": "string_too_long", "loc": place, "msg": message, "input": text}]}, 422
            )
    return None
