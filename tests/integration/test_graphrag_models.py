"""The models that GraphRAG asks over HTTP, by real servers: vLLM under a schema, Infinity's embedder and reranker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from llmflow_graphrag import words
from llmflow_graphrag.chunks import chunks
from llmflow_graphrag.documents import from_markdown
from llmflow_graphrag.engine import Engine
from llmflow_graphrag.extraction.llm import LlmExtractor, Ontology
from llmflow_graphrag.models import HttpEmbedder, HttpLanguageModel, HttpReranker, Meter
from llmflow_graphrag.retrieval import decompose
from llmflow_graphrag.retrieval.answer import Question
from llmflow_graphrag.scope import Scope
from llmflow_graphrag.stores.sqlite import SqliteGraph
from llmflow_graphrag.stores.vectors import SqliteVectors
from llmflow_kit.connection import Connection, Server
from support.fake_engines import EMBEDDER, RERANKER
from support.graphrag import document
from support.infinity_server import real_infinity
from support.vllm_server import Missing, Served, real_vllm

CONTEXT = 16_384
SCOPE = Scope("acme", "handbook")
TEXT = "# Staff\n\nAlice Kim leads the HR Team (HRT) in Seoul.\n\n# Rooms\n\nThe HR Team sits on the third floor."


@pytest.fixture(scope="module")
def vllm() -> Iterator[Served]:
    try:
        with real_vllm(size=CONTEXT) as served:
            yield served
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def infinity() -> Iterator[Connection]:
    try:
        with real_infinity("/v1") as served:
            yield Connection((Server(served.url.removesuffix("/v1"), served.key),))
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture
def model(vllm: Served) -> Iterator[HttpLanguageModel]:
    with closing(HttpLanguageModel(Connection((Server(vllm.url, vllm.key),)), vllm.model)) as made:
        yield made


class Kept:
    """Answers by their questions."""

    def __init__(self) -> None:
        self.answers: dict[str, str] = {}

    def get(self, key: str) -> str | None:
        return self.answers.get(key)

    def put(self, key: str, answer: str) -> None:
        self.answers[key] = answer


def test_a_schema_binds_a_model_that_knows_nothing(model: HttpLanguageModel) -> None:
    """One call a chunk, JSON of the schema, and nothing of it believed that the chunk doesn't say."""
    made = from_markdown("staff", TEXT)
    extractor = LlmExtractor(model, words.analyser("plain"), Ontology(types=("person", "team")))
    kept, meter = Kept(), Meter()
    for chunk in chunks(SCOPE, made):
        said = extractor.extract(made.title, chunk, kept, meter)
        for mention in said.mentions:
            assert mention.surface in f"{made.title} {' '.join(chunk.heading)} {chunk.text}"
    assert meter.calls == len(kept.answers) == len(list(chunks(SCOPE, made)))
    assert meter.read > 0
    assert meter.written > 0
    again = Meter()
    for chunk in chunks(SCOPE, made):
        extractor.extract(made.title, chunk, kept, again)
    assert again.calls == 0


def test_a_question_is_split_by_a_real_model(model: HttpLanguageModel) -> None:
    """It says whatever it says, in the form that it was told; the question is answered in any case."""
    found = decompose.parts(model, "Who leads the HR Team, and where does it sit?")
    assert len(found) <= decompose.MOST_PARTS
    assert all(found)


def test_passages_are_embedded_and_ranked(infinity: Connection, tmp_path: Path) -> None:
    embedder, judge = HttpEmbedder(infinity, EMBEDDER), HttpReranker(infinity, RERANKER)
    plain, ranked = (
        Engine(
            SqliteGraph(tmp_path / name / "graph.sqlite"),
            SqliteVectors(tmp_path / name / "vectors.sqlite", embedder.name, embedder.dimensions),
            embedder,
            analyser=words.analyser("plain"),
            reranker=reranker,
        )
        for name, reranker in (("plain", None), ("ranked", judge))
    )
    for engine in (plain, ranked):
        for id_, text in (
            ("signed", "The bundle is signed."),
            ("lunch", "Lunch is at noon."),
            ("staff", TEXT),
        ):
            engine.take(SCOPE, document(id_, text, title=id_))
    asked = Question("Is the bundle signed?", limit=3)
    assert plain.ask(SCOPE, asked).passages[0].row.document == "signed"
    judged = ranked.ask(SCOPE, asked)
    assert judged.missing == ()
    parts = [passage.parts["rerank"] for passage in judged.passages]
    assert parts == sorted(parts, reverse=True)
    texts = [passage.row.text for passage in judged.passages]
    assert parts == pytest.approx(judge.scores(asked.text, texts), abs=0.01)
    for opened in (plain, ranked, embedder, judge):
        opened.close()
