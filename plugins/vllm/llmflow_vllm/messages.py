"""Dify's prompt messages, tools and parameters as an OpenAI chat request.

Dify's objects are read by attribute, so that this module needs no SDK.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from llmflow_kit.faults import Rejected

THOUGHTS = re.compile(
    r"\A<think>\n.*?\n</think>(\n\n)?", re.DOTALL
)  # what stream.py wrapped; no model wants it back

PLAIN = (  # parameters that vLLM takes as Dify names them
    "temperature", "top_p", "top_k", "min_p", "max_tokens", "presence_penalty", "frequency_penalty",
    "repetition_penalty", "seed",
)  # fmt: skip


def chat_request(
    model: str,
    messages: Iterable[Any],
    parameters: Mapping[str, Any],
    tools: Iterable[Any] | None = None,
    stop: Sequence[str] | None = None,
    user: str | None = None,
) -> dict[str, Any]:
    """The body of a chat completion; raises Rejected for what cannot be said to a text model."""
    request: dict[str, Any] = {"model": model, "messages": [message(m) for m in messages]}
    request |= {name: parameters[name] for name in PLAIN if parameters.get(name) is not None}
    if format_ := response_format(parameters):
        request["response_format"] = format_
    if functions := [function(tool) for tool in tools or ()]:
        request["tools"] = functions
    if stop:
        request["stop"] = list(stop)
    if user:
        request["user"] = user
    return request


def message(prompt: Any) -> dict[str, Any]:
    """One PromptMessage as OpenAI's JSON."""
    match prompt.role.value:
        case "assistant":
            said: dict[str, Any] = {"role": "assistant", "content": THOUGHTS.sub("", text(prompt.content))}
            if prompt.tool_calls:
                said["tool_calls"] = [_call(call) for call in prompt.tool_calls]
            return said
        case "tool":
            return {"role": "tool", "content": text(prompt.content), "tool_call_id": prompt.tool_call_id}
        case "developer":  # OpenAI's newer word for system, which chat templates do not know
            return {"role": "system", "content": text(prompt.content)}
        case role:
            return {"role": role, "content": text(prompt.content)}


def text(content: Any) -> str:
    """A message's text, its parts joined by line ends; raises Rejected for images, sounds and films."""
    if content is None or isinstance(content, str):
        return content or ""
    for part in content:
        if part.type.value != "text":
            raise Rejected(
                f"This model is configured for text; the message holds a part of type {part.type.value}."
            )
    return "\n".join(part.data for part in content)


def function(tool: Any) -> dict[str, Any]:
    """One PromptMessageTool as OpenAI's JSON."""
    about = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": about}


def response_format(parameters: Mapping[str, Any]) -> dict[str, Any] | None:
    """OpenAI's response_format for Dify's `response_format` and `json_schema`; None for plain text."""
    kind = parameters.get("response_format")
    if kind == "json_object":
        return {"type": "json_object"}
    if kind != "json_schema":
        return None
    try:
        schema = json.loads(parameters.get("json_schema") or "")
    except ValueError as exc:
        raise Rejected("The parameter json_schema is not JSON.") from exc
    if not isinstance(schema, dict):
        raise Rejected("The parameter json_schema must be a JSON object.")
    named = schema if "schema" in schema else {"name": "answer", "schema": schema}
    return {"type": "json_schema", "json_schema": {"name": "answer", **named}}


def _call(call: Any) -> dict[str, Any]:
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.function.name, "arguments": call.function.arguments},
    }
