"""An agent's run from question to answer: the one entrance for whoever has a model, tools and a form.

`run` yields what happens as it happens, and the answer last.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, cast

from langgraph.graph import StateGraph
from langgraph.graph.state import CompiledStateGraph

from llmflow_agent import trace
from llmflow_agent.answer import Answer, checked, early, ended_because, usable
from llmflow_agent.budget import Limits, Spent
from llmflow_agent.characters import sound
from llmflow_agent.checkpoints import DAY, Memory, Saver, Storage
from llmflow_agent.errors import BadRequest, ModelFailed, Stopped
from llmflow_agent.model import Message, Model
from llmflow_agent.patterns import plan_execute, react, supervisor
from llmflow_agent.run import Role, Run
from llmflow_agent.state import Desk, Note, State
from llmflow_agent.texts import texts
from llmflow_agent.tools import Tool
from llmflow_agent.trace import Log, Text

PATTERNS: Mapping[str, Callable[[], StateGraph[State, Run]]] = {
    "react": react.graph,
    "plan-execute": plan_execute.graph,
    "supervisor": supervisor.graph,
}
STEPS = 100_000  # LangGraph's own limit, which ends a run without an answer: ours are in the budget

Event = Log | Text | Answer


@dataclass(frozen=True)
class Job:
    """What is asked, with whom and within what."""

    question: str
    model: Model
    pattern: str = "react"
    instruction: str = ""
    tools: Sequence[Tool] = ()
    roles: Sequence[Role] = ()
    history: Sequence[Message] = ()
    limits: Limits = field(default_factory=Limits)
    critic: bool = False
    plan_steps: int = 6
    run_id: str = ""  # a run with the same id and question goes on where it was; without one, none does
    owner: str = ""  # whose run it is: the same id of another owner is another run
    storage: Storage = field(default_factory=Memory)
    lifetime: float = DAY  # seconds that an unfinished run can be resumed
    stop: Callable[[], bool] = lambda: False
    clock: Callable[[], float] = time.monotonic


def run(job: Job) -> Iterator[Event]:
    """Work on a question. Yields logs and pieces of text as they come, and the answer last. Raises BadRequest.

    Whoever stops iterating ends the run once its present step is through; the checkpoint stays. So it does when the
    model fails or `stop` says so, and the answer says that.
    """
    _check(job)
    yield from _Attempt(_sound(job)).events()


class _Attempt:
    """A job from its start, or from the checkpoint of an earlier attempt."""

    def __init__(self, job: Job) -> None:
        self._job, self._words = job, texts(job.question)
        self._saver = Saver(job.storage, f"{job.owner}\0{job.run_id}", _about(job), job.lifetime)
        self._resumed = bool(job.run_id) and self._saver.found()
        self._graph = _graph(job.pattern).copy({"checkpointer": self._saver})
        self._config: Any = {
            "configurable": {"thread_id": "run"},
            "recursion_limit": STEPS,
            "max_concurrency": job.limits.at_once,
        }
        label = self._words.labels["run"].format(pattern=job.pattern)
        self._root = trace.begun(label, "", job.clock(), {"question": job.question})
        self._tree = _Tree(self._root)

    def events(self) -> Iterator[Event]:
        """Everything that happens, the answer last."""
        yield self._root
        if self._resumed:
            line = trace.begun(self._words.labels["resumed"], self._root.id, self._job.clock())
            yield trace.finished(line, self._job.clock())
        ended, why, spent = "", "", None
        try:
            for event in self._stream():
                yield self._tree.seen(event)
        except Stopped as stopped:
            ended, spent = "stopped", stopped.spent
        except ModelFailed as error:
            ended, why, spent = "failed", str(error), error.spent
        yield from self._end(ended, why, spent)

    def _stream(self) -> Iterator[Any]:
        carried = self._state().get("spent", Spent()).seconds if self._resumed else 0.0
        return self._graph.stream(
            None if self._resumed else State(desk=Desk()),
            self._config,
            context=_run(self._job, self._root.id, carried),
            stream_mode="custom",
            durability="sync",
        )

    def _end(self, ended: str, why: str, spent: Spent | None) -> Iterator[Event]:
        """The answer, and every line of the trace finished."""
        job, state = self._job, self._state()
        if spent:
            state["spent"] = spent
        answer = self._answer(state, ended, why)
        # a run that was killed at its very end has nothing left to do, and nobody to whom its answer was shown
        here = state.get("shown_by") == self._root.id
        if ended or not here:
            yield Text(f"\n\n{answer.text}" if here and state.get("streamed") else answer.text)
        if not ended:
            self._saver.forget()
        spent = answer.spent
        reason = ended_because(answer.ended, job.limits, spent, self._words, why)
        for log in self._tree.open():
            yield trace.finished(log, job.clock(), error=reason or answer.ended)
        data = {"answer": answer.text, "ended": answer.ended, "notes": [note.text for note in answer.notes]}
        more = {"tokens": spent.tokens, "price": spent.price, "currency": spent.currency}
        yield trace.finished(self._root, job.clock(), data, reason, **more)
        yield answer

    def _state(self) -> State:
        found: Any = self._graph.get_state(self._config).values
        return cast(State, found)

    def _answer(self, state: State, ended: str, why: str) -> Answer:
        job, results, words = self._job, state.get("results", ()), self._words
        spent, steps, text = state.get("spent", Spent()), state.get("steps", ()), state.get("draft", "")
        if ended:
            text = early(ended, results, steps, job.limits, spent, words, why)
        notes = list(state.get("notes", ()))
        if self._resumed:
            notes.append(Note("resumed", words.notes["resumed"]))
        if job.run_id and self._saver.trouble:
            notes.append(Note("not-kept", words.notes["not-kept"].format(why=self._saver.trouble)))
        known = usable(results)
        return Answer(
            text=text, ended=ended or state.get("ended", "answered"),
            citations=tuple(known[ref] for ref in checked(text, known).refs), dropped=state.get("dropped", ()),
            notes=tuple(notes), steps=steps, spent=spent, run_id=job.run_id, resumed=self._resumed,
            calls=sum(one.ran for one in results),
        )  # fmt: skip


class _Tree:
    """The lines of the trace that have begun; one whose parent began in an earlier attempt hangs from the root."""

    def __init__(self, root: Log) -> None:
        self._root, self._known, self._open = root, {root.id}, dict[str, Log]()

    def seen(self, event: Any) -> Any:
        """An event on its way out."""
        if not isinstance(event, Log):
            return event
        if event.parent not in self._known:
            event = replace(event, parent=self._root.id)
        self._known.add(event.id)
        if event.status == "start":
            self._open[event.id] = event
        else:
            self._open.pop(event.id, None)
        return event

    def open(self) -> list[Log]:
        """What has not been finished, the innermost first."""
        return [*reversed(self._open.values())]


@lru_cache
def _graph(pattern: str) -> CompiledStateGraph[State, Run, State, State]:
    """Compiled once: that takes milliseconds, and a run needs only its own checkpoints."""
    return PATTERNS[pattern]().compile()


def _run(job: Job, root: str, carried: float) -> Run:
    return Run(
        pattern=job.pattern, question=job.question, instruction=job.instruction, history=tuple(job.history),
        model=job.model, tools={tool.spec.name: tool for tool in job.tools}, limits=job.limits,
        texts=texts(job.question), fence=secrets.token_hex(4), root=root, critic=job.critic, roles=tuple(job.roles),
        plan_steps=job.plan_steps, stop=job.stop, clock=job.clock, began=job.clock(), carried=carried,
    )  # fmt: skip


def _sound(job: Job) -> Job:
    """A job whose texts every side takes."""
    history = [replace(one, content=sound(one.content)) for one in job.history]
    return replace(job, question=sound(job.question), instruction=sound(job.instruction), history=history)


def _about(job: Job) -> str:
    """A fingerprint of what is asked: a run goes on only for the same question to the same agent."""
    tools = sorted(tool.spec.name for tool in job.tools)
    roles = [(role.name, role.instruction, role.tools) for role in job.roles]
    asked = (job.pattern, job.question, job.instruction, tools, roles, job.critic)
    return hashlib.sha256(repr(asked).encode()).hexdigest()[:32]


def _check(job: Job) -> None:
    """Raise BadRequest with everything that is wrong with a job."""
    names = [tool.spec.name for tool in job.tools]
    wrong = []
    if job.pattern not in PATTERNS:
        wrong.append(f"There is no pattern {job.pattern}; there are {', '.join(PATTERNS)}.")
    if not job.question.strip():
        wrong.append("The question is empty.")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        wrong.append(f"Two tools have one name: {', '.join(twice)}.")
    if job.pattern == "supervisor" and not job.roles:
        wrong.append("A supervisor needs roles.")
    for role in job.roles:
        if missing := sorted(set(role.tools or ()) - set(names)):
            wrong.append(f"The role {role.name} names tools that are not chosen: {', '.join(missing)}.")
    if wrong:
        raise BadRequest(" ".join(wrong))
