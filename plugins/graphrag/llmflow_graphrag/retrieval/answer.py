"""What a question gets: passages with where they stand and why they are there, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from llmflow_graphrag.chunks import place
from llmflow_graphrag.errors import BadRequest
from llmflow_graphrag.filters import Filter
from llmflow_graphrag.model import PassageRow

Mode = Literal["auto", "local", "global", "path", "naive"]
MODES: tuple[Mode, ...] = ("auto", "local", "global", "path", "naive")
LONGEST_QUESTION = 4000  # characters; what is longer is cut for the search
MOST_PASSAGES = 100


@dataclass(frozen=True)
class Question:
    """A question, and how it is to be answered. `seconds`: what is ready when they end is the answer."""

    text: str
    mode: Mode = "auto"
    limit: int = 8
    filter: Filter | None = None
    seconds: float = 4.0
    threshold: float = 0.0  # of a passage's score, 0 to 1
    rerank: bool = True  # where there is a reranker
    decompose: bool = False  # let a language model split it into questions first: one call

    def __post_init__(self) -> None:
        """Raise BadRequest for what can't be asked."""
        if self.mode not in MODES:
            raise BadRequest(f'There is no mode "{self.mode}": {", ".join(MODES)} are known.')
        if not 1 <= self.limit <= MOST_PASSAGES:
            raise BadRequest(f"1 to {MOST_PASSAGES} passages can be asked for.")
        if not self.seconds > 0:
            raise BadRequest("A time budget must be more than 0 seconds.")


@dataclass(frozen=True)
class Step:
    """A step on the way to a passage: from one name, by what a passage says, to another."""

    subject: str
    relation: str
    object: str
    chunk: str  # key of the passage that says it
    start: int
    end: int


@dataclass(frozen=True)
class Passage:
    """A passage that answers, its score (0 to 1), the parts of it, and the ways that lead to it."""

    row: PassageRow
    score: float
    parts: Mapping[str, float] = field(default_factory=dict)
    paths: tuple[tuple[Step, ...], ...] = ()


@dataclass(frozen=True)
class Topic:
    """A community that answers a global question."""

    title: str
    summary: str
    score: float
    chunks: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """What was found. `missing` names the steps that time, or a store or model that failed, did not allow."""

    mode: Mode
    passages: tuple[Passage, ...]
    entities: tuple[str, ...] = ()
    topics: tuple[Topic, ...] = ()
    path: tuple[Step, ...] = ()
    missing: tuple[str, ...] = ()
    milliseconds: Mapping[str, float] = field(default_factory=dict)
    parts: tuple[str, ...] = ()  # questions that this one was split into
    llm_calls: int = 0

    def context(self, most: int = 12_000) -> str:
        """The passages as one text with numbers to cite, for a language model's prompt; at most so many characters."""
        blocks, left = [], most
        for number, passage in enumerate(self.passages, 1):
            block = f"[{number}] {citation(passage.row)}\n{passage.row.text}\n"
            if len(block) > left:
                break
            blocks.append(block)
            left -= len(block)
        topics = [f"* {topic.title}: {topic.summary}" for topic in self.topics if len(topic.summary) < left]
        return "\n".join([*topics, *blocks])

    def as_json(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {
            "mode": self.mode,
            "passages": [passage_json(n, p) for n, p in enumerate(self.passages, 1)],
            "entities": list(self.entities),
            "topics": [vars(topic) | {"chunks": list(topic.chunks)} for topic in self.topics],
            "path": [vars(step) for step in self.path],
            "missing": list(self.missing),
            "milliseconds": dict(self.milliseconds),
            "parts": list(self.parts),
            "llm_calls": self.llm_calls,
        }


def citation(row: PassageRow) -> str:
    """Where a passage stands, for people: document, headings, page."""
    page = f", p. {row.page}" if row.page is not None else ""
    return place(row.title, row.heading) + page


def passage_json(number: int, passage: Passage) -> dict[str, Any]:
    """A passage as JSON values."""
    row = passage.row
    return {
        "number": number,
        "chunk": row.key,
        "document": row.document,
        "title": row.title,
        "heading": list(row.heading),
        "page": row.page,
        "boxes": [dict(box) for box in row.boxes],
        "start": row.start,
        "end": row.end,
        "text": row.text,
        "score": round(passage.score, 4),
        "parts": {name: round(value, 4) for name, value in passage.parts.items()},
        "paths": [[vars(step) for step in path] for path in passage.paths],
        "metadata": dict(row.metadata),
    }


def best_first(scores: Mapping[str, float]) -> Sequence[str]:
    """Keys by score, equals by key, so that an answer is the same each time."""
    return sorted(scores, key=lambda key: (-scores[key], key))
