"""The strategies as Dify runs them: a job out of a form, and what happens in it as messages of Dify's.

An unfinished run is found again by app, user and conversation, or by the resume id of the form instead of the
conversation. A message `/stop` (`/중지`) in the same conversation ends what runs there between two steps.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from llmflow_agent import dify, engine
from llmflow_agent.answer import Answer
from llmflow_agent.budget import Limits
from llmflow_agent.dify import DifyModel, DifyStorage, Session
from llmflow_agent.engine import Job
from llmflow_agent.errors import BadRequest
from llmflow_agent.run import Role
from llmflow_agent.texts import texts
from llmflow_agent.trace import Log, Text

STOP = {"/stop", "/중지"}
MOST_ROLES = 12
SOURCE = 2000  # characters of a source below an answer
OUTPUTS = (
    "answer",
    "ended",
    "citations",
    "plan",
    "notes",
    "used",
)  # of the node, as its output_schema names them
BOUNDS = {  # of numbers in the form: lowest, highest
    "maximum_steps": (1, 200), "maximum_tokens": (0, 10_000_000), "maximum_seconds": (1, 3600),
    "tool_seconds": (1, 240), "parallel_calls": (1, 16), "plan_steps": (1, 20), "result_characters": (200, 100_000),
}  # fmt: skip


class RoleForm(BaseModel):
    """A role as the form's YAML names it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=64)]
    description: str = ""
    instruction: str = ""
    tools: tuple[str, ...] | None = None

    def role(self) -> Role:
        """As the engine takes it."""
        return Role(self.name, self.description, self.instruction, self.tools)


ROLES = TypeAdapter(Annotated[tuple[RoleForm, ...], Field(max_length=MOST_ROLES)])


class Running:
    """The runs under way in this process, so that a message can stop one."""

    def __init__(self) -> None:
        self._runs: dict[str, threading.Event] = {}
        self._lock = threading.Lock()

    @contextmanager
    def entered(self, key: str) -> Iterator[tuple[bool, threading.Event]]:
        """Whether the key is free, and what stops this run; two runs of one key can't share a checkpoint."""
        stop = threading.Event()
        with self._lock:
            first = bool(key) and key not in self._runs
            if first:
                self._runs[key] = stop
        try:
            yield first, stop
        finally:
            stop.set()  # where Dify has stopped listening, the node under way need not go on
            with self._lock:
                if first:
                    del self._runs[key]

    def stop(self, key: str) -> bool:
        """Stop the run of a key, if there is one."""
        with self._lock:
            run = self._runs.get(key)
        if run:
            run.set()
        return run is not None


_running = Running()


def messages(pattern: str, parameters: Mapping[str, Any], session: Any, user: str | None) -> Iterator[Any]:
    """What a strategy yields: Dify's messages. Raises BadRequest."""
    question = str(parameters.get("query") or "")
    own = str(parameters.get("resume_id") or "").strip() or str(session.conversation_id or "")
    owner = f"{session.app_id or ''}\0{user or ''}"
    key = f"{owner}\0{own}" if own else ""
    if question.strip() in STOP:
        yield from _stopped(key, question)
        return
    files: queue.SimpleQueue[Any] = queue.SimpleQueue()
    job = job_of(pattern, parameters, session, files.put)
    with _running.entered(key) as (first, stop):
        job = replace(job, run_id=own if first else "", owner=owner, stop=stop.is_set)
        for event in engine.run(job):
            yield from message(event)
            while not files.empty():
                yield _forwarded(files.get())


def job_of(pattern: str, parameters: Mapping[str, Any], session: Session, forward: dify.Forward) -> Job:
    """The job that a form asks for. Raises BadRequest with everything that is wrong in it."""
    chosen = parameters.get("model")
    model, tools, own_roles, budgets, plan_steps = _each(
        lambda: DifyModel(session, chosen, str(parameters.get("tool_calls") or "auto")),
        lambda: dify.tools(session, parameters.get("tools"), forward),
        lambda: roles(parameters.get("roles")),
        lambda: limits(parameters),
        lambda: _number(parameters, "plan_steps", 6),
    )
    return Job(
        question=str(parameters.get("query") or ""), model=model, pattern=pattern,
        instruction=str(parameters.get("instruction") or ""), tools=tools, roles=own_roles,
        history=dify.history(chosen or {}), limits=budgets, critic=_true(parameters.get("critic")),
        plan_steps=int(plan_steps), storage=DifyStorage(session),
    )  # fmt: skip


def limits(parameters: Mapping[str, Any]) -> Limits:
    """The budgets of a form; a field that is empty keeps its default. Raises BadRequest with all that is wrong."""
    usual = Limits()
    steps, tokens, seconds, money, tool_seconds, at_once, result_chars = _each(
        lambda: _number(parameters, "maximum_steps", usual.steps),
        lambda: _number(parameters, "maximum_tokens", usual.tokens),
        lambda: _number(parameters, "maximum_seconds", usual.seconds),
        lambda: _money(parameters.get("maximum_money")),
        lambda: _number(parameters, "tool_seconds", usual.tool_seconds),
        lambda: _number(parameters, "parallel_calls", usual.at_once),
        lambda: _number(parameters, "result_characters", usual.result_chars),
    )
    return Limits(int(steps), int(tokens), seconds, money, tool_seconds, int(at_once), int(result_chars))


def roles(given: Any) -> tuple[Role, ...]:
    """The roles of a form: YAML or JSON, a list of names with what they do. Raises BadRequest."""
    try:
        found = yaml.safe_load(given) if isinstance(given, str) else given
        return tuple(form.role() for form in ROLES.validate_python(found or ()))
    except (yaml.YAMLError, ValidationError) as error:
        raise BadRequest(
            "roles must be a YAML list, each with a name and, where needed, description, instruction and tools:"
            f" {_problems(error)}."
        ) from error


def message(event: engine.Event) -> Iterator[Any]:
    """An event as messages of Dify's."""
    from dify_plugin.entities.agent import AgentInvokeMessage as Said

    match event:
        case Text(text=text):
            yield Said(type=Said.MessageType.TEXT, message=Said.TextMessage(text=text))
        case Log() as log:
            yield Said(type=Said.MessageType.LOG, message=_log(log))
        case Answer() as answer:
            if answer.citations:
                yield Said(type=Said.MessageType.RETRIEVER_RESOURCES, message=_resources(answer))
            found = answer.json()
            for name in OUTPUTS:
                variable = Said.VariableMessage(variable_name=name, variable_value=found[name])
                yield Said(type=Said.MessageType.VARIABLE, message=variable)
            told = {"execution_metadata": metadata(answer), **found}
            yield Said(type=Said.MessageType.JSON, message=Said.JsonMessage(json_object=told))


def metadata(answer: Answer) -> dict[str, Any]:
    """What Dify adds up: tokens and price."""
    spent = answer.spent
    return {
        "total_tokens": spent.tokens,
        "prompt_tokens": spent.prompt_tokens,
        "completion_tokens": spent.completion_tokens,
        "total_price": float(spent.price),
        "currency": spent.currency,
        "latency": round(spent.seconds, 3),
    }


def _log(log: Log) -> Any:
    from dify_plugin.entities.agent import AgentInvokeMessage as Said
    from dify_plugin.entities.provider_config import LogMetadata as About

    about: dict[Any, Any] = {About.STARTED_AT: log.began}
    if log.status != "start":
        about |= {About.FINISHED_AT: log.began + log.seconds, About.ELAPSED_TIME: log.seconds}
    if log.provider:
        about[About.PROVIDER] = log.provider
    if log.tokens:
        about |= {
            About.TOTAL_TOKENS: log.tokens,
            About.TOTAL_PRICE: float(log.price),
            About.CURRENCY: log.currency,
        }
    return Said.LogMessage(
        id=log.id, label=log.label, parent_id=log.parent or None, status=Said.LogMessage.LogStatus(log.status),
        error=log.error or None, data=dict(log.data), metadata=about,
    )  # fmt: skip


def _resources(answer: Answer) -> Any:
    """The cited results as Dify shows sources below an answer."""
    from dify_plugin.entities.agent import AgentInvokeMessage as Said

    made = Said.RetrieverResourceMessage.RetrieverResource
    found = [
        made(
            position=number, dataset_name=one.call.name, document_name=one.call.ref, content=one.text[:SOURCE]
        )
        for number, one in enumerate(answer.citations, 1)
    ]
    return Said.RetrieverResourceMessage(retriever_resources=found, context="")


def _forwarded(said: Any) -> Any:
    """A tool's picture or file, as a message of the strategy's own."""
    from dify_plugin.entities.agent import AgentInvokeMessage as Said

    return Said(type=Said.MessageType(said.type.value), message=said.message, meta=said.meta)


def _stopped(key: str, question: str) -> Iterator[Any]:
    words = texts(question)
    found = _running.stop(key)
    yield from message(Text(words.stopping if found else words.nothing_runs))


def _number(parameters: Mapping[str, Any], name: str, usual: float) -> float:
    lowest, highest = BOUNDS[name]
    given = parameters.get(name)
    try:
        found = float(given) if given not in (None, "") else usual
    except (TypeError, ValueError) as error:
        raise BadRequest(f"{name} must be a number.") from error
    if not lowest <= found <= highest:
        raise BadRequest(f"{name} must be between {lowest} and {highest}.")
    return found


def _money(given: Any) -> Decimal:
    wrong = BadRequest("maximum_money must be an amount like 0.50.")
    try:
        money = Decimal(str(given or 0))
    except InvalidOperation as error:
        raise wrong from error
    if not money.is_finite() or money < 0:
        raise wrong
    return money


def _each(*reads: Callable[[], Any]) -> list[Any]:
    """What each part of a form comes to. Raises BadRequest with what is wrong in any of them."""
    found, wrong = [], []
    for read in reads:
        try:
            found.append(read())
        except BadRequest as error:
            wrong.append(str(error))
    if wrong:
        raise BadRequest(" ".join(wrong))
    return found


def _true(given: Any) -> bool:
    return str(given).strip().lower() in ("true", "1", "on", "yes")


def _problems(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'it'}: {one['msg']}" for one in error.errors())
    return str(error).splitlines()[0]
