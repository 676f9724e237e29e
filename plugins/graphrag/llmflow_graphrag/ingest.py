"""Documents in and out, in steps that can be repeated; small documents take them together.

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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from llmflow_graphrag.chunks import Chunk, chunks, place
from llmflow_graphrag.documents import Document
from llmflow_graphrag.errors import BadRequest, Busy, GraphragError, Incompatible, NotFound, StoreDown
from llmflow_graphrag.extraction.llm import Answers
from llmflow_graphrag.keys import key
from llmflow_graphrag.model import Contribution, DocumentRow, Header, Staged
from llmflow_graphrag.models import Embedder, Meter
from llmflow_graphrag.scope import Scope
from llmflow_graphrag.stores import NEW, PUBLISHED, GraphStore, Lease, Placed, VectorRow, VectorStore
from llmflow_graphrag.words import Analyser, terms

FORMAT = 1  # of chunks, terms and what is embedded; another one makes every document be taken in anew
BATCH = 64  # chunks that are staged together
GROUP = 64  # documents that are taken in together
GROUP_CHARACTERS = 60_000  # of them; about as many chunks
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


@dataclass(frozen=True)
class Failed:
    """A document that was not taken in, and why."""

    document: str
    error: GraphragError


Progress = Callable[[int, int], None]  # chunks done, chunks to do


def silent(done: int, of: int) -> None:
    """Progress that nobody watches."""
    del done, of


@dataclass
class _Work:
    """A document on its way in."""

    document: Document
    lease: Lease
    header: Header
    before: DocumentRow
    chunks: list[Chunk] = field(default_factory=list)
    missing: list[Chunk] = field(default_factory=list)
    meter: Meter = field(default_factory=Meter)

    @property
    def unchanged(self) -> bool:
        """Whether the workspace has it already, just so."""
        return self.before.state == PUBLISHED and self.before.header == self.header

    def done(self, removed: int) -> Ingested:
        """What it came to."""
        if self.unchanged:
            return Ingested(self.document.id, "unchanged", self.before.chunks, 0, self.before.chunks, 0)
        state = "changed" if self.before.header.audience else "new"
        count, added = len(self.chunks), len(self.missing)
        return Ingested(self.document.id, state, count, added, count - added, removed, self.meter)


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
        return self._take(scope, [document], progress)[0]

    def take_all(self, scope: Scope, documents: Iterable[Document]) -> Iterator[Ingested | Failed]:
        """Take documents in, in their order; one that fails stops no other."""
        for group in _groups(documents):
            yield from self._take_group(scope, group)

    def _take_group(self, scope: Scope, group: Sequence[Document]) -> list[Ingested | Failed]:
        """Together, or where that fails, one by one: then it shows which of them it was."""
        try:
            return [*self._take(scope, group)]
        except GraphragError as error:
            if len(group) == 1 or isinstance(error, (StoreDown, Incompatible)):
                return [Failed(document.id, error) for document in group]
        return [done for document in group for done in self._take_group(scope, [document])]

    def remove(self, scope: Scope, document_id: str) -> int:
        """Take a document out, with all it said; gives the number of its chunks. Raises NotFound, Busy, StoreDown."""
        with self._held(scope, [document_id]) as (lease,):
            row = self.graph.held(scope, lease)
            states = self.graph.chunk_states(scope, lease)
            nothing = row.state == NEW and not states and not row.problem
            if nothing or (row.header.audience and not row.header.access & scope.access):
                raise NotFound(f'There is no document "{document_id}" in the workspace "{scope.workspace}".')
            self.graph.retire(scope, lease)
            self._sweep(scope, lease)
            self.graph.finish(scope, lease)
            return len(states)

    def _take(
        self, scope: Scope, documents: Sequence[Document], progress: Progress = silent
    ) -> list[Ingested]:
        """All of them, or none of them published. Ids are unequal."""
        for document in documents:
            _check_labels(scope, document)
        self._settle(scope)
        with self._held(scope, [document.id for document in documents]) as leases:
            works = [
                self._begin(scope, document, lease) for document, lease in zip(documents, leases, strict=True)
            ]
            missing = [(work, chunk) for work in works for chunk in work.missing]
            for start in range(0, len(missing), BATCH):
                self._stage(scope, missing[start : start + BATCH])
                progress(min(start + BATCH, len(missing)), len(missing))
            changed = [work for work in works if not work.unchanged]
            with self.graph.together():
                for work in changed:
                    self.graph.publish(scope, work.lease, work.header, [_placed(c) for c in work.chunks])
            removed = {work.lease: self._sweep(scope, work.lease) for work in changed}
            with self.graph.together():
                for work in works:
                    self.graph.finish(scope, work.lease)
            return [work.done(removed.get(work.lease, 0)) for work in works]

    def _begin(self, scope: Scope, document: Document, lease: Lease) -> _Work:
        """What is to be done for a document, with what an earlier run left dead out of the way."""
        header = self._header(scope, document)
        row = self.graph.held(scope, lease)
        if row.header.audience and not row.header.access & scope.access:
            raise BadRequest(f'The document id "{document.id}" is taken.')
        work = _Work(document, lease, header, row)
        if not work.unchanged:
            self._sweep(scope, lease)
            states = self.graph.chunk_states(scope, lease)
            work.chunks = chunks(scope, document)
            work.missing = [chunk for chunk in work.chunks if chunk.key not in states]
        return work

    def _stage(self, scope: Scope, batch: Sequence[tuple[_Work, Chunk]]) -> None:
        """New chunks into both stores. A vector whose chunk never comes is seen by nobody, and put in again later."""
        texts = [passage_text(work.document.title, chunk) for work, chunk in batch]
        contributions = self._extracted(scope, batch)
        vectors = self.embedder.documents(texts)
        rows = [
            VectorRow(chunk.key, work.lease.document, work.header.audience, vector)
            for (work, chunk), vector in zip(batch, vectors, strict=True)
        ]
        self.vectors.upsert(scope, rows)
        staged: dict[Lease, list[Staged]] = {}
        for (work, chunk), said, text in zip(batch, contributions, texts, strict=True):
            work.meter.embedded(1)
            of_document = staged.setdefault(work.lease, [])
            of_document.append(Staged(chunk, said, tuple(terms(self.analyser, text))))
        audiences = {work.lease: work.header.audience for work, _ in batch}
        with self.graph.together():
            for lease, of_document in staged.items():
                self.graph.stage(scope, lease, audiences[lease], of_document)

    def _extracted(self, scope: Scope, batch: Sequence[tuple[_Work, Chunk]]) -> list[Contribution]:
        def extract(one: tuple[_Work, Chunk]) -> Contribution:
            work, chunk = one
            answers = _Answers(self.graph, scope, work.lease)
            return self.extractor.extract(work.document.title, chunk, answers, work.meter)

        if self.extractor.at_once == 1:
            return [extract(one) for one in batch]
        with ThreadPoolExecutor(self.extractor.at_once, "extract") as pool:
            return list(pool.map(extract, batch))

    def _sweep(self, scope: Scope, lease: Lease) -> int:
        """Remove dead chunks from both stores; gives how many."""
        count = 0
        while part := self.graph.dead(scope, lease, PART):
            self.vectors.delete(scope, part)
            self.graph.bury(scope, lease, part)
            count += len(part)
        return count

    @contextmanager
    def _held(self, scope: Scope, ids: Sequence[str]) -> Iterator[Sequence[Lease]]:
        """The leases of documents; where work ends early, they are given back with what went wrong."""
        leases: list[Lease] = []
        try:
            with self.graph.together():
                for id_ in ids:
                    leases.append(self.graph.claim(scope, id_))
            yield leases
        except BaseException as error:
            problem = str(error) if isinstance(error, GraphragError) else type(error).__name__
            for lease in leases:
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


def _groups(documents: Iterable[Document]) -> Iterator[list[Document]]:
    """Documents that are taken in together: small ones of unequal ids; a large one is alone."""
    group: dict[str, Document] = {}
    characters = 0
    for document in documents:
        characters += len(document.text)
        if group and (characters > GROUP_CHARACTERS or len(group) == GROUP or document.id in group):
            yield [*group.values()]
            group, characters = {}, len(document.text)
        group[document.id] = document
    if group:
        yield [*group.values()]


def _check_labels(scope: Scope, document: Document) -> None:
    missing = ", ".join(sorted(document.access - scope.access))
    if missing:
        raise BadRequest(f"A document can only get access labels that its giver holds; missing: {missing}.")


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
