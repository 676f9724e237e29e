"""Vectors in milvus-lite, in this process: what every vector store must do, and what it finds when it comes again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from llmflow_graphrag.keys import key
from llmflow_graphrag.stores import VectorStore
from llmflow_graphrag.stores.milvus import MilvusVectors
from store_conformance import DIMENSIONS, VECTOR_CASES, fresh, row


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusVectors]:
    store = MilvusVectors(str(tmp_path_factory.mktemp("lite") / "vectors.db"), "embedder", DIMENSIONS)
    yield store
    store.close()


@pytest.mark.parametrize("case", VECTOR_CASES, ids=lambda case: case.__name__)
def test_does_what_a_vector_store_must(case: Callable[[VectorStore], None], vectors: MilvusVectors) -> None:
    case(vectors)


def test_finds_what_it_wrote_when_it_comes_again(tmp_path: Path) -> None:
    scope, path = fresh(), str(tmp_path / "vectors.db")
    first = MilvusVectors(path, "embedder", DIMENSIONS)
    assert first.fetch(scope, [row(scope, 1).key]) == {}
    assert list(first.rows(scope)) == []
    first.upsert(scope, [row(scope, 1)])
    first.close()
    second = MilvusVectors(path, "embedder", DIMENSIONS)
    assert second.search(scope, row(scope, 1).vector, 1, [key("a", "a")])[0][0] == row(scope, 1).key
    second.close()


def test_another_embedder_has_vectors_of_its_own(tmp_path: Path) -> None:
    scope, path = fresh(), str(tmp_path / "vectors.db")
    one = MilvusVectors(path, "embedder", DIMENSIONS)
    one.upsert(scope, [row(scope, 1)])
    other = MilvusVectors(path, "another", DIMENSIONS)
    assert other.fetch(scope, [row(scope, 1).key]) == {}
    one.close()
    other.close()
