"""Sets of questions whose gold passages are known.

A set is a folder with `corpus.jsonl` (id, title, text, and doc where a document has several passages) and
`questions.jsonl` (id, question, gold: ids of passages, hops, kind); its name is the folder's. The Korean set is part of
the repository. $LLMFLOW_QUALITY_SETS names folders of others, between colons: public ones aren't ours to pass on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KOREAN = Path(__file__).resolve().parents[1] / "cases" / "graphrag" / "korean"
OTHERS = "LLMFLOW_QUALITY_SETS"


@dataclass(frozen=True)
class Passage:
    """What is searched for. `doc` is the document it is of: its own id where it stands for itself."""

    id: str
    title: str
    text: str
    doc: str

    @property
    def whole(self) -> str:
        """Title and text: what a retriever reads."""
        return f"{self.title}\n{self.text}"


@dataclass(frozen=True)
class Question:
    """A question, and the passages that an answer needs."""

    id: str
    text: str
    gold: frozenset[str]
    hops: int
    kind: str


@dataclass(frozen=True)
class QuestionSet:
    """A corpus and questions about it."""

    name: str
    passages: Sequence[Passage]
    questions: Sequence[Question]


def sets() -> list[QuestionSet]:
    """The Korean set, then those that the environment names."""
    named = [Path(name) for name in os.environ.get(OTHERS, "").split(":") if name]
    return [load(folder) for folder in (KOREAN, *named)]


def load(folder: Path) -> QuestionSet:
    """The set in this folder; raises ValueError where a question has a gold passage that the corpus lacks."""
    passages = [_passage(row) for row in _rows(folder / "corpus.jsonl")]
    questions = [_question(row) for row in _rows(folder / "questions.jsonl")]
    known = {passage.id for passage in passages}
    for question in questions:
        if not question.gold or not question.gold <= known:
            raise ValueError(f"{folder.name}: question {question.id} has no gold in the corpus")
    return QuestionSet(folder.name, passages, questions)


def _passage(row: dict[str, Any]) -> Passage:
    return Passage(row["id"], row["title"], row["text"], row.get("doc", row["id"]))


def _question(row: dict[str, Any]) -> Question:
    return Question(row["id"], row["question"], frozenset(row["gold"]), row["hops"], row["kind"])


def _rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
