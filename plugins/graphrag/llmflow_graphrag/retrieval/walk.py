"""From passages to the passages that their names lead to: a walk over chunks and entities that starts at what fits.

Personalised PageRank over the part of the graph that was read, which is bounded, in a fixed number of steps.
A name that many chunks share leads nowhere in particular, so it carries little. A passage *about* a name
draws more than one that merely mentions it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
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
    at_entities = _moved(start_entities, _leave_chunks(graph, start_chunks))
    arrived: dict[str, float] = {}
    weight = 1.0
    for _ in range(STEPS):
        at_chunks = _leave_entities(graph, at_entities)
        weight *= 1.0 - RESTART
        for key, mass in at_chunks.items():
            arrived[key] = arrived.get(key, 0.0) + mass * weight
        at_entities = _leave_chunks(graph, at_chunks)
    return arrived


def _moved(*parts: Mapping[str, float]) -> dict[str, float]:
    together: dict[str, float] = {}
    for part in parts:
        for key, mass in part.items():
            together[key] = together.get(key, 0.0) + mass
    return together


def _leave_chunks(graph: Graph, at: Mapping[str, float]) -> dict[str, float]:
    moved: dict[str, float] = {}
    for chunk, mass in at.items():
        edges = graph.of_chunk.get(chunk)
        if not edges:
            continue
        weights = {e: FROM.get(edge.kind, NAMED) * graph.rarity(e) for e, edge in edges.items()}
        total = sum(weights.values())
        for entity, weight in weights.items():
            share = mass * weight / total
            twins = graph.same.get(entity, ())
            for target in (entity, *twins):
                moved[target] = moved.get(target, 0.0) + share / (1 + len(twins))
    return moved


def _leave_entities(graph: Graph, at: Mapping[str, float]) -> dict[str, float]:
    moved: dict[str, float] = {}
    for entity, mass in at.items():
        edges = graph.of_entity.get(entity)
        if not edges:
            continue
        weights = {c: ABOUT.get(edge.kind, MENTIONED) for c, edge in edges.items()}
        total = sum(weights.values())
        for chunk, weight in weights.items():
            moved[chunk] = moved.get(chunk, 0.0) + mass * weight / total
    return moved
