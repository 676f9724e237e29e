"""What stores do alike, whatever they are written in: counting spellings, reading rows, telling who lost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from llmflow_graphrag.errors import Busy, Incompatible, ModelFailed
from llmflow_graphrag.keys import key
from llmflow_graphrag.model import SAME_AS, DocumentRow, Header, PassageRow, Relation, Staged, Vector
from llmflow_graphrag.scope import Scope


def spellings_of(staged: Sequence[Staged]) -> dict[str, Counter[str]]:
    """How the entities of these chunks are written, by norm: each spelling with the number of its chunks."""
    found: dict[str, Counter[str]] = {}
    for one in staged:
        for mention in one.contribution.mentions:
            found.setdefault(mention.norm, Counter())[mention.surface] += 1
    return found


def usual(spellings: Counter[str]) -> str:
    """The spelling that most chunks have, the first by its signs of those that are equal."""
    return min(spellings, key=lambda surface: (-spellings[surface], surface))


def declared(scope: Scope, aliases: Iterable[tuple[str, str]], entities: Iterable[str]) -> list[Relation]:
    """Aliases by somebody's word as relations, of these entities (keys) only."""
    wanted = set(entities)
    pairs = [(key("entity", scope.key, a), key("entity", scope.key, b)) for a, b in aliases]
    return [Relation(a, SAME_AS, b, "", 0, 0, 1.0) for a, b in pairs if a in wanted or b in wanted]


def document_row(row: Sequence[Any], access: Iterable[str]) -> DocumentRow:
    """A document of key, id, title, fingerprint, access, audience, metadata, characters, state, chunks, problem.

    `access` is the fifth of them as labels.
    """
    header = Header(
        id=row[1],
        title=row[2] or row[1],
        fingerprint=row[3] or "",
        access=frozenset(access),
        audience=row[5] or "",
        metadata=json.loads(row[6] or "{}"),
        characters=row[7] or 0,
    )
    return DocumentRow(row[0], header, row[8], row[9], row[10])


def passage_row(row: Sequence[Any], heading: Iterable[str]) -> PassageRow:
    """A passage of key, document, title, text, heading, ordinal, start, end, page, boxes, metadata.

    `heading` is the fifth of them as its steps.
    """
    return PassageRow(
        key=row[0],
        document=row[1],
        title=row[2],
        text=row[3],
        heading=tuple(heading),
        ordinal=row[5],
        start=row[6],
        end=row[7],
        page=row[8],
        boxes=tuple(json.loads(row[9])),
        metadata=json.loads(row[10]),
    )


def lost() -> Busy:
    """What a worker is told whose lease is somebody else's now."""
    return Busy("Another worker took this document over: this one was silent for too long.")


def require_known(version: int, known: int) -> None:
    """Raise Incompatible for a schema that is newer than the newest that is known."""
    if version > known:
        raise Incompatible(
            f"The graph was written by a newer LLMFlow (schema {version}, this one knows {known})."
        )


def to_json(value: Any) -> str:
    """The same text for the same value, each time."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def check_given(vectors: Iterable[Vector], dimensions: int) -> None:
    """Refuse vectors of another length than those before; raises ModelFailed."""
    for vector in vectors:
        if len(vector) != dimensions:
            raise ModelFailed(
                f"The embedder gave a vector of {len(vector)} dimensions, not {dimensions} as before."
            )


def check_asked(vector: Vector, dimensions: int) -> None:
    """Refuse a question of another length than the workspace's vectors; raises Incompatible."""
    if len(vector) != dimensions:
        raise Incompatible(
            f"The embedder gives {len(vector)} dimensions, but this workspace was built with {dimensions}."
        )
