"""The embedded vector store does what every vector store must, for threads and processes beside each other."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmflow_graphrag.errors import Incompatible, StoreDown
from llmflow_graphrag.keys import key
from llmflow_graphrag.model import Vector
from llmflow_graphrag.stores import VectorRow, VectorStore, vectors
from llmflow_graphrag.stores.database import Database
from llmflow_graphrag.stores.vectors import MIGRATIONS, SqliteVectors
from store_conformance import DIMENSIONS, VECTOR_CASES, fresh, keys_of, row

EVERYONE = [key("a", "a")]


def opened(path: Path, embedder: str = "embedder") -> SqliteVectors:
    return SqliteVectors(path, embedder, DIMENSIONS)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteVectors]:
    made = opened(tmp_path / "vectors.sqlite")
    yield made
    made.close()


@pytest.mark.parametrize("case", VECTOR_CASES, ids=lambda case: case.__name__)
def test_does_what_a_vector_store_must(case: Callable[[VectorStore], None], store: SqliteVectors) -> None:
    case(store)


@given(
    st.lists(
        st.tuples(st.sampled_from(["put", "drop", "ask"]), st.sets(st.integers(0, 12)), st.integers(0, 99)),
        max_size=12,
    )
)
def test_a_reader_sees_every_change_of_a_writer(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, set[int], int]]
) -> None:
    path = tmp_path_factory.mktemp("beside") / "vectors.sqlite"
    writer, reader, scope = opened(path), opened(path), fresh()
    there: dict[str, VectorRow] = {}
    for what, numbers, seed in steps:
        rows = [replace(row(scope, one), vector=row(scope, one + 100 * seed).vector) for one in numbers]
        if what == "put":
            writer.upsert(scope, rows)
            there |= {one.key: one for one in rows}
        elif what == "drop":
            writer.delete(scope, keys_of(rows))
            there = {name: one for name, one in there.items() if name not in set(keys_of(rows))}
        asked = row(scope, seed).vector
        expected = {name: cosine(one.vector, asked) for name, one in there.items()}
        found = reader.search(scope, asked, 99, EVERYONE)
        assert dict(found) == pytest.approx(expected, abs=1e-5)
        assert [name for name, _ in found] == sorted(dict(found), key=lambda name: (-dict(found)[name], name))
    writer.close()
    reader.close()


def cosine(first: Vector, second: Vector) -> float:
    product = sum(x * y for x, y in zip(first, second, strict=True))
    return product / (math.hypot(*first) * math.hypot(*second))


def test_threads_ask_while_others_write(store: SqliteVectors) -> None:
    scope = fresh()
    rows = [row(scope, one) for one in range(200)]

    def write(start: int) -> None:
        for one in rows[start::4]:
            store.upsert(scope, [one])

    def ask(start: int) -> None:
        for _ in range(50):
            store.search(scope, rows[start].vector, 5, EVERYONE)

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(what, start) for start in range(4) for what in (write, ask)]:
            done.result()
    assert {name for name, _ in store.search(scope, rows[0].vector, 999, EVERYONE)} == set(keys_of(rows))


def test_a_vector_without_a_direction_is_near_nothing(store: SqliteVectors) -> None:
    scope = fresh()
    store.upsert(scope, [replace(row(scope, 1), vector=[0.0] * DIMENSIONS)])
    assert store.search(scope, row(scope, 2).vector, 5, EVERYONE) == [(row(scope, 1).key, 0.0)]
    assert store.search(scope, [0.0] * DIMENSIONS, 5, EVERYONE) == [(row(scope, 1).key, 0.0)]


def test_workspaces_beyond_the_bound_are_read_again(
    store: SqliteVectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors, "MOST_HELD", 3 * DIMENSIONS * 4)
    scopes = [fresh() for _ in range(4)]
    for scope in scopes:
        store.upsert(scope, [row(scope, 1), row(scope, 2)])
    for scope in [*scopes, *scopes]:
        assert store.search(scope, row(scope, 2).vector, 1, EVERYONE)[0][0] == row(scope, 2).key


def test_another_embedder_has_vectors_of_its_own(tmp_path: Path) -> None:
    scope, path = fresh(), tmp_path / "vectors.sqlite"
    one, other = opened(path), opened(path, "another")
    one.upsert(scope, [row(scope, 1)])
    assert other.fetch(scope, [row(scope, 1).key]) == {}
    assert other.search(scope, row(scope, 1).vector, 1, EVERYONE) == []
    one.close()
    other.close()


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    path = tmp_path / "vectors.sqlite"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreDown, match=r"vectors\.sqlite"):
        opened(path)


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "vectors.sqlite"
    Database(path, "The store of vectors", [*MIGRATIONS, "SELECT 1;"]).close()
    with pytest.raises(Incompatible):
        opened(path)
