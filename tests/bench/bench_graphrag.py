"""GraphRAG: taking in, asking, deleting; and its peers beside it, with the same passages, vectors and stand-in model.

    python -m bench.bench_graphrag [CHUNKS …]

Neither the embedder nor the language model computes anything: what is measured is the engines. Each peer runs in an
environment of its own, NAME/bin/python in the folder that LLMFLOW_BENCH_PEERS names; rows of those that are not there
are missing. Prints JSON; milliseconds, chunks a second.
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
PEERS = {  # environment, and what is installed in it
    "lightrag": "lightrag-hku==1.5.7",
    "fast-graphrag": "fast-graphrag==0.0.5",
    "llama-index": "llama-index-core==0.14.25",
}
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
    there = os.environ.get("LLMFLOW_BENCH_PEERS")
    peers = {name: Path(there or "") / name / "bin/python" for name in PEERS if there}
    peers = {name: python for name, python in peers.items() if python.exists()}
    if peers:
        found["beside_peers"] = _beside(peers)
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


def _beside(peers: dict[str, Path]) -> dict[str, Any]:
    """All engines with the same passages; the model takes its time once not at all, once 300 ms."""
    work = json.dumps({
        "passages": list(passages(PEER_CHUNKS)), "questions": questions(PEER_ASKED, PEER_CHUNKS), "delays": DELAYS,
    })  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="llmflow-graphrag-") as folder:
        engine = embedded(Path(folder), Quick())
        began = time.perf_counter()
        _take(engine, PEER_CHUNKS)
        ours = PEER_CHUNKS / (time.perf_counter() - began)
        asked = _asked(engine, questions(PEER_ASKED + WARM_UP, PEER_CHUNKS))["query_ms"]["p50"]
        engine.close()
    found: dict[str, Any] = {"chunks_s": round(ours), "query_ms_p50": asked}
    for name, python in peers.items():
        peer = _peer(name, python, work)
        found[name] = peer | {
            "our_chunks_s_to_its": round(ours / peer["chunks_s"], 1),
            "our_query_faster": {delay: round(ms / asked, 1) for delay, ms in peer["query_ms"].items()},
        }
    return found


def _peer(name: str, python: Path, work: str) -> dict[str, Any]:
    done = subprocess.run(
        [str(python), str(Path(__file__).with_name(f"{name.replace('-', '_')}_peer.py"))],
        input=work,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


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
