"""From passages to the passages that their names lead to: a walk over chunks and entities that starts at what fits.

Personalised PageRank over the part of the graph that was read, which is bounded, in a fixed number of steps.
A name that many chunks share leads nowhere in particular, so it carries little. A passage *about* a name
draws more than one that merely mentions it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from llmflow_graphrag.model import HEADING, TITLE, Edge, Entity

STEPS = 6
RESTART = 0.2  # of the walkers go back to where they came from at each step
ABOUT = {TITLE: 1.0, HEADING: 0.6}  # how strongly a name draws to a chunk, by what it is there
MENTIONED = 0.15
FROM = {TITLE: 0.2, HEADING: 0.6}  # how strongly a chunk leads to a name: its own title leads back to itself
NAMED = 1.0


@dataclass
class Graph:
    """The part of the graph that was read for one question."""

    entities: dict[str, Entity] = field(default_factory=dict)
    of_chunk: dict[str, dict[str, Edge]] = field(default_factory=dict)
    of_entity: dict[str, dict[str, Edge]] = field(default_factory=dict)
    same: dict[str, set[str]] = field(default_factory=dict)  # entities that stand for one thing
    of_chunk_read: set[str] = field(default_factory=set)  # chunks whose entities are all known
    of_entity_read: set[str] = field(default_factory=set)  # entities that were followed

    def add(self, edges: Iterable[Edge], entities: Iterable[Entity] = ()) -> None:
        """Take in what was read."""
        for entity in entities:
            self.entities[entity.key] = entity
        for edge in edges:
            self.of_chunk.setdefault(edge.chunk, {})[edge.entity] = edge
            self.of_entity.setdefault(edge.entity, {})[edge.chunk] = edge

    def join(self, first: str, second: str) -> None:
        """Two entities are one thing."""
        self.same.setdefault(first, set()).add(second)
        self.same.setdefault(second, set()).add(first)

    def rarity(self, entity: str) -> float:
        """How much a name tells: 1 for one that a single chunk has, less the more have it."""
        known = self.entities.get(entity)
        return 1.0 / math.log2(1.0 + max(1, known.chunks if known else 1))


def walk(graph: Graph, chunks: Mapping[str, float], entities: Mapping[str, float]) -> dict[str, float]:
    """How many walkers are at each chunk in the end, who started at these chunks and entities by weight.

    Those who never left their first chunk don't count: what is measured is what the graph adds.
    """
    total = sum(chunks.values()) + sum(entities.values())
    if total <= 0:
        return {}
    start_chunks = {key: weight / total for key, weight in chunks.items()}
    start_entities = {key: weight / total for key, weight in entities.items()}
    ways = _Ways(graph)
    at_entities = _moved(start_entities, _step(start_chunks, ways.from_chunk))
    arrived: dict[str, float] = {}
    weight = 1.0
    for _ in range(STEPS):
        at_chunks = _step(at_entities, ways.from_entity)
        weight *= 1.0 - RESTART
        for key, mass in at_chunks.items():
            arrived[key] = arrived.get(key, 0.0) + mass * weight
        at_entities = _step(at_chunks, ways.from_chunk)
    return arrived


Shares = list[tuple[str, float]]  # where walkers go from one place, and which part of them


class _Ways:
    """Where walkers go from each chunk and entity, worked out when the first of them is there."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._chunks: dict[str, Shares] = {}
        self._entities: dict[str, Shares] = {}

    def from_chunk(self, chunk: str) -> Shares:
        """To the names that it mentions, and to what stands for the same."""
        if chunk not in self._chunks:
            graph = self._graph
            edges = graph.of_chunk.get(chunk, {})
            weights = {e: FROM.get(edge.kind, NAMED) * graph.rarity(e) for e, edge in edges.items()}
            total = sum(weights.values())
            shares: Shares = []
            for entity, weight in weights.items():
                targets = (entity, *graph.same.get(entity, ()))
                shares += [(target, weight / total / len(targets)) for target in targets]
            self._chunks[chunk] = shares
        return self._chunks[chunk]

    def from_entity(self, entity: str) -> Shares:
        """To the chunks that mention it, most to those that are about it."""
        if entity not in self._entities:
            edges = self._graph.of_entity.get(entity, {})
            weights = {c: ABOUT.get(edge.kind, MENTIONED) for c, edge in edges.items()}
            total = sum(weights.values())
            self._entities[entity] = [(chunk, weight / total) for chunk, weight in weights.items()]
        return self._entities[entity]


def _step(at: Mapping[str, float], ways: Callable[[str], Shares]) -> dict[str, float]:
    moved: dict[str, float] = {}
    for place, mass in at.items():
        for target, share in ways(place):
            moved[target] = moved.get(target, 0.0) + mass * share
    return moved


def _moved(*parts: Mapping[str, float]) -> dict[str, float]:
    together: dict[str, float] = {}
    for part in parts:
        for key, mass in part.items():
            together[key] = together.get(key, 0.0) + mass
    return together
