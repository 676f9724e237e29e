"""The embedded graph store does what every graph store must, and opens what it wrote."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmflow_graphrag.errors import Busy, Incompatible, StoreDown
from llmflow_graphrag.scope import Scope
from llmflow_graphrag.stores import GraphStore
from llmflow_graphrag.stores.sqlite import MIGRATIONS, SqliteGraph
from store_conformance import GRAPH_CASES, HISTORIES, TWO, Step, Written, fresh, live_through, take

BOTH = frozenset({"everyone", "board"})
WORDS = (1, 2, 3, 5, 7, 11, 13, 23, 47, 97, 199)


@pytest.fixture
def graph(tmp_path: Path) -> Iterator[SqliteGraph]:
    store = SqliteGraph(tmp_path / "graph.sqlite")
    yield store
    store.close()


@pytest.mark.parametrize("case", GRAPH_CASES, ids=lambda case: case.__name__)
def test_does_what_a_graph_store_must(case: Callable[[GraphStore], None], graph: SqliteGraph) -> None:
    case(graph)


@given(HISTORIES)
def test_only_the_last_version_of_each_document_matters(
    tmp_path_factory: pytest.TempPathFactory, history: list[Step]
) -> None:
    folder = tmp_path_factory.mktemp("history")
    store, straight = SqliteGraph(folder / "a.sqlite"), SqliteGraph(folder / "b.sqlite")
    scope = fresh(access={"everyone", "board"})
    taken = {document.id: document for what, document in history}
    end = [("take", document) for document in taken.values()]
    live_through(store, scope, [*history, *end])
    live_through(straight, scope, end)
    assert store.dump(scope) == straight.dump(scope)
    store.close()
    straight.close()


def _shelved(number: int) -> str:
    held = [f"w{word}" for word in WORDS if number % word == 0 for _ in range(1 + number // word % 3)]
    return " ".join((*held, f"n{number}"))


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SqliteGraph, Scope]]:
    """400 chunks with words of every rarity: of the n-th word every n-th chunk has some. Half are the board's."""
    store, scope = SqliteGraph(tmp_path_factory.mktemp("shelf") / "graph.sqlite"), fresh(access=BOTH)
    for half, access in enumerate(({"everyone"}, {"board"})):
        chunks = tuple((_shelved(number), ()) for number in range(half, 400, 2))
        take(store, scope, Written(f"d{half}", chunks, frozenset(access)))
    yield store, scope
    store.close()


@given(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=6, unique=True), st.integers(1, 40), st.booleans()
)
def test_fewer_words_bring_chunks_and_the_best_are_the_same(
    shelf: tuple[SqliteGraph, Scope], words: list[int], limit: int, board: bool
) -> None:
    """What is left out because it can't be among the best never is: a short list begins a long one."""
    store, owner = shelf
    scope = owner if board else replace(owner, access=frozenset({"everyone"}))
    terms = [f"w{word}" for word in words]
    every = [score for _, score in store.lexical(scope, terms, 400)]
    assert [score for _, score in store.lexical(scope, terms, limit)] == every[:limit]


def test_opens_what_it_wrote(tmp_path: Path) -> None:
    scope, path = fresh(), tmp_path / "graph.sqlite"
    first = SqliteGraph(path)
    take(first, scope, TWO)
    kept = first.dump(scope)
    first.close()
    second = SqliteGraph(path)
    assert second.dump(scope) == kept
    second.close()


def test_changes_made_together_are_one(graph: SqliteGraph) -> None:
    scope = fresh()

    def twice() -> None:
        with graph.together():
            take(graph, scope, TWO)
            graph.claim(scope, "e")
            graph.claim(scope, "e")

    with pytest.raises(Busy):
        twice()
    assert not any(graph.dump(scope).values())
    take(graph, scope, TWO)


def test_an_older_file_is_brought_up(tmp_path: Path) -> None:
    """Version 1 did not know how many chunks a word is in."""
    scope, path = fresh(), tmp_path / "graph.sqlite"
    first = SqliteGraph(path)
    take(first, scope, TWO)
    kept = first.dump(scope)
    first.close()
    with sqlite3.connect(path) as db:
        db.execute("DROP TABLE term_known")
        db.execute("PRAGMA user_version = 1")
    db.close()
    second = SqliteGraph(path)
    assert second.dump(scope) == kept
    assert second.lexical(scope, ["gamma"], 9)
    second.close()


def test_a_newer_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "graph.sqlite"
    SqliteGraph(path).close()
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1:d}")
    db.close()
    with pytest.raises(Incompatible, match="newer"):
        SqliteGraph(path)


def test_a_file_that_is_something_else_is_no_store(tmp_path: Path) -> None:
    path = tmp_path / "graph.sqlite"
    path.write_bytes(b"This is no database." * 100)
    with pytest.raises(StoreDown, match="can't be used"):
        SqliteGraph(path)
