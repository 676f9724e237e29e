"""The graph in Neo4j 5.26 or newer, Community edition: a server that several processes work at together.

Nothing but Bolt and Cypher: no plugin of the server, no label, type or query text that is made of data; all queries are
constants of cypher.py. BM25 is Neo4j's own full-text index. The clock of leases is the server's, so the workers' may be
wrong. The driver tries a transaction again that lost a deadlock, or its server; each gives the same the second time.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, LiteralString, TypeVar

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
    cypher,
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
        return dict(self._read(scope, cypher.SETTINGS))

    @override
    def settle(self, scope: Scope, settings: Mapping[str, str]) -> dict[str, str]:
        rows = [
            {"key": key("setting", scope.key, name), "name": name, "value": value}
            for name, value in sorted(settings.items())
        ]
        self._write(lambda tx: _run(tx, scope, cypher.SETTLE, rows=rows))
        return self.settings(scope)

    # changing one document

    @override
    def claim(self, scope: Scope, document_id: str, seconds: float = LEASE_SECONDS) -> Lease:
        lease = Lease(key("document", scope.key, document_id), uuid.uuid4().hex)

        def work(tx: ManagedTransaction) -> None:
            access = sorted(scope.access)
            _run(
                tx,
                scope,
                cypher.NEW_DOCUMENT,
                document=lease.document,
                id=document_id,
                new=NEW,
                access=access,
            )
            if not _run(tx, scope, cypher.CLAIM, **vars(lease), milliseconds=int(seconds * 1000)):
                raise Busy(f'Another worker is at the document "{document_id}".')

        self._write(work)
        return lease

    @override
    def renew(self, scope: Scope, lease: Lease, seconds: float = LEASE_SECONDS) -> None:
        self._write(lambda tx: _hold(tx, scope, lease, seconds))

    @override
    def release(self, scope: Scope, lease: Lease, problem: str = "") -> None:
        def work(tx: ManagedTransaction) -> None:
            _run(tx, scope, cypher.LOCK_DOCUMENT, document=lease.document)
            if _run(tx, scope, cypher.RELEASE, **vars(lease), problem=problem, new=NEW) == [[True]]:
                _run(tx, scope, cypher.DROP_ANSWERS, document=lease.document)
                _run(tx, scope, cypher.DROP_DOCUMENT, document=lease.document)

        self._write(work)

    @override
    def held(self, scope: Scope, lease: Lease) -> DocumentRow:
        rows = self._read(scope, cypher.HELD, **vars(lease))
        if not rows:
            raise lost()
        return document_row(rows[0], rows[0][4] or ())

    @override
    def chunk_states(self, scope: Scope, lease: Lease) -> dict[str, int]:
        return {
            chunk: int(state)
            for chunk, state in self._read(scope, cypher.CHUNK_STATES, document=lease.document)
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
            _run(tx, scope, cypher.DIE, **of, kept=[one.key for one in placed], dead=DEAD)
            for part in _parts(rows, ROWS):
                _run(tx, scope, cypher.BE_BORN, **of, rows=part, live=LIVE)
            access = sorted(header.access)
            _run(tx, scope, cypher.LEAVE_AUDIENCE, **of)
            _run(tx, scope, cypher.JOIN_AUDIENCE, audience=header.audience, access=access)
            _run(tx, scope, cypher.DROP_AUDIENCES)
            _run(
                tx,
                scope,
                cypher.PUBLISH,
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
            _run(tx, scope, cypher.DIE, document=lease.document, kept=[], dead=DEAD)
            _run(tx, scope, cypher.LEAVE_AUDIENCE, document=lease.document)
            _run(tx, scope, cypher.DROP_AUDIENCES)
            _run(tx, scope, cypher.RETIRE, document=lease.document, deleting=DELETING)

        self._write(work)

    @override
    def dead(self, scope: Scope, lease: Lease, limit: int) -> list[str]:
        return _first(self._read(scope, cypher.DEAD_CHUNKS, document=lease.document, dead=DEAD, limit=limit))

    @override
    def bury(self, scope: Scope, lease: Lease, chunks: Sequence[str]) -> None:
        for part in _parts(chunks, PART):
            self._write(lambda tx, part=part: _bury(tx, scope, lease, part))  # type: ignore[misc]

    @override
    def finish(self, scope: Scope, lease: Lease) -> None:
        of = {"document": lease.document}

        def work(tx: ManagedTransaction) -> None:
            _hold(tx, scope, lease)
            if _run(tx, scope, cypher.DOCUMENT_STATE, **of) == [[DELETING]]:
                _run(tx, scope, cypher.DROP_ANSWERS, **of)
                _run(tx, scope, cypher.DROP_DOCUMENT, **of)
            else:
                _run(tx, scope, cypher.FINISH, **of, published=PUBLISHED)

        self._write(work)

    @override
    def working(self, scope: Scope) -> frozenset[str]:
        return frozenset(_first(self._read(scope, cypher.WORKING)))

    # what was paid for

    @override
    def recall(self, scope: Scope, keys: Sequence[str]) -> dict[str, str]:
        return dict(self._read(scope, cypher.RECALL, keys=list(keys)))

    @override
    def remember(self, scope: Scope, lease: Lease, key: str, answer: str) -> None:
        def work(tx: ManagedTransaction) -> None:
            _hold(tx, scope, lease)
            name = _answer_key(lease.document, key)
            _run(tx, scope, cypher.REMEMBER, key=name, question=key, document=lease.document, text=answer)

        self._write(work)

    # names that people declare to be one

    @override
    def alias(self, scope: Scope, first: str, second: str) -> None:
        first, second = sorted((first, second))
        name = key("alias", scope.key, first, second)
        self._write(lambda tx: _run(tx, scope, cypher.ALIAS, key=name, first=first, second=second))

    @override
    def unalias(self, scope: Scope, first: str, second: str) -> bool:
        name = key("alias", scope.key, *sorted((first, second)))
        return self._write(lambda tx: _run(tx, scope, cypher.UNALIAS, key=name)) == [[1]]

    @override
    def aliases(self, scope: Scope) -> list[tuple[str, str]]:
        return [(first, second) for first, second in self._read(scope, cypher.ALIASES)]

    # reading

    @override
    def audiences(self, scope: Scope) -> list[str]:
        return _first(self._read(scope, cypher.AUDIENCES, access=list(scope.access)))

    @override
    def documents(self, scope: Scope, after: str = "", limit: int = 100) -> list[DocumentRow]:
        access = list(scope.access)
        return [
            document_row(row, row[4] or ())
            for row in self._see(scope, cypher.DOCUMENTS, after=after, limit=limit, access=access)
        ]

    @override
    def document(self, scope: Scope, document_id: str) -> DocumentRow | None:
        rows = self._see(scope, cypher.DOCUMENT, id=document_id, access=list(scope.access))
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
                    tx,
                    scope,
                    cypher.LEXICAL,
                    lucene=_lucene(scope, some, only, wanted),
                    audiences=some,
                    limit=limit,
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
                *_run(tx, scope, cypher.ENTITIES_BY_KEY, keys=keys, audiences=audiences),
                *_run(tx, scope, cypher.ENTITIES_BY_SOUND, sounds=heard, audiences=audiences),
            ]

        found = {row[0]: Entity(*row) for row in self._reading(work)}
        return [found[name] for name in sorted(found)]

    @override
    def edges_of_chunks(self, scope: Scope, chunks: Sequence[str]) -> list[tuple[Edge, Entity]]:
        rows = self._see(scope, cypher.EDGES_OF_CHUNKS, keys=list(dict.fromkeys(chunks)))
        return [(Edge(*row[:4]), Entity(row[1], *row[4:])) for row in rows]

    @override
    def edges_of_entities(self, scope: Scope, entities: Sequence[str], limit: int) -> list[Edge]:
        keys = [one for one in dict.fromkeys(entities) if len(one) == KEY_DIGITS]
        return [Edge(*row) for row in self._see(scope, cypher.EDGES_OF_ENTITIES, keys=keys, limit=limit)]

    @override
    def relations(self, scope: Scope, entities: Sequence[str], limit: int) -> list[Relation]:
        rows = self._see(scope, cypher.RELATIONS, keys=list(dict.fromkeys(entities)), limit=limit)
        return [*(Relation(*row) for row in rows), *declared(scope, self.aliases(scope), entities)]

    @override
    def passages(self, scope: Scope, chunks: Sequence[str]) -> dict[str, PassageRow]:
        rows = self._see(scope, cypher.PASSAGES, keys=list(dict.fromkeys(chunks)))
        return {row[0]: passage_row(row, row[4]) for row in rows}

    @override
    def matching(self, scope: Scope, limit: int) -> Iterable[tuple[str, Mapping[str, object]]]:
        return [
            (name, json.loads(metadata)) for name, metadata in self._see(scope, cypher.MATCHING, limit=limit)
        ]

    @override
    def entity_page(self, scope: Scope, after: str, limit: int) -> list[Entity]:
        return [Entity(*row) for row in self._see(scope, cypher.ENTITY_PAGE, after=after, limit=limit)]

    # communities

    @override
    def communities(self, scope: Scope) -> list[Community]:
        rows = self._read(scope, cypher.COMMUNITIES, access=list(scope.access))
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
            _run(tx, scope, cypher.DROP_COMMUNITIES, label=label)
            for part in _parts(rows, ROWS):
                _run(tx, scope, cypher.ADD_COMMUNITIES, rows=part)

        self._write(work)

    # looking after

    @override
    def chunk_page(self, scope: Scope, after: str, limit: int) -> list[tuple[str, str, str, int]]:
        rows = self._read(scope, cypher.CHUNK_PAGE, after=after, limit=limit)
        return [(chunk, document, audience, state) for chunk, document, audience, state in rows]

    @override
    def dump(self, scope: Scope) -> Dump:
        def work(tx: ManagedTransaction) -> Dump:
            return {
                name: [_plain(row) for row in _run(tx, scope, query)] for name, query in cypher.DUMP.items()
            }

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
        found = self._reading(lambda tx: tx.run(cypher.SCHEMA_VERSION).values())
        version = found[0][0] if found else 0
        require_known(version, len(cypher.MIGRATIONS))
        for number, statements in enumerate(cypher.MIGRATIONS[version:], version + 1):
            for statement in statements:
                self._write(lambda tx, statement=statement: tx.run(statement).consume())  # type: ignore[misc]
            self._write(lambda tx: tx.run(cypher.AWAIT_INDEXES, seconds=INDEX_SECONDS).consume())
            self._write(lambda tx, number=number: tx.run(cypher.SET_SCHEMA_VERSION, version=number).consume())  # type: ignore[misc]


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
    return _first(_run(tx, scope, cypher.AUDIENCES, access=list(scope.access)))


def _hold(tx: ManagedTransaction, scope: Scope, lease: Lease, seconds: float = LEASE_SECONDS) -> None:
    _run(tx, scope, cypher.LOCK_DOCUMENT, document=lease.document)
    if not _run(tx, scope, cypher.HOLD, **vars(lease), milliseconds=int(seconds * 1000)):
        raise lost()


def _stage(
    tx: ManagedTransaction, scope: Scope, lease: Lease, audience: str, chunks: Sequence[Staged]
) -> None:
    _hold(tx, scope, lease)
    states = {"new": NEW, "published": PUBLISHED, "writing": WRITING}
    _run(tx, scope, cypher.STAGE, document=lease.document, **states)
    known = set(_first(_run(tx, scope, cypher.KNOWN_CHUNKS, keys=[one.chunk.key for one in chunks])))
    fresh = [one for one in {one.chunk.key: one for one in chunks}.values() if one.chunk.key not in known]
    rows = [_chunk_row(scope, lease, audience, one) for one in fresh]
    _run(tx, scope, cypher.ADD_CHUNKS, document=lease.document, rows=rows)
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
        before |= dict(_run(tx, scope, cypher.LOCK_NEW_ENTITIES, rows=part))
    if len(before) < len(found) or None in before:
        raise _CrossedError
    counted = [
        _counted(row["key"], Counter(json.loads(before[row["key"]])) + spellings[row["norm"]])
        for row in found
    ]
    for part in _parts(counted, ROWS):
        _run(tx, scope, cypher.COUNT_ENTITIES, rows=part)
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
    _run(tx, scope, cypher.ADD_MENTIONS, rows=mentions)
    for part in _parts(_facts(entity, staged), ROWS):
        _run(tx, scope, cypher.ADD_FACTS, rows=part)


def _bury(tx: ManagedTransaction, scope: Scope, lease: Lease, chunks: Sequence[str]) -> None:
    _hold(tx, scope, lease)
    gone_from: dict[str, Counter[str]] = {}
    dead = set()
    for chunk, entity, surface in _run(
        tx, scope, cypher.SAID, keys=list(dict.fromkeys(chunks)), document=lease.document, dead=DEAD
    ):
        dead.add(chunk)
        if entity is not None:
            gone_from.setdefault(entity, Counter())[surface] += 1
    kept, gone = [], []
    for name, spellings in _run(tx, scope, cypher.LOCK_ENTITIES, keys=sorted(gone_from)):
        total = Counter(json.loads(spellings)) - gone_from[name]
        if total:
            kept.append(_counted(name, total))
        else:
            gone.append(name)
    _run(tx, scope, cypher.DROP_FACTS, keys=sorted(dead))
    _run(tx, scope, cypher.DROP_CHUNKS, keys=sorted(dead))
    for part in _parts(kept, ROWS):
        _run(tx, scope, cypher.COUNT_ENTITIES, rows=part)
    _run(tx, scope, cypher.DROP_ENTITIES, keys=gone)


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
