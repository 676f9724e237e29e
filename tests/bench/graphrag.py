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
    """A bench's embedder as the engine asks one; what is known beforehand is not looked up on disk again."""

    def __init__(self, embedder: Embedder, texts: Sequence[str]) -> None:
        self._embedder = embedder
        self._known = dict(zip(texts, embedder.passages(texts), strict=True))
        self.name = embedder.name
        self.dimensions = int(embedder.questions(["."]).shape[1])

    def documents(self, texts: Sequence[str]) -> list[Vector]:
        """Passages as vectors."""
        new = [text for text in texts if text not in self._known]
        if new:
            self._known.update(zip(new, self._embedder.passages(new), strict=True))
        return [self._known[text].tolist() for text in texts]

    def query(self, text: str) -> Vector:
        """A question as a vector."""
        found: Vector = self._embedder.questions([text])[0].tolist()
        return found


def filled(of: QuestionSet, embedder: Embedder) -> Engine:
    """An engine that holds the passages of a set; its folder goes when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="llmflow-graphrag-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    vectors = Remembered(embedder, [passage.whole for passage in of.passages])
    engine = embedded(folder, vectors)
    for passage in of.passages:
        engine.take(SCOPE, from_text(passage.id, passage.text, title=passage.title))
    engine.close()
    return embedded(folder, vectors)


def graph(of: QuestionSet, embedder: Embedder) -> Retriever:
    """The engine's automatic mode."""
    engine = filled(of, embedder)

    def answer(question: str, k: int) -> list[str]:
        asked = Question(question, limit=min(k, MOST_PASSAGES), seconds=SECONDS)
        return list(dict.fromkeys(passage.row.document for passage in engine.ask(SCOPE, asked).passages))

    return answer
