"""The graph in one SQLite file: for a first try, for tests, for a site of one machine. Nothing to run.

SQLite's own full-text index (FTS5) gives BM25.
"""

from __future__ import annotations

import json
import math
import sqlite3
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typing_extensions import override

from llmflow_graphrag.errors import Busy
from llmflow_graphrag.keys import key
from llmflow_graphrag.model import (
    DocumentRow,
    Dump,
    Edge,
    Entity,
    Header,
    PassageRow,
    Relation,
    Staged,
)
from llmflow_graphrag.names import sound
from llmflow_graphrag.scope import Scope
from llmflow_graphrag.stores import (
    DEAD,
    DELETING,
    LEASE_SECONDS,
    LIVE,
    NEW,
    PUBLISHED,
    STAGED,
    SWEEPING,
    WRITING,
    Community,
    GraphStore,
    Lease,
    Placed,
)
from llmflow_graphrag.stores.database import Database
from llmflow_graphrag.stores.shared import (
    declared,
    document_row,
    lost,
    passage_row,
    spellings_of,
    to_json,
    usual,
)

FEW = (
    1000  # chunks that a word may always be in; one of more, and of half of all, is too common to search for
)
MOST, LEAST = 2.2, 0.5  # k1 + 1, and 2.2 / (1 + 1.2 (0.25 + 0.75 · 3.3)): BM25 with k1 = 1.2, b = 0.75
ENOUGH = 2000  # chunks with the rarest words of a question, out of which the best are found

MIGRATIONS = (
    """
    CREATE TABLE setting (scope TEXT, name TEXT, value TEXT, PRIMARY KEY (scope, name)) WITHOUT ROWID;
    CREATE TABLE audience (
        key TEXT PRIMARY KEY, scope TEXT NOT NULL, access TEXT NOT NULL, documents INTEGER NOT NULL) WITHOUT ROWID;
    CREATE INDEX audience_scope ON audience (scope);
    CREATE TABLE document (
        key TEXT PRIMARY KEY, scope TEXT NOT NULL, id TEXT NOT NULL, state TEXT NOT NULL, problem TEXT NOT NULL,
        lease TEXT, lease_until REAL NOT NULL, audience TEXT, title TEXT, fingerprint TEXT, access TEXT, metadata TEXT,
        characters INTEGER) WITHOUT ROWID;
    CREATE UNIQUE INDEX document_id ON document (scope, id);
    CREATE TABLE chunk (
        number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, scope TEXT NOT NULL, document TEXT NOT NULL,
        state INTEGER NOT NULL, audience TEXT NOT NULL, ordinal INTEGER NOT NULL, start INTEGER NOT NULL,
        "end" INTEGER NOT NULL, page INTEGER, boxes TEXT NOT NULL, heading TEXT NOT NULL, text TEXT NOT NULL,
        terms TEXT NOT NULL);
    CREATE INDEX chunk_document ON chunk (document, state);
    CREATE TABLE entity (
        number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, scope TEXT NOT NULL, norm TEXT NOT NULL,
        sound TEXT NOT NULL, name TEXT NOT NULL, chunks INTEGER NOT NULL, spellings TEXT NOT NULL);
    CREATE INDEX entity_sound ON entity (scope, sound) WHERE sound <> '';
    CREATE TABLE mention (
        chunk INTEGER NOT NULL, entity INTEGER NOT NULL, kind TEXT NOT NULL, count INTEGER NOT NULL,
        surface TEXT NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL, type TEXT NOT NULL,
        PRIMARY KEY (chunk, entity)) WITHOUT ROWID;
    CREATE INDEX mention_entity ON mention (entity, chunk);
    CREATE TABLE fact (
        chunk INTEGER NOT NULL, subject INTEGER NOT NULL, predicate TEXT NOT NULL, object INTEGER NOT NULL,
        start INTEGER NOT NULL, "end" INTEGER NOT NULL, confidence REAL NOT NULL,
        PRIMARY KEY (chunk, subject, predicate, object)) WITHOUT ROWID;
    CREATE INDEX fact_subject ON fact (subject);
    CREATE INDEX fact_object ON fact (object);
    CREATE TABLE alias (scope TEXT, first TEXT, second TEXT, PRIMARY KEY (scope, first, second)) WITHOUT ROWID;
    CREATE TABLE answer (key TEXT, document TEXT, text TEXT NOT NULL, PRIMARY KEY (document, key)) WITHOUT ROWID;
    CREATE INDEX answer_key ON answer (key);
    CREATE TABLE community (
        key TEXT PRIMARY KEY, scope TEXT NOT NULL, label TEXT NOT NULL, level INTEGER NOT NULL, title TEXT NOT NULL,
        summary TEXT NOT NULL, entities TEXT NOT NULL, chunks TEXT NOT NULL, fingerprint TEXT NOT NULL) WITHOUT ROWID;
    CREATE INDEX community_label ON community (scope, label);
    CREATE VIRTUAL TABLE term USING fts5 (
        audience, terms, tokenize = "unicode61 remove_diacritics 0");
    """,
    "CREATE VIRTUAL TABLE term_known USING fts5vocab (term, row);",
)


class SqliteGraph(GraphStore):
    """A GraphStore in the file at `path`; raises StoreDown where it can't be opened, Incompatible where it is newer."""

    def __init__(self, path: Path) -> None:
        self._db = Database(path, "The graph", MIGRATIONS)

    @override
    def close(self) -> None:
        self._db.close()

    @override
    @contextmanager
    def together(self) -> Iterator[None]:
        with self._db.write():
            yield

    # what a workspace was built with

    @override
    def settings(self, scope: Scope) -> dict[str, str]:
        return dict(self._db.read("SELECT name, value FROM setting WHERE scope = ?", scope.key))

    @override
    def settle(self, scope: Scope, settings: Mapping[str, str]) -> dict[str, str]:
        with self._db.write() as db:
            rows = [(scope.key, name, value) for name, value in settings.items()]
            db.executemany("INSERT OR IGNORE INTO setting VALUES (?, ?, ?)", rows)
        return self.settings(scope)

    # changing one document

    @override
    def claim(self, scope: Scope, document_id: str, seconds: float = LEASE_SECONDS) -> Lease:
        lease = Lease(key("document", scope.key, document_id), uuid.uuid4().hex)
        now = time.time()
        with self._db.write() as db:
            db.execute(
                "INSERT OR IGNORE INTO document (key, scope, id, state, problem, lease_until, access)"
                " VALUES (?, ?, ?, ?, '', 0, ?)",
                (lease.document, scope.key, document_id, NEW, to_json(sorted(scope.access))),
            )
            taken = db.execute(
                "UPDATE document SET lease = ?, lease_until = ? WHERE key = ? AND (lease IS NULL OR lease_until < ?)",
                (lease.token, now + seconds, lease.document, now),
            )
            if not taken.rowcount:
                raise Busy(f'Another worker is at the document "{document_id}".')
        return lease

    @override
    def renew(self, scope: Scope, lease: Lease, seconds: float = LEASE_SECONDS) -> None:
        with self._db.write() as db:
            self._hold(db, scope, lease, seconds)

    @override
    def release(self, scope: Scope, lease: Lease, problem: str = "") -> None:
        with self._db.write() as db:
            db.execute(
                "UPDATE document SET lease = NULL, lease_until = 0, problem = ?"
                " WHERE key = ? AND scope = ? AND lease = ?",
                (problem, lease.document, scope.key, lease.token),
            )
            db.execute(
                "DELETE FROM document WHERE key = ? AND scope = ? AND lease IS NULL AND state = ? AND problem = ''"
                " AND NOT EXISTS (SELECT 1 FROM chunk WHERE document = document.key)",
                (lease.document, scope.key, NEW),
            )
            db.execute(
                "DELETE FROM answer WHERE document = ? AND NOT EXISTS (SELECT 1 FROM document WHERE key = ?)",
                (lease.document, lease.document),
            )

    @override
    def held(self, scope: Scope, lease: Lease) -> DocumentRow:
        rows = self._db.read(
            f"{_DOCUMENT} WHERE d.key = ? AND d.scope = ? AND d.lease = ?",
            lease.document,
            scope.key,
            lease.token,
        )
        if not rows:
            raise lost()
        return _document(rows[0])

    @override
    def chunk_states(self, scope: Scope, lease: Lease) -> dict[str, int]:
        return dict(
            self._db.read(
                "SELECT key, state FROM chunk WHERE document = ? AND scope = ?", lease.document, scope.key
            )
        )

    @override
    def stage(self, scope: Scope, lease: Lease, audience: str, chunks: Sequence[Staged]) -> None:
        with self._db.write() as db:
            self._hold(db, scope, lease)
            db.execute(
                "UPDATE document SET state = ? WHERE key = ? AND state IN (?, ?)",
                (WRITING, lease.document, NEW, PUBLISHED),
            )
            known = _numbers(db, "chunk", [one.chunk.key for one in chunks])
            fresh = [one for one in chunks if one.chunk.key not in known]
            db.executemany(
                'INSERT INTO chunk (key, scope, document, state, audience, ordinal, start, "end", page, boxes, heading,'
                " text, terms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [_chunk_row(scope, lease, audience, one) for one in fresh],
            )
            _contribute(db, scope, fresh)

    @override
    def publish(self, scope: Scope, lease: Lease, header: Header, placed: Sequence[Placed]) -> None:
        with self._db.write() as db:
            self._hold(db, scope, lease)
            db.execute("CREATE TEMP TABLE IF NOT EXISTS placed (key TEXT PRIMARY KEY)")
            db.execute("DELETE FROM placed")
            db.executemany("INSERT INTO placed VALUES (?)", [(one.key,) for one in placed])
            here = "document = ? AND scope = ?"
            of = (lease.document, scope.key)
            db.execute(
                f"DELETE FROM term WHERE rowid IN (SELECT number FROM chunk WHERE {here} AND state = {LIVE}"
                " AND key NOT IN (SELECT key FROM placed))",
                of,
            )
            db.execute(
                f"UPDATE chunk SET state = {DEAD} WHERE {here} AND key NOT IN (SELECT key FROM placed)",
                of,
            )
            db.execute(
                f"INSERT INTO term (rowid, audience, terms) SELECT number, audience, terms FROM chunk WHERE {here}"
                f" AND state <> {LIVE} AND key IN (SELECT key FROM placed)",
                of,
            )
            db.execute(
                f"UPDATE chunk SET state = {LIVE} WHERE {here} AND key IN (SELECT key FROM placed)",
                of,
            )
            db.executemany(
                'UPDATE chunk SET ordinal = ?, start = ?, "end" = ?, page = ?, boxes = ?'
                f" WHERE key = ? AND {here}",
                [
                    (one.ordinal, one.start, one.end, one.page, to_json(one.boxes), one.key, *of)
                    for one in placed
                ],
            )
            _count_audience(db, scope, lease, header)
            db.execute(
                "UPDATE document SET state = ?, problem = '', audience = ?, title = ?, fingerprint = ?, access = ?,"
                " metadata = ?, characters = ? WHERE key = ?",
                (
                    SWEEPING,
                    header.audience,
                    header.title,
                    header.fingerprint,
                    to_json(sorted(header.access)),
                    to_json(header.metadata),
                    header.characters,
                    lease.document,
                ),
            )

    @override
    def retire(self, scope: Scope, lease: Lease) -> None:
        with self._db.write() as db:
            self._hold(db, scope, lease)
            db.execute(
                "DELETE FROM term WHERE rowid IN (SELECT number FROM chunk WHERE document = ?)",
                (lease.document,),
            )
            db.execute("UPDATE chunk SET state = ? WHERE document = ?", (DEAD, lease.document))
            _count_audience(db, scope, lease, None)
            db.execute(
                "UPDATE document SET state = ?, audience = NULL WHERE key = ?", (DELETING, lease.document)
            )

    @override
    def dead(self, scope: Scope, lease: Lease, limit: int) -> list[str]:
        rows = self._db.read(
            "SELECT key FROM chunk WHERE document = ? AND scope = ? AND state = ? LIMIT ?",
            lease.document,
            scope.key,
            DEAD,
            limit,
        )
        return [row[0] for row in rows]

    @override
    def bury(self, scope: Scope, lease: Lease, chunks: Sequence[str]) -> None:
        with self._db.write() as db:
            self._hold(db, scope, lease)
            buried = db.execute(
                "SELECT number FROM chunk WHERE key IN (SELECT value FROM json_each(?)) AND document = ? AND state = ?",
                (to_json(list(chunks)), lease.document, DEAD),
            )
            numbers = [row[0] for row in buried]
            _take_back(db, numbers)
            for table, column in (("fact", "chunk"), ("mention", "chunk"), ("chunk", "number")):
                db.execute(
                    f"DELETE FROM {table} WHERE {column} IN (SELECT value FROM json_each(?))",
                    (to_json(numbers),),
                )

    @override
    def finish(self, scope: Scope, lease: Lease) -> None:
        with self._db.write() as db:
            self._hold(db, scope, lease)
            db.execute(
                "DELETE FROM answer WHERE document = ? AND EXISTS (SELECT 1 FROM document WHERE key = ? AND state = ?)",
                (lease.document, lease.document, DELETING),
            )
            db.execute("DELETE FROM document WHERE key = ? AND state = ?", (lease.document, DELETING))
            db.execute(
                "UPDATE document SET state = ?, lease = NULL, lease_until = 0 WHERE key = ?",
                (PUBLISHED, lease.document),
            )

    @override
    def working(self, scope: Scope) -> frozenset[str]:
        rows = self._db.read(
            "SELECT key FROM document WHERE scope = ? AND lease IS NOT NULL AND lease_until >= ?",
            scope.key,
            time.time(),
        )
        return frozenset(row[0] for row in rows)

    # what was paid for

    @override
    def recall(self, scope: Scope, keys: Sequence[str]) -> dict[str, str]:
        return dict(
            self._db.read(
                "SELECT DISTINCT a.key, a.text FROM answer a JOIN document d ON d.key = a.document"
                " WHERE a.key IN (SELECT value FROM json_each(?)) AND d.scope = ?",
                to_json(list(keys)),
                scope.key,
            )
        )

    @override
    def remember(self, scope: Scope, lease: Lease, key: str, answer: str) -> None:
        with self._db.write() as db:
            self._hold(db, scope, lease)
            db.execute("INSERT OR REPLACE INTO answer VALUES (?, ?, ?)", (key, lease.document, answer))

    # names that people declare to be one

    @override
    def alias(self, scope: Scope, first: str, second: str) -> None:
        with self._db.write() as db:
            db.execute("INSERT OR IGNORE INTO alias VALUES (?, ?, ?)", (scope.key, *sorted((first, second))))

    @override
    def unalias(self, scope: Scope, first: str, second: str) -> bool:
        with self._db.write() as db:
            gone = db.execute(
                "DELETE FROM alias WHERE scope = ? AND first = ? AND second = ?",
                (scope.key, *sorted((first, second))),
            )
        return gone.rowcount > 0

    @override
    def aliases(self, scope: Scope) -> list[tuple[str, str]]:
        return self._db.read("SELECT first, second FROM alias WHERE scope = ? ORDER BY 1, 2", scope.key)

    # reading

    @override
    def audiences(self, scope: Scope) -> list[str]:
        return [row[0] for row in self._db.read(f"{_AUDIENCES} ORDER BY key", *self._seen(scope)[1:])]

    @override
    def documents(self, scope: Scope, after: str = "", limit: int = 100) -> list[DocumentRow]:
        return self._documents(scope, "d.id > ? ORDER BY d.id LIMIT ?", after, limit)

    @override
    def document(self, scope: Scope, document_id: str) -> DocumentRow | None:
        return next(iter(self._documents(scope, "d.id = ?", document_id)), None)

    @override
    def lexical(
        self, scope: Scope, terms: Sequence[str], limit: int, documents: Sequence[str] | None = None
    ) -> list[tuple[str, float]]:
        audiences = self.audiences(scope)
        if not terms or not audiences or (documents is not None and not documents):
            return []
        rarest = self._rarest(terms)
        found = self._matching(scope, audiences, rarest, _telling(rarest, limit), limit, documents)
        if len(found) < limit:  # readers may not see what the rarest words are in
            found = self._matching(scope, audiences, rarest, _bringing(rarest), limit, documents)
        return found

    def _rarest(self, terms: Sequence[str]) -> list[_Weighed]:
        """Terms, the rarest first; without those of more than half of all chunks, to which BM25 gives nothing.

        Where all terms are so common, they are all there is.
        """
        known = "SELECT term, doc FROM term_known WHERE term IN (SELECT value FROM json_each(?))"
        chunks = dict(self._db.read(known, to_json(list(terms))))
        ((newest,),) = self._db.read("SELECT coalesce(max(number), 0) FROM chunk")
        weighed = [_Weighed(term, chunks.get(term, 0), newest) for term in terms]
        telling = [one for one in weighed if one.chunks <= max(newest / 2, FEW)]
        return sorted(telling or weighed, key=lambda one: one.chunks)

    def _matching(
        self,
        scope: Scope,
        audiences: Sequence[str],
        rarest: Sequence[_Weighed],
        bringing: int,
        limit: int,
        documents: Sequence[str] | None,
    ) -> list[tuple[str, float]]:
        """Chunks with any of the first terms, by BM25 over all of them."""
        readers = f"audience : ({_any(audiences)})"
        query = f"{readers} AND terms : ({_any(one.term for one in rarest[:bringing])})"
        if rarest[bringing:]:  # to the scores only: the readers' side of the OR holds for every chunk
            query += f" AND ({readers} OR terms : ({_any(one.term for one in rarest[bringing:])}))"
        only, wanted = "", tuple[str, ...]()
        if documents is not None:
            only = (
                " AND rowid IN (SELECT number FROM chunk WHERE document IN (SELECT value FROM json_each(?)))"
            )
            wanted = (to_json(list(documents)),)
        return self._db.read(
            "SELECT c.key, -score FROM (SELECT rowid AS number, bm25(term, 0.0, 1.0) AS score FROM term"
            f" WHERE term MATCH ?{only} ORDER BY score LIMIT ?) JOIN chunk c USING (number) WHERE c.scope = ?"
            " ORDER BY score, c.key LIMIT ?",
            query,
            *wanted,
            limit * 2,  # those of equal scores are put in order only now
            scope.key,
            limit,
        )

    @override
    def entities(self, scope: Scope, norms: Sequence[str], sounds: Sequence[str] = ()) -> list[Entity]:
        keys = [key("entity", scope.key, norm) for norm in norms]
        return self._entities(
            scope,
            "(e.key IN (SELECT value FROM json_each(?)) OR (e.scope = ? AND e.sound <> '' AND e.sound IN"
            " (SELECT value FROM json_each(?))))",
            to_json(keys),
            scope.key,
            to_json([one for one in sounds if one]),
        )

    @override
    def edges_of_chunks(self, scope: Scope, chunks: Sequence[str]) -> list[tuple[Edge, Entity]]:
        rows = self._db.read(
            "SELECT c.key, e.key, m.kind, m.count, e.norm, e.name, e.chunks FROM chunk c"
            " JOIN mention m ON m.chunk = c.number JOIN entity e ON e.number = m.entity"
            " WHERE c.key IN (SELECT value FROM json_each(?)) AND " + _SEEN,
            to_json(list(chunks)),
            *self._seen(scope),
        )
        return [
            (Edge(row[0], row[1], row[2], row[3]), Entity(row[1], row[4], row[5], row[6])) for row in rows
        ]

    @override
    def edges_of_entities(self, scope: Scope, entities: Sequence[str], limit: int) -> list[Edge]:
        rows = self._db.read(
            "SELECT chunk, entity, kind, count FROM (SELECT c.key AS chunk, e.key AS entity, m.kind, m.count,"
            " row_number() OVER (PARTITION BY m.entity ORDER BY m.kind = 'title' DESC, m.kind = 'heading' DESC,"
            " m.count DESC, c.key) AS place"
            " FROM entity e JOIN mention m ON m.entity = e.number JOIN chunk c ON c.number = m.chunk"
            " WHERE e.key IN (SELECT value FROM json_each(?)) AND " + _SEEN + ") WHERE place <= ?",
            to_json(list(entities)),
            *self._seen(scope),
            limit,
        )
        return [Edge(*row) for row in rows]

    @override
    def relations(self, scope: Scope, entities: Sequence[str], limit: int) -> list[Relation]:
        wanted = to_json(list(entities))
        rows = self._db.read(
            'SELECT s.key, f.predicate, o.key, c.key, f.start, f."end", f.confidence FROM fact f'
            " JOIN entity s ON s.number = f.subject JOIN entity o ON o.number = f.object"
            " JOIN chunk c ON c.number = f.chunk WHERE (f.subject IN (SELECT number FROM entity WHERE key IN"
            " (SELECT value FROM json_each(?))) OR f.object IN (SELECT number FROM entity WHERE key IN"
            " (SELECT value FROM json_each(?)))) AND "
            + _SEEN
            + " ORDER BY f.confidence DESC, c.key, s.key, o.key LIMIT ?",
            wanted,
            wanted,
            *self._seen(scope),
            limit,
        )
        return [*(Relation(*row) for row in rows), *declared(scope, self.aliases(scope), entities)]

    @override
    def passages(self, scope: Scope, chunks: Sequence[str]) -> dict[str, PassageRow]:
        rows = self._db.read(
            'SELECT c.key, d.id, d.title, c.text, c.heading, c.ordinal, c.start, c."end", c.page, c.boxes, d.metadata'
            " FROM chunk c JOIN document d ON d.key = c.document"
            " WHERE c.key IN (SELECT value FROM json_each(?)) AND " + _SEEN,
            to_json(list(chunks)),
            *self._seen(scope),
        )
        return {row[0]: passage_row(row, json.loads(row[4])) for row in rows}

    @override
    def matching(self, scope: Scope, limit: int) -> Iterable[tuple[str, Mapping[str, object]]]:
        rows = self._db.read(
            f"SELECT key, metadata FROM document WHERE scope = ? AND audience IN ({_AUDIENCES}) LIMIT ?",
            *self._seen(scope),
            limit,
        )
        return [(row[0], json.loads(row[1])) for row in rows]

    @override
    def entity_page(self, scope: Scope, after: str, limit: int) -> list[Entity]:
        return self._entities(
            scope, "e.scope = ? AND e.key > ?", scope.key, after, tail=f" ORDER BY e.key LIMIT {limit:d}"
        )

    # communities

    @override
    def communities(self, scope: Scope) -> list[Community]:
        rows = self._db.read(
            "SELECT key, label, level, title, summary, entities, chunks, fingerprint FROM community"
            " WHERE scope = ? AND label IN (SELECT value FROM json_each(?)) ORDER BY label, level, key",
            scope.key,
            to_json(sorted(scope.access)),
        )
        return [
            Community(
                row[0],
                row[1],
                row[2],
                row[3],
                row[4],
                tuple(json.loads(row[5])),
                tuple(json.loads(row[6])),
                row[7],
            )
            for row in rows
        ]

    @override
    def replace_communities(self, scope: Scope, label: str, communities: Sequence[Community]) -> None:
        with self._db.write() as db:
            db.execute("DELETE FROM community WHERE scope = ? AND label = ?", (scope.key, label))
            db.executemany(
                "INSERT INTO community VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        c.key,
                        scope.key,
                        label,
                        c.level,
                        c.title,
                        c.summary,
                        to_json(c.entities),
                        to_json(c.chunks),
                        c.fingerprint,
                    )
                    for c in communities
                ],
            )

    # looking after

    @override
    def chunk_page(self, scope: Scope, after: str, limit: int) -> list[tuple[str, str, str, int]]:
        return self._db.read(
            "SELECT key, document, audience, state FROM chunk WHERE scope = ? AND key > ? ORDER BY key LIMIT ?",
            scope.key,
            after,
            limit,
        )

    @override
    def dump(self, scope: Scope) -> Dump:
        return {name: sorted(self._db.read(query, scope.key), key=repr) for name, query in _DUMP.items()}

    # inside

    def _hold(
        self, db: sqlite3.Connection, scope: Scope, lease: Lease, seconds: float = LEASE_SECONDS
    ) -> None:
        held = db.execute(
            "UPDATE document SET lease_until = ? WHERE key = ? AND scope = ? AND lease = ?",
            (time.time() + seconds, lease.document, scope.key, lease.token),
        )
        if not held.rowcount:
            raise lost()

    def _seen(self, scope: Scope) -> tuple[str, str, str]:
        """The values of _SEEN and _AUDIENCES, in their order."""
        return scope.key, scope.key, to_json(sorted(scope.access))

    def _documents(self, scope: Scope, where: str, *values: Any) -> list[DocumentRow]:
        rows = self._db.read(
            f"{_DOCUMENT} WHERE d.scope = ?"
            f" AND (d.audience IN ({_AUDIENCES}) OR d.audience IS NULL AND NOT EXISTS"
            " (SELECT 1 FROM json_each(d.access) WHERE value NOT IN (SELECT value FROM json_each(?))))"
            f" AND {where}",
            *self._seen(scope),
            to_json(sorted(scope.access)),
            *values,
        )
        return [_document(row) for row in rows]

    def _entities(self, scope: Scope, where: str, *values: Any, tail: str = "") -> list[Entity]:
        rows = self._db.read(
            "SELECT e.key, e.norm, e.name, e.chunks FROM entity e WHERE "
            + where
            + " AND EXISTS (SELECT 1 FROM mention m"
            " JOIN chunk c ON c.number = m.chunk WHERE m.entity = e.number AND "
            + _SEEN
            + ")"
            + (tail or " ORDER BY e.key"),
            *values,
            *self._seen(scope),
        )
        return [Entity(*row) for row in rows]


_DOCUMENT = (
    "SELECT d.key, d.id, d.title, d.fingerprint, d.access, d.audience, d.metadata, d.characters, d.state,"
    f" (SELECT count(*) FROM chunk WHERE document = d.key AND state = {LIVE}), d.problem FROM document d"
)
_AUDIENCES = (
    "SELECT key FROM audience WHERE scope = ? AND EXISTS (SELECT 1 FROM json_each(access) WHERE value IN"
    " (SELECT value FROM json_each(?)))"
)
_SEEN = f"c.scope = ? AND c.state = {LIVE} AND c.audience IN ({_AUDIENCES})"

_DUMP = {
    "settings": "SELECT name, value FROM setting WHERE scope = ?",
    "audiences": "SELECT key, access, documents FROM audience WHERE scope = ?",
    "documents": "SELECT id, state, problem, title, fingerprint, access, metadata, characters FROM document"
    " WHERE scope = ?",
    "chunks": 'SELECT key, document, state, audience, ordinal, start, "end", page, boxes, heading, text FROM chunk'
    " WHERE scope = ?",
    "terms": "SELECT c.key, t.audience, t.terms FROM chunk c JOIN term t ON t.rowid = c.number WHERE c.scope = ?",
    "entities": "SELECT key, norm, sound, name, chunks, spellings FROM entity WHERE scope = ?",
    "mentions": 'SELECT c.key, e.norm, m.kind, m.count, m.surface, m.start, m."end", m.type FROM mention m'
    " JOIN chunk c ON c.number = m.chunk JOIN entity e ON e.number = m.entity WHERE c.scope = ?",
    "facts": 'SELECT c.key, s.norm, f.predicate, o.norm, f.start, f."end", f.confidence FROM fact f'
    " JOIN chunk c ON c.number = f.chunk JOIN entity s ON s.number = f.subject JOIN entity o ON o.number = f.object"
    " WHERE c.scope = ?",
    "aliases": "SELECT first, second FROM alias WHERE scope = ?",
    "communities": "SELECT key, label, level, title, summary, entities, chunks, fingerprint FROM community"
    " WHERE scope = ?",
    "answers": "SELECT a.key, d.id FROM answer a JOIN document d ON d.key = a.document WHERE d.scope = ?",
}


def _contribute(db: sqlite3.Connection, scope: Scope, staged: Sequence[Staged]) -> None:
    """Mentions and facts of new chunks, and their entities counted up."""
    spellings = spellings_of(staged)
    keys = {norm: key("entity", scope.key, norm) for norm in spellings}
    known = dict(
        db.execute(
            "SELECT key, spellings FROM entity WHERE key IN (SELECT value FROM json_each(?))",
            (to_json(list(keys.values())),),
        ).fetchall()
    )
    rows = []
    for norm, counts in spellings.items():
        total = Counter(json.loads(known.get(keys[norm], "{}"))) + counts
        rows.append((keys[norm], scope.key, norm, sound(norm), usual(total), total.total(), to_json(total)))
    db.executemany(
        "INSERT INTO entity (key, scope, norm, sound, name, chunks, spellings) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (key) DO UPDATE SET"
        " name = excluded.name, chunks = excluded.chunks, spellings = excluded.spellings",
        rows,
    )
    entity = _numbers(db, "entity", list(keys.values()))
    chunk = _numbers(db, "chunk", [one.chunk.key for one in staged])
    db.executemany(
        "INSERT INTO mention VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (chunk[one.chunk.key], entity[keys[m.norm]], m.kind, m.count, m.surface, m.start, m.end, m.type)
            for one in staged
            for m in one.contribution.mentions
        ],
    )
    db.executemany(
        "INSERT OR IGNORE INTO fact VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (
                chunk[one.chunk.key],
                entity[keys[f.subject]],
                f.predicate,
                entity[keys[f.object]],
                f.start,
                f.end,
                f.confidence,
            )
            for one in staged
            for f in one.contribution.facts
        ],
    )


def _take_back(db: sqlite3.Connection, chunks: Sequence[int]) -> None:
    """Count the entities of these chunks down; those that nothing mentions any more go."""
    gone_from: dict[int, Counter[str]] = {}
    for entity, surface in db.execute(
        "SELECT entity, surface FROM mention WHERE chunk IN (SELECT value FROM json_each(?))",
        (to_json(list(chunks)),),
    ):
        gone_from.setdefault(entity, Counter())[surface] += 1
    kept, gone = [], []
    for number, text in db.execute(
        "SELECT number, spellings FROM entity WHERE number IN (SELECT value FROM json_each(?))",
        (to_json(list(gone_from)),),
    ):
        total = Counter(json.loads(text)) - gone_from[number]
        if total:
            kept.append((usual(total), total.total(), to_json(total), number))
        else:
            gone.append((number,))
    db.executemany("UPDATE entity SET name = ?, chunks = ?, spellings = ? WHERE number = ?", kept)
    db.executemany("DELETE FROM entity WHERE number = ?", gone)


def _count_audience(db: sqlite3.Connection, scope: Scope, lease: Lease, header: Header | None) -> None:
    """One document less for its audience so far, one more for its new one."""
    db.execute(
        "UPDATE audience SET documents = documents - 1 WHERE key = (SELECT audience FROM document WHERE key = ?)",
        (lease.document,),
    )
    if header:
        db.execute(
            "INSERT INTO audience VALUES (?, ?, ?, 1) ON CONFLICT (key) DO UPDATE SET documents = documents + 1",
            (header.audience, scope.key, to_json(sorted(header.access))),
        )
    db.execute("DELETE FROM audience WHERE scope = ? AND documents < 1", (scope.key,))


def _numbers(db: sqlite3.Connection, table: str, keys: Sequence[str]) -> dict[str, int]:
    return dict(
        db.execute(
            f"SELECT key, number FROM {table} WHERE key IN (SELECT value FROM json_each(?))",
            (to_json(list(keys)),),
        ).fetchall()
    )


@dataclass(frozen=True)
class _Weighed:
    """A term of a question."""

    term: str
    chunks: int  # with it
    of: int  # all chunks

    @property
    def rarity(self) -> float:
        """Its inverse document frequency, as FTS5's bm25 has it."""
        return max(1e-6, math.log((self.of - self.chunks + 0.5) / (self.chunks + 0.5)))


def _bringing(rarest: Sequence[_Weighed]) -> int:
    """How many of the rarest terms it takes until there are enough chunks, so that common ones bring none."""
    brought = bringing = 0
    while bringing < len(rarest) and brought < ENOUGH:
        brought += rarest[bringing].chunks
        bringing += 1
    return bringing


def _telling(rarest: Sequence[_Weighed], limit: int) -> int:
    """How many of the rarest terms bring the best `limit` chunks, because all others together can't outweigh one.

    A term adds at most MOST times its rarity to a score, and not less than LEAST times in a chunk of up to three times
    the usual length.
    """
    brought = 0
    for place, one in enumerate(rarest, 1):
        brought += one.chunks
        if brought >= limit and MOST * sum(o.rarity for o in rarest[place:]) < LEAST * one.rarity:
            return min(place, _bringing(rarest))
    return _bringing(rarest)


def _any(terms: Iterable[str]) -> str:
    """An FTS5 expression for any of these: each in quotes, its own doubled, so that none is an operator."""
    return " OR ".join('"' + term.replace('"', '""') + '"' for term in terms)


def _chunk_row(scope: Scope, lease: Lease, audience: str, one: Staged) -> tuple[Any, ...]:
    chunk = one.chunk
    return (
        chunk.key,
        scope.key,
        lease.document,
        STAGED,
        audience,
        chunk.ordinal,
        chunk.start,
        chunk.end,
        chunk.page,
        to_json([vars(box) for box in chunk.boxes]),
        to_json(chunk.heading),
        chunk.text,
        " ".join(one.terms),
    )


def _document(row: Sequence[Any]) -> DocumentRow:
    return document_row(row, json.loads(row[4] or "[]"))
