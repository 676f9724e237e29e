"""Where things are kept: a graph store, which is the truth, and a vector store, which follows it.

The graph store holds documents, chunks with their text and terms, entities, contributions, and who works at
what. A chunk exists for readers when the graph store says so, in one transaction; a vector without such a
chunk is never seen and `check` removes it. So the two can't be caught disagreeing by a reader, whenever a
process dies.

Every method takes a Scope first. A scope's key is in every key, in every filter, and its access labels in every read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

from llmflow_graphrag.model import (
    DocumentRow,
    Dump,
    Edge,
    Entity,
    Header,
    PassageRow,
    Relation,
    Staged,
    Vector,
)
from llmflow_graphrag.scope import Scope

STAGED, LIVE, DEAD = 0, 1, 2  # states of a chunk
NEW, WRITING, SWEEPING, DELETING = "new", "writing", "sweeping", "deleting"  # of a document, beside
PUBLISHED = "live"

LEASE_SECONDS = 120.0  # after so long without a sign, a worker counts as gone


@dataclass(frozen=True)
class Lease:
    """A worker's right to change one document. It ends by itself when the worker does."""

    document: str  # its key
    token: str


@dataclass(frozen=True)
class Placed:
    """Where an unchanged chunk stands in the new version of its document."""

    key: str
    ordinal: int
    start: int
    end: int
    page: int | None
    boxes: tuple[Mapping[str, float], ...]


@dataclass(frozen=True)
class Community:
    """Entities that belong together, seen by one access label: its summary, and the chunks that say most of them."""

    key: str
    label: str
    level: int
    title: str
    summary: str
    entities: tuple[str, ...]  # keys
    chunks: tuple[str, ...]  # keys, the most telling first
    fingerprint: str  # of what it was made from


class GraphStore(Protocol):
    """The truth. Every method is one transaction, or one read of one moment; StoreDown where that can't be."""

    def close(self) -> None:
        """Give connections back."""
        ...

    def together(self) -> AbstractContextManager[None]:
        """Changes by this thread that are one transaction, where the store can do that for several documents.

        Where it can't, each is one by itself. Nothing but the store may be waited for inside.
        """
        return nullcontext()

    # what a workspace was built with

    def settings(self, scope: Scope) -> dict[str, str]:
        """Its settings; none for a workspace that does not exist yet."""
        ...

    def settle(self, scope: Scope, settings: Mapping[str, str]) -> dict[str, str]:
        """Set those that are not set yet, and give all: the first one decides."""
        ...

    # changing one document

    def claim(self, scope: Scope, document_id: str, seconds: float = LEASE_SECONDS) -> Lease:
        """Be the only worker at a document, which may be new. Raises Busy while another is."""
        ...

    def renew(self, scope: Scope, lease: Lease, seconds: float = LEASE_SECONDS) -> None:
        """Say that the worker lives. Raises Busy where the lease was lost."""
        ...

    def release(self, scope: Scope, lease: Lease, problem: str = "") -> None:
        """Let go of a document, with what went wrong. A document that was never published and holds nothing goes."""
        ...

    def held(self, scope: Scope, lease: Lease) -> DocumentRow:
        """The document as it is, whoever may see it; without an audience it was never published. Raises Busy."""
        ...

    def chunk_states(self, scope: Scope, lease: Lease) -> dict[str, int]:
        """All chunks of the document by key, with their states."""
        ...

    def stage(self, scope: Scope, lease: Lease, audience: str, chunks: Sequence[Staged]) -> None:
        """Put chunks into the graph that no reader sees yet; those that are there already change nothing."""
        ...

    def publish(self, scope: Scope, lease: Lease, header: Header, placed: Sequence[Placed]) -> None:
        """Make exactly these chunks the document: staged ones are born, others die. The commit point."""
        ...

    def retire(self, scope: Scope, lease: Lease) -> None:
        """Let the whole document die: no reader sees it from now on."""
        ...

    def dead(self, scope: Scope, lease: Lease, limit: int) -> list[str]:
        """Keys of chunks of the document that are to be removed, at most so many."""
        ...

    def bury(self, scope: Scope, lease: Lease, chunks: Sequence[str]) -> None:
        """Remove dead chunks, all they said, and the entities that nothing else mentions."""
        ...

    def finish(self, scope: Scope, lease: Lease) -> None:
        """End the work: nothing dead is left. The lease is given back; a retired document is gone."""
        ...

    def working(self, scope: Scope) -> frozenset[str]:
        """Keys of the documents that a worker is at."""
        ...

    # what was paid for

    def recall(self, scope: Scope, keys: Sequence[str]) -> dict[str, str]:
        """What a language model said, by key of what it was asked."""
        ...

    def remember(self, scope: Scope, lease: Lease, key: str, answer: str) -> None:
        """Keep an answer for as long as its document lives."""
        ...

    # names that people declare to be one

    def alias(self, scope: Scope, first: str, second: str) -> None:
        """Declare two norms to be one thing, by somebody's word."""
        ...

    def unalias(self, scope: Scope, first: str, second: str) -> bool:
        """Take that back; whether it was declared."""
        ...

    def aliases(self, scope: Scope) -> list[tuple[str, str]]:
        """All that was declared by somebody's word, as pairs of norms."""
        ...

    # reading, as one who holds the scope's access labels

    def audiences(self, scope: Scope) -> list[str]:
        """The sets of access labels, by their keys, that the reader may see documents of."""
        ...

    def documents(self, scope: Scope, after: str = "", limit: int = 100) -> list[DocumentRow]:
        """Documents in the order of their ids, from behind `after`; those being written only to who may see them."""
        ...

    def document(self, scope: Scope, document_id: str) -> DocumentRow | None:
        """One document, None where there is none for this reader."""
        ...

    def lexical(
        self, scope: Scope, terms: Sequence[str], limit: int, documents: Sequence[str] | None = None
    ) -> list[tuple[str, float]]:
        """Chunks by BM25 over their terms: keys and scores, best first; only of `documents` (keys) where given."""
        ...

    def entities(self, scope: Scope, norms: Sequence[str], sounds: Sequence[str] = ()) -> list[Entity]:
        """Entities of these norms or sounds that a chunk for this reader mentions."""
        ...

    def edges_of_chunks(self, scope: Scope, chunks: Sequence[str]) -> list[tuple[Edge, Entity]]:
        """What chunks mention."""
        ...

    def edges_of_entities(self, scope: Scope, entities: Sequence[str], limit: int) -> list[Edge]:
        """Where entities are mentioned: at most `limit` chunks each, those that are about them first."""
        ...

    def relations(self, scope: Scope, entities: Sequence[str], limit: int) -> list[Relation]:
        """Facts about these entities that chunks for this reader say, and what people declared to be one."""
        ...

    def passages(self, scope: Scope, chunks: Sequence[str]) -> dict[str, PassageRow]:
        """Chunks with their documents, by key; those that the reader may not see are missing."""
        ...

    def matching(self, scope: Scope, limit: int) -> Iterable[tuple[str, Mapping[str, object]]]:
        """Keys and metadata of all documents for this reader, up to a limit."""
        ...

    def entity_page(self, scope: Scope, after: str, limit: int) -> list[Entity]:
        """Entities for this reader in the order of their keys, from behind `after`."""
        ...

    # communities

    def communities(self, scope: Scope) -> list[Community]:
        """Those of the reader's access labels."""
        ...

    def replace_communities(self, scope: Scope, label: str, communities: Sequence[Community]) -> None:
        """Make these the communities of an access label."""
        ...

    # looking after

    def chunk_page(self, scope: Scope, after: str, limit: int) -> list[tuple[str, str, str, int]]:
        """All chunks of a workspace, whoever may see them: key, document key, audience, state; for `check`."""
        ...

    def dump(self, scope: Scope) -> Dump:
        """All that a workspace holds, in a canonical order, without times and leases."""
        ...


@dataclass(frozen=True)
class VectorRow:
    """A vector with what it is filtered by."""

    key: str  # of its chunk
    document: str
    audience: str
    vector: Vector


class VectorStore(Protocol):
    """Vectors of chunks, of one embedder; StoreDown where it does not answer."""

    def close(self) -> None:
        """Give connections back."""
        ...

    def upsert(self, scope: Scope, rows: Sequence[VectorRow]) -> None:
        """Put vectors in, in the place of those of the same keys."""
        ...

    def delete(self, scope: Scope, keys: Sequence[str]) -> None:
        """Remove vectors; those that are not there are no error."""
        ...

    def search(
        self,
        scope: Scope,
        vector: Vector,
        limit: int,
        audiences: Sequence[str],
        documents: Sequence[str] | None = None,
    ) -> list[tuple[str, float]]:
        """The nearest chunks for these audiences: keys and cosines, best first; only of `documents` where given."""
        ...

    def fetch(self, scope: Scope, keys: Sequence[str]) -> dict[str, Vector]:
        """Vectors by key; those that are not there are missing."""
        ...

    def rows(self, scope: Scope) -> Iterator[Sequence[tuple[str, str, str]]]:
        """All rows of a workspace, in parts and in no order: key, document, audience; for `check`."""
        ...
