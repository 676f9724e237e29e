"""Scenarios of agents as data: what the model says, what the tools give, and what must come of it.

`tests/cases/langgraph/*.yaml` holds them. They are played by a scripted model object in unit tests, and by a real vLLM
that is made to say the same lines in integration tests; `judge` holds both to the same expectations.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Literal

from llmflow_agent.budget import Limits
from llmflow_agent.errors import ModelFailed, ToolFailed
from llmflow_agent.model import Call, Message, Said, ToolSpec, Usage, Watch
from llmflow_agent.replies import block
from llmflow_agent.run import Role
from pydantic import BaseModel, ConfigDict, Field
from ruamel.yaml import YAML

HALF = "\ud83d"  # of a character, which JSON may hold and UTF-8 may not; {half} in what a tool gives
CASES = Path(__file__).parents[1] / "cases" / "langgraph"


class Strict(BaseModel):
    """Every key of a case is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Line(Strict):
    """What the model says in one call: text, calls, a call whose arguments break off, JSON, words as they stand, or a
    failure."""

    text: str = ""
    calls: list[dict[str, dict[str, Any]]] = Field(default_factory=list)
    json_: dict[str, Any] | None = Field(default=None, alias="json")
    written: str = ""
    broken: dict[str, str] = Field(default_factory=dict)
    fail: str = ""
    overflow: str = ""
    tokens: int = 0
    price: Decimal = Decimal(0)

    def words(self, native: bool) -> str:
        """The line as a model writes it out."""
        if self.written:
            return self.written
        if self.broken:
            ((name, arguments),) = self.broken.items()
            return f'<tool_call>\n{{"name": "{name}", "arguments": {arguments}'
        if self.json_ is not None:
            return json.dumps(self.json_, ensure_ascii=False)
        called = [next(iter(one.items())) for one in self.calls]
        parts = [_tag(*one) if native else block(_call(*one)) for one in called]
        return "\n".join([self.text, *parts] if self.text else parts)


class Gift(Strict):
    """What a tool gives: a failure, or a text many times over."""

    fail: str = ""
    many: str = ""
    times: int = 1


class ToolCase(Strict):
    """A tool: its arguments and their types, and what it gives, the last of it ever after."""

    wants: dict[str, str]
    gives: list[str | Gift]
    takes: float = 0.0

    def spec(self, name: str) -> ToolSpec:
        """What the model is told."""
        properties = {key: {"type": kind} for key, kind in self.wants.items()}
        required = list(self.wants)[:1]
        return ToolSpec(
            name, f"the tool {name}", {"type": "object", "properties": properties, "required": required}
        )

    def gift(self, number: int, arguments: Mapping[str, Any]) -> str:
        """What it gives for the time with that number. Raises ToolFailed."""
        given = self.gives[min(number, len(self.gives) - 1)]
        if isinstance(given, str):
            return _filled(given, arguments)
        if given.fail:
            raise ToolFailed(given.fail)
        return _filled(given.many, arguments) * given.times


class RoleCase(Strict):
    """A role of a supervisor."""

    name: str
    description: str = ""
    instruction: str = ""
    tools: list[str] | None = None

    def role(self) -> Role:
        """As the engine takes it."""
        return Role(
            self.name, self.description, self.instruction, None if self.tools is None else tuple(self.tools)
        )


class Expected(Strict):
    """What must come of a scenario."""

    ended: str
    says: list[str] = Field(default_factory=list)
    says_not: list[str] = Field(default_factory=list)
    citations: list[str] = Field(default_factory=list)
    dropped: list[str] = Field(default_factory=list)
    ran: dict[str, int] | None = None
    calls: int | None = (
        None  # results of tools that were waited for: all that ran, where nothing else is said
    )
    asked: int | None = None
    notes: list[str] = Field(default_factory=list)
    told: list[str] = Field(default_factory=list)
    told_not: list[str] = Field(default_factory=list)
    plan: list[str] | None = None
    trace: list[str] = Field(default_factory=list)
    at_once: int | None = None


class Bounds(Strict):
    """Limits that a scenario sets; times are stretched where real engines play."""

    steps: int = 12
    tokens: int = 0
    seconds: float = 60.0
    money: Decimal = Decimal(0)
    tool_seconds: float = 10.0
    result_chars: int = 8000

    def limits(self) -> Limits:
        """As the engine takes them."""
        return Limits(**self.model_dump())

    def form(self, pace: float) -> dict[str, Any]:
        """As Dify's form has them, times stretched."""
        return {
            "maximum_steps": self.steps, "maximum_tokens": self.tokens, "maximum_money": str(self.money),
            "maximum_seconds": self.seconds * pace, "tool_seconds": self.tool_seconds * pace,
            "result_characters": self.result_chars,
        }  # fmt: skip


class Scenario(Strict):
    """One scenario."""

    name: str
    question: str
    script: list[Line]
    expect: Expected
    pattern: Literal["react", "plan-execute", "supervisor"] = "react"
    instruction: str = ""
    history: list[dict[Literal["user", "assistant"], str]] = Field(default_factory=list)
    tools: dict[str, ToolCase] = Field(default_factory=dict)
    roles: list[RoleCase] = Field(default_factory=list)
    limits: Bounds = Bounds()
    critic: bool = False
    native: bool = True
    context: int = 0
    stop_after: int = 0  # calls of the model
    stop_during: str = ""  # a tool that is at work

    def messages(self) -> list[Message]:
        """The history."""
        return [Message(role, text) for one in self.history for role, text in one.items()]


@dataclass
class Outcome:
    """What a scenario came to, from whatever played it."""

    answer: Mapping[str, Any]  # the structured answer
    text: str  # the pieces that were streamed
    told: str  # everything that the model was sent
    asked: int
    ran: Mapping[str, int]
    lines: Sequence[tuple[str, str, str]]  # of the trace, as they came: id, label, status


@dataclass
class ScriptedModel:
    """Says the lines of a script, whatever it is asked."""

    lines: Sequence[Line]
    native_tools: bool = True
    context: int = 0
    name: str = "scripted"
    asked: int = 0
    said: int = 0  # lines that were used up
    told: list[str] = field(default_factory=list)

    def say(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSpec],
        watch: Watch,
        schema: Mapping[str, Any] | None = None,
    ) -> Said:
        """The next line."""
        assert self.said < len(self.lines), f"the script has no line for: {messages[-1].content}"
        self.told.append(sent(messages, tools))
        line = self.lines[self.said]
        self.said += 1
        if line.fail or line.overflow:
            raise ModelFailed(line.fail or line.overflow, overflow=bool(line.overflow))
        usage = Usage(line.tokens // 2, line.tokens - line.tokens // 2, line.price)
        called = [_call(*next(iter(one.items()))) for one in line.calls]
        called += [Call("", name, arguments) for name, arguments in line.broken.items()]
        calls = called if self.native_tools else []  # else they come as text
        words = line.text if calls else line.words(self.native_tools)
        for start in range(0, len(words), 3):
            watch(words[start : start + 3])
        self.asked += 1
        return Said(words, tuple(calls), usage)


@dataclass
class ScriptedTool:
    """Gives what its case says."""

    name: str
    case: ToolCase
    ran: int = 0
    begins: Callable[[str], Any] = str  # told the tool's name
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def spec(self) -> ToolSpec:
        """What the model is told."""
        return self.case.spec(self.name)

    def run(self, arguments: Mapping[str, Any]) -> str:
        """What it gives this time."""
        with self.lock:
            number, self.ran = self.ran, self.ran + 1
        self.begins(self.name)
        threading.Event().wait(self.case.takes)
        return self.case.gift(number, arguments)


@cache
def scenarios() -> tuple[Scenario, ...]:
    """Every scenario there is."""
    return tuple(
        Scenario.model_validate(case)
        for path in sorted(CASES.glob("*.yaml"))
        for case in YAML(typ="safe").load(path)
    )


def sent(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> str:
    """Everything that a model is sent, as one text."""
    return "\n".join([*(one.content for one in messages), *(tool.name for tool in tools)])


def judge(expect: Expected, found: Outcome) -> None:
    """Hold an outcome against what is expected; AssertionError names the difference."""
    answer = found.answer
    assert answer["ended"] == expect.ended, answer
    assert found.text.strip().endswith(answer["answer"]), "what was streamed ends with the answer"
    for text in expect.says:
        assert text in answer["answer"], (text, answer["answer"])
    for text in expect.says_not:
        assert text not in found.text, (text, found.text)
    assert [one["id"] for one in answer["citations"]] == expect.citations, answer
    assert answer["dropped_citations"] == expect.dropped
    assert sorted({note["kind"] for note in answer["notes"]}) == sorted(expect.notes), answer["notes"]
    waited = sum(found.ran.values()) if expect.calls is None else expect.calls
    assert answer["used"]["tool_calls"] == waited
    for text in expect.told:
        assert text in found.told, (text, found.told)
    for text in expect.told_not:
        assert text not in found.told, (text, found.told)
    if expect.ran is not None:
        assert {name: count for name, count in found.ran.items() if count} == expect.ran
    if expect.asked is not None:
        assert found.asked == expect.asked
    if expect.plan is not None:
        assert [step["state"] for step in answer["plan"]] == expect.plan
    _judge_trace(expect, found)


def _judge_trace(expect: Expected, found: Outcome) -> None:
    labels = [label for _, label, status in found.lines if status == "start"]
    rest = iter([*map(_plain, labels)])
    missing = [label for label in expect.trace if label not in rest]  # in this order, others between them
    assert not missing, (missing, labels)
    begun = {id_ for id_, _, status in found.lines if status == "start"}
    ended = {id_ for id_, _, status in found.lines if status != "start"}
    assert begun <= ended, "every line of the trace is finished"
    if expect.at_once is not None:
        assert _most_open(found.lines, set(found.ran)) == expect.at_once


def _most_open(lines: Sequence[tuple[str, str, str]], labels: set[str]) -> int:
    """How many of the lines with these labels were open at the same time."""
    most, now = 0, set[str]()
    for id_, label, status in lines:
        if _plain(label) in labels:
            now = now | {id_} if status == "start" else now - {id_}
            most = max(most, len(now))
    return most


def _plain(label: str) -> str:
    """A tool's name without what it was asked."""
    return label.partition("(")[0]


def _call(name: str, arguments: Mapping[str, Any]) -> Call:
    return Call("", name, json.dumps(arguments, ensure_ascii=False))


def _tag(name: str, arguments: Mapping[str, Any]) -> str:
    called = json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False)
    return f"<tool_call>\n{called}\n</tool_call>"


def _filled(text: str, arguments: Mapping[str, Any]) -> str:
    for name, value in {**arguments, "half": HALF}.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text
