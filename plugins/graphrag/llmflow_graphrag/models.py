"""The models that the engine asks, as protocols, and those that speak OpenAI's API over HTTP.

All calls are synchronous; threads ask in parallel. Each raises ModelFailed, in words that hold no text and no key.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from llmflow_kit import answers, prefixes, vectors
from llmflow_kit.connection import Connection
from llmflow_kit.endpoints import PATIENT, PROMPT, Endpoints, Patience
from llmflow_kit.faults import Fault

from llmflow_graphrag.errors import ModelFailed
from llmflow_graphrag.model import Vector

TEXTS = 64  # in an embedding request
DOCUMENTS = 32  # in a reranking request: TEI's default limit


class Embedder(Protocol):
    """Texts as vectors of one length."""

    @property
    def name(self) -> str:
        """What a workspace remembers: another name is another space."""
        ...

    @property
    def dimensions(self) -> int:
        """The length of a vector."""
        ...

    def documents(self, texts: Sequence[str]) -> list[Vector]:
        """Passages as vectors, in their order."""
        ...

    def query(self, text: str) -> Vector:
        """A question as a vector."""
        ...


@dataclass(frozen=True)
class Said:
    """What a language model answered, and the tokens that it counted: read and written."""

    text: str
    read: int = 0
    written: int = 0


class LanguageModel(Protocol):
    """Answers one prompt at a time."""

    @property
    def name(self) -> str:
        """What cached answers are kept under."""
        ...

    def complete(self, system: str, prompt: str, schema: Mapping[str, Any] | None = None) -> Said:
        """The answer; JSON after `schema` where one is given and the model keeps to it."""
        ...


class Reranker(Protocol):
    """Judges passages by a question."""

    def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """A score for each text, in their order, higher for better."""
        ...


@dataclass
class Meter:
    """Counts what models were asked; safe to share between threads."""

    calls: int = 0
    read: int = 0
    written: int = 0
    texts: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def said(self, answer: Said) -> None:
        """One answer of a language model."""
        with self._lock:
            self.calls += 1
            self.read += answer.read
            self.written += answer.written

    def embedded(self, count: int) -> None:
        """So many texts as vectors."""
        with self._lock:
            self.texts += count


class _OnServers:
    """A model behind one server or several that stand for each other."""

    def __init__(self, connection: Connection) -> None:
        self._servers = Endpoints(connection)

    def close(self) -> None:
        """Give connections back."""
        self._servers.close()


class HttpEmbedder(_OnServers):
    """An embedding model behind /v1/embeddings: vLLM, Infinity, TEI and others."""

    def __init__(self, connection: Connection, model: str, dimensions: int = 0) -> None:
        """Without `dimensions`, one request finds them out when they are needed."""
        super().__init__(connection)
        self.name = model
        self._usual = prefixes.of(model)
        self._dimensions = dimensions

    @property
    def dimensions(self) -> int:
        """The length of a vector. A server that is away is told at once: nothing was begun that waits for it."""
        if not self._dimensions:
            self._dimensions = len(self._embed(["."], PROMPT)[0])
        return self._dimensions

    def documents(self, texts: Sequence[str]) -> list[Vector]:
        """Passages as vectors, with the prefix that the model's family wants."""
        found: list[Vector] = []
        for start in range(0, len(texts), TEXTS):
            found += self._embed(
                [self._usual.passage + text for text in texts[start : start + TEXTS]], PATIENT
            )
        return found

    def query(self, text: str) -> Vector:
        """A question as a vector, with the prefix that the model's family wants."""
        return self._embed([self._usual.query + text], PROMPT)[0]

    def _embed(self, texts: Sequence[str], patience: Patience) -> list[Vector]:
        body = {"model": self.name, "input": list(texts), "encoding_format": "float"}
        with _told("embedding model", self.name):
            found = vectors.of_data(self._servers.post("/v1/embeddings", body, patience=patience), len(texts))
            return [list(vector) for vector in vectors.checked(found, 0, unit=True)]


class HttpLanguageModel(_OnServers):
    """A chat model behind /v1/chat/completions. It is asked at temperature 0, with a schema where one is given."""

    def __init__(self, connection: Connection, model: str, most_tokens: int = 2048) -> None:
        super().__init__(connection)
        self.name = model
        self._most_tokens = most_tokens

    def complete(self, system: str, prompt: str, schema: Mapping[str, Any] | None = None) -> Said:
        """The answer of one chat request."""
        body: dict[str, Any] = {
            "model": self.name,
            "messages": [{"role": "system", "content": system}, {"role": "user", "content": prompt}],
            "temperature": 0,
            "max_tokens": self._most_tokens,
        }
        if schema:
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "answer", "strict": True, "schema": schema},
            }
        with _told("language model", self.name):
            answer = self._servers.post("/v1/chat/completions", body, patience=PATIENT)
        try:
            usage = answer.get("usage") or {}
            text = answer["choices"][0]["message"]["content"] or ""
            return Said(
                str(text), int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)
            )
        except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
            raise ModelFailed(
                f'The language model "{self.name}" gave an answer in another form than OpenAI\'s.'
            ) from error


class HttpReranker(_OnServers):
    """A reranker behind /v1/rerank or /rerank."""

    def __init__(self, connection: Connection, model: str, path: str = "/v1/rerank") -> None:
        super().__init__(connection)
        self._model, self._path = model, path

    def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """Scores in the order of the texts, as the server gives them."""
        found: list[float] = []
        for start in range(0, len(texts), DOCUMENTS):
            part = list(texts[start : start + DOCUMENTS])
            body = {"model": self._model, "query": query, "documents": part, "return_documents": False}
            with _told("reranker", self._model):
                rows = answers.rows(self._servers.post(self._path, body), "results")
                found += answers.scores(answers.in_order(rows, "relevance_score", len(part)))
        return found


@contextmanager
def _told(what: str, name: str) -> Iterator[None]:
    try:
        yield
    except Fault as fault:
        raise ModelFailed(f'The {what} "{name}" failed: {fault.text}') from fault
