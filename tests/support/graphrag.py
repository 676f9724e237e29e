"""Stand-ins for GraphRAG's models, and a world to try them in."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmflow_graphrag import words
from llmflow_graphrag.documents import Document, from_markdown
from llmflow_graphrag.engine import Engine
from llmflow_graphrag.errors import ModelFailed, StoreDown
from llmflow_graphrag.ingest import Extractor
from llmflow_graphrag.model import Vector
from llmflow_graphrag.models import LanguageModel, Reranker, Said
from llmflow_graphrag.scope import EVERYONE, Scope
from llmflow_graphrag.stores import GraphStore, VectorStore
from llmflow_graphrag.stores.sqlite import SqliteGraph
from llmflow_graphrag.stores.vectors import SqliteVectors

DIMENSIONS = 48


class HashEmbedder:
    """Words as places in a vector: texts that share words are near each other."""

    def __init__(self, name: str = "hash", dimensions: int = DIMENSIONS) -> None:
        self.name, self.dimensions = name, dimensions
        self.texts = 0

    def documents(self, texts: Sequence[str]) -> list[Vector]:
        self.texts += len(texts)
        return [self._vector(text) for text in texts]

    def query(self, text: str) -> Vector:
        return self._vector(text)

    def _vector(self, text: str) -> list[float]:
        found = [0.0] * self.dimensions
        for word in re.findall(r"\w+", text.lower()):
            digest = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=4).digest()
            found[int.from_bytes(digest) % self.dimensions] += 1.0
        length = sum(value * value for value in found) ** 0.5 or 1.0
        return [value / length for value in found]


class Broken(BaseException):
    """A process that dies: nothing may catch it."""


class Dying:
    """A store whose n-th call that changes something kills the process, before it is done or after."""

    CHANGES = frozenset(
        "settle claim stage publish retire bury finish release renew remember upsert delete".split()
    )

    def __init__(self, store: Any, fuse: Fuse) -> None:
        self._store, self._fuse = store, fuse

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._store, name)
        if name not in self.CHANGES:
            return call

        def fused(*args: Any, **more: Any) -> Any:
            self._fuse.burn()
            done = call(*args, **more)
            self._fuse.burn()
            return done

        return fused


@dataclass
class Fuse:
    """Burns down by one with each call, and kills at the end; None never does."""

    left: int | None = None
    burned: int = 0

    def burn(self) -> None:
        self.burned += 1
        if self.left is not None:
            if self.left == 0:
                raise Broken
            self.left -= 1


@dataclass
class ScriptedModel:
    """A language model that says what it is told to; an exception is raised."""

    answers: list[str | Exception] = field(default_factory=list)
    otherwise: str = '{"entities":[],"facts":[]}'
    name: str = "scripted"
    prompts: list[str] = field(default_factory=list)

    def complete(self, system: str, prompt: str, schema: Mapping[str, Any] | None = None) -> Said:
        self.prompts.append(f"{system}\n{prompt}")
        answer = self.answers.pop(0) if self.answers else self.otherwise
        if isinstance(answer, Exception):
            raise answer
        return Said(answer, len(prompt) // 4, len(answer) // 4)


class Backwards:
    """A reranker that likes the shortest passage best."""

    def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        return [1.0 / (1 + len(text)) for text in texts]


class Down:
    """A reranker that never answers."""

    def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        raise ModelFailed("The reranker failed: nothing answers.")


class NoVectors(SqliteVectors):
    """A vector store that is down for readers."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "vectors.sqlite", "hash", DIMENSIONS)

    def search(self, *args: Any, **more: Any) -> list[tuple[str, float]]:
        raise StoreDown("Milvus can't be used: nothing answers.")


@dataclass
class World:
    """An engine in a folder, with its stores and embedder at hand."""

    engine: Engine
    graph: GraphStore
    vectors: VectorStore
    embedder: HashEmbedder

    def dump(self, scope: Scope) -> str:
        """Both stores, in a form that can be compared."""
        vectors = sorted(row for part in self.vectors.rows(scope) for row in part)
        return json.dumps([self.graph.dump(scope), vectors], ensure_ascii=False, indent=1, default=str)


def world(
    folder: Path,
    *,
    vectors: VectorStore | None = None,
    fuse: Fuse | None = None,
    analyser: str = "plain",
    extractor: Extractor | None = None,
    reranker: Reranker | None = None,
    embedder: HashEmbedder | None = None,
    language_model: LanguageModel | None = None,
) -> World:
    """A world in a folder; with a fuse, both stores die when it is burned down."""
    graph: GraphStore = SqliteGraph(folder / "graph.sqlite")
    model = embedder or HashEmbedder()
    kept = vectors or SqliteVectors(folder / "vectors.sqlite", model.name, model.dimensions)
    engine = Engine(
        Dying(graph, fuse) if fuse else graph,
        Dying(kept, fuse) if fuse else kept,
        model,
        analyser=words.analyser(analyser),
        extractor=extractor,
        reranker=reranker,
        language_model=language_model,
    )
    return World(engine, graph, kept, model)


def document(id_: str, text: str, *, title: str = "", access: str = EVERYONE, **metadata: Any) -> Document:
    """A Markdown document, its access labels separated by blanks."""
    return from_markdown(id_, text, title=title, access=access.split(), metadata=metadata)
