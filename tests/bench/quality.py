"""Measure retrieval: how many of a question's gold passages are among the first, against plain retrievers.

    python -m bench.quality [--set NAME …] [--retriever NAME …] [--embedder e5] [--half tune] [--json FILE]

in tests/; LLMFLOW_QUALITY_SETS=DIR[:DIR] names sets beside the Korean one.

Every retriever answers every question. Intervals are of 95 %, by bootstrap over the questions of one seed: the same
draws for all, so that differences are of pairs. `--half tune` leaves the other half of the questions unseen, to be
reported by `--half report`.

A row in RETRIEVERS is all that another engine needs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.embed import Embedder, embedder
from bench.graphrag import graph
from bench.retrievers import Retriever, bm25, dense, hybrid
from bench.sets import Question, QuestionSet, sets

Figures = NDArray[np.float64]

CUTS = (2, 5, 10)
METRICS = (*(f"recall@{cut}" for cut in CUTS), "all@5", "mrr")
MAIN = METRICS.index("recall@5")  # says which baseline is the best
DEEPEST = 100  # how far down the first gold passage is looked for
DRAWS, SEED = 2000, 7
BASELINES = ("bm25", "dense", "hybrid")
RETRIEVERS: dict[str, Callable[[QuestionSet, Embedder], Retriever]] = {
    "bm25": lambda of, _: bm25(of),
    "dense": dense,
    "hybrid": lambda of, embedder: hybrid(bm25(of), dense(of, embedder)),
    "graph": graph,
}


@dataclass(frozen=True)
class Estimate:
    """A mean over questions, and where it lies with 95 % confidence."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class Row:
    """What a retriever reached on a group of a set's questions.

    `against` names the best baseline, `difference` is what this one's metrics are above it, question by question; a
    baseline is compared with the best of the others.
    """

    set: str
    group: str
    questions: int
    retriever: str
    metrics: dict[str, Estimate]
    against: str
    difference: dict[str, Estimate]


def measure(of: QuestionSet, retrievers: dict[str, Retriever]) -> list[Row]:
    """A row for each group of questions and each retriever."""
    scored = {name: scores(of.questions, retriever) for name, retriever in retrievers.items()}
    rows: list[Row] = []
    for group, numbers in groups(of.questions):
        rows += _rows(of.name, group, {name: found[numbers] for name, found in scored.items()})
    return rows


def scores(questions: Sequence[Question], retriever: Retriever) -> Figures:
    """A row of METRICS for each question."""
    return np.array([score(retriever(question.text, DEEPEST), question.gold) for question in questions])


def score(found: Sequence[str], gold: frozenset[str]) -> list[float]:
    """METRICS of one answer. Raises ValueError where a passage was given twice: it would count twice."""
    if len(set(found)) != len(found):
        raise ValueError("a retriever gave the same passage twice")
    recalls = [len(gold.intersection(found[:cut])) / len(gold) for cut in CUTS]
    first = next((rank for rank, passage in enumerate(found[:DEEPEST], start=1) if passage in gold), None)
    return [*recalls, float(gold <= set(found[:5])), 1 / first if first else 0.0]


def groups(questions: Sequence[Question]) -> Iterator[tuple[str, list[int]]]:
    """All questions, then those of each number of hops, then those of each kind."""
    yield "all", list(range(len(questions)))
    for hops in sorted({question.hops for question in questions}):
        yield f"{hops} hops", [n for n, question in enumerate(questions) if question.hops == hops]
    for kind in sorted({question.kind for question in questions}):
        yield f"kind {kind}", [n for n, question in enumerate(questions) if question.kind == kind]


def estimates(figures: Figures) -> dict[str, Estimate]:
    """Each metric's mean over the questions; the draws depend on the number of questions only, so they are paired."""
    chance = np.random.default_rng(SEED)
    drawn = chance.integers(len(figures), size=(DRAWS, len(figures)))
    lows, highs = np.percentile(figures[drawn].mean(axis=1), (2.5, 97.5), axis=0)
    means = figures.mean(axis=0)
    return {
        metric: Estimate(*(round(float(bound[at]), 4) for bound in (means, lows, highs)))
        for at, metric in enumerate(METRICS)
    }


def half(questions: Sequence[Question], which: str) -> list[Question]:
    """One half of the questions, the same on every machine: "tune" to look at, "report" to keep for the end."""
    odd = {"tune": 1, "report": 0}[which]
    return [question for question in questions if hashlib.sha256(question.id.encode()).digest()[0] % 2 == odd]


def table(rows: Sequence[Row]) -> str:
    """Markdown. Groups by kind are in the JSON only."""
    lines = [
        f"| set | questions | retriever | {' | '.join(METRICS)} | recall@5 against |",
        f"|{'---|' * (len(METRICS) + 4)}",
    ]
    for row in rows:
        if not row.group.startswith("kind "):
            figures = " | ".join(str(estimate) for estimate in row.metrics.values())
            difference = row.difference["recall@5"]
            lines.append(
                f"| {row.set} | {row.group} ({row.questions}) | {row.retriever} | {figures}"
                f" | {row.against}: {difference.mean:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}] |"
            )
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> None:
    """Print the table; with --json, write the rows as well."""
    asked = _asked(arguments)
    chosen, rows = embedder(asked.embedder), []
    for of in sets():
        if asked.set and of.name not in asked.set:
            continue
        if asked.half:
            of = QuestionSet(of.name, of.passages, half(of.questions, asked.half))
        sys.stderr.write(f"{of.name}: {len(of.passages)} passages, {len(of.questions)} questions\n")
        rows += measure(of, {name: RETRIEVERS[name](of, chosen) for name in asked.retriever or RETRIEVERS})
    if asked.json:
        asked.json.write_text("".join(json.dumps(asdict(row)) + "\n" for row in rows), encoding="utf-8")
    sys.stdout.write(table(rows) + "\n")


def _asked(arguments: Sequence[str]) -> Any:
    parser = argparse.ArgumentParser(prog="python -m bench.quality")
    parser.add_argument("--set", action="append", help="only this set")
    parser.add_argument("--retriever", action="append", choices=RETRIEVERS, help="only this one")
    parser.add_argument("--embedder", default="minilm", choices=("minilm", "e5"))
    parser.add_argument("--half", choices=("tune", "report"))
    parser.add_argument("--json", type=Path, help="write rows here, a JSON object a line")
    return parser.parse_args(arguments)


def _rows(of: str, group: str, scored: dict[str, Figures]) -> Iterator[Row]:
    baselines = [name for name in scored if name in BASELINES]
    for name, figures in scored.items():
        others = [other for other in baselines if other != name] or [name]
        best = max(others, key=lambda other: float(scored[other][:, MAIN].mean()))
        yield Row(
            of, group, len(figures), name, estimates(figures), best, estimates(figures - scored[best])
        )  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1:])
