"""The engine as a Dify plugin runs it: settings out of forms, models by Dify, no class of the SDK but its requests.

Stores are opened once for each set of connections and kept; an engine is put together for each call, since the models
are asked through the caller's session.
"""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from llmflow_graphrag import documents, errors, words
from llmflow_graphrag.documents import Document, Metadata
from llmflow_graphrag.engine import Engine
from llmflow_graphrag.errors import BadRequest, ModelFailed
from llmflow_graphrag.extraction.llm import LlmExtractor
from llmflow_graphrag.filters import parse
from llmflow_graphrag.model import Vector
from llmflow_graphrag.models import Said
from llmflow_graphrag.retrieval.answer import Answer, Question, passage_json
from llmflow_graphrag.scope import EVERYONE, Scope
from llmflow_graphrag.stores import GraphStore
from llmflow_graphrag.stores.milvus import MilvusVectors
from llmflow_graphrag.stores.neo4j import Neo4jGraph

ANALYSER = "plain"  # kiwi's model alone is larger than Dify lets a package be
RETRIEVAL_SECONDS = 3.0  # Dify gives an external knowledge base 5 seconds, and asks four times
MOST_RECORDS = 50
TEXTS = 32  # in an embedding call of Dify


class Session(Protocol):
    """What is used of the SDK's session."""

    @property
    def model(self) -> Any:
        """Dify's models."""
        ...


@dataclass(frozen=True)
class Connections:
    """Where the stores are, and whose data is in them: a provider's credentials, or an endpoint's settings."""

    neo4j: str
    user: str
    password: str
    ca: str
    milvus: str
    token: str
    tenant: str


class DifyEmbedder:
    """An embedding model of Dify's, chosen in a form."""

    def __init__(self, session: Session, chosen: Mapping[str, Any]) -> None:
        self._session, self._chosen = session, _model(chosen, "text-embedding")
        self.name = f"{self._chosen['provider']}/{self._chosen['model']}"

    @property
    def dimensions(self) -> int:
        """The length of a vector, found out once in the life of the process."""
        if self.name not in _DIMENSIONS:
            _DIMENSIONS[self.name] = len(self._embed(["."], "document")[0])
        return _DIMENSIONS[self.name]

    def documents(self, texts: Sequence[str]) -> list[Vector]:
        """Passages as vectors."""
        found: list[Vector] = []
        for start in range(0, len(texts), TEXTS):
            found += self._embed(texts[start : start + TEXTS], "document")
        return found

    def query(self, text: str) -> Vector:
        """A question as a vector."""
        return self._embed([text], "query")[0]

    def _embed(self, texts: Sequence[str], kind: str) -> list[Vector]:
        from dify_plugin.entities.model import EmbeddingInputType
        from dify_plugin.entities.model.text_embedding import TextEmbeddingModelConfig

        config = TextEmbeddingModelConfig(provider=self._chosen["provider"], model=self._chosen["model"])
        invoke = self._session.model.text_embedding.invoke
        result = _asked(self.name, lambda: invoke(config, list(texts), EmbeddingInputType(kind)))
        if len(result.embeddings) != len(texts):
            raise ModelFailed(
                f'The embedding model "{self.name}" gave {len(result.embeddings)} vectors for {len(texts)} texts.'
            )
        return [[float(value) for value in vector] for vector in result.embeddings]


_DIMENSIONS: dict[str, int] = {}


class DifyLanguageModel:
    """A language model of Dify's, chosen in a form."""

    def __init__(self, session: Session, chosen: Mapping[str, Any]) -> None:
        self._session, self._chosen = session, _model(chosen, "llm")
        self.name = f"{self._chosen['provider']}/{self._chosen['model']}"

    def complete(self, system: str, prompt: str, schema: Mapping[str, Any] | None = None) -> Said:
        """The answer of one call, with the schema in its parameters where the model takes one."""
        from dify_plugin.entities.model.llm import LLMModelConfig
        from dify_plugin.entities.model.message import SystemPromptMessage, UserPromptMessage

        wanted = dict(self._chosen.get("completion_params") or {})
        if schema and "response_format" in wanted:
            wanted |= {"response_format": "json_schema", "json_schema": json.dumps({"schema": schema})}
        config = LLMModelConfig(
            provider=self._chosen["provider"],
            model=self._chosen["model"],
            mode=self._chosen.get("mode") or "chat",
            completion_params=wanted,
        )
        messages = [SystemPromptMessage(content=system), UserPromptMessage(content=prompt)]
        invoke = self._session.model.llm.invoke
        result = _asked(self.name, lambda: invoke(config, messages, stream=False))
        usage = result.usage
        return Said(str(result.message.content or ""), usage.prompt_tokens, usage.completion_tokens)


class DifyReranker:
    """A reranker of Dify's, chosen in a form."""

    def __init__(self, session: Session, chosen: Mapping[str, Any]) -> None:
        self._session, self._chosen = session, _model(chosen, "rerank")

    def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """Scores in the order of the texts; a text that comes back without one has 0."""
        from dify_plugin.entities.model.rerank import RerankModelConfig

        config = RerankModelConfig(
            provider=self._chosen["provider"],
            model=self._chosen["model"],
            score_threshold=0.0,
            top_n=len(texts),
        )
        invoke = self._session.model.rerank.invoke
        result = _asked(config.model, lambda: invoke(config, docs=list(texts), query=query))
        found = {doc.index: float(doc.score) for doc in result.docs}
        return [found.get(number, 0.0) for number in range(len(texts))]


def connections(form: Mapping[str, Any]) -> Connections:
    """The connections that a form names. Raises BadRequest with all fields that are missing."""
    fields = {
        "neo4j": "neo4j_address",
        "user": "neo4j_user",
        "password": "neo4j_password",
        "milvus": "milvus_address",
        "tenant": "tenant",
    }
    values = {name: str(form.get(field) or "").strip() for name, field in fields.items()}
    missing = [fields[name] for name, value in values.items() if not value]
    if missing:
        raise BadRequest(f"These fields are empty: {', '.join(missing)}.")
    ca, token = str(form.get("ca_certificate") or "").strip(), str(form.get("milvus_token") or "").strip()
    return Connections(ca=ca, token=token, **values)


def validate(form: Mapping[str, Any]) -> None:
    """Try both stores. Raises BadRequest, StoreDown."""
    there = connections(form)
    scope = Scope(there.tenant, "default")
    _graph(there).settings(scope)
    MilvusVectors(there.milvus, "probe", 4, token=there.token, ca=_pem(there.ca)).fetch(scope, ["0" * 32])


def engine(there: Connections, session: Session, parameters: Mapping[str, Any]) -> Engine:
    """The engine of one call, with the models that its form chose. Raises BadRequest, StoreDown, ModelFailed."""
    embedder = DifyEmbedder(session, parameters.get("embedder") or {})
    analyser = words.analyser(ANALYSER)
    writer = parameters.get("language_model")
    model = DifyLanguageModel(session, writer) if writer else None
    judge = parameters.get("reranker")
    return Engine(
        _graph(there),
        _vectors(there, embedder.name, embedder.dimensions),
        embedder,
        analyser=analyser,
        extractor=LlmExtractor(model, analyser) if model else None,
        language_model=model,
        reranker=DifyReranker(session, judge) if judge else None,
    )


def opened(
    credentials: Mapping[str, Any], session: Session, parameters: Mapping[str, Any]
) -> tuple[Engine, Scope]:
    """What a tool works with: its engine, and whose data it is asked for. Raises what `engine` raises."""
    there = connections(credentials)
    return engine(there, session, parameters), scope(there, parameters)


def scope(there: Connections, parameters: Mapping[str, Any]) -> Scope:
    """The scope that a form fixes: no language model fills any part of it in."""
    access = _names(parameters.get("access")) or [EVERYONE]
    return Scope(there.tenant, str(parameters.get("workspace") or "default").strip(), frozenset(access))


def documents_of(
    parameters: Mapping[str, Any], access: frozenset[str], fetch: Callable[[Any], str]
) -> list[Document]:
    """The documents of an ingest: a text, files, or elements of a parser. Raises BadDocument, BadRequest."""
    labels, metadata = sorted(access), _metadata(parameters.get("metadata"))
    title, text = str(parameters.get("title") or ""), str(parameters.get("text") or "")
    id_ = str(parameters.get("document_id") or "").strip()
    found = []
    if text.strip():
        found.append(_text(id_ or title or "document", text, title, labels, metadata))
    for file in parameters.get("files") or []:
        name = str(getattr(file, "filename", "") or "document")
        found.append(_text(name, fetch(file), "", labels, metadata))
    elements = parameters.get("elements")
    if elements:
        given = json.loads(elements) if isinstance(elements, str) else elements
        found.append(
            documents.from_elements(
                id_ or title or "document", given, title=title, access=labels, metadata=metadata
            )
        )
    if not found:
        raise BadRequest("Give a text, files or elements to take in.")
    return found


def question(parameters: Mapping[str, Any]) -> Question:
    """The question of a query. Raises BadRequest."""
    condition = parameters.get("filter")
    given = json.loads(condition) if isinstance(condition, str) and condition.strip() else condition or None
    mode: Any = parameters.get("mode") or "auto"
    return Question(
        str(parameters.get("query") or ""),
        mode,
        limit=int(parameters.get("limit") or 8),
        filter=parse(given),
        seconds=float(parameters.get("seconds") or 10.0),
        threshold=float(parameters.get("threshold") or 0.0),
        decompose=bool(parameters.get("language_model")),
    )


def retrieve(
    body: Mapping[str, Any], settings: Mapping[str, Any], session: Session
) -> tuple[int, dict[str, Any]]:
    """The answer to Dify's external knowledge API: a status and a body, with what is ready after 3 seconds.

    `knowledge_id` names the workspace; it must be one that the settings list. An empty query is Dify's trial, and costs
    nothing. What goes wrong in a store is an empty answer: Dify repeats every 5xx three times.
    """
    query = str(body.get("query") or "").strip()
    if not query:
        return 200, {"records": []}
    workspace = str(body.get("knowledge_id") or "").strip()
    if workspace not in _names(settings.get("workspaces")):
        return 404, {"error_code": 2001, "error_msg": "The knowledge does not exist"}
    wanted = body.get("retrieval_setting") or {}
    made, readers = opened(settings, session, {**settings, "workspace": workspace})
    asked = Question(
        query,
        limit=min(MOST_RECORDS, max(1, int(wanted.get("top_k") or 4))),
        threshold=float(wanted.get("score_threshold") or 0.0),
        filter=parse(body.get("metadata_condition")),
        seconds=RETRIEVAL_SECONDS,
    )
    answer = made.ask(readers, asked)
    return 200, {"records": [record(number, passage) for number, passage in enumerate(answer.passages, 1)]}


def record(number: int, passage: Any) -> dict[str, Any]:
    """A passage as a record of Dify's; what an app can show is its metadata, never null."""
    told = passage_json(number, passage)
    more = {name: told[name] for name in ("document", "heading", "page", "start", "end", "chunk", "paths")}
    return {
        "content": told["text"],
        "score": min(1.0, max(0.0, passage.score)),
        "title": told["title"],
        "metadata": {**told["metadata"], **more},
    }


def resources(answer: Answer) -> list[dict[str, Any]]:
    """The passages as Dify cites them below an answer."""
    return [
        {
            "position": number,
            "dataset_name": "GraphRAG",
            "document_name": passage.row.title,
            "segment_id": passage.row.key,
            "score": round(passage.score, 4),
            "content": passage.row.text,
            "page": passage.row.page,
        }
        for number, passage in enumerate(answer.passages, 1)
    ]


@lru_cache(maxsize=16)
def _graph(there: Connections) -> GraphStore:
    return Neo4jGraph(there.neo4j, there.user, there.password, ca=_pem(there.ca))


@lru_cache(maxsize=32)
def _vectors(there: Connections, embedder: str, dimensions: int) -> MilvusVectors:
    return MilvusVectors(there.milvus, embedder, dimensions, token=there.token, ca=_pem(there.ca))


@lru_cache(maxsize=16)
def _pem(text: str) -> Path | None:
    """A certificate as a file, which both drivers want; it lives as long as the process."""
    if not text:
        return None
    folder = tempfile.mkdtemp(prefix="llmflow-graphrag-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = Path(folder) / "ca.pem"
    path.write_text(text, encoding="utf-8")
    return path


def _model(chosen: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    if not isinstance(chosen, Mapping) or not chosen.get("provider") or not chosen.get("model"):
        raise BadRequest(f"Choose a {kind} model.")
    return chosen


def _asked(name: str, call: Callable[[], Any]) -> Any:
    """What Dify's model gives; its failures as ours, without their text, which may quote a prompt."""
    try:
        return call()
    except errors.GraphragError:
        raise
    except Exception as error:  # Dify raises whatever the model's plugin raised
        raise ModelFailed(f'The model "{name}" failed: {type(error).__name__}.') from error


def _text(id_: str, text: str, title: str, labels: list[str], metadata: Metadata) -> Document:
    make = documents.from_text if id_.endswith(".txt") else documents.from_markdown
    return make(id_, text, title=title, access=labels, metadata=metadata)


def _metadata(given: Any) -> Metadata:
    if given in (None, ""):
        return {}
    try:
        found = json.loads(given) if isinstance(given, str) else given
    except ValueError as error:
        raise BadRequest("The metadata must be a JSON object.") from error
    if not isinstance(found, dict):
        raise BadRequest("The metadata must be a JSON object.")
    return found


def _names(given: Any) -> list[str]:
    return [name.strip() for name in str(given or "").split(",") if name.strip()]
