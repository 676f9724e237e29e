"""The graph of a workspace as a file for other tools: GraphML, or Cypher statements for another Neo4j."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal
from xml.sax.saxutils import escape, quoteattr

from llmflow_graphrag.model import Edge, Entity, PassageRow, Relation
from llmflow_graphrag.scope import Scope
from llmflow_graphrag.stores import GraphStore

Form = Literal["graphml", "cypher"]
PAGE = 200  # entities read together
FAN_OUT = 10_000  # chunks of an entity
NOT_XML = {code: " " for code in range(32) if chr(code) not in "\t\n\r"} | {0xFFFE: " ", 0xFFFF: " "}

GRAPHML_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n'
    '<key id="kind" for="node" attr.name="kind" attr.type="string"/>\n'
    '<key id="name" for="node" attr.name="name" attr.type="string"/>\n'
    '<key id="text" for="node" attr.name="text" attr.type="string"/>\n'
    '<key id="relation" for="edge" attr.name="relation" attr.type="string"/>\n'
    '<graph edgedefault="directed">\n'
)
GRAPHML_TAIL = "</graph>\n</graphml>\n"
CYPHER_HEAD = (
    "CREATE CONSTRAINT chunk_key IF NOT EXISTS FOR (n:Chunk) REQUIRE n.key IS UNIQUE;\n"
    "CREATE CONSTRAINT entity_key IF NOT EXISTS FOR (n:Entity) REQUIRE n.key IS UNIQUE;\n"
)


def export(graph: GraphStore, scope: Scope, form: Form) -> Iterator[str]:
    """Pieces of the file, of what the scope may see. Raises StoreDown."""
    yield GRAPHML_HEAD if form == "graphml" else CYPHER_HEAD
    node = _graphml_node if form == "graphml" else _cypher_node
    edge = _graphml_edge if form == "graphml" else _cypher_edge
    written: set[str] = set()
    for entities, edges, facts in _pages(graph, scope):
        for entity in entities:
            yield node(entity)
        chunks = [one.chunk for one in edges if one.chunk not in written]
        written.update(chunks)
        for row in graph.passages(scope, list(dict.fromkeys(chunks))).values():
            yield node(row)
        yield from (edge(one) for one in edges)
        yield from (edge(one) for one in facts)
    if form == "graphml":
        yield GRAPHML_TAIL


def _pages(graph: GraphStore, scope: Scope) -> Iterator[tuple[list[Entity], list[Edge], list[Relation]]]:
    """Entities with their edges; facts by their subject. Facts come last, when all nodes are written."""
    after = ""
    while page := graph.entity_page(scope, after, PAGE):
        after = page[-1].key
        yield page, graph.edges_of_entities(scope, [one.key for one in page], FAN_OUT), []
    after = ""
    while page := graph.entity_page(scope, after, PAGE):
        after = page[-1].key
        mine = {one.key for one in page}
        yield [], [], [fact for fact in graph.relations(scope, list(mine), FAN_OUT) if fact.subject in mine]


def _graphml_node(of: Entity | PassageRow) -> str:
    kind, name, text = ("entity", of.name, "") if isinstance(of, Entity) else ("chunk", of.title, of.text)
    data = "".join(
        f'<data key="{key}">{escape(value.translate(NOT_XML))}</data>'
        for key, value in (("kind", kind), ("name", name), ("text", text))
    )
    return f"<node id={quoteattr(of.key)}>{data}</node>\n"


def _graphml_edge(of: Edge | Relation) -> str:
    source, target, relation = _ends(of)
    data = f'<data key="relation">{escape(relation.translate(NOT_XML))}</data>'
    return f"<edge source={quoteattr(source)} target={quoteattr(target)}>{data}</edge>\n"


def _cypher_node(of: Entity | PassageRow) -> str:
    if isinstance(of, Entity):
        return f"MERGE (n:Entity {{key: {_text(of.key)}}}) SET n.name = {_text(of.name)};\n"
    set_ = f"n.document = {_text(of.document)}, n.title = {_text(of.title)}, n.text = {_text(of.text)}"
    return (
        f"MERGE (n:Chunk {{key: {_text(of.key)}}}) SET {set_}, n.start = {of.start:d}, n.end = {of.end:d};\n"
    )


def _cypher_edge(of: Edge | Relation) -> str:
    source, target, relation = _ends(of)
    if isinstance(of, Edge):
        ends = f"(a:Chunk {{key: {_text(source)}}}), (b:Entity {{key: {_text(target)}}})"
        return f"MATCH {ends} MERGE (a)-[:MENTIONS]->(b);\n"
    return (
        f"MATCH (a:Entity {{key: {_text(source)}}}), (b:Entity {{key: {_text(target)}}})"
        f" MERGE (a)-[:RELATED_TO {{predicate: {_text(relation)}, chunk: {_text(of.chunk)}}}]->(b);\n"
    )


def _ends(of: Edge | Relation) -> tuple[str, str, str]:
    return (
        (of.chunk, of.entity, "mentions") if isinstance(of, Edge) else (of.subject, of.object, of.predicate)
    )


def _text(value: str) -> str:
    """A Cypher string literal: everything that could end it, or is no plain sign, escaped."""
    signs = (
        sign
        if sign.isalnum() or sign in " .,:;()[]-_/?!@#%&*+=<>|~"
        else "".join(f"\\u{u:04x}" for u in _units(sign))
        for sign in value
    )
    return "'" + "".join(signs) + "'"


def _units(sign: str) -> tuple[int, ...]:
    data = sign.encode("utf-16-be", "surrogatepass")
    return tuple(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))
