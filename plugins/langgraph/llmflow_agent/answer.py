"""The answer: citations held against the results that are there, and what is said when a budget ends a run early."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from llmflow_agent.budget import Limits, Spent
from llmflow_agent.replies import means_a_call
from llmflow_agent.state import Note, Step
from llmflow_agent.texts import Texts
from llmflow_agent.tools import Result

CITED = re.compile(r"(?:(?<![ \t])[ \t]+)?\[(r\d+(?:\s?,\s?r\d+)*)\]")
BEGUN = re.compile(
    r"(?<![ \t])[ \t]*(?:\[(?:r[\dr, ]{0,60})?)?\Z"
)  # the end of a piece that may become a citation
TAGS = {"<think>": "</think>", "<tool_call>": "</tool_call>"}
FENCE, FENCES = "```", ("```action", "```tool", "```json")  # the first is a call of whatever model
LONGEST = len("<tool_call>")
EXCERPT = 300  # characters of a cited result
READY = 600  # characters of a result in a list of what was ready


@dataclass(frozen=True)
class Cited:
    """A text with its citations checked: those that are left, and those that were dropped."""

    text: str
    refs: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """The end of a run."""

    text: str
    ended: str
    citations: tuple[Result, ...]
    dropped: tuple[str, ...]
    notes: tuple[Note, ...]
    steps: tuple[Step, ...]
    spent: Spent
    run_id: str
    resumed: bool
    calls: int

    def json(self) -> dict[str, Any]:
        """The answer as data."""
        return {
            "answer": self.text,
            "ended": self.ended,
            "citations": [
                {
                    "id": one.call.ref,
                    "tool": one.call.name,
                    "arguments": one.call.arguments,
                    "excerpt": one.text[:EXCERPT],
                }
                for one in self.citations
            ],
            "dropped_citations": list(self.dropped),
            "notes": [{"kind": note.kind, "text": note.text} for note in self.notes],
            "plan": [
                {"goal": step.goal, "state": step.state, "role": step.role, "outcome": step.outcome}
                for step in self.steps
            ],
            "run": {"id": self.run_id, "resumed": self.resumed},
            "used": {
                "steps": self.spent.steps,
                "tool_calls": self.calls,
                "prompt_tokens": self.spent.prompt_tokens,
                "completion_tokens": self.spent.completion_tokens,
                "price": str(self.spent.price),
                "currency": self.spent.currency,
                "seconds": round(self.spent.seconds, 3),
            },
        }


def checked(text: str, known: Collection[str]) -> Cited:
    """The text without the citations that name no result."""
    kept: list[str] = []
    dropped: list[str] = []

    def keep(found: re.Match[str]) -> str:
        refs = [ref.strip() for ref in found.group(1).split(",")]
        here = [ref for ref in refs if ref in known]
        kept.extend(ref for ref in here if ref not in kept)
        dropped.extend(ref for ref in refs if ref not in known and ref not in dropped)
        blank = found.group()[: found.group().index("[")]
        return f"{blank}[{', '.join(here)}]" if here else ""

    return Cited(CITED.sub(keep, text), tuple(kept), tuple(dropped))


def usable(results: Sequence[Result]) -> dict[str, Result]:
    """The results that can be cited."""
    return {one.call.ref: one for one in results if one.ok and one.call.ref}


def ended_because(reason: str, limits: Limits, spent: Spent, texts: Texts, why: str = "") -> str:
    """Why a run ended before its answer, as a sentence; nothing where it was answered."""
    return texts.ends[reason].format(
        steps=limits.steps, tokens=limits.tokens, seconds=limits.seconds, money=limits.money,
        currency=spent.currency, why=why,
    )  # fmt: skip


def early(
    reason: str,
    results: Sequence[Result],
    steps: Sequence[Step],
    limits: Limits,
    spent: Spent,
    texts: Texts,
    why: str = "",
) -> str:
    """What is answered when a run ends before its answer: why, and what was ready."""
    outcomes = [step.outcome for step in steps if step.state == "done" and step.outcome]
    first = {one.text: ref for ref, one in reversed(usable(results).items())}  # the same text is shown once
    found = [f"{text[:READY]} [{ref}]" for text, ref in reversed(first.items())]
    lines = "\n".join(f"- {line}" for line in outcomes or found)
    ready = texts.ready.format(results=lines) if lines else texts.nothing_ready
    return f"{ended_because(reason, limits, spent, texts, why)} {ready}"


class Stream:
    """Pieces of an answer on their way to a reader: no thoughts, no calls, no invented citations.

    `blocks`: the model writes its calls as text; then a block of JSON may be one, and is held until it is whole.
    """

    def __init__(self, known: Collection[str], blocks: bool) -> None:
        self._known, self._blocks = known, blocks
        self._opened = re.compile("|".join((*TAGS, *(FENCES if blocks else FENCES[:1]))))
        self._held, self._looked = "", 0  # what waits, and how far no end of a block was found in it
        self.said = False

    def feed(self, piece: str) -> str:
        """What of it can be shown now."""
        self._held += piece
        return self._out(self._shown(whole=False))

    def rest(self) -> str:
        """What is left when the answer is complete."""
        return self._out(self._shown(whole=True))

    def _shown(self, whole: bool) -> str:
        if self._blocks and not self.said and self._held.lstrip()[:1] in ("{", "["):
            if not whole:
                return ""  # it may be an action of a model that left out the fence
            if means_a_call(self._held):
                self._held = ""
        found = ""
        while opened := self._opened.search(self._held):
            found += self._take(opened.start())
            end = self._end(opened.group())
            if end < 0 and not whole:
                return found
            block = self._take(end if end >= 0 else len(self._held))
            hidden = opened.group() in TAGS or means_a_call(block)
            found += "" if hidden else block
        return found + self._take(len(self._held) if whole else self._sure())

    def _end(self, opener: str) -> int:
        """Where the block ends that what is held begins with; -1 where it has not ended."""
        closer = TAGS.get(opener, FENCE)
        at = self._held.find(closer, max(len(opener), self._looked - len(closer)))
        self._looked = len(self._held)
        return at + len(closer) if at >= 0 else -1

    def _sure(self) -> int:
        """How much of what is held can't become a tag, a block or a citation any more."""
        begun = BEGUN.search(self._held)
        sure = begun.start() if begun else len(self._held)
        for sign in ("<", "`"):
            at = self._held.find(sign, max(0, len(self._held) - LONGEST))
            sure = min(sure, at) if at >= 0 else sure
        return sure

    def _take(self, count: int) -> str:
        taken, self._held, self._looked = self._held[:count], self._held[count:], 0
        return taken

    def _out(self, text: str) -> str:
        text = checked(text, self._known).text
        if not self.said:
            text = text.lstrip()
        self.said = self.said or bool(text)
        return text
