"""GraphRAG: taking in, asking, deleting; and LightRAG beside it, with the same passages, vectors and stand-in model.

    python -m bench.bench_graphrag [CHUNKS …]

Neither the embedder nor the language model computes anything: what is measured is the engines. LightRAG runs in the
interpreter that LLMFLOW_BENCH_LIGHTRAG names; without one its rows are missing. Prints JSON; milliseconds, chunks a
second.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from llmflow_graphrag.documents import Document, from_text
from llmflow_graphrag.engine import Engine, embedded
from llmflow_graphrag.ingest import Failed
from llmflow_graphrag.model import Vector
from llmflow_graphrag.retrieval.answer import Question
from llmflow_graphrag.scope import Scope

from bench.made_corpus import passages, questions
from bench.quick_vectors import DIMENSIONS, vector

SIZES = (1_000, 5_000, 20_000)
ASKED, WARM_UP = 200, 20
PEER_CHUNKS, PEER_ASKED = 300, 20
DELAYS = (0.0, 0.3)  # seconds that the stand-in takes for an answer
SCOPE = Scope("bench", "made")


class Quick:
    """An embedder that takes next to no time: a vector by the hash of the words' initials."""

    name, dimensions = "quick", DIMENSIONS

    def documents(self, texts: Sequence[str]) -> list[Vector]:
        """Passages as vectors."""
        return [vector(text) for text in texts]

    def query(self, text: str) -> Vector:
        """A question as a vector."""
        return vector(text)


def measure(sizes: tuple[int, ...] = SIZES) -> dict[str, Any]:
    """Each size by itself, then the peer."""
    found: dict[str, Any] = {f"{size}_chunks": _size(size) for size in sizes}
    found["llm_calls_a_question"] = 0
    peer = os.environ.get("LLMFLOW_BENCH_LIGHTRAG")
    if peer:
        found["beside_lightrag"] = _beside(peer)
    return found


def _size(size: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="llmflow-graphrag-") as folder:
        engine = embedded(Path(folder), Quick())
        began = time.perf_counter()
        _take(engine, size)
        taken = time.perf_counter() - began
        engine.close()
        engine = embedded(Path(folder), Quick())
        figures = {
            "chunks_s": round(size / taken),
            "rss_mib": _rss(),
            **_asked(engine, questions(ASKED + WARM_UP, size)),
        }
        removed = max(1, size // 100)
        began = time.perf_counter()
        for number in range(removed):
            engine.remove(SCOPE, f"doc-{number}")
        figures["deleting_1_percent_to_taking_all"] = round((time.perf_counter() - began) / taken, 4)
        engine.close()
        return figures


def _asked(engine: Engine, texts: list[str]) -> dict[str, Any]:
    """Percentiles, and the share of the vector store in them."""
    took, dense = [], []
    for text in texts:
        began = time.perf_counter()
        answer = engine.ask(SCOPE, Question(text, limit=5, seconds=60))
        took.append((time.perf_counter() - began) * 1000)
        dense.append(answer.milliseconds.get("dense", 0.0) + answer.milliseconds.get("fit", 0.0))
    took, dense = sorted(took[WARM_UP:]), sorted(dense[WARM_UP:])
    return {
        "query_ms": {"p50": _at(took, 0.5), "p95": _at(took, 0.95)},
        "of_which_vectors_ms": {"p50": _at(dense, 0.5), "p95": _at(dense, 0.95)},
    }


def _beside(python: str) -> dict[str, Any]:
    """Both engines with the same passages; the model takes its time once not at all, once 300 ms."""
    work = {
        "passages": list(passages(PEER_CHUNKS)), "questions": questions(PEER_ASKED, PEER_CHUNKS), "delays": DELAYS,
    }  # fmt: skip
    done = subprocess.run(
        [python, str(Path(__file__).with_name("lightrag_peer.py"))],
        input=json.dumps(work),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    peer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    with tempfile.TemporaryDirectory(prefix="llmflow-graphrag-") as folder:
        engine = embedded(Path(folder), Quick())
        began = time.perf_counter()
        _take(engine, PEER_CHUNKS)
        ours = PEER_CHUNKS / (time.perf_counter() - began)
        asked = _asked(engine, questions(PEER_ASKED + WARM_UP, PEER_CHUNKS))["query_ms"]["p50"]
        engine.close()
    return {
        "chunks_s": round(ours),
        "lightrag_chunks_s": round(peer["chunks_s"], 1),
        "chunks_s_to_lightrag": round(ours / peer["chunks_s"], 1),
        "query_ms_p50": asked,
        "lightrag_query_ms_p50": peer["query_ms"],
        "faster_than_lightrag": {delay: round(ms / asked, 1) for delay, ms in peer["query_ms"].items()},
        "lightrag_llm_calls_a_chunk": peer["calls_a_chunk"],
        "lightrag_llm_calls_a_question": peer["calls_a_question"],
        "llm_calls_a_chunk": {"extractor_none": 0, "extractor_llm": 1},
    }


def _take(engine: Engine, size: int) -> None:
    for done in engine.take_all(SCOPE, _documents(size)):
        if isinstance(done, Failed):
            raise done.error


def _documents(size: int) -> Iterator[Document]:
    for number, (title, text) in enumerate(passages(size)):
        yield from_text(f"doc-{number}", text, title=title)


def _at(ordered: list[float], share: float) -> float:
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 1)


def _rss() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    chosen = tuple(map(int, sys.argv[1:])) or SIZES
    sys.stdout.write(json.dumps(measure(chosen), indent=2) + "\n")
