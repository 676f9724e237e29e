"""Our engine as a retriever: its own chunks, names by rule, no language model, stores in a folder of its own."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from llmflow_graphrag.documents import from_text
from llmflow_graphrag.engine import Engine, embedded
from llmflow_graphrag.model import Vector
from llmflow_graphrag.retrieval.answer import MOST_PASSAGES, Question
from llmflow_graphrag.scope import Scope

from bench.embed import Embedder
from bench.retrievers import Retriever
from bench.sets import QuestionSet

SCOPE = Scope("bench", "set")
SECONDS = 60.0  # a question's budget: quality is measured here, not time


class Remembered:
    """A bench's embedder as the engine asks one."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.name = embedder.name
        self.dimensions = int(embedder.questions(["."]).shape[1])

    def documents(self, texts: Sequence[str]) -> list[Vector]:
        """Passages as vectors."""
        return [list(map(float, row)) for row in self._embedder.passages(texts)]

    def query(self, text: str) -> Vector:
        """A question as a vector."""
        return list(map(float, self._embedder.questions([text])[0]))


def filled(of: QuestionSet, embedder: Embedder) -> Engine:
    """An engine that holds the passages of a set; its folder goes when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="llmflow-graphrag-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    embedder.passages(
        [passage.whole for passage in of.passages]
    )  # all at once: the engine asks for few at a time
    engine = embedded(folder, Remembered(embedder))
    for passage in of.passages:
        engine.take(SCOPE, from_text(passage.id, passage.text, title=passage.title))
    return engine


def graph(of: QuestionSet, embedder: Embedder) -> Retriever:
    """The engine's automatic mode."""
    engine = filled(of, embedder)

    def answer(question: str, k: int) -> list[str]:
        asked = Question(question, limit=min(k, MOST_PASSAGES), seconds=SECONDS)
        return list(dict.fromkeys(passage.row.document for passage in engine.ask(SCOPE, asked).passages))

    return answer
