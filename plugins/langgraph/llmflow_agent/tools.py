"""Tools: arguments checked against their schema, one call run within its time, a result bounded in size."""

from __future__ import annotations

import contextvars
import queue
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import jsonschema  # type: ignore[import-untyped]  # it ships no types
from referencing import Registry

from llmflow_agent.characters import sound
from llmflow_agent.errors import Stopped, ToolFailed
from llmflow_agent.injection import cut, orders
from llmflow_agent.model import Call, ToolSpec
from llmflow_agent.replies import Unreadable, compact, read
from llmflow_agent.texts import Texts

FAILURES = 3  # of one tool in a run, after which it is not offered any more
PROBLEMS = 5  # told to the model at once
LOOK = 0.05  # seconds between two looks at whether a call is still waited for
ARGUMENTS = 80  # characters of them in the trace
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
NO_REFERENCES: Registry[Any] = (
    Registry()
)  # the library's own would fetch a schema's references from the network


class Tool(Protocol):
    """Something that an agent can call."""

    @property
    def spec(self) -> ToolSpec:
        """What the model is told of it."""
        ...

    def run(self, arguments: Mapping[str, Any]) -> str:
        """Do it. Raises ToolFailed."""
        ...


@dataclass(frozen=True)
class Result:
    """What came of one call; `orders` are sentences in it that look like instructions."""

    call: Call
    text: str
    ok: bool
    seconds: float = 0.0
    ran: bool = True
    orders: tuple[str, ...] = ()


@dataclass(frozen=True)
class Allowed:
    """What one call may take: seconds, and characters of its result; `stop` says that nobody waits any more."""

    seconds: float
    characters: int
    stop: Callable[[], bool] = lambda: False


class BadArguments(ValueError):
    """Arguments that a tool's schema refuses."""


def arguments(spec: ToolSpec, text: str) -> dict[str, Any]:
    """The arguments of a call, texts read as the numbers and truths that the schema wants. Raises BadArguments."""
    try:
        given = read(text) if text.strip() else {}
    except Unreadable as error:
        raise BadArguments(str(error)) from error
    if not isinstance(given, dict):
        raise BadArguments("they are no JSON object")
    properties = spec.parameters.get("properties", {})
    fitted = {name: _fitted(value, properties.get(name)) for name, value in given.items()}
    if problems := _problems(spec, fitted):
        raise BadArguments("; ".join(problems))
    return fitted


def run(tool: Tool, call: Call, given: Mapping[str, Any], allowed: Allowed, texts: Texts) -> Result:
    """Run one call within what it is allowed; a failure is a result as well. Raises Stopped."""
    begun = time.monotonic()
    try:
        text, ok = within(allowed.seconds, lambda: tool.run(given), allowed.stop), True
    except ToolFailed as error:
        text, ok = str(error), False
    except TimeoutError:
        text, ok = f"no answer in {allowed.seconds:g} s", False
    shown = cut(sound(text), allowed.characters, texts)
    return Result(call, shown, ok, time.monotonic() - begun, orders=orders(shown))


def labelled(call: Call, given: Mapping[str, Any]) -> str:
    """A call in a line of the trace: several of one tool are told apart by what they ask."""
    values = ", ".join(value if isinstance(value, str) else compact(value) for value in given.values())
    return f"{call.name}({values[:ARGUMENTS]})" if values else call.name


def within(seconds: float, work: Callable[[], str], stop: Callable[[], bool] = lambda: False) -> str:
    """What `work` returns. Raises TimeoutError when that takes too long, Stopped when `stop` says so, and then forgets
    about it.
    """
    said: queue.SimpleQueue[str | BaseException] = queue.SimpleQueue()
    context = contextvars.copy_context()

    def do() -> None:
        try:
            said.put(context.run(work))
        except BaseException as error:  # noqa: BLE001 - it is raised again where it is waited for
            said.put(error)

    threading.Thread(target=do, daemon=True).start()
    ends = time.monotonic() + seconds
    while (left := ends - time.monotonic()) > 0:
        try:
            found = said.get(timeout=min(left, LOOK))
        except queue.Empty:
            if stop():
                raise Stopped from None
            continue
        if isinstance(found, BaseException):
            raise found
        return found
    raise TimeoutError


def _problems(spec: ToolSpec, given: Mapping[str, Any]) -> list[str]:
    """What is wrong with the arguments; a schema that is none itself refuses nothing."""
    validator = jsonschema.Draft202012Validator(dict(spec.parameters), registry=NO_REFERENCES)
    try:
        found = [_problem(error) for error in validator.iter_errors(dict(given))]
    except Exception:  # noqa: BLE001 - a schema may be made by anyone; the tool itself still refuses what it must
        return []
    unknown = set(given) - set(spec.parameters.get("properties", {}))
    found += [f"{name}: there is no such argument" for name in sorted(unknown)]
    return found[:PROBLEMS]


def _problem(error: Any) -> str:
    where = ".".join(map(str, error.absolute_path))
    return f"{where}: {error.message[:200]}" if where else str(error.message)[:200]


def _fitted(value: Any, schema: Any) -> Any:
    """A value, read from its text where the schema wants a number or a truth and a small model wrote quotes."""
    wanted = schema.get("type") if isinstance(schema, Mapping) else None
    if not isinstance(value, str):
        return value
    if wanted in ("number", "integer") and NUMBER.fullmatch(value.strip()):
        number = float(value)
        return int(number) if number.is_integer() else number
    if wanted == "boolean" and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    return value
