"""Dify's prompt messages and tools as an OpenAI chat request.

Dify's objects are read by attribute, so that this module needs no SDK.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from llmflow_kit.faults import Rejected

from llmflow_vllm import parameters

THOUGHTS = re.compile(
    r"\A<think>\n.*?\n</think>(\n\n)?", re.DOTALL
)  # what stream.py wrapped; no model wants it back
SPOKEN = {"auto", "none", "required"}  # values of tool_choice that are no tool's name


def chat_request(
    model: str,
    messages: Iterable[Any],
    values: Mapping[str, Any],
    tools: Iterable[Any] | None = None,
    stop: Sequence[str] | None = None,
    template: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The body of a chat completion; raises Rejected for what cannot be said to a model."""
    request = {"model": values.get("lora") or model, "messages": [message(m) for m in messages]}
    request |= parameters.fields(values, template or {})
    if stop:
        request["stop"] = list(stop)
    return request | _tools(list(tools or ()), values)


def completion_request(
    model: str, messages: Iterable[Any], values: Mapping[str, Any], stop: Sequence[str] | None = None
) -> dict[str, Any]:
    """The body of a plain completion, for models without a chat template: the messages' texts, one after another."""
    request = {"model": values.get("lora") or model, "prompt": "\n".join(_plain(m.content) for m in messages)}
    request |= parameters.fields({k: v for k, v in values.items() if k != "enable_thinking"}, {})
    if request.pop("logprobs", None):
        request["logprobs"] = request.pop("top_logprobs", 0)  # a number there, a switch in a chat
    if stop:
        request["stop"] = list(stop)
    return request


def message(prompt: Any) -> dict[str, Any]:
    """One PromptMessage as OpenAI's JSON."""
    match prompt.role.value:
        case "assistant":
            said: dict[str, Any] = {"role": "assistant", "content": THOUGHTS.sub("", _plain(prompt.content))}
            if prompt.tool_calls:
                said["tool_calls"] = [_call(call) for call in prompt.tool_calls]
            return said
        case "tool":
            return {"role": "tool", "content": _plain(prompt.content), "tool_call_id": prompt.tool_call_id}
        case "developer":  # OpenAI's newer word for system, which chat templates do not know
            return {"role": "system", "content": _plain(prompt.content)}
        case "user":
            return {"role": "user", "content": content(prompt.content)}
        case role:
            return {"role": role, "content": _plain(prompt.content)}


def content(parts: Any) -> str | list[dict[str, Any]]:
    """A user's message: plain where it is all text, else OpenAI's list of parts."""
    if parts is None or isinstance(parts, str) or all(part.type.value == "text" for part in parts):
        return _plain(parts)
    return [_part(part) for part in parts]


def _part(part: Any) -> dict[str, Any]:
    """One part of a message; pictures, sounds and films travel inside the request, or as the address that Dify gave."""
    match part.type.value:
        case "text":
            return {"type": "text", "text": part.data}
        case "image":
            picture = {"url": _address(part)}
            detail = getattr(part, "detail", None)
            return {"type": "image_url", "image_url": picture | ({"detail": detail.value} if detail else {})}
        case "audio" if part.base64_data:
            return {"type": "input_audio", "input_audio": {"data": part.base64_data, "format": part.format}}
        case "audio":
            return {"type": "audio_url", "audio_url": {"url": _address(part)}}
        case "video":
            return {"type": "video_url", "video_url": {"url": _address(part)}}
        case kind:
            raise Rejected(f"vLLM takes no message part of type {kind}; turn it into text first.")


def _address(part: Any) -> str:
    return f"data:{part.mime_type};base64,{part.base64_data}" if part.base64_data else str(part.url)


def _plain(content: Any) -> str:
    """A message's text, its parts joined by line ends; raises Rejected for images, sounds and films."""
    if content is None or isinstance(content, str):
        return content or ""
    for part in content:
        if part.type.value != "text":
            raise Rejected(f"Only a user's message may hold a part of type {part.type.value}.")
    return "\n".join(part.data for part in content)


def _tools(tools: list[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The tools that may be called, and how freely; a choice without tools is left out, as vLLM would refuse it."""
    if not tools:
        return {}
    strict = {"strict": True} if values.get("strict_tools") else {}
    functions = [
        {"name": t.name, "description": t.description, "parameters": t.parameters, **strict} for t in tools
    ]
    found: dict[str, Any] = {"tools": [{"type": "function", "function": f} for f in functions]}
    if choice := values.get("tool_choice"):
        if choice not in SPOKEN | {tool.name for tool in tools}:
            names = ", ".join(tool.name for tool in tools)
            raise Rejected(f"The parameter tool_choice is none of auto, none, required, {names}.")
        named = {"type": "function", "function": {"name": choice}}
        found["tool_choice"] = choice if choice in SPOKEN else named
    return found


def _call(call: Any) -> dict[str, Any]:
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.function.name, "arguments": call.function.arguments},
    }
