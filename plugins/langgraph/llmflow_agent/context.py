"""Fit a conversation into the model's context: old results are shortened first, then whole rounds left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from llmflow_agent.model import Message, ToolSpec

LATIN, OTHER = 4.0, 1.3  # characters a token, on the safe side for Hangul
FRAME = 6  # tokens around each message
ANSWER_SHARE = 0.25  # of the context, kept for the answer
OLD_RESULT = 300  # characters that stay of a shortened result


def tokens(text: str) -> int:
    """About how many tokens a text has: no tokenizer is at hand here, so rather too many."""
    latin = sum(map(str.isascii, text))
    return int(latin / LATIN + (len(text) - latin) / OTHER) + 1


def size(messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> int:
    """About how many tokens a call sends."""
    said = sum(
        tokens(one.content) + FRAME + sum(tokens(call.arguments) for call in one.calls) for one in messages
    )
    return said + sum(tokens(f"{tool.name}{tool.description}{tool.parameters}") for tool in tools)


def fitted(messages: Sequence[Message], tools: Sequence[ToolSpec], context: int) -> tuple[Message, ...]:
    """The messages within a context of so many tokens; 0 means that there is no known limit.

    What `stays` is never touched, nor the last message; results are shortened first, the oldest first.
    """
    kept = list(messages)
    if not context:
        return tuple(kept)
    most = int(context * (1 - ANSWER_SHARE))
    for number, one in enumerate(messages):
        if size(kept, tools) <= most:
            return tuple(kept)
        if one.role == "tool" and len(one.content) > OLD_RESULT:
            kept[number] = replace(one, content=f"{one.content[:OLD_RESULT]} […]")
    while size(kept, tools) > most and (oldest := _oldest(kept)) is not None:
        del kept[oldest]
        while oldest < len(kept) and kept[oldest].role == "tool":  # what answers a call that is gone
            del kept[oldest]
    return tuple(kept)


def _oldest(kept: Sequence[Message]) -> int | None:
    """The first message that may go."""
    return next((number for number, one in enumerate(kept[:-1]) if not one.stays), None)
