"""Documents in and out, one at a time, in steps that can be repeated.

    claim   be the only worker at the document
    sweep   remove what an earlier run left dead
    stage   new chunks into both stores, seen by nobody: vectors first, then the graph
    publish in one transaction, these chunks are the document: the commit point
    sweep   remove what is dead now, vectors first
    finish  give the document back

A process that dies anywhere leaves a state from which the same call goes on: staged chunks are not embedded
or extracted again, dead ones are removed. A deletion is the same without staging.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from llmflow_graphrag.chunks import Chunk, chunks, place
from llmflow_graphrag.documents import Document
from llmflow_graphrag.errors import BadRequest, Busy, GraphragError, Incompatible, NotFound
from llmflow_graphrag.extraction.llm import Answers
from llmflow_graphrag.keys import key
from llmflow_graphrag.model import Contribution, Header, Staged
from llmflow_graphrag.models import Embedder, Meter
from llmflow_graphrag.scope import Scope
from llmflow_graphrag.stores import NEW, PUBLISHED, GraphStore, Lease, Placed, VectorRow, VectorStore
from llmflow_graphrag.words import Analyser, terms

FORMAT = 1  # of chunks, terms and what is embedded; another one makes every document be taken in anew
BATCH = 64  # chunks that are staged together
PART = 500  # dead chunks that are removed together


class Extractor(Protocol):
    """What a chunk says."""

    @property
    def fingerprint(self) -> str:
        """Another one makes documents be read anew."""
        ...

    @property
    def at_once(self) -> int:
        """How many chunks are looked at beside each other."""
        ...

    def extract(self, title: str, chunk: Chunk, answers: Answers, meter: Meter) -> Contribution:
        """Its mentions and facts; raises ModelFailed."""
        ...


@dataclass(frozen=True)
class Ingested:
    """What taking a document in came to; chunks by what happened to them, and what models were asked for it."""

    document: str
    state: str  # "new", "changed", "unchanged"
    chunks: int
    added: int
    kept: int
    removed: int
    meter: Meter = field(default_factory=Meter)


Progress = Callable[[int, int], None]  # chunks done, chunks to do


def silent(done: int, of: int) -> None:
    """Progress that nobody watches."""
    del done, of


@dataclass(frozen=True)
class Ingest:
    """Takes documents into both stores and out of them."""

    graph: GraphStore
    vectors: VectorStore
    embedder: Embedder
    analyser: Analyser
    extractor: Extractor

    def take(self, scope: Scope, document: Document, progress: Progress = silent) -> Ingested:
        """Make a document what the workspace knows under its id; a second time changes nothing.

        Raises Busy, BadRequest for access labels that the scope does not hold, Incompatible, ModelFailed,
        StoreDown. What was done until then is kept for the next call; readers see the document as it was
        before.
        """
        if not document.access <= scope.access:
            missing = ", ".join(sorted(document.access - scope.access))
            raise BadRequest(
                f"A document can only get access labels that its giver holds; missing: {missing}."
            )
        self._settle(scope)
        with self._held(scope, document.id) as lease:
            return self._take(scope, document, lease, progress)

    def remove(self, scope: Scope, document_id: str) -> int:
        """Take a document out, with all it said; gives the number of its chunks. Raises NotFound, Busy, StoreDown."""
        with self._held(scope, document_id) as lease:
            row = self.graph.held(scope, lease)
            states = self.graph.chunk_states(scope, lease)
            nothing = row.state == NEW and not states and not row.problem
            if nothing or (row.header.audience and not row.header.access & scope.access):
                raise NotFound(f'There is no document "{document_id}" in the workspace "{scope.workspace}".')
            self.graph.retire(scope, lease)
            self._sweep(scope, lease)
            self.graph.finish(scope, lease)
            return len(states)

    def _take(self, scope: Scope, document: Document, lease: Lease, progress: Progress) -> Ingested:
        header = self._header(scope, document)
        row = self.graph.held(scope, lease)
        if row.header.audience and not row.header.access & scope.access:
            raise BadRequest(f'The document id "{document.id}" is taken.')
        if row.state == PUBLISHED and row.header == header:
            count = len(self.graph.chunk_states(scope, lease))
            self.graph.finish(scope, lease)
            return Ingested(document.id, "unchanged", count, 0, count, 0)
        self._sweep(scope, lease)
        wanted = chunks(scope, document)
        states = self.graph.chunk_states(scope, lease)
        missing = [chunk for chunk in wanted if chunk.key not in states]
        meter = Meter()
        for start in range(0, len(missing), BATCH):
            self._stage(scope, document, lease, header.audience, missing[start : start + BATCH], meter)
            progress(min(start + BATCH, len(missing)), len(missing))
        self.graph.publish(scope, lease, header, [_placed(chunk) for chunk in wanted])
        removed = self._sweep(scope, lease)
        self.graph.finish(scope, lease)
        return Ingested(
            document.id,
            "changed" if row.header.audience else "new",
            len(wanted),
            len(missing),
            len(wanted) - len(missing),
            removed,
            meter,
        )

    def _stage(
        self,
        scope: Scope,
        document: Document,
        lease: Lease,
        audience: str,
        batch: Sequence[Chunk],
        meter: Meter,
    ) -> None:
        """New chunks into both stores. A vector whose chunk never comes is seen by nobody, and put in again later."""
        texts = [passage_text(document.title, chunk) for chunk in batch]
        contributions = self._extracted(scope, document.title, lease, batch, meter)
        vectors = self.embedder.documents(texts)
        meter.embedded(len(texts))
        rows = [
            VectorRow(chunk.key, lease.document, audience, vector)
            for chunk, vector in zip(batch, vectors, strict=True)
        ]
        self.vectors.upsert(scope, rows)
        staged = [
            Staged(chunk, said, tuple(terms(self.analyser, text)))
            for chunk, said, text in zip(batch, contributions, texts, strict=True)
        ]
        self.graph.stage(scope, lease, audience, staged)

    def _extracted(
        self, scope: Scope, title: str, lease: Lease, batch: Sequence[Chunk], meter: Meter
    ) -> list[Contribution]:
        answers = _Answers(self.graph, scope, lease)
        if self.extractor.at_once == 1:
            return [self.extractor.extract(title, chunk, answers, meter) for chunk in batch]
        with ThreadPoolExecutor(self.extractor.at_once, "extract") as pool:
            return list(pool.map(lambda chunk: self.extractor.extract(title, chunk, answers, meter), batch))

    def _sweep(self, scope: Scope, lease: Lease) -> int:
        """Remove dead chunks from both stores; gives how many."""
        count = 0
        while part := self.graph.dead(scope, lease, PART):
            self.vectors.delete(scope, part)
            self.graph.bury(scope, lease, part)
            count += len(part)
        return count

    @contextmanager
    def _held(self, scope: Scope, document_id: str) -> Iterator[Lease]:
        """The document's lease; where work ends early, it is given back with what went wrong."""
        lease = self.graph.claim(scope, document_id)
        try:
            yield lease
        except BaseException as error:
            problem = str(error) if isinstance(error, GraphragError) else type(error).__name__
            self._let_go(scope, lease, "" if isinstance(error, (NotFound, BadRequest, Busy)) else problem)
            raise

    def _let_go(self, scope: Scope, lease: Lease, problem: str) -> None:
        try:
            self.graph.release(scope, lease, problem)
        except GraphragError:
            return  # the store is what failed; the lease ends by itself

    def _header(self, scope: Scope, document: Document) -> Header:
        fingerprint = key(
            "document",
            FORMAT,
            self.extractor.fingerprint,
            document.title,
            document.text,
            *(json.dumps(vars(element), default=vars, sort_keys=True) for element in document.elements),
        )
        return Header(
            id=document.id,
            title=document.title,
            fingerprint=fingerprint,
            access=document.access,
            audience=audience(scope, document.access),
            metadata=document.metadata,
            characters=len(document.text),
        )

    def _settle(self, scope: Scope) -> None:
        """Let the first document decide what the workspace is built with; raises Incompatible for another."""
        wanted = settings(self.embedder, self.analyser)
        built = self.graph.settings(scope)
        if not wanted.keys() <= built.keys():
            built = self.graph.settle(scope, wanted)
        check_settings(built, self.embedder, self.analyser)


def passage_text(title: str, chunk: Chunk) -> str:
    """What is embedded and searched of a chunk: where it stands, then what it says."""
    return "\n".join((place(title, chunk.heading), chunk.text))


def audience(scope: Scope, access: frozenset[str]) -> str:
    """What stands for a set of access labels in every filter."""
    return key("audience", scope.key, *sorted(access))


def settings(embedder: Embedder, analyser: Analyser) -> dict[str, str]:
    """What a workspace is built with."""
    return {
        "analyser": analyser.name,
        "dimensions": str(embedder.dimensions),
        "embedder": embedder.name,
        "format": str(FORMAT),
    }


def check_settings(built: Mapping[str, str], embedder: Embedder, analyser: Analyser) -> None:
    """Refuse a workspace that was built with something else; raises Incompatible with all that differs."""
    differs = [
        f"{name}: {built[name]}, now {now}"
        for name, now in settings(embedder, analyser).items()
        if built.get(name, now) != now
    ]
    if differs:
        raise Incompatible(
            f"The workspace was built with other settings ({'; '.join(differs)}): use those, or take the documents "
            "into a new workspace."
        )


def _placed(chunk: Chunk) -> Placed:
    return Placed(
        chunk.key, chunk.ordinal, chunk.start, chunk.end, chunk.page, tuple(vars(box) for box in chunk.boxes)
    )


@dataclass(frozen=True)
class _Answers:
    """A document's answers in the graph store."""

    graph: GraphStore
    scope: Scope
    lease: Lease

    def get(self, key: str) -> str | None:
        return self.graph.recall(self.scope, [key]).get(key)

    def put(self, key: str, answer: str) -> None:
        self.graph.remember(self.scope, self.lease, key, answer)
