"""The stores of the GraphRAG engine on real servers: Neo4j Community, milvus-lite's server, and a Milvus standalone.

What every store must do is in plugins/graphrag/tests/store_conformance.py; here are the servers, and their ends.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given, settings
from llmflow_graphrag.errors import Incompatible, StoreDown
from llmflow_graphrag.ingest import audience
from llmflow_graphrag.keys import key
from llmflow_graphrag.stores import GraphStore, VectorStore, cypher
from llmflow_graphrag.stores import neo4j as store
from llmflow_graphrag.stores.milvus import MilvusVectors
from llmflow_graphrag.stores.neo4j import Neo4jGraph
from llmflow_graphrag.stores.sqlite import SqliteGraph
from neo4j import GraphDatabase
from store_conformance import (
    DIMENSIONS,
    GRAPH_CASES,
    HISTORIES,
    TWO,
    VECTOR_CASES,
    Step,
    Written,
    claimed,
    fresh,
    keys_of,
    live_through,
    row,
    take,
)
from support.milvus_servers import MilvusServer, real_milvus
from support.neo4j_server import USER, Neo4jServer, real_neo4j
from support.vllm_server import Missing, free_port

T = TypeVar("T")
PATIENCE = 120.0  # seconds until a server that was killed does all its work again
SOURCE = Path(store.__file__).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def neo4j() -> Iterator[Neo4jServer]:
    try:
        with real_neo4j() as server:
            yield server
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture
def graph(neo4j: Neo4jServer) -> Iterator[Neo4jGraph]:
    opened = Neo4jGraph(neo4j.address, USER, neo4j.password)
    yield opened
    opened.close()


@pytest.fixture(scope="module", params=["lite", "standalone"])
def milvus(request: pytest.FixtureRequest) -> Iterator[MilvusServer]:
    try:
        with real_milvus(request.param) as server:
            yield server
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture
def vectors(milvus: MilvusServer) -> Iterator[MilvusVectors]:
    opened = MilvusVectors(milvus.address, "embedder", DIMENSIONS)
    yield opened
    opened.close()


def in_the_end(call: Callable[[], T]) -> T:
    """What a call gives as soon as its server is there again."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return call()
        except StoreDown:
            if time.monotonic() > deadline:
                raise


# Neo4j


@pytest.mark.parametrize("case", GRAPH_CASES, ids=lambda case: case.__name__)
def test_neo4j_does_what_a_graph_store_must(case: Callable[[GraphStore], None], graph: Neo4jGraph) -> None:
    case(graph)


@settings(max_examples=15)
@given(history=HISTORIES)
def test_neo4j_holds_what_the_embedded_store_holds(
    neo4j: Neo4jServer, tmp_path_factory: pytest.TempPathFactory, history: list[Step]
) -> None:
    graph = Neo4jGraph(neo4j.address, USER, neo4j.password)
    embedded = SqliteGraph(tmp_path_factory.mktemp("embedded") / "graph.sqlite")
    scope = fresh(access={"everyone", "board"})
    for each in (graph, embedded):
        live_through(each, scope, history)
    assert graph.dump(scope) == embedded.dump(scope)
    graph.close()
    embedded.close()


def test_a_killed_neo4j_goes_on_where_it_was(neo4j: Neo4jServer, graph: Neo4jGraph, tmp_path: Path) -> None:
    scope = fresh()
    document = Written("d", tuple((f"text {i}", (f"Name{i % 7}", f"Other{i % 5}")) for i in range(400)))
    staged, begun, failed = document.staged(scope), threading.Event(), []

    def stage() -> None:
        lease = graph.claim(scope, "d", seconds=1.0)
        try:
            for start in range(0, len(staged), 5):
                graph.stage(scope, lease, audience(scope, document.access), staged[start : start + 5])
                begun.set()
        except StoreDown as error:
            failed.append(str(error))

    worker = threading.Thread(target=stage)
    worker.start()
    assert begun.wait(PATIENCE)
    neo4j.kill()
    worker.join()
    assert failed
    assert neo4j.address in failed[0]
    neo4j.start()
    graph_again = Neo4jGraph(neo4j.address, USER, neo4j.password)
    with GraphDatabase.driver(neo4j.address, auth=(USER, neo4j.password)) as driver:  # two minutes pass
        driver.execute_query("MATCH (d:Document) WHERE d.lease IS NOT NULL SET d.lease_until = 0")
    lease = claimed(graph_again, scope, "d")
    kept = len(graph_again.chunk_states(scope, lease))
    assert 0 < kept < len(staged)
    graph_again.release(scope, lease, "It was killed.")
    take(graph, scope, document)  # the connections that were open before work again
    embedded = SqliteGraph(tmp_path / "graph.sqlite")
    take(embedded, scope, document)
    assert graph.dump(scope) == embedded.dump(scope)
    embedded.close()
    graph_again.close()


def test_a_read_only_neo4j_is_read(neo4j: Neo4jServer, graph: Neo4jGraph) -> None:
    scope = fresh()
    take(graph, scope, TWO)
    neo4j.stop()
    neo4j.start(read_only=True)
    try:
        reader = Neo4jGraph(neo4j.address, USER, neo4j.password)
        assert reader.passages(scope, TWO.keys(scope))
        with pytest.raises(StoreDown, match="read-only"):
            reader.claim(scope, "d")
        reader.close()
    finally:
        neo4j.stop()
        neo4j.start()


def test_a_wrong_password_is_said_and_not_shown(neo4j: Neo4jServer) -> None:
    with pytest.raises(StoreDown, match="user and the password") as said:
        Neo4jGraph(neo4j.address, USER, "not-the-password")
    assert "not-the-password" not in str(said.value)


def test_no_neo4j_is_said() -> None:
    with pytest.raises(StoreDown, match="does not answer"):
        Neo4jGraph(f"bolt://127.0.0.1:{free_port()}", USER, "x")


def test_a_newer_graph_is_left_alone(neo4j: Neo4jServer, graph: Neo4jGraph) -> None:
    change = "MATCH (s:Schema) SET s.version = s.version + $by"
    with GraphDatabase.driver(neo4j.address, auth=(USER, neo4j.password)) as driver:
        driver.execute_query(change, by=1)
        try:
            with pytest.raises(Incompatible, match="newer"):
                Neo4jGraph(neo4j.address, USER, neo4j.password)
        finally:
            driver.execute_query(change, by=-1)


def test_every_query_is_a_constant_that_names_the_scope() -> None:
    queries = {
        name: text
        for name, text in vars(cypher).items()
        if name.isupper() and isinstance(text, str) and re.search(r"\b(MATCH|MERGE|CREATE|CALL)\b", text)
    }
    assert len(queries) > 50
    unscoped = {"SCHEMA_VERSION", "SET_SCHEMA_VERSION", "AWAIT_INDEXES"}
    # A node that is made gets its scope in its row; a key that is merged begins with it.
    made = {"ADD_COMMUNITIES", "NEW_DOCUMENT"}
    for name in queries.keys() - unscoped - made:
        assert "$scope" in queries[name], name
    for name in queries.keys() - unscoped:
        for clause in re.findall(r"\bMATCH (\(.*)", queries[name]):
            bound = clause.startswith(("(c)-[m:MENTIONS]", "(e)<-[:MENTIONS]"))
            assert bound or "$scope" in clause, f"{name}: {clause}"
    # nothing is put together on the way to the server
    constants = {f"cypher.{name}" for name in unscoped}
    assert set(re.findall(r"\.run\(([^,)]+)", SOURCE)) == {"query", "statement", *constants}
    assert "apoc" not in SOURCE.lower()


# Milvus


@pytest.mark.parametrize("case", VECTOR_CASES, ids=lambda case: case.__name__)
def test_milvus_does_what_a_vector_store_must(
    case: Callable[[VectorStore], None], vectors: MilvusVectors
) -> None:
    case(vectors)


def test_a_killed_milvus_is_said_and_found_again(milvus: MilvusServer, vectors: MilvusVectors) -> None:
    scope = fresh()
    rows = [row(scope, i) for i in range(50)]
    vectors.upsert(scope, rows)
    milvus.kill()
    for call in (
        lambda: vectors.search(scope, rows[0].vector, 1, [key("a", "a")]),
        lambda: vectors.upsert(scope, rows),
        lambda: list(vectors.rows(scope)),
    ):
        with pytest.raises(StoreDown, match=re.escape(milvus.address)):
            call()
    milvus.start()
    found = in_the_end(lambda: vectors.search(scope, rows[0].vector, 1, [key("a", "a")]))
    assert found[0][0] == rows[0].key
    assert set(vectors.fetch(scope, keys_of(rows))) == set(keys_of(rows))
    vectors.delete(scope, keys_of(rows))
    assert list(vectors.rows(scope)) == []


def test_no_milvus_is_said() -> None:
    address = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(StoreDown, match=re.escape(address)):
        MilvusVectors(address, "embedder", DIMENSIONS)
