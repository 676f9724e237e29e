"""vLLM with `--runner pooling`: embedding and rerank models, asked as vLLM 0.12 and newer want it.

Which of the two a server is, it says only by the routes that it has. Scores are asked for as the model computes them
(logits), since what vLLM makes of them depends on the model's files: some leave them as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NoReturn

from llmflow_kit import answers, connection, embedding, faults, pooling, rerank, vectors
from llmflow_kit.batches import Limits, together
from llmflow_kit.connection import Connection
from llmflow_kit.embedding import Embedder, Style
from llmflow_kit.faults import Fault, Garbled, Rejected
from llmflow_kit.pooling import END, REFUSE, START, Asker, Engine, Known, Pairs, Served, Texts, Vectors
from llmflow_kit.rerank import Ranking, Reranker
from llmflow_kit.settings import Form, remembered

from llmflow_vllm.discovery import PIXELS

LABELS: Mapping[str, str] = {  # as in provider/vllm.yaml; a test compares them
    **connection.LABELS,
    "context_size": "Context size in tokens / 컨텍스트 길이 (토큰)",
    **embedding.LABELS,
    **rerank.LABELS,
}
LIMITS = Limits(
    texts=64, tokens=16_384, bytes=16_000_000
)  # vLLM has none; this much is answered in good time
OLDEST = (0, 12)  # the first version that knows use_activation for embeddings and scores alike
SIDES = {END: "right", START: "left"}
PACKED = {"encoding_format": "base64", "embed_dtype": "float32", "endianness": "little"}
ROUTES = (  # a route, and what a server that has it can; the first that is there counts
    ("/v1/embeddings", pooling.EMBEDDING),  # such a server ranks as well, but only by comparing vectors
    ("/v1/rerank", pooling.RERANK),
    ("/v1/chat/completions", "text generation"),
)

SCORES = (  # routes to scores: a gateway may let only one of them through
    ("/v1/rerank", ("query", "documents"), "results", "relevance_score"),
    ("/rerank", ("query", "documents"), "results", "relevance_score"),
    ("/score", ("text_1", "text_2"), "data", "score"),
)


@dataclass(frozen=True)
class Pooling:
    """How a pooling vLLM is asked."""

    def embed(self, ask: Asker, request: Texts) -> Vectors:
        """The vectors of a batch of texts."""
        body = {"model": request.model.name, "input": list(request.texts), **_truncation(request.truncation)}
        if request.dimensions:
            body["dimensions"] = request.dimensions
        return self._vectors(ask, body | {"use_activation": request.normalize}, len(request.texts))

    def embed_images(self, ask: Asker, model: Served, images: Sequence[str]) -> Vectors:
        """The vectors of a batch of pictures, one request each, as a message that holds nothing else."""

        def embed(uri: str) -> Vectors:
            said = {"role": "user", "content": _picture(uri)}
            return self._vectors(ask, {"model": model.name, "messages": [said]}, 1)

        found = together(embed, images, pooling.PROMPT_AT_ONCE)
        return Vectors([one.vectors[0] for one in found], sum(one.tokens or 0 for one in found))

    def takes_images(self, ask: Asker, model: Served, kind: str) -> bool:
        """Whether a model does: shown a white square, one that does not refuses it."""
        try:
            if kind == pooling.RERANK:
                self.rerank(ask, Pairs(model, "1", [_picture(PIXELS)]))
            else:
                self.embed_images(ask, model, [PIXELS])
        except Rejected:
            return False
        return True

    def embed_sparse(self, ask: Asker, request: Texts) -> NoReturn:  # noqa: ARG002
        """Refuse: vLLM has no route to sparse vectors."""
        raise Rejected("vLLM has no sparse vectors: use TEI with a SPLADE model.", field=faults.ENDPOINT)

    def rerank(self, ask: Asker, request: Pairs) -> list[float]:
        """The scores of a batch of documents, by the first of vLLM's routes to them that is let through."""
        how = {"model": request.model.name, "use_activation": False, **_truncation(request.truncation)}
        given = (_content(request.query), [_content(document) for document in request.documents])
        for route, names, rows, score in SCORES:
            try:
                answer = ask.post(route, how | dict(zip(names, given, strict=True)))
            except Rejected as fault:
                if fault.field != faults.ENDPOINT or route == SCORES[-1][0]:
                    raise
                continue
            logits = answers.scores(answers.in_order(answers.rows(answer, rows), score, len(given[1])))
            break
        return logits if request.raw else [rerank.probability(logit) for logit in logits]

    def count_tokens(self, ask: Asker, model: Served, texts: Sequence[str]) -> list[int]:
        """The tokens of each text, one request each."""

        def count(text: str) -> int:
            answer = ask.post("/tokenize", {"model": model.name, "prompt": text})
            found = answer.get("count") if isinstance(answer, dict) else None
            if type(found) is not int:
                raise Garbled("The server's answer holds no count of tokens.")
            return found

        return together(count, texts, pooling.PROMPT_AT_ONCE)

    def _vectors(self, ask: Asker, body: Mapping[str, Any], count: int) -> Vectors:
        answer = ask.post("/v1/embeddings", {**body, **PACKED})
        return Vectors(vectors.of_data(answer, count), answers.usage(answer))


def known(ask: Asker) -> Known:
    """What a server serves, and for what; raises a Fault."""
    _refuse_old(ask)
    found = answers.rows(ask.get("/v1/models"), "data")
    can = _can(ask)
    return Known(Pooling(), tuple(_served(row, can) for row in found))


def _refuse_old(ask: Asker) -> None:
    """A version that would make something else of what it is asked; one that nobody can read passes."""
    try:
        version = str(ask.get("/version").get("version"))
        major, minor = (int(part) for part in version.split(".")[:2])
    except (Fault, AttributeError, ValueError):
        return  # a gateway may let only /v1 through, and builds of a branch have names of their own
    if OLDEST > (major, minor) != (0, 1):  # 0.1.dev… is what a build without its history calls itself
        raise Rejected(
            f"The server is vLLM {version}; embedding and rerank want 0.12 or newer.", field=faults.ENDPOINT
        )


def _can(ask: Asker) -> frozenset[str]:
    """What the server's routes are for, nothing where it does not list them."""
    try:
        paths = ask.get("/openapi.json").get("paths") or ()
    except (Fault, AttributeError):
        return frozenset()
    return frozenset([can for route, can in ROUTES if route in paths][:1])


def _served(row: Mapping[str, Any], can: frozenset[str]) -> Served:
    size = row.get("max_model_len")
    return Served(
        name=str(row.get("id")),
        can=can,
        context_size=size if type(size) is int and size > 0 else 0,
        limits=LIMITS,
    )


def _truncation(truncation: str) -> dict[str, Any]:
    """-1 stands for the model's context."""
    return (
        {} if truncation == REFUSE else {"truncate_prompt_tokens": -1, "truncation_side": SIDES[truncation]}
    )


def _picture(uri: str) -> list[dict[str, Any]]:
    return [{"type": "image_url", "image_url": {"url": uri}}]


def _content(given: Any) -> Any:
    """A text, or content parts as vLLM's score routes want them."""
    return given if isinstance(given, str) else {"content": given}


@dataclass(frozen=True)
class Settings:
    """Servers of one embedding or rerank model, as an app builder described them."""

    connection: Connection
    style: Style = Style()  # noqa: RUF009 - frozen
    ranking: Ranking = Ranking()  # noqa: RUF009 - frozen


@remembered
def parse(credentials: Mapping[str, object]) -> Settings:
    """The settings that a form holds; raises Rejected naming every field that cannot be used."""
    form = Form(credentials, LABELS)
    settings = Settings(
        connection=connection.connection(form, suffix="/v1"),
        style=embedding.style(form),
        ranking=rerank.ranking(form),
    )
    form.done()
    return settings


def embedder(credentials: Mapping[str, object], model: str) -> Embedder:
    """The embedding model that a form describes; raises Rejected."""
    settings = parse(credentials)
    return Embedder(engine_at(settings.connection), model, settings.style)


def reranker(credentials: Mapping[str, object], model: str) -> Reranker:
    """The rerank model that a form describes; raises Rejected."""
    settings = parse(credentials)
    return Reranker(engine_at(settings.connection), model, settings.ranking)


@lru_cache(maxsize=64)
def engine_at(to: Connection) -> Engine:
    """The servers of a connection, with what earlier requests left open and found out."""
    return Engine(to, known)
