"""One order out of three: how near, which words, and what the graph adds behind a gate.

Dense and lexical scores are put on one scale (each list's own spread) and added: that is the base. The graph lifts a
passage as far as the passage itself fits the question, and never above the one that fits best: a name alone does not
push it out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from llmflow_graphrag.retrieval.answer import best_first

DENSE = 0.5  # weight of a dense search that is trusted in full; the lexical one has the rest
GRAPH = 2.5  # of what the graph adds, at most
KEPT = 1  # passages that the two searches put first, and that no walker moves from there
OPEN = 0.5  # how far the gate stands open for a passage that does not fit at all


@dataclass(frozen=True)
class Evidence:
    """What is known of the candidates of one question, by chunk key."""

    dense: Mapping[str, float]  # cosines
    lexical: Mapping[str, float]  # BM25
    graph: Mapping[str, float]  # walkers
    trust: float = 1.0  # in the cosines, 0 to 1


def base(evidence: Evidence) -> dict[str, float]:
    """The two searches as one score, 0 to 1."""
    near, words = spread(evidence.dense), spread(evidence.lexical)
    dense = DENSE * evidence.trust
    return {key: dense * near.get(key, 0.0) + (1 - dense) * words.get(key, 0.0) for key in {*near, *words}}


def gated(evidence: Evidence, base_: Mapping[str, float]) -> dict[str, float]:
    """The base, and what the graph adds to each passage as far as its own fit lets it through."""
    walkers = _scaled(evidence.graph)
    fits = spread(evidence.dense)
    found = {}
    for key in {*base_, *walkers}:
        fit = max(evidence.trust * fits.get(key, 0.0), base_.get(key, 0.0))
        found[key] = base_.get(key, 0.0) + GRAPH * walkers.get(key, 0.0) * (OPEN + (1.0 - OPEN) * fit)
    kept = best_first(base_)[:KEPT]
    above = max(found.values(), default=0.0)
    return found | {key: above + base_[key] for key in kept}


def spread(scores: Mapping[str, float]) -> dict[str, float]:
    """Scores between the least and the greatest of them as 0 to 1; a single one is 1."""
    if not scores:
        return {}
    least, most = min(scores.values()), max(scores.values())
    if most <= least:
        return dict.fromkeys(scores, 1.0)
    return {key: (score - least) / (most - least) for key, score in scores.items()}


def _scaled(scores: Mapping[str, float]) -> dict[str, float]:
    most = max(scores.values(), default=0.0)
    return {key: score / most for key, score in scores.items()} if most > 0 else {}
