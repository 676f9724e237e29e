"""The queries that Neo4j is asked, and its schema: constants with parameters, each MATCH in them names the scope."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, LiteralString

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
