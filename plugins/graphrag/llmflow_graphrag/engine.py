"""The engine: documents in, answers out. This is the interface that the CLI, the plugin and Python code use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

from llmflow_graphrag import check as checking
from llmflow_graphrag import communities, names, show, words
from llmflow_graphrag.documents import Document
from llmflow_graphrag.errors import BadRequest, NotFound
from llmflow_graphrag.export import Form, export
from llmflow_graphrag.extraction.llm import LlmExtractor, Ontology
from llmflow_graphrag.extraction.rules import RuleExtractor
from llmflow_graphrag.ingest import Extractor, Failed, Ingest, Ingested, Progress, silent
from llmflow_graphrag.model import DocumentRow
from llmflow_graphrag.models import (
    Embedder,
    HttpEmbedder,
    HttpLanguageModel,
    HttpReranker,
    LanguageModel,
    Reranker,
)
from llmflow_graphrag.retrieval.answer import Answer, Question
from llmflow_graphrag.retrieval.query import Query
from llmflow_graphrag.scope import Scope
from llmflow_graphrag.settings import Settings, VectorsAt, connection, secret
from llmflow_graphrag.stores import GraphStore, VectorStore
from llmflow_graphrag.stores.sqlite import SqliteGraph
from llmflow_graphrag.stores.vectors import SqliteVectors
from llmflow_graphrag.words import Analyser

PAGE = 200  # documents listed together


class Engine:
    """Stores and models put together. Safe to share between threads; `close` when done."""

    def __init__(
        self,
        graph: GraphStore,
        vectors: VectorStore,
        embedder: Embedder,
        *,
        analyser: Analyser | None = None,
        extractor: Extractor | None = None,
        language_model: LanguageModel | None = None,
        reranker: Reranker | None = None,
        owned: ExitStack | None = None,
    ) -> None:
        """Without an extractor, names are found by rule; without an analyser, the best one that is here.

        `close` gives `owned` back, or where nothing is, the two stores.
        """
        chosen = analyser or words.analyser("auto")
        self.graph, self.vectors, self.embedder = graph, vectors, embedder
        self._language_model = language_model
        self._owned = owned or _both(graph, vectors)
        self._ingest = Ingest(graph, vectors, embedder, chosen, extractor or RuleExtractor(chosen))
        self._query = Query(graph, vectors, embedder, chosen, reranker, language_model)

    def take(self, scope: Scope, document: Document, progress: Progress = silent) -> Ingested:
        """Take a document in, in the place of the one of its id. See Ingest.take for what is raised."""
        return self._ingest.take(scope, document, progress)

    def take_all(self, scope: Scope, documents: Iterable[Document]) -> Iterator[Ingested | Failed]:
        """Take documents in, small ones together; one that fails stops no other."""
        return self._ingest.take_all(scope, documents)

    def remove(self, scope: Scope, document_id: str) -> int:
        """Take a document out; gives the number of its chunks. Raises NotFound, Busy, StoreDown."""
        return self._ingest.remove(scope, document_id)

    def ask(self, scope: Scope, question: Question) -> Answer:
        """The passages that answer a question. Raises BadRequest, Incompatible, StoreDown, ModelFailed."""
        return self._query.ask(scope, question)

    def documents(self, scope: Scope) -> Iterator[DocumentRow]:
        """All documents that the reader may see, by id."""
        after = ""
        while page := self.graph.documents(scope, after, PAGE):
            yield from page
            after = page[-1].header.id

    def refresh_topics(self, scope: Scope, *, summarise: bool = False) -> communities.Refreshed:
        """Find the communities that global questions are answered from; with a language model's summaries if asked."""
        if summarise and self._language_model is None:
            raise BadRequest("Summaries need a language model, and none is set.")
        return communities.refresh(self.graph, scope, self._language_model if summarise else None)

    def check(self, scope: Scope, *, mend: bool = False) -> checking.Checked:
        """Whether the two stores agree; with `mend`, make them."""
        return checking.check(self.graph, self.vectors, self.embedder, scope, mend=mend)

    def page(self, scope: Scope, entity: str) -> str:
        """An entity and what is around it as an HTML page. Raises NotFound."""
        return show.page(show.neighbourhood(self.graph, scope, entity))

    def export(self, scope: Scope, form: Form) -> Iterator[str]:
        """The graph as GraphML or Cypher, piece by piece."""
        return export(self.graph, scope, form)

    def alias(self, scope: Scope, first: str, second: str) -> None:
        """Declare two names to stand for one thing, until it is taken back; documents are not touched."""
        self.graph.alias(scope, *_pair(first, second))

    def unalias(self, scope: Scope, first: str, second: str) -> None:
        """Take that back. Raises NotFound where it was not declared."""
        if not self.graph.unalias(scope, *_pair(first, second)):
            raise NotFound(f'"{first}" and "{second}" were not declared to be one.')

    def close(self) -> None:
        """Give connections and threads back."""
        self._query.close()
        self._owned.close()


def open_engine(settings: Settings, ontology: Ontology | None = None) -> Engine:
    """The engine that settings describe. Raises BadRequest, StoreDown, ModelFailed, Incompatible."""
    if settings.extractor == "llm" and settings.language_model is None:
        raise BadRequest("The extractor llm needs a language_model.")
    analyser = words.analyser(settings.analyser)
    at, model, judge = settings.embedder, settings.language_model, settings.reranker
    with ExitStack() as opened:
        embedder = opened.enter_context(closing(HttpEmbedder(connection(at), at.model, at.dimensions)))
        language_model = (
            opened.enter_context(closing(HttpLanguageModel(connection(model), model.model)))
            if model
            else None
        )
        reranker = (
            opened.enter_context(closing(HttpReranker(connection(judge), judge.model))) if judge else None
        )
        extractor: Extractor = RuleExtractor(analyser)
        if settings.extractor == "llm" and language_model:
            extractor = LlmExtractor(language_model, analyser, ontology or Ontology())
        return Engine(
            opened.enter_context(closing(_graph(settings))),
            opened.enter_context(closing(_vectors(settings, embedder))),
            embedder,
            analyser=analyser,
            extractor=extractor,
            language_model=language_model,
            reranker=reranker,
            owned=opened.pop_all(),
        )


def embedded(folder: Path, embedder: Embedder, *, analyser: Analyser | None = None) -> Engine:
    """An engine with both stores in a folder and nothing to run: for a first try, and for tests."""
    return Engine(_graph_in(folder), _vectors_in(folder, embedder), embedder, analyser=analyser)


def _both(graph: GraphStore, vectors: VectorStore) -> ExitStack:
    stores = ExitStack()
    for store in (graph, vectors):
        stores.callback(store.close)
    return stores


def _graph_in(folder: Path) -> GraphStore:
    return SqliteGraph(folder / "graph.sqlite")


def _vectors_in(folder: Path, embedder: Embedder) -> VectorStore:
    return SqliteVectors(folder / "vectors.sqlite", embedder.name, embedder.dimensions)


def _milvus(at: VectorsAt, embedder: Embedder) -> VectorStore:
    from llmflow_graphrag.stores.milvus import MilvusVectors  # a second to import: only who needs it waits

    token = secret(at.token_file)
    return MilvusVectors(
        at.address, embedder.name, embedder.dimensions, token=token, database=at.database, ca=at.ca_file
    )


def _graph(settings: Settings) -> GraphStore:
    at = settings.graph
    if at is None:
        return _graph_in(settings.data)
    from llmflow_graphrag.stores.neo4j import Neo4jGraph  # its driver is not needed for an embedded engine

    return Neo4jGraph(at.address, at.user, secret(at.password_file), database=at.database, ca=at.ca_file)


def _vectors(settings: Settings, embedder: Embedder) -> VectorStore:
    return _milvus(settings.vectors, embedder) if settings.vectors else _vectors_in(settings.data, embedder)


def _pair(first: str, second: str) -> tuple[str, str]:
    pair = names.norm(first), names.norm(second)
    if not all(pair) or pair[0] == pair[1]:
        raise BadRequest("Two different names are needed.")
    return pair
