"""Do the two stores agree? What differs is found, told, and mended where it can be.

The graph is the truth. A chunk without a vector gets one; a vector without a chunk, or with another audience, goes.
What a worker is at is left alone, and looked at again the next time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from llmflow_graphrag.chunks import Chunk
from llmflow_graphrag.ingest import passage_text
from llmflow_graphrag.model import PassageRow
from llmflow_graphrag.models import Embedder
from llmflow_graphrag.scope import Scope
from llmflow_graphrag.stores import LIVE, PUBLISHED, GraphStore, VectorRow, VectorStore

PAGE = 1000  # chunks looked at together


@dataclass(frozen=True)
class Checked:
    """What was found, by chunk key; `interrupted` are ids of documents that were never finished."""

    chunks: int
    vectors: int
    missing: tuple[str, ...]  # chunks without a vector
    orphans: tuple[str, ...]  # vectors without a chunk
    misplaced: tuple[str, ...]  # vectors under another audience or document than their chunk
    interrupted: tuple[str, ...]
    mended: int
    beyond: tuple[
        str, ...
    ]  # missing vectors of chunks that this reader's labels don't show: left as they are

    @property
    def sound(self) -> bool:
        """Whether nothing was found."""
        return not (self.missing or self.orphans or self.misplaced or self.interrupted)


def check(
    graph: GraphStore, vectors: VectorStore, embedder: Embedder, scope: Scope, *, mend: bool = False
) -> Checked:
    """Compare the stores, and with `mend` make them agree. Raises StoreDown, ModelFailed."""
    known = {row[0]: row for page in _chunks(graph, scope) for row in page}
    busy = graph.working(scope)
    there: set[str] = set()
    orphans: list[tuple[str, str]] = []
    misplaced: list[str] = []
    count = 0
    for part in vectors.rows(scope):
        for name, document, audience in part:
            count += 1
            if name not in known:
                orphans.append((name, document))
            elif known[name][1:3] != (document, audience):
                misplaced.append(name)
            else:
                there.add(name)
    # a document may have been begun after the chunks were read
    busy |= graph.working(scope)
    lone = tuple(sorted(name for name, document in orphans if document not in busy))
    live = {name: row for name, row in known.items() if row[3] == LIVE and row[1] not in busy}
    missing = sorted(name for name in live if name not in there and name not in misplaced)
    mended, beyond = 0, []
    if mend:
        vectors.delete(scope, list(lone))
        for start in range(0, len(broken := sorted({*missing, *misplaced} & set(live))), PAGE):
            part_ = broken[start : start + PAGE]
            rows = graph.passages(scope, part_)
            beyond += [name for name in part_ if name not in rows]
            _embed(vectors, embedder, scope, [(rows[n], known[n]) for n in part_ if n in rows])
            mended += len(rows)
        mended += len(lone)
    return Checked(
        chunks=len(known),
        vectors=count,
        missing=tuple(missing),
        orphans=lone,
        misplaced=tuple(misplaced),
        interrupted=tuple(_interrupted(graph, scope)),
        mended=mended,
        beyond=tuple(beyond),
    )


def _chunks(graph: GraphStore, scope: Scope) -> Iterator[list[tuple[str, str, str, int]]]:
    after = ""
    while page := graph.chunk_page(scope, after, PAGE):
        yield page
        after = page[-1][0]


def _interrupted(graph: GraphStore, scope: Scope) -> Iterator[str]:
    busy, after = graph.working(scope), ""
    while page := graph.documents(scope, after, PAGE):
        yield from (row.header.id for row in page if row.state != PUBLISHED and row.key not in busy)
        after = page[-1].header.id


def _embed(
    vectors: VectorStore,
    embedder: Embedder,
    scope: Scope,
    chunks: list[tuple[PassageRow, tuple[str, str, str, int]]],
) -> None:
    texts = [passage_text(row.title, _as_chunk(row)) for row, _ in chunks]
    found = embedder.documents(texts) if texts else []
    vectors.upsert(
        scope,
        [
            VectorRow(name, document, audience, vector)
            for (_, (name, document, audience, _)), vector in zip(chunks, found, strict=True)
        ],
    )


def _as_chunk(row: PassageRow) -> Chunk:
    return Chunk(row.key, row.ordinal, row.start, row.end, row.text, row.heading, row.page, ())
