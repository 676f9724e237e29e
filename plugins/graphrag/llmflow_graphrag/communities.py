"""What a workspace is about: entities that belong together, each group with a summary, for questions about the whole.

Groups are found by label propagation between names and chunks, always in the same order, so that the same graph gives
the same groups: after a deletion they are those of a workspace that never held the document. Each access label has
its own, made only of what it may see. A group whose members and chunks are as before keeps its summary; only the others
are summarised anew, by the sentences that name most of the group, or by a language model where one is given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from llmflow_graphrag import sentences
from llmflow_graphrag.keys import key
from llmflow_graphrag.model import Entity, PassageRow
from llmflow_graphrag.models import LanguageModel, Meter
from llmflow_graphrag.scope import Scope
from llmflow_graphrag.stores import Community, GraphStore
from llmflow_graphrag.words import HANGUL

PAGE = 500  # entities read together
FAN_OUT = 50  # chunks of an entity that count; an entity in more is no tie between them
ROUNDS = 20
SMALLEST = 3  # entities of a group worth telling of
MOST = 200  # groups of a label, the largest
TOLD = 3  # sentences of a summary
NAMES = 4  # of a title
LONGEST_SENTENCE = 240
CHUNKS_KEPT = 12
PROMPT = {
    "en": "Summarise in two sentences what these passages say about {names}. Use only what they say.",
    "ko": "다음 지문이 {names}에 대해 말하는 내용을 두 문장으로 요약하세요. 지문에 있는 내용만 쓰세요.",
}


@dataclass(frozen=True)
class Refreshed:
    """What a refresh came to: groups, those that were summarised anew, and what a model was asked."""

    communities: int
    renewed: int
    meter: Meter = field(default_factory=Meter)


@dataclass
class _Ties:
    """Which entities are in which chunks, as one access label sees it."""

    entities: dict[str, Entity]
    of_entity: dict[str, tuple[str, ...]]
    of_chunk: dict[str, list[str]]


def refresh(graph: GraphStore, scope: Scope, model: LanguageModel | None = None) -> Refreshed:
    """Find the groups of each of the scope's access labels anew. Raises StoreDown, ModelFailed."""
    meter, count, renewed = Meter(), 0, 0
    for label in sorted(scope.access):
        seen_by = Scope(scope.tenant, scope.workspace, frozenset({label}))
        before = {community.fingerprint: community for community in graph.communities(seen_by)}
        found = list(_communities(graph, seen_by, label, before, model, meter))
        graph.replace_communities(seen_by, label, found)
        count += len(found)
        renewed += sum(1 for community in found if community.fingerprint not in before)
    return Refreshed(count, renewed, meter)


def _communities(
    graph: GraphStore,
    scope: Scope,
    label: str,
    before: Mapping[str, Community],
    model: LanguageModel | None,
    meter: Meter,
) -> Iterator[Community]:
    ties = _ties(graph, scope)
    for members in _groups(ties):
        chunks = _telling(ties, members)
        mark = key("community", label, model.name if model else "", *members, "|", *chunks)
        if mark in before:
            yield before[mark]
            continue
        rows = graph.passages(scope, chunks)
        shown = [rows[one] for one in chunks if one in rows]
        names = [ties.entities[one].name for one in _central(ties, members)]
        yield Community(
            key=key("community", scope.key, label, *members),
            label=label,
            level=0,
            title=", ".join(names[:NAMES]),
            summary=_summary(names, shown, model, meter),
            entities=members,
            chunks=tuple(row.key for row in shown),
            fingerprint=mark,
        )


def _ties(graph: GraphStore, scope: Scope) -> _Ties:
    entities: dict[str, Entity] = {}
    of_entity: dict[str, tuple[str, ...]] = {}
    of_chunk: dict[str, list[str]] = {}
    after = ""
    while page := graph.entity_page(scope, after, PAGE):
        after = page[-1].key
        few = {entity.key: entity for entity in page if entity.chunks <= FAN_OUT}
        chunks: dict[str, list[str]] = {}
        for edge in graph.edges_of_entities(scope, list(few), FAN_OUT):
            chunks.setdefault(edge.entity, []).append(edge.chunk)
        for one, where in chunks.items():
            entities[one], of_entity[one] = few[one], tuple(sorted(where))
            for chunk in where:
                of_chunk.setdefault(chunk, []).append(one)
    return _Ties(entities, of_entity, of_chunk)


def _groups(ties: _Ties) -> list[tuple[str, ...]]:
    """Entities by the label that they end with, the largest groups first."""
    label = {entity: entity for entity in ties.of_entity}
    for _ in range(ROUNDS):
        of_chunk = {
            chunk: _most(label[entity] for entity in members) for chunk, members in ties.of_chunk.items()
        }
        moved = {
            entity: _most(of_chunk[chunk] for chunk in chunks) for entity, chunks in ties.of_entity.items()
        }
        if moved == label:
            break
        label = moved
    groups: dict[str, list[str]] = {}
    for entity, name in label.items():
        groups.setdefault(name, []).append(entity)
    large = [tuple(sorted(members)) for members in groups.values() if len(members) >= SMALLEST]
    return sorted(large, key=lambda members: (-len(members), members))[:MOST]


def _most(labels: Iterator[str]) -> str:
    counted = Counter(labels)
    return min(counted, key=lambda name: (-counted[name], name))


def _telling(ties: _Ties, members: Sequence[str]) -> list[str]:
    counted = Counter(chunk for entity in members for chunk in ties.of_entity[entity])
    return sorted(counted, key=lambda chunk: (-counted[chunk], chunk))[:CHUNKS_KEPT]


def _central(ties: _Ties, members: Sequence[str]) -> list[str]:
    return sorted(members, key=lambda one: (-len(ties.of_entity[one]), ties.entities[one].norm))


def _summary(
    names: Sequence[str], rows: Sequence[PassageRow], model: LanguageModel | None, meter: Meter
) -> str:
    if model is None:
        return _extract(names, rows)
    language = "ko" if any(HANGUL.search(row.text) for row in rows[:1]) else "en"
    passages = "\n\n".join(row.text for row in rows[:TOLD])
    said = model.complete(PROMPT[language].format(names=", ".join(names[:NAMES])), passages)
    meter.said(said)
    return said.text.strip() or _extract(names, rows)


def _extract(names: Sequence[str], rows: Sequence[PassageRow]) -> str:
    """The sentences that name most of the group, in the order of their passages."""
    scored = []
    for place, row in enumerate(rows):
        for start, end in sentences.spans(row.text):
            said = row.text[start:end].strip("#|- \t\n")
            if 20 <= len(said) <= LONGEST_SENTENCE:
                scored.append((-sum(1 for name in names if name in said), place, start, said))
    best = sorted(scored)[:TOLD]
    return " ".join(said for _, _, _, said in sorted(best, key=lambda one: one[1:3]))
