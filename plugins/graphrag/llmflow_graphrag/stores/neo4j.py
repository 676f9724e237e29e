"""The graph in Neo4j 5.26 or newer, Community edition: a server that several processes work at together.

Nothing but Bolt and Cypher: no plugin of the server, no label, type or query text that is made of data. Every query is
a constant below with parameters, and each MATCH in it names the scope. BM25 is Neo4j's own full-text index. The clock
of leases is the server's, so the workers' may be wrong. The driver tries a transaction again that lost a deadlock, or
its server; each gives the same the second time.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, LiteralString, TypeVar

from neo4j import GraphDatabase, ManagedTransaction, Session, TrustCustomCAs, unit_of_work
from neo4j.exceptions import AuthError, ConfigurationError, DriverError, Forbidden, Neo4jError, NotALeader
from typing_extensions import override

from llmflow_graphrag.errors import BadRequest, Busy, StoreDown
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
from llmflow_graphrag.stores.shared import (
    declared,
    document_row,
    lost,
    passage_row,
    require_known,
    spellings_of,
    to_json,
    usual,
)

T = TypeVar("T")
Rows = list[list[Any]]

PART = 200  # chunks of a transaction that stages or buries; some thousand mentions
ROWS = 1000  # of a query that writes
CLAUSES = 500  # of a full-text query; Lucene takes 1 024
CONNECT_SECONDS = 5.0
READ_SECONDS, WRITE_SECONDS = 20.0, 120.0  # of a transaction, on the server
RETRY_SECONDS = 10.0  # for a server that is away, or a deadlock
INDEX_SECONDS = 300  # that a new index has to be filled
ATTEMPTS = 10
# What a transaction can meet because another one ended at the same moment, and the driver does not repeat.
CROSSED = frozenset(
    {"Neo.ClientError.Statement.EntityNotFound", "Neo.ClientError.Schema.ConstraintValidationFailed"}
)
MOST_COUNTED = 99_999  # mentions in a chunk, in the order of an entity's mentions
KEY_DIGITS = 32

# The schema: MIGRATIONS lead from each version to the next. A key of one property is what the Community edition can
# keep unique; it begins with the scope's, see keys.py.
SCHEMA_VERSION: Final = "MATCH (s:Schema {key: 'llmflow'}) RETURN s.version"
SET_SCHEMA_VERSION: Final = "MERGE (s:Schema {key: 'llmflow'}) SET s.version = $version"
AWAIT_INDEXES: Final = "CALL db.awaitIndexes($seconds)"
MIGRATIONS: Final[tuple[tuple[LiteralString, ...], ...]] = (
    (
        "CREATE CONSTRAINT schema_key IF NOT EXISTS FOR (n:Schema) REQUIRE n.key IS UNIQUE",
        "CREATE CONSTRAINT setting_key IF NOT EXISTS FOR (n:Setting) REQUIRE n.key IS UNIQUE",
        "CREATE CONSTRAINT audience_key IF NOT EXISTS FOR (n:Audience) REQUIRE n.key IS UNIQUE",
        "CREATE CONSTRAINT document_key IF NOT EXISTS FOR (n:Document) REQUIRE n.key IS UNIQUE",
        "CREATE CONSTRAINT chunk_key IF NOT EXISTS FOR (n:Chunk) REQUIRE n.key IS UNIQUE",
        "CREATE CONSTRAINT entity_key IF NOT EXISTS FOR (n:Entity) REQUIRE n.key IS UNIQUE",
        "CREATE CONSTRAINT alias_key IF NOT EXISTS FOR (n:Alias) REQUIRE n.key IS UNIQUE",
        "CREATE CONSTRAINT answer_key IF NOT EXISTS FOR (n:Answer) REQUIRE n.key IS UNIQUE",
        "CREATE CONSTRAINT community_key IF NOT EXISTS FOR (n:Community) REQUIRE n.key IS UNIQUE",
        "CREATE INDEX setting_scope IF NOT EXISTS FOR (n:Setting) ON (n.scope)",
        "CREATE INDEX audience_scope IF NOT EXISTS FOR (n:Audience) ON (n.scope)",
        "CREATE INDEX document_id IF NOT EXISTS FOR (n:Document) ON (n.scope, n.id)",
        "CREATE INDEX chunk_page IF NOT EXISTS FOR (n:Chunk) ON (n.scope, n.key)",
        "CREATE INDEX entity_page IF NOT EXISTS FOR (n:Entity) ON (n.scope, n.key)",
        "CREATE INDEX entity_sound IF NOT EXISTS FOR (n:Entity) ON (n.scope, n.sound)",
        "CREATE INDEX alias_scope IF NOT EXISTS FOR (n:Alias) ON (n.scope)",
        "CREATE INDEX answer_question IF NOT EXISTS FOR (n:Answer) ON (n.scope, n.question)",
        "CREATE INDEX answer_document IF NOT EXISTS FOR (n:Answer) ON (n.document)",
        "CREATE INDEX community_label IF NOT EXISTS FOR (n:Community) ON (n.scope, n.label)",
        "CREATE INDEX mention_place IF NOT EXISTS FOR ()-[m:MENTIONS]-() ON (m.place)",
        "CREATE INDEX fact_chunk IF NOT EXISTS FOR ()-[f:FACT]-() ON (f.chunk)",
        """
        CREATE FULLTEXT INDEX chunk_terms IF NOT EXISTS FOR (n:Live)
        ON EACH [n.scope, n.audience, n.document, n.terms]
        OPTIONS {indexConfig: {`fulltext.analyzer`: 'whitespace', `fulltext.eventually_consistent`: false}}
        """,
    ),
)

SETTINGS: Final = "MATCH (s:Setting {scope: $scope}) RETURN s.name, s.value"
SETTLE: Final = """
UNWIND $rows AS row
MERGE (s:Setting {key: row.key}) ON CREATE SET s.scope = $scope, s.name = row.name, s.value = row.value
"""

# A document is locked before its lease is looked at: what is read before a lock may be old.
NEW_DOCUMENT: Final = """
MERGE (d:Document {key: $document})
ON CREATE SET d.scope = $scope, d.id = $id, d.state = $new, d.problem = '', d.lease_until = 0, d.access = $access
SET d.locked = timestamp()
"""
LOCK_DOCUMENT: Final = "MATCH (d:Document {key: $document, scope: $scope}) SET d.locked = timestamp()"
CLAIM: Final = """
MATCH (d:Document {key: $document, scope: $scope})
WHERE d.lease IS NULL OR d.lease = $token OR d.lease_until < timestamp()
SET d.lease = $token, d.lease_until = timestamp() + $milliseconds
RETURN d.key
"""
HOLD: Final = """
MATCH (d:Document {key: $document, scope: $scope}) WHERE d.lease = $token
SET d.lease_until = timestamp() + $milliseconds
RETURN d.key
"""
RELEASE: Final = """
MATCH (d:Document {key: $document, scope: $scope}) WHERE d.lease = $token
SET d.lease = NULL, d.lease_until = 0, d.problem = $problem
RETURN d.state = $new AND d.problem = '' AND NOT EXISTS { (d)-[:HAS_CHUNK]->() }
"""
DROP_ANSWERS: Final = "MATCH (a:Answer {document: $document, scope: $scope}) DELETE a"
DROP_DOCUMENT: Final = "MATCH (d:Document {key: $document, scope: $scope}) DETACH DELETE d"
HELD: Final = """
MATCH (d:Document {key: $document, scope: $scope}) WHERE d.lease = $token
RETURN d.key, d.id, d.title, d.fingerprint, d.access, d.audience, d.metadata, d.characters, d.state,
       COUNT { (d)-[:HAS_CHUNK]->(:Live) }, d.problem
"""
CHUNK_STATES: Final = """
MATCH (d:Document {key: $document, scope: $scope})-[:HAS_CHUNK]->(c:Chunk {scope: $scope}) RETURN c.key, c.state
"""

STAGE: Final = """
MATCH (d:Document {key: $document, scope: $scope}) WHERE d.state IN [$new, $published] SET d.state = $writing
"""
KNOWN_CHUNKS: Final = "UNWIND $keys AS key MATCH (c:Chunk {key: key, scope: $scope}) RETURN c.key"
ADD_CHUNKS: Final = """
MATCH (d:Document {key: $document, scope: $scope})
UNWIND $rows AS row
CREATE (d)-[:HAS_CHUNK]->(c:Chunk) SET c = row
"""
# In the order of their keys, so that two transactions seldom wait for each other. What is counted is read when the lock
# is there.
LOCK_NEW_ENTITIES: Final = """
UNWIND $rows AS row
MERGE (e:Entity {key: row.key})
ON CREATE SET e.scope = $scope, e.norm = row.norm, e.sound = row.sound, e.spellings = '{}'
SET e.locked = timestamp()
WITH e RETURN e.key, e.spellings
"""
LOCK_ENTITIES: Final = """
UNWIND $keys AS key
MATCH (e:Entity {key: key, scope: $scope}) SET e.locked = timestamp()
WITH e RETURN e.key, e.spellings
"""
COUNT_ENTITIES: Final = """
UNWIND $rows AS row
MATCH (e:Entity {key: row.key, scope: $scope})
SET e.name = row.name, e.chunks = row.chunks, e.spellings = row.spellings
"""
DROP_ENTITIES: Final = "UNWIND $keys AS key MATCH (e:Entity {key: key, scope: $scope}) DETACH DELETE e"
ADD_MENTIONS: Final = """
UNWIND $rows AS row
MATCH (c:Chunk {key: row[0], scope: $scope})
UNWIND row[1] AS said
MATCH (e:Entity {key: said[0], scope: $scope})
CREATE (c)-[:MENTIONS {place: said[1], kind: said[2], count: said[3], surface: said[4], start: said[5], end: said[6],
                       type: said[7]}]->(e)
"""
ADD_FACTS: Final = """
UNWIND $rows AS row
MATCH (s:Entity {key: row.subject, scope: $scope})
MATCH (o:Entity {key: row.object, scope: $scope})
CREATE (s)-[:FACT {scope: $scope, chunk: row.chunk, predicate: row.predicate, start: row.start, end: row.end,
                   confidence: row.confidence}]->(o)
"""

DIE: Final = """
MATCH (d:Document {key: $document, scope: $scope})-[:HAS_CHUNK]->(c:Chunk {scope: $scope})
WHERE c.state <> $dead AND NOT c.key IN $kept
SET c.state = $dead REMOVE c:Live
"""
BE_BORN: Final = """
UNWIND $rows AS row
MATCH (c:Chunk {key: row.key, scope: $scope, document: $document})
SET c:Live, c.state = $live, c.ordinal = row.ordinal, c.start = row.start, c.end = row.end, c.page = row.page,
    c.boxes = row.boxes
"""
LEAVE_AUDIENCE: Final = """
MATCH (d:Document {key: $document, scope: $scope})
MATCH (a:Audience {key: d.audience, scope: $scope})
SET a.documents = a.documents - 1
"""
JOIN_AUDIENCE: Final = """
MERGE (a:Audience {key: $audience})
ON CREATE SET a.scope = $scope, a.access = $access, a.documents = 0
SET a.documents = a.documents + 1
"""
DROP_AUDIENCES: Final = "MATCH (a:Audience {scope: $scope}) WHERE a.documents < 1 DELETE a"
PUBLISH: Final = """
MATCH (d:Document {key: $document, scope: $scope})
SET d.state = $state, d.problem = '', d.audience = $audience, d.title = $title, d.fingerprint = $fingerprint,
    d.access = $access, d.metadata = $metadata, d.characters = $characters
"""
RETIRE: Final = """
MATCH (d:Document {key: $document, scope: $scope}) SET d.state = $deleting, d.audience = NULL
"""
DEAD_CHUNKS: Final = """
MATCH (d:Document {key: $document, scope: $scope})-[:HAS_CHUNK]->(c:Chunk {scope: $scope})
WHERE c.state = $dead RETURN c.key LIMIT $limit
"""
SAID: Final = """
UNWIND $keys AS key
MATCH (c:Chunk {key: key, scope: $scope, document: $document}) WHERE c.state = $dead
OPTIONAL MATCH (c)-[m:MENTIONS]->(e:Entity {scope: $scope})
RETURN c.key, e.key, m.surface
"""
DROP_FACTS: Final = "UNWIND $keys AS key MATCH ()-[f:FACT {chunk: key, scope: $scope}]->() DELETE f"
DROP_CHUNKS: Final = "UNWIND $keys AS key MATCH (c:Chunk {key: key, scope: $scope}) DETACH DELETE c"
DOCUMENT_STATE: Final = "MATCH (d:Document {key: $document, scope: $scope}) RETURN d.state"
FINISH: Final = """
MATCH (d:Document {key: $document, scope: $scope}) SET d.state = $published, d.lease = NULL, d.lease_until = 0
"""
WORKING: Final = """
MATCH (d:Document {scope: $scope}) WHERE d.lease IS NOT NULL AND d.lease_until >= timestamp() RETURN d.key
"""

RECALL: Final = """
UNWIND $keys AS key
MATCH (a:Answer {question: key, scope: $scope}) MATCH (:Document {key: a.document, scope: $scope})
RETURN DISTINCT a.question, a.text
"""
REMEMBER: Final = """
MERGE (a:Answer {key: $key})
SET a.scope = $scope, a.question = $question, a.document = $document, a.text = $text
"""
ALIAS: Final = """
MERGE (a:Alias {key: $key}) ON CREATE SET a.scope = $scope, a.first = $first, a.second = $second
"""
UNALIAS: Final = "MATCH (a:Alias {key: $key, scope: $scope}) DELETE a RETURN count(*)"
ALIASES: Final = "MATCH (a:Alias {scope: $scope}) RETURN a.first, a.second ORDER BY a.first, a.second"

AUDIENCES: Final = """
MATCH (a:Audience {scope: $scope}) WHERE any(label IN a.access WHERE label IN $access) RETURN a.key ORDER BY a.key
"""
DOCUMENTS: Final = """
MATCH (d:Document {scope: $scope})
WHERE d.id > $after
  AND (d.audience IN $audiences OR d.audience IS NULL AND all(label IN d.access WHERE label IN $access))
WITH d ORDER BY d.id LIMIT $limit
RETURN d.key, d.id, d.title, d.fingerprint, d.access, d.audience, d.metadata, d.characters, d.state,
       COUNT { (d)-[:HAS_CHUNK]->(:Live) }, d.problem
"""
DOCUMENT: Final = """
MATCH (d:Document {scope: $scope, id: $id})
WHERE d.audience IN $audiences OR d.audience IS NULL AND all(label IN d.access WHERE label IN $access)
RETURN d.key, d.id, d.title, d.fingerprint, d.access, d.audience, d.metadata, d.characters, d.state,
       COUNT { (d)-[:HAS_CHUNK]->(:Live) }, d.problem
"""
LEXICAL: Final = """
CALL db.index.fulltext.queryNodes('chunk_terms', $lucene, {limit: $limit}) YIELD node, score
WHERE node.scope = $scope AND node.audience IN $audiences
RETURN node.key, score
"""
ENTITIES_BY_KEY: Final = """
UNWIND $keys AS key
MATCH (e:Entity {key: key, scope: $scope})
WHERE EXISTS { MATCH (e)<-[:MENTIONS]-(c:Live {scope: $scope}) WHERE c.audience IN $audiences }
RETURN e.key, e.norm, e.name, e.chunks
"""
ENTITIES_BY_SOUND: Final = """
UNWIND $sounds AS sound
MATCH (e:Entity {scope: $scope, sound: sound})
WHERE EXISTS { MATCH (e)<-[:MENTIONS]-(c:Live {scope: $scope}) WHERE c.audience IN $audiences }
RETURN e.key, e.norm, e.name, e.chunks
"""
EDGES_OF_CHUNKS: Final = """
UNWIND $keys AS key
MATCH (c:Chunk {key: key, scope: $scope}) WHERE c:Live AND c.audience IN $audiences
MATCH (c)-[m:MENTIONS]->(e:Entity {scope: $scope})
RETURN c.key, e.key, m.kind, m.count, e.norm, e.name, e.chunks
"""
# By the index of places, in their order: of an entity that everything mentions only the first ones are looked at.
EDGES_OF_ENTITIES: Final = """
UNWIND $keys AS key
CALL (key) {
  MATCH (c:Chunk {scope: $scope})-[m:MENTIONS]->() USING INDEX m:MENTIONS(place)
  WHERE m.place STARTS WITH key AND c:Live AND c.audience IN $audiences
  RETURN c.key AS chunk, m.kind AS kind, m.count AS count ORDER BY m.place LIMIT $limit
}
RETURN chunk, key, kind, count
"""
RELATIONS: Final = """
UNWIND $keys AS key
MATCH (e:Entity {key: key, scope: $scope})-[f:FACT {scope: $scope}]-()
WITH DISTINCT f
MATCH (c:Chunk {key: f.chunk, scope: $scope}) WHERE c:Live AND c.audience IN $audiences
WITH startNode(f).key AS subject, f.predicate AS predicate, endNode(f).key AS object, c.key AS chunk,
     f.start AS start, f.end AS end, f.confidence AS confidence
RETURN subject, predicate, object, chunk, start, end, confidence
ORDER BY confidence DESC, chunk, subject, object LIMIT $limit
"""
PASSAGES: Final = """
UNWIND $keys AS key
MATCH (c:Chunk {key: key, scope: $scope}) WHERE c:Live AND c.audience IN $audiences
MATCH (d:Document {key: c.document, scope: $scope})
RETURN c.key, d.id, d.title, c.text, c.heading, c.ordinal, c.start, c.end, c.page, c.boxes, d.metadata
"""
MATCHING: Final = """
MATCH (d:Document {scope: $scope}) WHERE d.audience IN $audiences RETURN d.key, d.metadata LIMIT $limit
"""
ENTITY_PAGE: Final = """
MATCH (e:Entity {scope: $scope})
WHERE e.key > $after AND EXISTS { MATCH (e)<-[:MENTIONS]-(c:Live {scope: $scope}) WHERE c.audience IN $audiences }
RETURN e.key, e.norm, e.name, e.chunks ORDER BY e.key LIMIT $limit
"""

COMMUNITIES: Final = """
MATCH (c:Community {scope: $scope}) WHERE c.label IN $access
RETURN c.community, c.label, c.level, c.title, c.summary, c.entities, c.chunks, c.fingerprint
ORDER BY c.label, c.level, c.community
"""
DROP_COMMUNITIES: Final = "MATCH (c:Community {scope: $scope, label: $label}) DELETE c"
ADD_COMMUNITIES: Final = "UNWIND $rows AS row CREATE (c:Community) SET c = row"

CHUNK_PAGE: Final = """
MATCH (c:Chunk {scope: $scope}) WHERE c.key > $after
RETURN c.key, c.document, c.audience, c.state ORDER BY c.key LIMIT $limit
"""
DUMP_AUDIENCES: Final = "MATCH (a:Audience {scope: $scope}) RETURN a.key, a.access, a.documents"
DUMP_DOCUMENTS: Final = """
MATCH (d:Document {scope: $scope})
RETURN d.id, d.state, d.problem, d.title, d.fingerprint, d.access, d.metadata, d.characters
"""
DUMP_CHUNKS: Final = """
MATCH (c:Chunk {scope: $scope})
RETURN c.key, c.document, c.state, c.audience, c.ordinal, c.start, c.end, c.page, c.boxes, c.heading, c.text
"""
DUMP_TERMS: Final = "MATCH (c:Live {scope: $scope}) RETURN c.key, c.audience, c.terms"
DUMP_ENTITIES: Final = """
MATCH (e:Entity {scope: $scope}) RETURN e.key, e.norm, e.sound, e.name, e.chunks, e.spellings
"""
DUMP_MENTIONS: Final = """
MATCH (c:Chunk {scope: $scope})-[m:MENTIONS]->(e:Entity {scope: $scope})
RETURN c.key, e.norm, m.kind, m.count, m.surface, m.start, m.end, m.type
"""
DUMP_FACTS: Final = """
MATCH (s:Entity {scope: $scope})-[f:FACT {scope: $scope}]->(o:Entity {scope: $scope})
RETURN f.chunk, s.norm, f.predicate, o.norm, f.start, f.end, f.confidence
"""
DUMP_ANSWERS: Final = """
MATCH (a:Answer {scope: $scope}) MATCH (d:Document {key: a.document, scope: $scope}) RETURN a.question, d.id
"""
DUMP_COMMUNITIES: Final = """
MATCH (c:Community {scope: $scope})
RETURN c.community, c.label, c.level, c.title, c.summary, c.entities, c.chunks, c.fingerprint
"""
DUMP: Final[Mapping[str, LiteralString]] = {
    "settings": SETTINGS,
    "audiences": DUMP_AUDIENCES,
    "documents": DUMP_DOCUMENTS,
    "chunks": DUMP_CHUNKS,
    "terms": DUMP_TERMS,
    "entities": DUMP_ENTITIES,
    "mentions": DUMP_MENTIONS,
    "facts": DUMP_FACTS,
    "aliases": ALIASES,
    "answers": DUMP_ANSWERS,
    "communities": DUMP_COMMUNITIES,
}


class _CrossedError(Exception):
    """An entity went, with the last chunk that mentioned it, before it could be locked for another one."""


class Neo4jGraph(GraphStore):
    """A GraphStore in a Neo4j server; raises StoreDown where it can't be reached, Incompatible where it is newer.

    `address` is bolt://host:7687, neo4j://… for a cluster, bolt+s://… with TLS. `ca` is a file of the certificates that
    TLS trusts, in the place of the system's.
    """

    def __init__(
        self, address: str, user: str, password: str, *, database: str = "neo4j", ca: Path | None = None
    ) -> None:
        self._address = address
        self._database = database
        trusted: dict[str, Any] = {}
        if ca:
            address = address.replace("+s://", "://", 1)
            trusted = {"encrypted": True, "trusted_certificates": TrustCustomCAs(str(ca))}
        try:
            self._driver = GraphDatabase.driver(
                address,
                auth=(user, password),
                user_agent="llmflow",
                connection_timeout=CONNECT_SECONDS,
                connection_acquisition_timeout=2 * CONNECT_SECONDS,
                max_transaction_retry_time=RETRY_SECONDS,
                notifications_min_severity="OFF",
                telemetry_disabled=True,
                **trusted,
            )
        except (ConfigurationError, ValueError, OSError) as error:
            raise BadRequest(
                "The address of Neo4j must be like bolt://host:7687, neo4j://host:7687 or bolt+s://host:7687, "
                "and the file of trusted certificates must be readable."
            ) from error
        try:
            with _told(address):
                self._driver.verify_connectivity()  # without waiting for one that is away, as work later does
            self._migrate()
        except BaseException:
            self._driver.close()
            raise

    @override
    def close(self) -> None:
        self._driver.close()

    # what a workspace was built with

    @override
    def settings(self, scope: Scope) -> dict[str, str]:
        return dict(self._read(scope, SETTINGS))

    @override
    def settle(self, scope: Scope, settings: Mapping[str, str]) -> dict[str, str]:
        rows = [
            {"key": key("setting", scope.key, name), "name": name, "value": value}
            for name, value in sorted(settings.items())
        ]
        self._write(lambda tx: _run(tx, scope, SETTLE, rows=rows))
        return self.settings(scope)

    # changing one document

    @override
    def claim(self, scope: Scope, document_id: str, seconds: float = LEASE_SECONDS) -> Lease:
        lease = Lease(key("document", scope.key, document_id), uuid.uuid4().hex)

        def work(tx: ManagedTransaction) -> None:
            access = sorted(scope.access)
            _run(tx, scope, NEW_DOCUMENT, document=lease.document, id=document_id, new=NEW, access=access)
            if not _run(tx, scope, CLAIM, **vars(lease), milliseconds=int(seconds * 1000)):
                raise Busy(f'Another worker is at the document "{document_id}".')

        self._write(work)
        return lease

    @override
    def renew(self, scope: Scope, lease: Lease, seconds: float = LEASE_SECONDS) -> None:
        self._write(lambda tx: _hold(tx, scope, lease, seconds))

    @override
    def release(self, scope: Scope, lease: Lease, problem: str = "") -> None:
        def work(tx: ManagedTransaction) -> None:
            _run(tx, scope, LOCK_DOCUMENT, document=lease.document)
            if _run(tx, scope, RELEASE, **vars(lease), problem=problem, new=NEW) == [[True]]:
                _run(tx, scope, DROP_ANSWERS, document=lease.document)
                _run(tx, scope, DROP_DOCUMENT, document=lease.document)

        self._write(work)

    @override
    def held(self, scope: Scope, lease: Lease) -> DocumentRow:
        rows = self._read(scope, HELD, **vars(lease))
        if not rows:
            raise lost()
        return document_row(rows[0], rows[0][4] or ())

    @override
    def chunk_states(self, scope: Scope, lease: Lease) -> dict[str, int]:
        return {
            chunk: int(state) for chunk, state in self._read(scope, CHUNK_STATES, document=lease.document)
        }

    @override
    def stage(self, scope: Scope, lease: Lease, audience: str, chunks: Sequence[Staged]) -> None:
        for part in _parts(chunks, PART):
            self._write(lambda tx, part=part: _stage(tx, scope, lease, audience, part))  # type: ignore[misc]

    @override
    def publish(self, scope: Scope, lease: Lease, header: Header, placed: Sequence[Placed]) -> None:
        of = {"document": lease.document}
        rows = [{**vars(one), "boxes": to_json(one.boxes)} for one in placed]

        def work(tx: ManagedTransaction) -> None:
            _hold(tx, scope, lease)
            _run(tx, scope, DIE, **of, kept=[one.key for one in placed], dead=DEAD)
            for part in _parts(rows, ROWS):
                _run(tx, scope, BE_BORN, **of, rows=part, live=LIVE)
            access = sorted(header.access)
            _run(tx, scope, LEAVE_AUDIENCE, **of)
            _run(tx, scope, JOIN_AUDIENCE, audience=header.audience, access=access)
            _run(tx, scope, DROP_AUDIENCES)
            _run(
                tx,
                scope,
                PUBLISH,
                **of,
                state=SWEEPING,
                audience=header.audience,
                title=header.title,
                fingerprint=header.fingerprint,
                access=access,
                metadata=to_json(header.metadata),
                characters=header.characters,
            )

        self._write(work)

    @override
    def retire(self, scope: Scope, lease: Lease) -> None:
        def work(tx: ManagedTransaction) -> None:
            _hold(tx, scope, lease)
            _run(tx, scope, DIE, document=lease.document, kept=[], dead=DEAD)
            _run(tx, scope, LEAVE_AUDIENCE, document=lease.document)
            _run(tx, scope, DROP_AUDIENCES)
            _run(tx, scope, RETIRE, document=lease.document, deleting=DELETING)

        self._write(work)

    @override
    def dead(self, scope: Scope, lease: Lease, limit: int) -> list[str]:
        return _first(self._read(scope, DEAD_CHUNKS, document=lease.document, dead=DEAD, limit=limit))

    @override
    def bury(self, scope: Scope, lease: Lease, chunks: Sequence[str]) -> None:
        for part in _parts(chunks, PART):
            self._write(lambda tx, part=part: _bury(tx, scope, lease, part))  # type: ignore[misc]

    @override
    def finish(self, scope: Scope, lease: Lease) -> None:
        of = {"document": lease.document}

        def work(tx: ManagedTransaction) -> None:
            _hold(tx, scope, lease)
            if _run(tx, scope, DOCUMENT_STATE, **of) == [[DELETING]]:
                _run(tx, scope, DROP_ANSWERS, **of)
                _run(tx, scope, DROP_DOCUMENT, **of)
            else:
                _run(tx, scope, FINISH, **of, published=PUBLISHED)

        self._write(work)

    @override
    def working(self, scope: Scope) -> frozenset[str]:
        return frozenset(_first(self._read(scope, WORKING)))

    # what was paid for

    @override
    def recall(self, scope: Scope, keys: Sequence[str]) -> dict[str, str]:
        return dict(self._read(scope, RECALL, keys=list(keys)))

    @override
    def remember(self, scope: Scope, lease: Lease, key: str, answer: str) -> None:
        def work(tx: ManagedTransaction) -> None:
            _hold(tx, scope, lease)
            name = _answer_key(lease.document, key)
            _run(tx, scope, REMEMBER, key=name, question=key, document=lease.document, text=answer)

        self._write(work)

    # names that people declare to be one

    @override
    def alias(self, scope: Scope, first: str, second: str) -> None:
        first, second = sorted((first, second))
        name = key("alias", scope.key, first, second)
        self._write(lambda tx: _run(tx, scope, ALIAS, key=name, first=first, second=second))

    @override
    def unalias(self, scope: Scope, first: str, second: str) -> bool:
        name = key("alias", scope.key, *sorted((first, second)))
        return self._write(lambda tx: _run(tx, scope, UNALIAS, key=name)) == [[1]]

    @override
    def aliases(self, scope: Scope) -> list[tuple[str, str]]:
        return [(first, second) for first, second in self._read(scope, ALIASES)]

    # reading

    @override
    def audiences(self, scope: Scope) -> list[str]:
        return _first(self._read(scope, AUDIENCES, access=list(scope.access)))

    @override
    def documents(self, scope: Scope, after: str = "", limit: int = 100) -> list[DocumentRow]:
        access = list(scope.access)
        return [
            document_row(row, row[4] or ())
            for row in self._see(scope, DOCUMENTS, after=after, limit=limit, access=access)
        ]

    @override
    def document(self, scope: Scope, document_id: str) -> DocumentRow | None:
        rows = self._see(scope, DOCUMENT, id=document_id, access=list(scope.access))
        return document_row(rows[0], rows[0][4] or ()) if rows else None

    @override
    def lexical(
        self, scope: Scope, terms: Sequence[str], limit: int, documents: Sequence[str] | None = None
    ) -> list[tuple[str, float]]:
        wanted = list(dict.fromkeys(terms))[:CLAUSES]
        if not wanted or (documents is not None and not documents):
            return []

        def work(tx: ManagedTransaction) -> Rows:
            audiences = _audiences(tx, scope)
            # A chunk has one audience and one document: no part finds what another one found.
            return [
                row
                for some in _parts(audiences, CLAUSES)
                for only in ([None] if documents is None else _parts(documents, CLAUSES))
                for row in _run(
                    tx, scope, LEXICAL, lucene=_lucene(scope, some, only, wanted), audiences=some, limit=limit
                )
            ]

        found = sorted(self._reading(work), key=lambda row: (-row[1], row[0]))[:limit]
        return [(chunk, float(score)) for chunk, score in found]

    @override
    def entities(self, scope: Scope, norms: Sequence[str], sounds: Sequence[str] = ()) -> list[Entity]:
        keys = [key("entity", scope.key, norm) for norm in norms]

        def work(tx: ManagedTransaction) -> Rows:
            audiences = _audiences(tx, scope)
            heard = [one for one in sounds if one]
            return [
                *_run(tx, scope, ENTITIES_BY_KEY, keys=keys, audiences=audiences),
                *_run(tx, scope, ENTITIES_BY_SOUND, sounds=heard, audiences=audiences),
            ]

        found = {row[0]: Entity(*row) for row in self._reading(work)}
        return [found[name] for name in sorted(found)]

    @override
    def edges_of_chunks(self, scope: Scope, chunks: Sequence[str]) -> list[tuple[Edge, Entity]]:
        rows = self._see(scope, EDGES_OF_CHUNKS, keys=list(dict.fromkeys(chunks)))
        return [(Edge(*row[:4]), Entity(row[1], *row[4:])) for row in rows]

    @override
    def edges_of_entities(self, scope: Scope, entities: Sequence[str], limit: int) -> list[Edge]:
        keys = [one for one in dict.fromkeys(entities) if len(one) == KEY_DIGITS]
        return [Edge(*row) for row in self._see(scope, EDGES_OF_ENTITIES, keys=keys, limit=limit)]

    @override
    def relations(self, scope: Scope, entities: Sequence[str], limit: int) -> list[Relation]:
        rows = self._see(scope, RELATIONS, keys=list(dict.fromkeys(entities)), limit=limit)
        return [*(Relation(*row) for row in rows), *declared(scope, self.aliases(scope), entities)]

    @override
    def passages(self, scope: Scope, chunks: Sequence[str]) -> dict[str, PassageRow]:
        rows = self._see(scope, PASSAGES, keys=list(dict.fromkeys(chunks)))
        return {row[0]: passage_row(row, row[4]) for row in rows}

    @override
    def matching(self, scope: Scope, limit: int) -> Iterable[tuple[str, Mapping[str, object]]]:
        return [(name, json.loads(metadata)) for name, metadata in self._see(scope, MATCHING, limit=limit)]

    @override
    def entity_page(self, scope: Scope, after: str, limit: int) -> list[Entity]:
        return [Entity(*row) for row in self._see(scope, ENTITY_PAGE, after=after, limit=limit)]

    # communities

    @override
    def communities(self, scope: Scope) -> list[Community]:
        rows = self._read(scope, COMMUNITIES, access=list(scope.access))
        return [
            Community(name, label, level, title, summary, tuple(entities), tuple(chunks), made)
            for name, label, level, title, summary, entities, chunks, made in rows
        ]

    @override
    def replace_communities(self, scope: Scope, label: str, communities: Sequence[Community]) -> None:
        rows = [
            {
                **vars(one),
                "key": key("community", scope.key, one.key),
                "community": one.key,
                "scope": scope.key,
                "label": label,
                "entities": list(one.entities),
                "chunks": list(one.chunks),
            }
            for one in communities
        ]

        def work(tx: ManagedTransaction) -> None:
            _run(tx, scope, DROP_COMMUNITIES, label=label)
            for part in _parts(rows, ROWS):
                _run(tx, scope, ADD_COMMUNITIES, rows=part)

        self._write(work)

    # looking after

    @override
    def chunk_page(self, scope: Scope, after: str, limit: int) -> list[tuple[str, str, str, int]]:
        rows = self._read(scope, CHUNK_PAGE, after=after, limit=limit)
        return [(chunk, document, audience, state) for chunk, document, audience, state in rows]

    @override
    def dump(self, scope: Scope) -> Dump:
        def work(tx: ManagedTransaction) -> Dump:
            return {name: [_plain(row) for row in _run(tx, scope, query)] for name, query in DUMP.items()}

        return {name: sorted(rows, key=repr) for name, rows in self._reading(work).items()}

    # inside

    def _read(self, scope: Scope, query: LiteralString, **parameters: Any) -> Rows:
        return self._reading(lambda tx: _run(tx, scope, query, **parameters))

    def _see(self, scope: Scope, query: LiteralString, **parameters: Any) -> Rows:
        """Read with the audiences of the reader."""
        return self._reading(lambda tx: _run(tx, scope, query, **parameters, audiences=_audiences(tx, scope)))

    def _reading(self, work: Callable[[ManagedTransaction], T]) -> T:
        with self._session() as session:
            return session.execute_read(unit_of_work(timeout=READ_SECONDS)(work))

    def _write(self, work: Callable[[ManagedTransaction], T]) -> T:
        """All or nothing; again where another transaction ended at the wrong moment."""
        with self._session() as session:
            for _ in range(ATTEMPTS - 1):
                try:
                    return session.execute_write(unit_of_work(timeout=WRITE_SECONDS)(work))
                except _CrossedError:
                    continue
                except Neo4jError as error:
                    if error.code not in CROSSED:
                        raise
            return session.execute_write(unit_of_work(timeout=WRITE_SECONDS)(work))

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with _told(self._address), self._driver.session(database=self._database) as session:
            yield session

    def _migrate(self) -> None:
        """Bring the schema up to date. A schema can't change in a transaction with data; each statement can repeat."""
        found = self._reading(lambda tx: tx.run(SCHEMA_VERSION).values())
        version = found[0][0] if found else 0
        require_known(version, len(MIGRATIONS))
        for number, statements in enumerate(MIGRATIONS[version:], version + 1):
            for statement in statements:
                self._write(lambda tx, statement=statement: tx.run(statement).consume())  # type: ignore[misc]
            self._write(lambda tx: tx.run(AWAIT_INDEXES, seconds=INDEX_SECONDS).consume())
            self._write(lambda tx, number=number: tx.run(SET_SCHEMA_VERSION, version=number).consume())  # type: ignore[misc]


@contextmanager
def _told(address: str) -> Iterator[None]:
    """Failures in words. Neo4j's own may quote what was written, so that only their codes are said."""
    try:
        yield
    except _CrossedError as error:
        raise StoreDown(
            f"Neo4j at {address} has too many writers at the same entities: try again."
        ) from error
    except AuthError as error:
        raise StoreDown(
            f"Neo4j at {address} does not accept the user and the password: check both."
        ) from error
    except Neo4jError as error:
        if isinstance(error, NotALeader | Forbidden) or "ReadOnly" in (error.code or ""):
            raise StoreDown(
                f"Neo4j at {address} takes no writes from here ({error.code}): the database is read-only, the server "
                "is not its leader (then use neo4j:// in the address), or the user may not write."
            ) from error
        raise StoreDown(f"Neo4j at {address} can't do its work now: {error.code}.") from error
    except DriverError as error:
        raise StoreDown(f"Neo4j at {address} does not answer ({type(error).__name__}).") from error
    except OSError as error:
        raise StoreDown(
            f"Neo4j at {address} does not answer: {error.strerror or type(error).__name__}."
        ) from error


def _run(tx: ManagedTransaction, scope: Scope, query: LiteralString, **parameters: Any) -> Rows:
    return tx.run(query, {**parameters, "scope": scope.key}).values()


def _audiences(tx: ManagedTransaction, scope: Scope) -> list[str]:
    return _first(_run(tx, scope, AUDIENCES, access=list(scope.access)))


def _hold(tx: ManagedTransaction, scope: Scope, lease: Lease, seconds: float = LEASE_SECONDS) -> None:
    _run(tx, scope, LOCK_DOCUMENT, document=lease.document)
    if not _run(tx, scope, HOLD, **vars(lease), milliseconds=int(seconds * 1000)):
        raise lost()


def _stage(
    tx: ManagedTransaction, scope: Scope, lease: Lease, audience: str, chunks: Sequence[Staged]
) -> None:
    _hold(tx, scope, lease)
    states = {"new": NEW, "published": PUBLISHED, "writing": WRITING}
    _run(tx, scope, STAGE, document=lease.document, **states)
    known = set(_first(_run(tx, scope, KNOWN_CHUNKS, keys=[one.chunk.key for one in chunks])))
    fresh = [one for one in {one.chunk.key: one for one in chunks}.values() if one.chunk.key not in known]
    rows = [_chunk_row(scope, lease, audience, one) for one in fresh]
    _run(tx, scope, ADD_CHUNKS, document=lease.document, rows=rows)
    _contribute(tx, scope, fresh)


def _contribute(tx: ManagedTransaction, scope: Scope, staged: Sequence[Staged]) -> None:
    """Mentions and facts of new chunks, and their entities counted up."""
    spellings = spellings_of(staged)
    entity = {norm: key("entity", scope.key, norm) for norm in spellings}
    found = sorted(
        ({"key": entity[norm], "norm": norm, "sound": sound(norm)} for norm in spellings),
        key=lambda row: row["key"],
    )
    before: dict[str, str] = {}
    for part in _parts(found, ROWS):
        before |= dict(_run(tx, scope, LOCK_NEW_ENTITIES, rows=part))
    if len(before) < len(found) or None in before:
        raise _CrossedError
    counted = [
        _counted(row["key"], Counter(json.loads(before[row["key"]])) + spellings[row["norm"]])
        for row in found
    ]
    for part in _parts(counted, ROWS):
        _run(tx, scope, COUNT_ENTITIES, rows=part)
    mentions = [
        [
            one.chunk.key,
            [
                [entity[m.norm], _place(entity[m.norm], one.chunk.key, m.kind, m.count), m.kind, m.count, m.surface,
                 m.start, m.end, m.type]
                for m in one.contribution.mentions
            ],
        ]
        for one in staged
    ]  # fmt: skip
    _run(tx, scope, ADD_MENTIONS, rows=mentions)
    for part in _parts(_facts(entity, staged), ROWS):
        _run(tx, scope, ADD_FACTS, rows=part)


def _bury(tx: ManagedTransaction, scope: Scope, lease: Lease, chunks: Sequence[str]) -> None:
    _hold(tx, scope, lease)
    gone_from: dict[str, Counter[str]] = {}
    dead = set()
    for chunk, entity, surface in _run(
        tx, scope, SAID, keys=list(dict.fromkeys(chunks)), document=lease.document, dead=DEAD
    ):
        dead.add(chunk)
        if entity is not None:
            gone_from.setdefault(entity, Counter())[surface] += 1
    kept, gone = [], []
    for name, spellings in _run(tx, scope, LOCK_ENTITIES, keys=sorted(gone_from)):
        total = Counter(json.loads(spellings)) - gone_from[name]
        if total:
            kept.append(_counted(name, total))
        else:
            gone.append(name)
    _run(tx, scope, DROP_FACTS, keys=sorted(dead))
    _run(tx, scope, DROP_CHUNKS, keys=sorted(dead))
    for part in _parts(kept, ROWS):
        _run(tx, scope, COUNT_ENTITIES, rows=part)
    _run(tx, scope, DROP_ENTITIES, keys=gone)


def _counted(name: str, spellings: Counter[str]) -> dict[str, Any]:
    return {
        "key": name,
        "name": usual(spellings),
        "chunks": spellings.total(),
        "spellings": to_json(spellings),
    }


def _place(entity: str, chunk: str, kind: str, count: int) -> str:
    """Where a mention stands among its entity's: chunks that are about it come first."""
    about = {"title": 0, "heading": 1}.get(kind, 2)
    return f"{entity}{about}{MOST_COUNTED - min(count, MOST_COUNTED):05d}{chunk}"


def _answer_key(document: str, question: str) -> str:
    return key("answer", document, question)


def _facts(entity: Mapping[str, str], staged: Sequence[Staged]) -> list[dict[str, Any]]:
    """One a fact and chunk, the first where a chunk says one several times."""
    rows: dict[tuple[str, str, str, str], dict[str, Any]] = {}
    for one in staged:
        for fact in one.contribution.facts:
            row = {
                "chunk": one.chunk.key,
                "subject": entity[fact.subject],
                "predicate": fact.predicate,
                "object": entity[fact.object],
                "start": fact.start,
                "end": fact.end,
                "confidence": float(fact.confidence),
            }
            rows.setdefault((one.chunk.key, fact.subject, fact.predicate, fact.object), row)
    return list(rows.values())


def _chunk_row(scope: Scope, lease: Lease, audience: str, one: Staged) -> dict[str, Any]:
    chunk = one.chunk
    return {
        "key": chunk.key,
        "scope": scope.key,
        "document": lease.document,
        "state": STAGED,
        "audience": audience,
        "ordinal": chunk.ordinal,
        "start": chunk.start,
        "end": chunk.end,
        "page": chunk.page,
        "boxes": to_json([vars(box) for box in chunk.boxes]),
        "heading": list(chunk.heading),
        "text": chunk.text,
        "terms": " ".join(one.terms),
    }


def _lucene(
    scope: Scope, audiences: Sequence[str], documents: Sequence[str] | None, terms: Sequence[str]
) -> str:
    """A Lucene query whose score is that of the terms alone: what has the boost 0 only decides who is in."""
    only = "" if documents is None else f" +document:({_any(documents)})^0"
    return f"+scope:({_any([scope.key])})^0 +audience:({_any(audiences)})^0{only} +terms:({_any(terms)})"


def _any(words: Iterable[str]) -> str:
    """Any of these: each in quotes, its own and its backslashes escaped, so that none is an operator."""
    return " ".join('"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"' for word in words)


def _plain(row: Sequence[Any]) -> tuple[Any, ...]:
    """A row of a dump: lists as JSON."""
    return tuple(to_json(value) if isinstance(value, list) else value for value in row)


def _first(rows: Rows) -> list[Any]:
    return [row[0] for row in rows]


def _parts(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
