"""An entity and what is around it as one HTML page that needs nothing from anywhere: a drawing and the passages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from llmflow_graphrag.errors import NotFound
from llmflow_graphrag.model import Entity, PassageRow, Relation
from llmflow_graphrag.names import norm
from llmflow_graphrag.retrieval.answer import citation
from llmflow_graphrag.scope import Scope
from llmflow_graphrag.stores import GraphStore

MOST_CHUNKS, MOST_NEIGHBOURS = 40, 24
WIDTH, HEIGHT, RADIUS = 900, 620, 230

STYLE = """
:root{color-scheme:light dark;--line:#9aa4b2;--ink:#1f2937;--me:#2563eb;--other:#64748b;--ground:#fff}
@media (prefers-color-scheme:dark){:root{--ink:#e5e7eb;--ground:#0f172a;--line:#475569;--other:#94a3b8}}
body{font:15px/1.6 system-ui,sans-serif;color:var(--ink);background:var(--ground);max-width:60rem;margin:2rem auto;
padding:0 1rem}
svg{width:100%;height:auto}text{fill:var(--ink);font-size:13px}line{stroke:var(--line)}
article{border-left:3px solid var(--line);padding:.1rem 1rem;margin:1rem 0}
h1{margin-bottom:0}.where{color:var(--other);font-size:.9em}mark{background:#fde68a;color:#111}
"""


@dataclass(frozen=True)
class Neighbourhood:
    """An entity, its neighbours by how many passages name both, the facts about it, and the passages."""

    entity: Entity
    neighbours: tuple[tuple[Entity, int], ...]
    facts: tuple[tuple[str, str, str], ...]
    passages: tuple[PassageRow, ...]


def neighbourhood(graph: GraphStore, scope: Scope, name: str) -> Neighbourhood:
    """What is around the entity of this name. Raises NotFound, StoreDown."""
    found = graph.entities(scope, [norm(name)])
    if not found:
        raise NotFound(f'No passage that you may see names "{name}".')
    entity = found[0]
    edges = graph.edges_of_entities(scope, [entity.key], MOST_CHUNKS)
    chunks = [edge.chunk for edge in edges]
    shared: dict[str, int] = {}
    known: dict[str, Entity] = {entity.key: entity}
    for edge, other in graph.edges_of_chunks(scope, chunks):
        known[other.key] = other
        if edge.entity != entity.key:
            shared[edge.entity] = shared.get(edge.entity, 0) + 1
    nearest = sorted(shared, key=lambda one: (-shared[one], known[one].chunks, one))[:MOST_NEIGHBOURS]
    facts = [_fact(fact, known) for fact in graph.relations(scope, [entity.key], MOST_CHUNKS)]
    rows = graph.passages(scope, chunks)
    return Neighbourhood(
        entity,
        tuple((known[one], shared[one]) for one in nearest),
        tuple(fact for fact in facts if fact),
        tuple(rows[chunk] for chunk in chunks if chunk in rows),
    )


def page(found: Neighbourhood) -> str:
    """The HTML."""
    name = escape(found.entity.name)
    facts = "".join(f"<li>{escape(a)} — {escape(p)} → {escape(b)}</li>" for a, p, b in found.facts)
    passages = "".join(_passage(row, found.entity.name) for row in found.passages)
    return (
        f'<!doctype html><html lang="ko"><meta charset="utf-8"><title>{name}</title>'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<style>{STYLE}</style><h1>{name}</h1>"
        f'<p class="where">{found.entity.chunks} passages · {len(found.neighbours)} neighbours</p>'
        f"{_drawing(found)}{f'<ul>{facts}</ul>' if facts else ''}{passages}</html>\n"
    )


def _fact(fact: Relation, known: dict[str, Entity]) -> tuple[str, str, str] | None:
    first, last = known.get(fact.subject), known.get(fact.object)
    return (first.name, fact.predicate, last.name) if first and last else None


def _passage(row: PassageRow, name: str) -> str:
    text = escape(row.text).replace(escape(name), f"<mark>{escape(name)}</mark>")
    return f'<article><p class="where">{escape(citation(row))} · {row.start}–{row.end}</p><p>{text}</p></article>'


def _drawing(found: Neighbourhood) -> str:
    x, y = WIDTH / 2, HEIGHT / 2
    lines, names = [], []
    for place, (entity, count) in enumerate(found.neighbours):
        angle = 2 * math.pi * place / len(found.neighbours) - math.pi / 2
        at = (x + 1.35 * RADIUS * math.cos(angle), y + RADIUS * math.sin(angle))
        lines.append(
            f'<line x1="{x:.0f}" y1="{y:.0f}" x2="{at[0]:.0f}" y2="{at[1]:.0f}" stroke-width="{min(6, count)}"/>'
        )
        names.append(_node(*at, entity.name, "var(--other)", 5 + min(6, count)))
    names.append(_node(x, y, found.entity.name, "var(--me)", 12))
    drawn: Sequence[str] = [*lines, *names]
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{"".join(drawn)}</svg>'


def _node(x: float, y: float, name: str, colour: str, radius: int) -> str:
    short = name if len(name) <= 22 else name[:21] + "…"
    return (
        f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{radius}" fill="{colour}"><title>{escape(name)}</title></circle>'
        f'<text x="{x:.0f}" y="{y + radius + 14:.0f}" text-anchor="middle">{escape(short)}</text>'
    )
