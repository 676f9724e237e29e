"""What a model wrote, read: action blocks of models without native tool calls, and JSON that was asked for.

Strict where it can be, repaired where it is nearly JSON: a missing bracket, a trailing comma, other quotes. What stays
unreadable is said, so that the model can write it again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import json_repair
from pydantic import BaseModel, ConfigDict, ValidationError

from llmflow_agent.characters import sound_value
from llmflow_agent.model import Call, Message

BLOCK = re.compile(r"```(?:action|tool|json)?[ \t]*\n?(?=\s*[\[{])(.*?)(?:```|\Z)", re.DOTALL)
TAG = re.compile(r"<tool_call>(.*?)(?:</tool_call>|\Z)", re.DOTALL)
BARE = re.compile(r"\A\s*[\[{].*\Z", re.DOTALL)
THOUGHT = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
QUOTE = re.compile(r"\\.")  # an escaped character
NAMES = ("tool", "name", "action", "function")
GIVEN = ("arguments", "parameters", "action_input", "input", "args")

Reply = TypeVar("Reply", bound=BaseModel)


class Unreadable(ValueError):
    """What the model wrote is not what was asked for; the text says why, for the model. `said` is what it wrote."""

    said = ""


@dataclass(frozen=True)
class Turn:
    """One answer of a model: what it says, and the tools that it calls."""

    text: str
    calls: tuple[Call, ...] = ()


class JsonReply(BaseModel):
    """The base of what a model is asked to write as JSON: held to just these keys where the server can; more are no
    harm."""

    model_config = ConfigDict(extra="ignore", frozen=True, json_schema_extra={"additionalProperties": False})


def turn(text: str, native: bool) -> Turn:
    """What an answer says and which tools it calls, where they are written in its text. Raises Unreadable.

    A model with native calls that writes them as text all the same is understood too, if it does so in so many words.
    """
    told = without_thoughts(text)
    blocks = [found.group(1) for found in TAG.finditer(told)]
    plain = TAG.sub("", told)
    if not native or "```action" in told:
        blocks += [found.group(1) for found in BLOCK.finditer(plain) if means_a_call(found.group())]
        plain = BLOCK.sub(lambda found: "" if means_a_call(found.group()) else found.group(), plain)
    if not native and not blocks and BARE.match(told) and _names_a_tool(told):
        blocks, plain = [told], ""
    calls = [call for block in blocks for call in _calls(block)]
    return Turn(plain.strip(), tuple(calls))


def json_reply(text: str, kind: type[Reply]) -> Reply:
    """The JSON that was asked for. Raises Unreadable."""
    told = without_thoughts(text)
    fenced = BLOCK.search(told)
    start = told.find("{")
    if fenced is None and start < 0:
        raise Unreadable("there is no JSON object in it")
    found = read(fenced.group(1) if fenced else told[start:])
    try:
        return kind.model_validate(found)
    except ValidationError as error:
        raise Unreadable(_problems(error)) from error


def as_text(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The messages for a model without native tool calls: calls as blocks, results as what the user says."""
    found: list[Message] = []
    for one in messages:
        if one.role == "assistant" and one.calls:
            blocks = [block(call) for call in one.calls]
            found.append(Message("assistant", "\n".join([one.content, *blocks] if one.content else blocks)))
        elif one.role == "tool" and found and found[-1].role == "user" and not found[-1].stays:
            found[-1] = Message("user", f"{found[-1].content}\n{one.content}")
        else:
            found.append(Message("user", one.content) if one.role == "tool" else one)
    return tuple(found)


def block(call: Call) -> str:
    """A call as a model without native tool calls writes it."""
    return f'```action\n{{"tool": {json.dumps(call.name)}, "arguments": {call.arguments or "{}"}}}\n```'


def without_thoughts(text: str) -> str:
    """The text without what a reasoning model thought aloud."""
    return THOUGHT.sub("", text).strip()


def means_a_call(fence: str) -> bool:
    """Whether a fenced block, its fence included, is a call: it says so, or holds a tool and its arguments."""
    return fence.startswith(("```action", "```tool")) or _names_a_tool(fence)


def _names_a_tool(text: str) -> bool:
    return any(f'"{name}"' in text for name in NAMES) and any(f'"{name}"' in text for name in GIVEN)


def _calls(block: str) -> list[Call]:
    found = read(block)
    given = found if isinstance(found, list) else [found]
    return [_call(one) for one in given]


def _call(found: Any) -> Call:
    if not isinstance(found, dict):
        raise Unreadable("it is no JSON object")
    name = next((found[key] for key in NAMES if isinstance(found.get(key), str)), "")
    arguments: Any = next((found[key] for key in GIVEN if key in found), {})
    if not name:
        raise Unreadable('the key "tool" is missing')
    if isinstance(arguments, str):
        arguments = read(arguments) if arguments.strip() else {}
    if not isinstance(arguments, dict):
        raise Unreadable('"arguments" is no JSON object')
    return Call("", name, json.dumps(arguments, ensure_ascii=False))


def read(text: str) -> Any:
    """JSON as it is, else repaired. Raises Unreadable where that would be a guess."""
    text = text.strip()
    try:
        return sound_value(json.loads(text))
    except ValueError as error:
        if QUOTE.sub("", text).count('"') % 2:  # what is missing of a value can't be guessed
            raise Unreadable("it ends inside a text") from error
        found = json_repair.loads(text, skip_json_loads=True)
        if not isinstance(found, dict | list) or not found:
            raise Unreadable(f"it is no JSON ({error})") from error
        return sound_value(found)


def _problems(error: ValidationError) -> str:
    lines = [f"{'.'.join(map(str, one['loc'])) or 'it'}: {one['msg']}" for one in error.errors()]
    return "; ".join(lines[:5])


def compact(value: Any) -> str:
    """A value as JSON on one line."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
