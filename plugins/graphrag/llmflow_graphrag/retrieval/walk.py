"""From passages to the passages that their names lead to: a walk over chunks and entities that starts at what fits.

Personalised PageRank over the part of the graph that was read, which is bounded, in a fixed number of steps.
A name that many chunks share leads nowhere in particular, so it carries little. A passage *about* a name
draws more than one that merely mentions it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from llmflow_graphrag.model import HEADING, TITLE, Edge, Entity

Masses = NDArray[np.float64]

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
    chunk_numbers = _numbered(graph.of_chunk, chunks)
    entity_numbers = _numbered(graph.of_entity, graph.same, entities)
    to_entities = _Ways(_from_chunks(graph), chunk_numbers, entity_numbers)
    to_chunks = _Ways(_from_entities(graph), entity_numbers, chunk_numbers)
    at_entities = _masses(entities, entity_numbers) + to_entities.step(_masses(chunks, chunk_numbers))
    at_entities /= total
    arrived = np.zeros(len(chunk_numbers))
    weight = 1.0
    for _ in range(STEPS):
        at_chunks = to_chunks.step(at_entities)
        weight *= 1.0 - RESTART
        arrived += at_chunks * weight
        at_entities = to_entities.step(at_chunks)
    return {key: mass for key, mass in zip(chunk_numbers, arrived.tolist(), strict=True) if mass > 0}


Way = tuple[str, str, float]  # from one place to another, and which part of the walkers goes there


def _from_chunks(graph: Graph) -> Iterator[Way]:
    """From each chunk to the names that it mentions, and to what stands for the same."""
    rarity = {entity: graph.rarity(entity) for entity in graph.of_entity}
    for chunk, edges in graph.of_chunk.items():
        weights = {entity: FROM.get(edge.kind, NAMED) * rarity[entity] for entity, edge in edges.items()}
        total = sum(weights.values())
        for entity, weight in weights.items():
            targets = (entity, *graph.same.get(entity, ()))
            for target in targets:
                yield chunk, target, weight / total / len(targets)


def _from_entities(graph: Graph) -> Iterator[Way]:
    """From each name to the chunks that mention it, most to those that are about it."""
    for entity, edges in graph.of_entity.items():
        weights = {chunk: ABOUT.get(edge.kind, MENTIONED) for chunk, edge in edges.items()}
        total = sum(weights.values())
        for chunk, weight in weights.items():
            yield entity, chunk, weight / total


class _Ways:
    """All ways of one kind, between places that have numbers."""

    def __init__(self, ways: Iterable[Way], sources: Mapping[str, int], targets: Mapping[str, int]) -> None:
        listed = [(sources[source], targets[target], share) for source, target, share in ways]
        self._sources = np.array([source for source, _, _ in listed], dtype=np.intp)
        self._targets = np.array([target for _, target, _ in listed], dtype=np.intp)
        self._shares = np.array([share for _, _, share in listed], dtype=np.float64)
        self._places = len(targets)

    def step(self, at: Masses) -> Masses:
        """Where those who are `at` the sources are one step later."""
        moved = at[self._sources] * self._shares
        return np.bincount(self._targets, moved, minlength=self._places)


def _numbered(*places: Iterable[str]) -> dict[str, int]:
    return {key: number for number, key in enumerate(dict.fromkeys(key for part in places for key in part))}


def _masses(weights: Mapping[str, float], numbers: Mapping[str, int]) -> Masses:
    at = np.zeros(len(numbers))
    at[[numbers[key] for key in weights]] = list(weights.values())
    return at
