"""What a run knows between two nodes: plain nouns that a checkpoint can keep."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Annotated, Literal, TypedDict

from llmflow_agent.budget import Spent
from llmflow_agent.loops import Round
from llmflow_agent.model import Call, Message
from llmflow_agent.tools import Result
from llmflow_agent.trace import Log

REASONS = (
    "answered", "budget-steps", "budget-tokens", "budget-seconds", "budget-money", "loop", "empty", "stopped", "failed",
)  # fmt: skip


@dataclass(frozen=True)
class Note:
    """Something that the answer's reader should know; `kind` is a key of Texts.notes."""

    kind: str
    text: str


@dataclass(frozen=True)
class Desk:
    """Whoever works with tools now: the agent itself, the executor of a step, or a role."""

    task: str = ""  # beyond the question; nothing for the agent itself
    state: Literal["working", "done", "failed"] = "working"
    report: str = ""  # what it ended with
    role: str = ""
    thread: tuple[Message, ...] = ()  # said and answered so far, without rules and question
    rounds: tuple[Round, ...] = ()
    slips: int = 0  # answers in a row that could not be read
    scope: Log | None = None  # the step or role in the trace
    round: Log | None = None


@dataclass(frozen=True)
class Step:
    """One step of a plan, or one task of a role, and what came of it."""

    goal: str
    state: Literal["open", "done", "failed"] = "open"
    outcome: str = ""
    role: str = ""


class State(TypedDict, total=False):
    """The channels of the graphs; results of tools that run side by side are put together in the calls' order."""

    desk: Desk
    calls: tuple[Call, ...]  # of the round that is under way
    results: Annotated[tuple[Result, ...], operator.add]
    spent: Spent
    steps: tuple[Step, ...]
    draft: str
    dropped: tuple[str, ...]  # citations that name no result
    verdict: Literal["accept", "rewrite", "rework"]  # the critic's
    problems: tuple[str, ...]  # that the critic has with the draft
    revisions: int
    notes: Annotated[tuple[Note, ...], operator.add]
    ended: str
    streamed: str  # what of the draft was shown while it was written
    shown_by: str  # the attempt that did, by the root of its trace


class Errand(TypedDict):
    """What one tool's node is sent."""

    call: Call
    parent: str
