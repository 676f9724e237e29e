"""What every graph store and every vector store must do, as cases that take a store of any make.

Each case works in workspaces of its own, so that one store serves all of them.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import strategies as st
from llmflow_graphrag.chunks import Chunk
from llmflow_graphrag.documents import Box
from llmflow_graphrag.errors import BadRequest, Busy, Incompatible, ModelFailed
from llmflow_graphrag.ingest import audience
from llmflow_graphrag.keys import key
from llmflow_graphrag.model import SAME_AS, Contribution, Fact, Header, Mention, Staged
from llmflow_graphrag.names import norm
from llmflow_graphrag.scope import Scope
from llmflow_graphrag.stores import (
    DEAD,
    LIVE,
    STAGED,
    Community,
    GraphStore,
    Lease,
    Placed,
    VectorRow,
    VectorStore,
)

EVERYONE = frozenset({"everyone"})
PATIENCE = 30.0  # seconds for something to come true
MISSING = "0" * 32  # a key that nothing has

HOSTILE = (
    "`) DETACH DELETE n //",
    "\\u0060 \\u0027 OR 1=1",
    "'; MATCH (n) DETACH DELETE n; --",
    '" OR scope != "" or key in ["',
    "+audience:* -terms:x && || ! ( ) { } [ ] ^ \" ~ * ? : \\ /",
    "NOT AND OR TO",
    "key in ['a'] and true",
    "\u202eمرحبا\u202c שלום",
    "가\u1100\u1161 e\u0301",  # composed, and not
    "😀 \ufffd \U0010ffff",
    "%s {0} $scope ${scope} {x}",
    "ㄱ" * 10_000,
)  # fmt: skip


# one document, in the steps of ingest.py


@dataclass(frozen=True)
class Written:
    """A document as a case wants it: chunks of a text and the names in it, the first of which knows the others."""

    id: str
    chunks: tuple[tuple[str, tuple[str, ...]], ...]
    access: frozenset[str] = EVERYONE
    title: str = "Report"

    def header(self, scope: Scope) -> Header:
        """What is published with it."""
        made = key("made", self.title, *(text for text, _ in self.chunks))
        return Header(self.id, self.title, made, self.access, audience(scope, self.access), {"year": 2026}, 9)

    def staged(self, scope: Scope) -> list[Staged]:
        """Its chunks."""
        return [self._chunk(scope, place, *chunk) for place, chunk in enumerate(self.chunks)]

    def placed(self, scope: Scope) -> list[Placed]:
        """Where they stand."""
        return [
            Placed(c.key, c.ordinal, c.start, c.end, c.page, tuple(vars(box) for box in c.boxes))
            for c in (one.chunk for one in self.staged(scope))
        ]

    def keys(self, scope: Scope) -> list[str]:
        """The keys of its chunks."""
        return [one.chunk.key for one in self.staged(scope)]

    def _chunk(self, scope: Scope, place: int, text: str, names: tuple[str, ...]) -> Staged:
        name = key("chunk", scope.key, self.id, self.title, text, *names, *sorted(self.access))
        box = Box(1, 0.1, 0.2, 0.3, 0.4)
        chunk = Chunk(name, place, place * 100, place * 100 + 50, text, (self.title, "1"), place + 1, (box,))
        spelled = {norm(spelling): spelling for spelling in names}
        mentions = tuple(
            Mention(each, spelling, "heading" if not i else "name", i + 1, i, i + 5, "thing")
            for i, (each, spelling) in enumerate(spelled.items())
        )
        first, *others = spelled or ("",)
        facts = tuple(Fact(first, "knows", other, 1, 9, 0.5) for other in others)
        return Staged(chunk, Contribution(mentions, facts), tuple(text.split()))


def take(graph: GraphStore, scope: Scope, document: Written) -> None:
    """Make a document what the workspace knows under its id."""
    lease = claimed(graph, scope, document.id)
    sweep(graph, scope, lease)
    staged = document.staged(scope)
    for start in range(0, len(staged), 2):
        graph.stage(scope, lease, audience(scope, document.access), staged[start : start + 2])
    graph.publish(scope, lease, document.header(scope), document.placed(scope))
    sweep(graph, scope, lease)
    graph.finish(scope, lease)


def remove(graph: GraphStore, scope: Scope, document_id: str) -> None:
    """Take a document out."""
    lease = claimed(graph, scope, document_id)
    graph.retire(scope, lease)
    sweep(graph, scope, lease)
    graph.finish(scope, lease)


def half(graph: GraphStore, scope: Scope, document: Written) -> None:
    """Stage a document and stop there."""
    lease = claimed(graph, scope, document.id)
    graph.stage(scope, lease, audience(scope, document.access), document.staged(scope))
    graph.release(scope, lease, "The embedder did not answer.")


def sweep(graph: GraphStore, scope: Scope, lease: Lease) -> None:
    """Bury all that is dead."""
    while part := graph.dead(scope, lease, 3):
        graph.bury(scope, lease, part)


def claimed(graph: GraphStore, scope: Scope, document_id: str) -> Lease:
    """The lease of a document, as soon as it can be had."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return graph.claim(scope, document_id)
        except Busy:
            if time.monotonic() > deadline:
                raise


def fresh(workspace: str = "w", access: Iterable[str] = EVERYONE) -> Scope:
    """A workspace that nobody has used yet."""
    return Scope(uuid.uuid4().hex, workspace, frozenset(access))


def entity(scope: Scope, name: str) -> str:
    """The key of an entity."""
    return key("entity", scope.key, norm(name))


TWO = Written("d", (("alpha beta beta", ("Hanbit", "Seoul")), ("gamma", ("Seoul",))))
SECRET = Written("s", (("delta alpha", ("Hanbit", "Merger")),), frozenset({"board"}))


# every method, for laws that hold of all of them


@dataclass(frozen=True)
class Known:
    """What somebody may know of a workspace that is not theirs: all its names and keys."""

    lease: Lease
    chunks: Sequence[str]
    entities: Sequence[str]
    document: Written


def known(scope: Scope, document: Written, lease: Lease | None = None) -> Known:
    """All that a document put into a workspace."""
    entities = [entity(scope, name) for _, names in document.chunks for name in names]
    at = lease or Lease(key("document", scope.key, document.id), "nobody")
    return Known(at, document.keys(scope), entities, document)


Call = Callable[[GraphStore, Scope, Known], Any]
NAMES = ("Hanbit", "Seoul", "Merger")
SEEING: Mapping[str, Call] = {  # what a reader gets by access labels
    "audiences": lambda g, s, _: g.audiences(s),
    "documents": lambda g, s, _: g.documents(s),
    "document": lambda g, s, k: g.document(s, k.document.id),
    "lexical": lambda g, s, k: [*g.lexical(s, ["alpha", "delta"], 9), *g.lexical(s, ["alpha"], 9, [k.lease.document])],
    "entities": lambda g, s, _: g.entities(s, [norm(n) for n in NAMES], ["hnpt", "sl", "mlkl"]),
    "edges_of_chunks": lambda g, s, k: g.edges_of_chunks(s, k.chunks),
    "edges_of_entities": lambda g, s, k: g.edges_of_entities(s, k.entities, 9),
    "relations": lambda g, s, k: g.relations(s, k.entities, 9),
    "passages": lambda g, s, k: g.passages(s, k.chunks),
    "matching": lambda g, s, _: list(g.matching(s, 9)),
    "entity_page": lambda g, s, _: g.entity_page(s, "", 9),
    "communities": lambda g, s, _: g.communities(s),
}  # fmt: skip
TENDING: Mapping[str, Call] = {  # what the workspace's keeper gets, whoever may see it
    "settings": lambda g, s, _: g.settings(s),
    "working": lambda g, s, _: g.working(s),
    "recall": lambda g, s, _: g.recall(s, ["question"]),
    "aliases": lambda g, s, _: g.aliases(s),
    "chunk_page": lambda g, s, _: g.chunk_page(s, "", 9),
    "dump": lambda g, s, _: {name: rows for name, rows in g.dump(s).items() if rows},
    "chunk_states": lambda g, s, k: g.chunk_states(s, k.lease),
    "dead": lambda g, s, k: g.dead(s, k.lease, 9),
}
HOLDING: Mapping[str, Call] = {  # what the holder of a lease may do
    "renew": lambda g, s, k: g.renew(s, k.lease),
    "held": lambda g, s, k: g.held(s, k.lease),
    "stage": lambda g, s, k: g.stage(s, k.lease, MISSING, [replace(k.document, title="Other").staged(s)[0]]),
    "publish": lambda g, s, k: g.publish(s, k.lease, k.document.header(s), []),
    "bury": lambda g, s, k: g.bury(s, k.lease, k.chunks),
    "retire": lambda g, s, k: g.retire(s, k.lease),
    "remember": lambda g, s, k: g.remember(s, k.lease, "question", "forged"),
    "finish": lambda g, s, k: g.finish(s, k.lease),
}
GIVING: Mapping[str, Call] = {  # what anybody in a workspace may do to it
    "settle": lambda g, s, _: g.settle(s, {"format": "2"}),
    "claim": lambda g, s, k: g.release(s, g.claim(s, k.document.id)),
    "alias": lambda g, s, _: g.alias(s, "hanbit", "seoul"),
    "unalias": lambda g, s, _: g.unalias(s, "hanbit", "merger"),
    "replace_communities": lambda g, s, _: g.replace_communities(s, "everyone", []),
    "release": lambda g, s, k: g.release(s, k.lease, "forged"),
}


def methods(protocol: type) -> set[str]:
    """The public methods of a store."""
    return {name for name in vars(protocol) if not name.startswith("_") and callable(getattr(protocol, name))}


def community(scope: Scope, label: str, text: str = "") -> Community:
    """A community of one access label."""
    return Community(key("community", scope.key, label, text), label, 0, text, text, ("a",), ("b", "c"), text)


# graph stores


def every_method_has_a_law(graph: GraphStore) -> None:
    assert methods(GraphStore) - {"close", "together"} == {*SEEING, *TENDING, *HOLDING, *GIVING}


def a_document_is_found(graph: GraphStore) -> None:
    scope = fresh()
    take(graph, scope, TWO)
    first, second = TWO.keys(scope)
    row = graph.document(scope, "d")
    assert row is not None
    assert (row.header, row.state, row.chunks, row.problem) == (TWO.header(scope), "live", 2, "")
    assert [one.header.id for one in graph.documents(scope)] == ["d"]
    assert [name for name, _ in graph.lexical(scope, ["beta", "beta", "nothing"], 9)] == [first]
    passage = graph.passages(scope, [second, first, MISSING])[second]
    assert (passage.document, passage.text, passage.heading, passage.ordinal) == (
        "d",
        "gamma",
        ("Report", "1"),
        1,
    )
    assert (passage.start, passage.end, passage.page) == (100, 150, 2)
    assert passage.boxes == (vars(Box(1, 0.1, 0.2, 0.3, 0.4)),)
    assert passage.metadata == {"year": 2026}
    assert [(e.norm, e.name, e.chunks) for e in graph.entities(scope, ["seoul"])] == [("seoul", "Seoul", 2)]
    assert {e.entity for e, _ in graph.edges_of_chunks(scope, [first])} == {
        entity(scope, n) for n in ("Hanbit", "Seoul")
    }
    assert list(graph.matching(scope, 9)) == [(row.key, {"year": 2026})]
    (fact,) = graph.relations(scope, [entity(scope, "Seoul")], 9)
    assert (fact.subject, fact.predicate, fact.object) == (
        entity(scope, "Hanbit"),
        "knows",
        entity(scope, "Seoul"),
    )
    assert (fact.chunk, fact.start, fact.end, fact.confidence) == (first, 1, 9, 0.5)


def a_chunk_is_about_its_headings_first(graph: GraphStore) -> None:
    scope = fresh()
    texts = [("one", ("Zed", "Seoul")), ("two", ("Seoul",)), ("three", ("Ann", "Zed", "Seoul"))]
    document = Written("d", tuple(texts))
    take(graph, scope, document)
    one, two, three = document.keys(scope)
    edges = graph.edges_of_entities(scope, [entity(scope, "Seoul")], 9)
    assert [(e.chunk, e.kind, e.count) for e in edges] == [
        (two, "heading", 1),
        (three, "name", 3),
        (one, "name", 2),
    ]
    limited = graph.edges_of_entities(scope, [entity(scope, "Seoul"), entity(scope, "Zed"), "", MISSING], 1)
    assert sorted((e.entity, e.chunk) for e in limited) == sorted(
        [(entity(scope, "Seoul"), two), (entity(scope, "Zed"), one)]
    )


def words_are_weighed(graph: GraphStore) -> None:
    scope = fresh()
    texts = ["common rare", "common", "common other", "Common RARE", "common common common"]
    documents = [Written(f"d{i}", ((text, ()),)) for i, text in enumerate(texts)]
    for document in documents:
        take(graph, scope, document)
    keys = [document.keys(scope)[0] for document in documents]
    found = graph.lexical(scope, ["rare", "common"], 9)
    assert found[0][0] in (keys[0], keys[3]), "which of them says it in capitals may make no difference"
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)
    assert {keys[0], keys[1], keys[2], keys[4]} <= {name for name, _ in found}
    assert len(graph.lexical(scope, ["common"], 2)) == 2
    only = [key("document", scope.key, "d1"), MISSING]
    assert [name for name, _ in graph.lexical(scope, ["common"], 9, only)] == [keys[1]]
    assert graph.lexical(scope, ["common"], 9, []) == []
    assert graph.lexical(scope, [], 9) == []
    assert len(graph.lexical(scope, [f"t{i}" for i in range(300)] + ["common"], 9)) >= 4


def what_was_retired_is_gone(graph: GraphStore) -> None:
    scope, other = fresh(), Written("e", (("alpha", ("Seoul", "Busan")),))
    take(graph, scope, other)
    before = graph.dump(scope)
    take(graph, scope, TWO)
    lease = graph.claim(scope, "d")
    graph.remember(scope, lease, "question", "answer")
    graph.retire(scope, lease)
    assert set(graph.chunk_states(scope, lease).values()) == {DEAD}
    assert graph.passages(scope, TWO.keys(scope)) == {}
    assert [name for name, _ in graph.lexical(scope, ["alpha", "gamma"], 9)] == other.keys(scope)
    graph.bury(
        scope, lease, [*TWO.keys(scope), *other.keys(scope), MISSING]
    )  # what is alive, or another's, stays
    assert graph.dead(scope, lease, 9) == []
    graph.finish(scope, lease)
    assert graph.dump(scope) == before
    assert graph.document(scope, "d") is None
    assert graph.recall(scope, ["question"]) == {}


def a_second_time_changes_nothing(graph: GraphStore) -> None:
    scope = fresh()
    take(graph, scope, TWO)
    once = graph.dump(scope)
    lease = graph.claim(scope, "d")
    graph.stage(scope, lease, audience(scope, EVERYONE), TWO.staged(scope))
    graph.publish(scope, lease, TWO.header(scope), TWO.placed(scope))
    graph.publish(scope, lease, TWO.header(scope), TWO.placed(scope))
    graph.bury(scope, lease, TWO.keys(scope))
    graph.finish(scope, lease)
    assert graph.dump(scope) == once


def a_new_version_keeps_what_it_shares(graph: GraphStore) -> None:
    scope = fresh()
    take(graph, scope, TWO)
    newer = replace(TWO, chunks=(("new", ("Busan",)), TWO.chunks[1]))
    lease = graph.claim(scope, "d")
    graph.stage(scope, lease, audience(scope, EVERYONE), newer.staged(scope)[:1])
    new, kept = newer.keys(scope)
    old = TWO.keys(scope)[0]
    assert graph.chunk_states(scope, lease) == {old: LIVE, kept: LIVE, new: STAGED}
    assert set(graph.passages(scope, [old, new, kept])) == {old, kept}
    graph.publish(scope, lease, newer.header(scope), newer.placed(scope))
    assert graph.chunk_states(scope, lease) == {old: DEAD, kept: LIVE, new: LIVE}
    assert set(graph.passages(scope, [old, new, kept])) == {new, kept}
    assert graph.dead(scope, lease, 9) == [old]
    sweep(graph, scope, lease)
    graph.finish(scope, lease)
    assert [e.norm for e in graph.entities(scope, ["hanbit", "seoul", "busan"])] != []
    assert graph.entities(scope, ["hanbit"]) == []
    straight = fresh()
    take(graph, straight, newer)
    assert _sizes(graph, scope) == _sizes(graph, straight)


def a_lease_is_one_workers(graph: GraphStore) -> None:
    scope = fresh()
    lease = graph.claim(scope, "d")
    assert graph.working(scope) == {lease.document}
    with pytest.raises(Busy):
        graph.claim(scope, "d")
    other = graph.claim(scope, "e")
    graph.renew(scope, lease)
    graph.release(scope, other)
    assert graph.working(scope) == {lease.document}
    graph.release(scope, lease, "Out of paper.")
    row = graph.document(scope, "d")
    assert row is not None
    assert (row.state, row.problem) == ("new", "Out of paper.")
    assert graph.document(scope, "e") is None
    assert graph.working(scope) == frozenset()


def a_lost_lease_is_worth_nothing(graph: GraphStore) -> None:
    scope = fresh()
    take(graph, scope, TWO)
    lost = graph.claim(scope, "d", seconds=0.001)
    lease = claimed(graph, scope, "d")
    before = graph.dump(scope)
    for name, call in HOLDING.items():
        assert _busy(call, graph, scope, known(scope, TWO, lost)), name
    graph.release(scope, lost, "forged")
    assert graph.dump(scope) == before
    assert graph.held(scope, lease).key == lease.document
    graph.renew(scope, lease, 0.001)
    graph.finish(scope, lease)  # nobody else came: it is still ours


def a_document_never_published_leaves_nothing(graph: GraphStore) -> None:
    scope = fresh()
    empty = graph.dump(scope)
    lease = graph.claim(scope, "d")
    graph.remember(scope, lease, "question", "answer")
    graph.release(scope, lease)
    assert graph.dump(scope) == empty
    half(graph, scope, TWO)
    assert graph.passages(scope, TWO.keys(scope)) == {}
    assert graph.lexical(scope, ["alpha"], 9) == []
    assert graph.entity_page(scope, "", 9) == []
    remove(graph, scope, "d")
    assert graph.dump(scope) == empty


def a_reader_sees_by_labels(graph: GraphStore) -> None:
    writer = fresh(access={"everyone", "board"})
    take(graph, writer, SECRET)
    half(graph, writer, replace(SECRET, id="s2"))
    take(graph, writer, TWO)
    graph.replace_communities(writer, "board", [community(writer, "board")])
    board = replace(writer, access=frozenset({"board"}))
    stranger = replace(writer, access=frozenset({"visitors", "board ", "Board"}))
    for name, call in SEEING.items():
        assert call(graph, board, known(writer, SECRET)), name
        assert not call(graph, stranger, known(writer, SECRET)), name
        assert not call(graph, stranger, known(writer, replace(SECRET, id="s2"))), name
    everyone = replace(writer, access=EVERYONE)
    assert [row.header.id for row in graph.documents(everyone)] == ["d"]
    assert [e.norm for e in graph.entities(everyone, ["hanbit", "merger"])] == ["hanbit"]
    assert graph.relations(everyone, [entity(writer, "Merger")], 9) == []
    graph_edges = graph.edges_of_entities(everyone, [entity(writer, "Hanbit")], 9)
    assert [edge.chunk for edge in graph_edges] == TWO.keys(writer)[:1]
    assert len(graph.documents(writer)) == 3


def two_scopes_never_meet(graph: GraphStore) -> None:
    ours, theirs = fresh("a"), fresh("b")
    take(graph, ours, TWO)
    graph.settle(ours, {"format": "1"})
    graph.alias(ours, "hanbit", "merger")
    graph.replace_communities(ours, "everyone", [community(ours, "everyone")])
    lease = graph.claim(ours, "d")
    graph.remember(ours, lease, "question", "answer")
    before, secrets = graph.dump(ours), known(ours, TWO, lease)
    for name, call in {**SEEING, **TENDING}.items():
        assert call(graph, ours, secrets) or name == "dead", name
        assert not call(graph, theirs, secrets), name
    take(graph, theirs, TWO)
    foreign = [*secrets.chunks, *secrets.entities, lease.document, ours.key, "answer"]
    for name, call in {**SEEING, **TENDING}.items():
        said = repr(call(graph, theirs, secrets))
        assert not [word for word in foreign if word in said], name
    for name, call in HOLDING.items():
        assert _busy(call, graph, theirs, secrets), name
    for call in GIVING.values():
        call(graph, theirs, secrets)
    assert graph.dump(ours) == before
    assert graph.held(ours, lease).key == lease.document
    graph.finish(ours, lease)
    remove(graph, theirs, "d")
    assert graph.dump(ours) == before


def changes_made_together_are_all_there(graph: GraphStore) -> None:
    scope = fresh()
    other = replace(TWO, id="e")
    with graph.together():
        take(graph, scope, TWO)
        take(graph, scope, other)
        assert graph.document(scope, "e") is not None, "who makes changes sees them"
    assert [row.header.id for row in graph.documents(scope)] == ["d", "e"]
    assert graph.working(scope) == frozenset()


def settings_are_the_first_ones(graph: GraphStore) -> None:
    scope = fresh()
    assert graph.settings(scope) == {}
    assert graph.settle(scope, {"a": "1", "b": "2"}) == {"a": "1", "b": "2"}
    assert graph.settle(scope, {"a": "3", "c": "4"}) == {"a": "1", "b": "2", "c": "4"}
    assert graph.settings(scope) == {"a": "1", "b": "2", "c": "4"}


def names_are_declared_to_be_one(graph: GraphStore) -> None:
    scope = fresh()
    take(graph, scope, TWO)
    graph.alias(scope, "seoul", "hanbit")
    graph.alias(scope, "hanbit", "seoul")
    assert graph.aliases(scope) == [("hanbit", "seoul")]
    declared = [r for r in graph.relations(scope, [entity(scope, "Hanbit")], 9) if r.predicate == SAME_AS]
    assert [(r.subject, r.object, r.chunk) for r in declared] == [
        (entity(scope, "Hanbit"), entity(scope, "Seoul"), "")
    ]
    assert graph.unalias(scope, "seoul", "hanbit")
    assert not graph.unalias(scope, "seoul", "hanbit")
    assert graph.aliases(scope) == []


def communities_are_replaced(graph: GraphStore) -> None:
    scope = fresh(access={"everyone", "board"})
    for label in ("everyone", "board"):
        graph.replace_communities(scope, label, [community(scope, label, text) for text in ("x", "y")])
    kept = graph.communities(replace(scope, access=frozenset({"board"})))
    assert [one.title for one in kept] in (["x", "y"], ["y", "x"])
    graph.replace_communities(scope, "everyone", [community(scope, "everyone", "z")])
    assert [one.title for one in graph.communities(replace(scope, access=EVERYONE))] == ["z"]
    assert [one for one in graph.communities(scope) if one.label == "board"] == kept


def pages_are_whole(graph: GraphStore) -> None:
    scope = fresh()
    ids = sorted(["a", "b", "Z", "é", "한", "\uffee", "😀", "0"])
    for name in ids:
        take(graph, scope, Written(name, ((f"text {name}", (f"Name{ord(name)}",)),)))
    got: list[str] = []
    while page := graph.documents(scope, got[-1] if got else "", 3):
        got += [row.header.id for row in page]
    assert got == ids
    names: list[str] = []
    while some := graph.entity_page(scope, names[-1] if names else "", 3):
        names += [one.key for one in some]
    assert names == sorted(names)
    assert len(names) == len(ids)
    chunks: list[str] = []
    while rows := graph.chunk_page(scope, chunks[-1] if chunks else "", 3):
        chunks += [row[0] for row in rows]
        assert {(row[2], row[3]) for row in rows} == {(audience(scope, EVERYONE), LIVE)}
    assert chunks == sorted(chunks)
    assert len(chunks) == len(ids)


def answers_live_with_their_document(graph: GraphStore) -> None:
    scope = fresh()
    lease = graph.claim(scope, "d")
    graph.remember(scope, lease, "question", "first")
    graph.remember(scope, lease, "question", "second")
    assert graph.recall(scope, ["question", "other"]) == {"question": "second"}
    graph.release(scope, lease, "Stopped.")
    assert graph.recall(scope, ["question"]) == {"question": "second"}


def no_string_is_a_command(graph: GraphStore) -> None:
    scope, bystander = fresh(), fresh()
    take(graph, bystander, TWO)
    before = graph.dump(bystander)
    for place, text in enumerate(HOSTILE):
        short = text[:100]
        document = Written(f"{place} {short}", ((text, (short, f"Name {short}", "Seoul")),), EVERYONE, text)
        lease = graph.claim(scope, document.id)
        staged = [
            replace(one, contribution=_hostile(one.contribution, text)) for one in document.staged(scope)
        ]
        header = replace(document.header(scope), metadata={short: text}, fingerprint=text)
        graph.stage(scope, lease, header.audience, staged)
        graph.publish(scope, lease, header, document.placed(scope))
        graph.remember(scope, lease, key("asked", text), text)
        graph.finish(scope, lease)
        row = graph.document(scope, document.id)
        assert row is not None
        assert row.header == header
        (chunk,) = document.keys(scope)
        passage = graph.passages(scope, [chunk])[chunk]
        assert (passage.title, passage.text, passage.heading) == (text, text, (text, "1"))
        edges = [(e.norm, e.name) for _, e in graph.edges_of_chunks(scope, [chunk])]
        assert sorted(edges) == sorted((m.norm, m.surface) for m in staged[0].contribution.mentions) or place
        assert {r.predicate for r in graph.relations(scope, [entity(scope, "Seoul")], 99)} >= {text}
        assert graph.recall(scope, [key("asked", text), text]) == {key("asked", text): text}
        assert graph.settle(scope, {short: text})[short] == text
        graph.alias(scope, short, "b")
        assert tuple(sorted((short, "b"))) in graph.aliases(scope)
        graph.replace_communities(scope, short, [community(scope, short, text)])
        assert (
            graph.communities(replace(scope, access=frozenset({short})) if _label(short) else scope)
            is not None
        )
        for terms in ([text], text.split(), ["gamma", text], ['"', "\\", "*", "x:y"]):
            assert {name for name, _ in graph.lexical(scope, terms, 9)} <= {
                c for c, *_ in graph.chunk_page(scope, "", 99)
            }
        for call in (graph.entities, graph.edges_of_chunks, graph.passages):
            call(scope, [text])
        assert graph.edges_of_entities(scope, [text], 9) == []
        assert graph.relations(scope, [text], 9) == []
        assert graph.document(scope, f"{short}{short}") is None
        assert graph.documents(scope, f"\U0010ffff{short}") == []
        failed = graph.claim(scope, document.id)
        graph.release(scope, failed, text)
        assert [r.problem for r in graph.documents(scope) if r.header.id == document.id] == [text]
    assert graph.dump(bystander) == before


def workers_count_together(graph: GraphStore) -> None:
    """Four at once, over the same few entities, in and out: what is left is what one alone would have left."""
    together, alone = fresh(), fresh()
    dice = random.Random(5)

    def document(number: int, version: int) -> Written:
        chunks = tuple(
            (f"text {number} {version} {i}", tuple(dice.sample([f"Name{n}" for n in range(6)], 3)))
            for i in range(3)
        )
        return Written(f"d{number}", chunks)

    plans = [[document(number, version) for version in range(3)] for number in range(4)]

    def work(plan: Sequence[Written]) -> None:
        for one in plan:
            take(graph, together, one)
            remove(graph, together, one.id)
            take(graph, together, one)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, plans))
    for plan in plans:
        take(graph, alone, plan[-1])
    assert _sizes(graph, together) == _sizes(graph, alone)


GRAPH_CASES: tuple[Callable[[GraphStore], None], ...] = (
    every_method_has_a_law,
    a_document_is_found,
    a_chunk_is_about_its_headings_first,
    words_are_weighed,
    what_was_retired_is_gone,
    a_second_time_changes_nothing,
    a_new_version_keeps_what_it_shares,
    a_lease_is_one_workers,
    a_lost_lease_is_worth_nothing,
    a_document_never_published_leaves_nothing,
    a_reader_sees_by_labels,
    two_scopes_never_meet,
    changes_made_together_are_all_there,
    settings_are_the_first_ones,
    names_are_declared_to_be_one,
    communities_are_replaced,
    pages_are_whole,
    answers_live_with_their_document,
    no_string_is_a_command,
    workers_count_together,
)


def _hostile(said: Contribution, text: str) -> Contribution:
    mentions = tuple(replace(one, surface=text, type=text) for one in said.mentions)
    return Contribution(mentions, tuple(replace(fact, predicate=text) for fact in said.facts))


def _busy(call: Call, graph: GraphStore, scope: Scope, of: Known) -> bool:
    try:
        call(graph, scope, of)
    except Busy:
        return True
    return False


def _label(text: str) -> bool:
    try:
        Scope("t", "w", frozenset({text}))
    except BadRequest:
        return False
    return True


def _sizes(graph: GraphStore, scope: Scope) -> dict[str, Any]:
    """What two workspaces of the same documents have in common: all but the keys, which hold their names."""
    dump = graph.dump(scope)
    entities = sorted(
        (norm_, name, chunks, spellings) for _, norm_, _, name, chunks, spellings in dump["entities"]
    )
    return {"entities": entities, **{name: len(rows) for name, rows in dump.items()}}


# what may happen to a workspace, one thing after another

_NAMES = st.sampled_from(["Hanbit", "HANBIT", "Seoul", "seoul", "Busan", "한빛", "(주)한빛", "삼성"])
_CHUNK = st.tuples(
    st.sampled_from(["alpha", "beta beta", "gamma 감마", "delta"]), st.lists(_NAMES, max_size=4)
)
_DOCUMENTS = st.builds(
    lambda name, chunks, access, title: Written(
        name,
        tuple({text: (text, tuple(names)) for text, names in chunks}.values()),
        frozenset(access),
        title,
    ),
    st.sampled_from(["d1", "d2", "d3"]),
    st.lists(_CHUNK, min_size=1, max_size=4),
    st.sampled_from([("everyone",), ("board",), ("board", "everyone")]),
    st.sampled_from(["Report", "보고서"]),
)
Step = tuple[str, Written]
HISTORIES = st.lists(st.tuples(st.sampled_from(["take", "take", "remove", "half"]), _DOCUMENTS), max_size=8)


def live_through(graph: GraphStore, scope: Scope, history: Sequence[Step]) -> None:
    """Let it all happen."""
    for what, document in history:
        if what == "take":
            take(graph, scope, document)
        elif what == "half":
            half(graph, scope, document)
        else:
            remove(graph, scope, document.id)


# vector stores

DIMENSIONS = 8
Vectors = VectorStore


def row(scope: Scope, number: int, audience_: str = "a", document: str = "d") -> VectorRow:
    """A vector of its own direction."""
    dice = random.Random(number)
    vector = [dice.uniform(-1, 1) for _ in range(DIMENSIONS)]
    return VectorRow(key("chunk", scope.key, number), key("d", document), key("a", audience_), vector)


def keys_of(rows: Iterable[VectorRow]) -> list[str]:
    """Their keys."""
    return [one.key for one in rows]


def nearest_come_first(vectors: Vectors) -> None:
    scope = fresh()
    rows = [row(scope, i) for i in range(50)]
    vectors.upsert(scope, rows)
    found = vectors.search(scope, rows[7].vector, 5, [key("a", "a")])
    assert found[0][0] == rows[7].key
    assert found[0][1] == pytest.approx(1.0, abs=1e-3)
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)
    assert len(found) == 5
    assert len(vectors.search(scope, rows[7].vector, 500, [key("a", "a")])) == 50


def only_who_may(vectors: Vectors) -> None:
    scope = fresh()
    rows = [row(scope, i, "ab"[i % 2], "de"[i // 2 % 2]) for i in range(20)]
    vectors.upsert(scope, rows)
    a, b, d = key("a", "a"), key("a", "b"), key("d", "d")

    def want(*audiences: str) -> set[str]:
        return {r.key for r in rows if r.audience in audiences}

    def search(audiences: Sequence[str], documents: Sequence[str] | None = None) -> set[str]:
        return {name for name, _ in vectors.search(scope, rows[0].vector, 99, audiences, documents)}

    assert search([a]) == want(a)
    assert search([a, b]) == want(a, b)
    assert search([a], [d]) == {r.key for r in rows if r.audience == a and r.document == d}
    assert search([MISSING]) == search([]) == search([a], []) == search([a], [MISSING]) == set()


def scopes_of_vectors_never_meet(vectors: Vectors) -> None:
    ours, theirs = fresh(), fresh()
    rows = [row(ours, i) for i in range(9)]
    vectors.upsert(ours, rows)
    assert methods(VectorStore) == {"close", "upsert", "delete", "search", "fetch", "rows"}
    assert vectors.search(theirs, rows[0].vector, 9, [key("a", "a")]) == []
    assert vectors.fetch(theirs, keys_of(rows)) == {}
    assert list(vectors.rows(theirs)) == []
    vectors.delete(theirs, keys_of(rows))
    assert set(vectors.fetch(ours, keys_of(rows))) == set(keys_of(rows))
    mine = [row(theirs, i) for i in range(9)]
    vectors.upsert(theirs, mine)
    assert {name for name, _ in vectors.search(theirs, rows[0].vector, 99, [key("a", "a")])} == set(
        keys_of(mine)
    )


def later_vectors_replace(vectors: Vectors) -> None:
    scope = fresh()
    old = [row(scope, i) for i in range(9)]
    vectors.upsert(scope, old)
    new = [
        replace(one, vector=row(scope, i + 100).vector, audience=key("a", "b")) for i, one in enumerate(old)
    ]
    vectors.upsert(scope, new[:4])
    got = vectors.fetch(scope, [*keys_of(old), MISSING])
    assert {name: list(v) for name, v in got.items()} == {
        one.key: pytest.approx(list(one.vector), abs=1e-5) for one in [*new[:4], *old[4:]]
    }
    assert sorted(part for page in vectors.rows(scope) for part in page) == sorted(
        (one.key, one.document, one.audience) for one in [*new[:4], *old[4:]]
    )
    assert {n for n, _ in vectors.search(scope, old[0].vector, 99, [key("a", "b")])} == set(keys_of(new[:4]))


def deleted_vectors_are_gone(vectors: Vectors) -> None:
    scope = fresh()
    rows = [row(scope, i) for i in range(9)]
    vectors.delete(scope, keys_of(rows))
    vectors.upsert(scope, rows)
    vectors.delete(scope, [*keys_of(rows[:5]), MISSING])
    vectors.delete(scope, keys_of(rows[:5]))
    vectors.delete(scope, [])
    assert set(vectors.fetch(scope, keys_of(rows))) == set(keys_of(rows[5:]))
    assert {n for n, _ in vectors.search(scope, rows[0].vector, 99, [key("a", "a")])} == set(
        keys_of(rows[5:])
    )
    vectors.upsert(scope, rows[:1])
    assert vectors.search(scope, rows[0].vector, 1, [key("a", "a")])[0][0] == rows[0].key


def many_vectors_are_all_there(vectors: Vectors) -> None:
    scope = fresh()
    rows = [row(scope, i) for i in range(2500)]
    vectors.upsert(scope, rows)
    assert len(vectors.fetch(scope, keys_of(rows))) == 2500
    assert {part[0] for page in vectors.rows(scope) for part in page} == set(keys_of(rows))
    vectors.delete(scope, keys_of(rows[1:]))
    assert [part[0] for page in vectors.rows(scope) for part in page] == [rows[0].key]


def what_cannot_be_is_refused(vectors: Vectors) -> None:
    scope = fresh()
    good = row(scope, 1)
    vectors.upsert(scope, [good])
    with pytest.raises(ModelFailed):
        vectors.upsert(scope, [replace(good, vector=[1.0])])
    with pytest.raises(Incompatible):
        vectors.search(scope, [1.0], 9, [key("a", "a")])
    for text in (*HOSTILE, "", MISSING.upper() + "G", MISSING + "\n"):
        with pytest.raises(BadRequest):
            vectors.upsert(scope, [replace(good, key=text)])
        with pytest.raises(BadRequest):
            vectors.delete(scope, [text])
        with pytest.raises(BadRequest):
            vectors.fetch(scope, [text])
        with pytest.raises(BadRequest):
            vectors.search(scope, good.vector, 9, [text])
        with pytest.raises(BadRequest):
            vectors.search(scope, good.vector, 9, [key("a", "a")], [text])
    assert set(vectors.fetch(scope, [good.key])) == {good.key}


VECTOR_CASES: tuple[Callable[[Vectors], None], ...] = (
    nearest_come_first,
    only_who_may,
    scopes_of_vectors_never_meet,
    later_vectors_replace,
    deleted_vectors_are_gone,
    many_vectors_are_all_there,
    what_cannot_be_is_refused,
)
