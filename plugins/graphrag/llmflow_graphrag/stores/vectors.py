"""Vectors in one SQLite file, searched exactly in memory: for a first try, for tests, for a site of one machine.

A search is one product of the workspace's matrix and the question's vector. The matrix is read at the workspace's
first search and brought up to date at the next one after a change, whoever made it: numbers of rows rise and are
never given again, so what is new is behind the last one read, and what is gone is missing. A million floats take 4 MB:
100 000 chunks of 1 024 dimensions 400 MB. Where that is too much, Milvus is the store.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from llmflow_graphrag.keys import checked, key
from llmflow_graphrag.model import Vector
from llmflow_graphrag.scope import Scope
from llmflow_graphrag.stores import VectorRow, VectorStore
from llmflow_graphrag.stores.database import Database
from llmflow_graphrag.stores.shared import check_asked, check_given, to_json

Floats = NDArray[np.float32]

MOST_HELD = 1 << 30  # bytes of matrices; those searched longest ago go first, the last one stays
PAGE = 1000  # rows given together
MIGRATIONS = (
    """
    CREATE TABLE space (key TEXT PRIMARY KEY, changes INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE vector (
        number INTEGER PRIMARY KEY AUTOINCREMENT, space TEXT NOT NULL, key TEXT NOT NULL, document TEXT NOT NULL,
        audience TEXT NOT NULL, vector BLOB NOT NULL);
    CREATE UNIQUE INDEX vector_key ON vector (space, key);
    """,
)


@dataclass(frozen=True)
class _Labels:
    """A label for each row: its number among those that there are."""

    numbers: dict[str, int]
    of_row: NDArray[np.int32]

    def among(self, wanted: Sequence[str]) -> NDArray[np.bool_]:
        """Which rows have one of these."""
        allowed = np.zeros(len(self.numbers), dtype=np.bool_)
        allowed[[self.numbers[one] for one in wanted if one in self.numbers]] = True
        found: NDArray[np.bool_] = allowed[self.of_row]
        return found

    def changed(self, kept: NDArray[np.bool_], more: Sequence[str]) -> _Labels:
        """Only the kept rows, and more behind them."""
        numbers = dict(self.numbers)
        new = [numbers.setdefault(one, len(numbers)) for one in more]
        return _Labels(numbers, np.concatenate([self.of_row[kept], np.array(new, dtype=np.int32)]))


@dataclass(frozen=True)
class _Matrix:
    """The vectors of one workspace as they were after so many changes; each of length 1."""

    changes: int
    numbers: NDArray[np.int64]  # of rows, rising
    keys: NDArray[np.bytes_]
    documents: _Labels
    audiences: _Labels
    vectors: Floats

    def nearest(
        self, vector: Floats, limit: int, audiences: Sequence[str], documents: Sequence[str] | None
    ) -> list[tuple[str, float]]:
        """Keys and cosines, best first; equals by key."""
        seen = self.audiences.among(audiences)
        if documents is not None:
            seen &= self.documents.among(documents)
        rows = np.flatnonzero(seen)
        cosines = (self.vectors @ vector)[rows]
        if len(rows) > limit:
            best = np.argpartition(cosines, -limit)[-limit:]
            rows, cosines = rows[best], cosines[best]
        found = zip(self.keys[rows].tolist(), cosines.tolist(), strict=True)
        return sorted(((name.decode(), cosine) for name, cosine in found), key=lambda one: (-one[1], one[0]))


class SqliteVectors(VectorStore):
    """A VectorStore in the file at `path`; raises StoreDown where it can't be opened, Incompatible where it is newer.

    Vectors are on the disk before `upsert` returns: a power cut can't leave the graph with chunks that have none.
    """

    def __init__(self, path: Path, embedder: str, dimensions: int) -> None:
        self._embedder, self._dimensions = embedder, dimensions
        self._db = Database(path, "The store of vectors", MIGRATIONS, durable="FULL")
        self._held: OrderedDict[str, _Matrix] = OrderedDict()
        self._lock = threading.Lock()

    @override
    def close(self) -> None:
        self._db.close()
        self._held.clear()

    @override
    def upsert(self, scope: Scope, rows: Sequence[VectorRow]) -> None:
        if not rows:
            return
        check_given((row.vector for row in rows), self._dimensions)
        space = self._space(scope)
        values = [
            (space, checked(row.key), checked(row.document), checked(row.audience),
             np.asarray(row.vector, dtype=np.float32).tobytes())
            for row in rows
        ]  # fmt: skip
        with self._db.write() as db:
            db.executemany(
                "INSERT OR REPLACE INTO vector (space, key, document, audience, vector) VALUES (?, ?, ?, ?, ?)",
                values,
            )
            db.execute(_CHANGED, (space,))

    @override
    def delete(self, scope: Scope, keys: Sequence[str]) -> None:
        named = [checked(one) for one in keys]
        if not named:
            return
        space = self._space(scope)
        with self._db.write() as db:
            gone = db.execute(
                "DELETE FROM vector WHERE space = ? AND key IN (SELECT value FROM json_each(?))",
                (space, to_json(named)),
            )
            if gone.rowcount:
                db.execute(_CHANGED, (space,))

    @override
    def search(
        self,
        scope: Scope,
        vector: Vector,
        limit: int,
        audiences: Sequence[str],
        documents: Sequence[str] | None = None,
    ) -> list[tuple[str, float]]:
        for one in (*audiences, *(documents or ())):
            checked(one)
        check_asked(vector, self._dimensions)
        asked = _unit(np.asarray([vector], dtype=np.float32))[0]
        return self._matrix(self._space(scope)).nearest(asked, limit, audiences, documents)

    @override
    def fetch(self, scope: Scope, keys: Sequence[str]) -> dict[str, Vector]:
        named = [checked(one) for one in keys]
        found = self._db.read(
            "SELECT key, vector FROM vector WHERE space = ? AND key IN (SELECT value FROM json_each(?))",
            self._space(scope),
            to_json(named),
        )
        return {name: np.frombuffer(blob, dtype=np.float32).tolist() for name, blob in found}

    @override
    def rows(self, scope: Scope) -> Iterator[Sequence[tuple[str, str, str]]]:
        space, after = self._space(scope), ""
        while page := self._db.read(
            "SELECT key, document, audience FROM vector WHERE space = ? AND key > ? ORDER BY key LIMIT ?",
            space,
            after,
            PAGE,
        ):
            yield page
            after = page[-1][0]

    def _space(self, scope: Scope) -> str:
        """A workspace as one embedder sees it."""
        return key("space", scope.key, self._embedder, self._dimensions)

    def _matrix(self, space: str) -> _Matrix:
        with self._lock, self._db.moment():
            known = self._held.pop(space, None) or self._empty()
            changes = sum(n for (n,) in self._db.read("SELECT changes FROM space WHERE key = ?", space))
            matrix = known if known.changes == changes else self._up_to_date(space, known, changes)
            self._held[space] = matrix
            while len(self._held) > 1 and sum(m.vectors.nbytes for m in self._held.values()) > MOST_HELD:
                self._held.popitem(last=False)
            return matrix

    def _empty(self) -> _Matrix:
        nothing = _Labels({}, np.empty(0, dtype=np.int32))
        return _Matrix(
            changes=0,
            numbers=np.empty(0, dtype=np.int64),
            keys=np.empty(0, dtype="S32"),
            documents=nothing,
            audiences=nothing,
            vectors=np.empty((0, self._dimensions), dtype=np.float32),
        )

    def _up_to_date(self, space: str, known: _Matrix, changes: int) -> _Matrix:
        there = self._db.read("SELECT number FROM vector WHERE space = ?", space)
        kept = np.isin(known.numbers, np.array([number for (number,) in there], dtype=np.int64))
        last = int(known.numbers[-1]) if len(known.numbers) else 0
        new = self._db.read(
            "SELECT number, key, document, audience, vector FROM vector WHERE space = ? AND number > ?"
            " ORDER BY number",
            space,
            last,
        )
        blobs = np.frombuffer(b"".join(row[4] for row in new), dtype=np.float32)
        return _Matrix(
            changes,
            np.concatenate([known.numbers[kept], np.array([row[0] for row in new], dtype=np.int64)]),
            np.concatenate([known.keys[kept], np.array([row[1] for row in new], dtype="S32")]),
            known.documents.changed(kept, [row[2] for row in new]),
            known.audiences.changed(kept, [row[3] for row in new]),
            np.concatenate([known.vectors[kept], _unit(blobs.reshape(-1, self._dimensions))]),
        )


_CHANGED = "INSERT INTO space VALUES (?, 1) ON CONFLICT (key) DO UPDATE SET changes = changes + 1"


def _unit(vectors: Floats) -> Floats:
    """Rows of length 1; a row of zeros stays one."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True).astype(np.float32)
    lengths[lengths == 0] = 1
    return vectors / lengths
