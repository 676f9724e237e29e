"""Whoever works in a node: what it knows of its run, what it spends, what it tells, and how it asks the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from langgraph.runtime import Runtime

from llmflow_agent import replies, trace
from llmflow_agent.answer import Stream, usable
from llmflow_agent.budget import Spent, over
from llmflow_agent.characters import Pieces, sound, sound_json
from llmflow_agent.context import fitted, size, tokens
from llmflow_agent.errors import Ended, ModelFailed, Stopped
from llmflow_agent.injection import neutral
from llmflow_agent.model import Message, Said, ToolSpec, Usage, Watch
from llmflow_agent.replies import Reply, Turn, Unreadable
from llmflow_agent.run import Run
from llmflow_agent.state import Note, State, Step
from llmflow_agent.tools import FAILURES
from llmflow_agent.trace import Log, Text

LABEL = 200  # characters of a line's label
NOTHING = "…"  # what stands in the conversation for an empty answer: many servers refuse empty messages
TRIES = 2  # of a call that the model fails, before the run does
Emit = Callable[[Any], None]


class Worker:
    """The hands of one node, for as long as it works."""

    def __init__(self, run: Run, state: State, emit: Emit) -> None:
        self.run, self.state, self._emit = run, state, emit
        self.spent = state.get("spent", Spent())
        self.notes: list[Note] = []
        # by the last turn that said something; what an earlier attempt showed, the reader of this one never saw
        self.streamed = state.get("streamed", "") if state.get("shown_by") == run.root else ""
        self._new_turn = True

    @property
    def now(self) -> float:
        """The run's clock."""
        return self.run.clock()

    @property
    def left(self) -> float:
        """Seconds that the run may still take."""
        return self.run.limits.seconds - self._seconds()

    @property
    def steps_left(self) -> int:
        """How often the model may still be asked."""
        return self.run.limits.steps - self.spent.steps

    def note(self, kind: str, **fields: Any) -> None:
        """Something that the answer's reader should know, said once."""
        note = Note(kind, self.run.texts.notes[kind].format(**fields))
        if note not in self.state.get("notes", ()) and note not in self.notes:
            self.notes.append(note)

    def begin(self, label: str, parent: str = "", **fields: Any) -> Log:
        """A line of the trace that begins; `label` is a key of Texts.labels."""
        return self.line(self.run.texts.labels[label].format(**fields), parent)

    def line(self, text: str, parent: str, data: Mapping[str, Any] | None = None, provider: str = "") -> Log:
        """A line of the trace that begins, with a text of its own."""
        log = trace.begun(text[:LABEL], parent or self.run.root, self.now, data, provider)
        self._emit(log)
        return log

    def finish(
        self, log: Log | None, data: Mapping[str, Any] | None = None, error: str = "", **more: Any
    ) -> None:
        """A line of the trace that is finished."""
        if log:
            self._emit(trace.finished(log, self.now, data, error, **more))

    def say(self, text: str, goes_on: bool = False) -> None:
        """A piece of the answer; what does not go on from the turn before begins a new paragraph."""
        if text and self._new_turn and not goes_on:
            self._new_turn = False
            if self.streamed:
                self._emit(Text("\n\n"))
                self.streamed = ""
        if text:
            self.streamed += text
            self._emit(Text(text))

    def offered(self, names: Sequence[str] | None = None) -> tuple[ToolSpec, ...]:
        """The tools of the form that still work, or those of them that are named; nothing else is ever offered."""
        gone = {name for name in self.run.tools if self.failures(name) >= FAILURES}
        return tuple(
            tool.spec
            for name, tool in self.run.tools.items()
            if name not in gone and (names is None or name in names)
        )

    def failures(self, tool: str) -> int:
        """How often a tool has failed in this run."""
        return sum(one.ran and not one.ok and one.call.name == tool for one in self.state.get("results", ()))

    def rules(self, more: str = "") -> Message:
        """The first message of every call, made from the form alone."""
        texts = self.run.texts
        parts = (self.run.instruction, texts.rules.format(language=texts.language), more)
        return Message("system", "\n\n".join(part for part in parts if part), stays=True)

    def ask(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec], parent: str, speak: bool = False
    ) -> Turn:
        """Ask for text or calls. Raises Unreadable, Ended, Stopped, ModelFailed."""
        native = self.run.model.native_tools
        if not native:
            messages = self._described(replies.as_text(messages), tools)
        said = self._within_budget(
            messages, tools if native else (), parent, speak, blocks=bool(tools) and not native
        )
        if said.calls:
            return Turn(replies.without_thoughts(said.text), said.calls)
        try:
            return replies.turn(said.text, native)
        except Unreadable as error:
            error.said = said.text
            raise

    def ask_json(
        self, messages: Sequence[Message], kind: type[Reply], shape: str, parent: str
    ) -> Reply | None:
        """Ask for JSON, a second time where the first can't be read; None where neither can. Raises as `ask`."""
        asked = list(messages)
        for _ in range(TRIES):
            said = self._within_budget(
                asked, (), parent, speak=False, blocks=False, schema=kind.model_json_schema()
            )
            try:
                return replies.json_reply(said.text, kind)
            except Unreadable as error:
                again = self.run.texts.bad_json.format(why=error, form=shape)
                asked += [Message("assistant", said.text or NOTHING), Message("user", again)]
        return None

    def _described(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> list[Message]:
        """The messages with the tools in the first of them, for a model without native tool calls."""
        if not tools:
            return list(messages)
        lines = "\n".join(described(tool) for tool in tools)
        first = f"{messages[0].content}\n\n{self.run.texts.text_form.format(tools=lines)}"
        return [Message("system", first, stays=True), *messages[1:]]

    def _within_budget(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSpec],
        parent: str,
        speak: bool,
        blocks: bool,
        schema: Mapping[str, Any] | None = None,
    ) -> Said:
        """Ask the model once it is sure that the budget allows it."""
        context = self.run.model.context
        for number in range(1, TRIES + 1):
            self._go_on()
            kept = fitted(messages, tools, context)
            if kept != tuple(messages):
                self.note("shortened")
            coming = size(kept, tools)
            if reason := over(self.run.limits, self.used(), coming):
                raise Ended(reason)
            try:
                return self._heard(kept, tools, coming, parent, speak, blocks, schema)
            except ModelFailed as error:
                if number == TRIES:
                    raise
                context = coming if error.overflow else context  # a quarter of it is kept free for the answer
        raise AssertionError("every try returns or raises")

    def _heard(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSpec],
        coming: int,
        parent: str,
        speak: bool,
        blocks: bool,
        schema: Mapping[str, Any] | None,
    ) -> Said:
        name = self.run.model.name
        label = self.run.texts.labels["model"].format(name=name)
        log = self.line(label, parent, {"messages": len(messages)}, name)
        heard: list[str] = []
        stream = Stream(usable(self.state.get("results", ())), blocks) if speak else None
        try:
            said = _sound(self.run.model.say(messages, tools, self._watch(heard, stream), schema))
        except (Ended, Stopped, ModelFailed) as error:
            self._pay(Usage(coming, tokens("".join(heard))) if heard else Usage(), counts=bool(heard))
            self.finish(log, {"output": "".join(heard)}, error=str(error) or type(error).__name__)
            raise
        if stream:
            self.say(stream.rest())
        usage = said.usage
        if not usage.prompt_tokens + usage.completion_tokens:  # a provider that does not count
            usage = replace(usage, prompt_tokens=coming, completion_tokens=tokens(said.text))
        self._pay(usage)
        self.finish(
            log,
            {"output": said.text, "calls": [f"{call.name}({call.arguments})" for call in said.calls]},
            tokens=usage.prompt_tokens + usage.completion_tokens, price=usage.price, currency=usage.currency,
        )  # fmt: skip
        return said

    def _watch(self, heard: list[str], stream: Stream | None) -> Watch:
        pieces = Pieces()

        def watch(piece: str) -> None:
            self._go_on()
            if self.left <= 0:
                raise Ended("budget-seconds")
            whole = pieces.feed(piece)
            heard.append(whole)
            if stream:
                self.say(stream.feed(whole))

        return watch

    def _pay(self, usage: Usage, counts: bool = True) -> None:
        self.spent = self.spent.plus(usage) if counts else self.spent

    def _go_on(self) -> None:
        if self.run.stop():
            raise Stopped

    def _seconds(self) -> float:
        return self.run.carried + self.now - self.run.began

    def used(self) -> Spent:
        """What the run has used up to now."""
        return replace(self.spent, seconds=self._seconds())

    def update(self, found: State) -> State:
        """What a node returns: what it found, and what it spent and noted."""
        return {
            **found,
            "spent": self.used(),
            "notes": tuple(self.notes),
            "streamed": self.streamed,
            "shown_by": self.run.root,
        }


Work = Callable[[State, Worker], State]


class Node(Protocol):
    """A node as LangGraph calls it."""

    __name__: str

    def __call__(self, state: State, *, runtime: Runtime[Run]) -> State:
        """What the node changes."""
        ...


def node(work: Work) -> Node:
    """A node of the graph: a budget that is used up ends the run from within."""

    def wrapped(state: State, *, runtime: Runtime[Run]) -> State:
        worker = Worker(runtime.context, state, runtime.stream_writer)
        try:
            found = work(state, worker)
        except Ended as ended:
            found = {"ended": ended.reason}
        except (Stopped, ModelFailed) as broken:  # its update is lost, and what it cost would be
            broken.spent = worker.used()
            raise
        return worker.update(found)

    # not functools.wraps: LangGraph would look at the parameters of what is wrapped
    wrapped.__name__ = work.__name__
    return wrapped


def _sound(said: Said) -> Said:
    """What a model said, without halves of characters: no store and no server takes them."""
    calls = tuple(replace(call, arguments=sound_json(call.arguments)) for call in said.calls)
    return replace(said, text=sound(said.text), calls=calls)


def described(tool: ToolSpec) -> str:
    """A tool in a line of a prompt."""
    return f"- {tool.name}: {tool.description} {replies.compact(tool.parameters)}"


def conversation(worker: Worker, more: str, *asked: str) -> list[Message]:
    """Rules, history, and the question with what else is asked."""
    parts = [worker.run.question, *asked]
    question = Message("user", "\n\n".join(part for part in parts if part), stays=True)
    return [worker.rules(more), *worker.run.history, question]


def outcomes(steps: Sequence[Step], worker: Worker) -> str:
    """What the steps so far came to, for a prompt; whoever wrote it may have quoted a result."""
    told = ((f"{step.role}: " if step.role else "", step) for step in steps if step.state != "open")
    lines = [f"- {who}{step.goal}: {neutral(step.outcome)}" for who, step in told]
    return worker.run.texts.outcomes.format(outcomes="\n".join(lines)) if lines else ""
