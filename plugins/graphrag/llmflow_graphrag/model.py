"""What the stores hold, as plain data.

A *contribution* is all that one chunk says: which entities it mentions, and which facts. It is kept per chunk and never
merged into anything, so that what a document said goes when the document goes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from llmflow_graphrag.chunks import Chunk
from llmflow_graphrag.documents import Metadata

TITLE: Final = "title"
HEADING: Final = "heading"
NAME: Final = "name"
ALIAS: Final = "alias"
MentionKind = Literal["title", "heading", "name", "alias"]
SAME_AS = "same as"  # the predicate of a fact that two names stand for one thing

Vector = Sequence[float]


@dataclass(frozen=True)
class Mention:
    """An entity named in a chunk: how it is written there, as what, how often, and where first (in the document)."""

    norm: str
    surface: str
    kind: MentionKind
    count: int = 1
    start: int = 0
    end: int = 0
    type: str = ""  # as a language model says, one of the schema's; "" where nothing does


@dataclass(frozen=True)
class Fact:
    """What a chunk says of two entities (their norms), and the stretch of the document that says it."""

    subject: str
    predicate: str
    object: str
    start: int
    end: int
    confidence: float = 1.0


@dataclass(frozen=True)
class Contribution:
    """All that a chunk says. Every norm in a fact is one of a mention."""

    mentions: tuple[Mention, ...] = ()
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True)
class Staged:
    """A chunk on its way into the stores, with what it says and the terms by which it is found."""

    chunk: Chunk
    contribution: Contribution
    terms: tuple[str, ...]


@dataclass(frozen=True)
class Header:
    """A document without its text: what is published with it."""

    id: str
    title: str
    fingerprint: str  # of all that a second ingest would have to repeat
    access: frozenset[str]
    audience: str  # stands for `access` in every filter
    metadata: Metadata
    characters: int


@dataclass(frozen=True)
class DocumentRow:
    """A document as the graph store knows it. `state`: new, live, or what a worker was at when it stopped."""

    key: str
    header: Header
    state: str
    chunks: int
    problem: str = ""


@dataclass(frozen=True)
class Entity:
    """An entity: its key, its norm, its usual spelling, and in how many chunks it is."""

    key: str
    norm: str
    name: str
    chunks: int


@dataclass(frozen=True)
class Edge:
    """That a chunk mentions an entity."""

    chunk: str
    entity: str
    kind: str
    count: int


@dataclass(frozen=True)
class Relation:
    """A fact as the graph keeps it: entity keys, and the chunk and the stretch that say it."""

    subject: str
    predicate: str
    object: str
    chunk: str
    start: int
    end: int
    confidence: float


@dataclass(frozen=True)
class PassageRow:
    """A published chunk with its document."""

    key: str
    document: str
    title: str
    text: str
    heading: tuple[str, ...]
    ordinal: int
    start: int
    end: int
    page: int | None
    boxes: tuple[Mapping[str, float], ...]
    metadata: Metadata = field(default_factory=dict)


Dump = Mapping[str, Sequence[tuple[Any, ...]]]  # all that a workspace holds, in a canonical order
