"""Dify's words for what its models answer: chunks, calls of tools, usages that cost nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

FREE: dict[str, Any] = {"total_price": "0", "currency": "USD", "latency": 0.0}


def language(read: int = 0, written: int = 0) -> dict[str, Any]:
    """The usage of a language model."""
    nothing = {
        f"{side}_{what}": "0"
        for side in ("prompt", "completion")
        for what in ("unit_price", "price_unit", "price")
    }
    tokens = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
    return {**nothing, **tokens, **FREE}


def embedding(tokens: int = 0) -> dict[str, Any]:
    """The usage of an embedding model."""
    return {"tokens": tokens, "total_tokens": tokens, "unit_price": "0", "price_unit": "0", **FREE}


def call(id_: str, name: str, arguments: str) -> dict[str, Any]:
    """A tool that a language model calls."""
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


def chunk(
    model: str,
    index: int,
    text: str,
    calls: Sequence[dict[str, Any]] = (),
    finish: str | None = None,
    usage: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A piece of a language model's answer."""
    message = {"role": "assistant", "content": text, "tool_calls": list(calls)}
    delta = {"index": index, "message": message, "usage": usage, "finish_reason": finish}
    return {"model": model, "prompt_messages": [], "system_fingerprint": None, "delta": delta}
