"""Why a passage is there, and how two names hang together: steps from name to name, each said by a passage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from llmflow_graphrag.errors import NotFound
from llmflow_graphrag.model import Entity, PassageRow, Relation
from llmflow_graphrag.retrieval.answer import Step
from llmflow_graphrag.retrieval.walk import Graph
from llmflow_graphrag.scope import Scope
from llmflow_graphrag.stores import GraphStore

MENTIONS = "mentions"
TOGETHER = "is named with"
MOST_PATHS = 2  # of a passage
FAR = 4  # chunks between two names, at most
FRONTIER = 60  # entities that are followed from each side in a step
FAN_OUT = 20  # chunks of each
HUB = 400


def explain(
    graph: Graph,
    rows: Mapping[str, PassageRow],
    passages: Sequence[str],
    base: Mapping[str, float],
    named: set[str],
) -> dict[str, tuple[tuple[Step, ...], ...]]:
    """For each passage the names that lead to it: from the question itself, or from a better passage that is shown."""
    found = {}
    for key in passages:
        ways: list[tuple[float, tuple[Step, ...]]] = []
        for entity in graph.of_chunk.get(key, {}):
            if entity not in graph.entities:
                continue
            name, rarity = graph.entities[entity].name, graph.rarity(entity)
            if entity in named:
                ways.append((1.0 + rarity, (_step(rows[key], "question", MENTIONS, name),)))
            for other in graph.of_entity.get(entity, {}):
                elsewhere = other in rows and rows[other].document != rows[key].document
                if elsewhere and base.get(other, 0.0) > base.get(key, 0.0):
                    first = _step(rows[other], rows[other].title, MENTIONS, name)
                    second = _step(rows[key], name, MENTIONS, rows[key].title)
                    ways.append((base[other] * rarity, (first, second)))
        ways.sort(key=lambda way: -way[0])
        if ways:
            found[key] = tuple(way for _, way in ways[:MOST_PATHS])
    return found


def between(
    store: GraphStore, scope: Scope, first: Entity, last: Entity, over: Callable[[], bool]
) -> tuple[Step, ...]:
    """The shortest way from one name to another, from both ends at once. Raises NotFound within FAR passages."""
    sides = (
        {first.key: ("", "")},
        {last.key: ("", "")},
    )  # entity: the entity before it, and the chunk between
    frontiers = [[first.key], [last.key]]
    entities = {first.key: first, last.key: last}
    for step in range(FAR):
        side = step % 2
        if over() or not frontiers[side]:
            break
        frontiers[side] = _spread(store, scope, frontiers[side], sides[side], entities)
        met = [key for key in frontiers[side] if key in sides[1 - side]]
        if met:
            best = min(met, key=lambda key: (entities[key].chunks, key))
            return _told(store, scope, _chain(sides, best), entities)
    raise NotFound(f'No way of at most {FAR} passages leads from "{first.name}" to "{last.name}".')


def _spread(
    store: GraphStore,
    scope: Scope,
    frontier: Sequence[str],
    reached: dict[str, tuple[str, str]],
    entities: dict[str, Entity],
) -> list[str]:
    """One step further: the names in the chunks that have these."""
    said_by: dict[str, str] = {}
    for edge in store.edges_of_entities(scope, frontier, FAN_OUT):
        said_by.setdefault(edge.chunk, edge.entity)
    fresh: list[Entity] = []
    for edge, entity in store.edges_of_chunks(scope, list(said_by)):
        if entity.key not in reached:
            reached[entity.key] = (said_by[edge.chunk], edge.chunk)
            entities[entity.key] = entity
            fresh.append(entity)
    telling = sorted((e for e in fresh if e.chunks <= HUB), key=lambda e: (e.chunks, e.key))
    return [entity.key for entity in telling[:FRONTIER]]


def _chain(sides: tuple[dict[str, tuple[str, str]], ...], met: str) -> list[tuple[str, str, str]]:
    """From the first name to the last: name, chunk, name."""
    chain: list[tuple[str, str, str]] = []
    key = met
    while sides[0][key][0]:
        before, chunk = sides[0][key]
        chain.insert(0, (before, chunk, key))
        key = before
    key = met
    while sides[1][key][0]:
        after, chunk = sides[1][key]
        chain.append((key, chunk, after))
        key = after
    return chain


def _told(
    store: GraphStore, scope: Scope, chain: Sequence[tuple[str, str, str]], entities: Mapping[str, Entity]
) -> tuple[Step, ...]:
    rows = store.passages(scope, [chunk for _, chunk, _ in chain])
    facts = store.relations(scope, [first for first, _, _ in chain], 200)
    return tuple(
        _link(rows[chunk], facts, entities[first], entities[last])
        for first, chunk, last in chain
        if chunk in rows
    )


def _link(row: PassageRow, facts: Sequence[Relation], first: Entity, last: Entity) -> Step:
    """What a passage says of two names; that both are in it, where it says no more."""
    for fact in facts:
        if fact.chunk == row.key and {fact.subject, fact.object} == {first.key, last.key}:
            names = {first.key: first.name, last.key: last.name}
            return Step(
                names[fact.subject], fact.predicate, names[fact.object], row.key, fact.start, fact.end
            )
    return Step(first.name, TOGETHER, last.name, row.key, row.start, row.end)


def _step(row: PassageRow, subject: str, relation: str, object_: str) -> Step:
    """A step with the place of the name in the passage, or the whole passage where it stands in the heading."""
    at = row.text.find(object_)
    name = object_ if at >= 0 else subject
    at = at if at >= 0 else row.text.find(subject)
    start, end = (row.start + at, row.start + at + len(name)) if at >= 0 else (row.start, row.end)
    return Step(subject, relation, object_, row.key, start, end)
