"""vLLM's answers as pieces for Dify: text as it comes, then tool calls, the reason to finish and the usage.

Thoughts come under `reasoning` or, from older servers, `reasoning_content`; some send both. They are wrapped
as <think>…</think> before the answer, which is how Dify's chat folds them away.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from llmflow_kit import faults, sse
from llmflow_kit.faults import CutOff, Fault, Garbled


@dataclass(frozen=True)
class Usage:
    """Tokens as the server counted them."""

    prompt: int
    completion: int


@dataclass(frozen=True)
class ToolCall:
    """One finished call; `arguments` is JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class Piece:
    """A piece of an answer; only the last one has `finish`, and all tool calls with it."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish: str | None = None
    usage: Usage | None = None  # None where the server did not say


def pieces(events: Iterable[str]) -> Iterator[Piece]:
    """Yield a stream's pieces; raises CutOff where it ends too early, Garbled where it makes no sense."""
    events, growing = iter(events), Growing()
    try:
        for data in events:
            if data == sse.DONE:
                break
            if text := growing.add(_object(data)):
                yield Piece(text)
    except CutOff:
        if growing.finish is None:
            raise
    if growing.finish is None:
        raise CutOff("The answer broke off before its end.")
    yield growing.last()
    with suppress(Fault):  # the answer is whole; what follows only frees the connection for the next request
        for _ in events:
            pass


def answer(body: Any) -> Piece:
    """A whole answer, not streamed, as one piece; raises Garbled."""
    choices = body.get("choices") if isinstance(body, dict) else None
    if not choices or not isinstance(choices[0], dict):
        raise Garbled("The server's answer holds no choice.")
    growing = Growing()
    text = growing.add({**body, "choices": [{**choices[0], "delta": choices[0].get("message")}]})
    last = growing.last()
    return replace(last, text=text + last.text, finish=last.finish or "stop")


class Growing:
    """An answer as far as it has come."""

    def __init__(self) -> None:
        self.finish: str | None = None
        self._usage: Usage | None = None
        self._thoughts, self._calls = Thoughts(), Calls()

    def add(self, chunk: dict[str, Any]) -> str:
        """Take one chunk in and return the text that it adds."""
        self._usage = _usage(chunk) or self._usage
        text = ""
        for choice in chunk.get("choices") or ():
            delta = choice.get("delta") or {}
            text += self._thoughts.wrap(delta)
            self._calls.add(delta.get("tool_calls") or ())
            self.finish = choice.get("finish_reason") or self.finish
        return text

    def last(self) -> Piece:
        """The piece that ends the answer."""
        return Piece(self._thoughts.end(), self._calls.finished(), self.finish, self._usage)


class Thoughts:
    """Wraps the thoughts before an answer."""

    def __init__(self) -> None:
        self._open = False

    def wrap(self, delta: dict[str, Any]) -> str:
        """The text of one delta: thoughts are opened by the first, closed by an answer or a call."""
        thought = delta.get("reasoning") or delta.get("reasoning_content") or ""
        said = delta.get("content") or ""
        before = ""
        if thought and not self._open:
            self._open, before = True, "<think>\n"
        if said or delta.get("tool_calls"):
            return before + thought + self.end() + said
        return before + thought

    def end(self) -> str:
        """What closes the thoughts, "" where none are open."""
        if not self._open:
            return ""
        self._open = False
        return "\n</think>\n\n"


class Calls:
    """Puts tool calls together from their pieces, which carry the index of their call."""

    def __init__(self) -> None:
        self._calls: dict[int, dict[str, str]] = {}

    def add(self, deltas: Iterable[dict[str, Any]]) -> None:
        """Add the pieces of one delta; without an index, each is a call of its own."""
        for delta in deltas:
            index = delta.get("index")
            call = self._calls.setdefault(
                len(self._calls) if index is None else index, {"id": "", "name": "", "arguments": ""}
            )
            function = delta.get("function") or {}
            call["id"] = delta.get("id") or call["id"]
            call["name"] += function.get("name") or ""
            call["arguments"] += function.get("arguments") or ""

    def finished(self) -> tuple[ToolCall, ...]:
        """The calls in the model's order."""
        return tuple(ToolCall(**call) for _, call in sorted(self._calls.items()))


def _object(data: str) -> dict[str, Any]:
    """An event's JSON object; an error sent in mid-stream is raised as the fault that it means."""
    try:
        chunk = json.loads(data)
    except ValueError as exc:
        raise Garbled("The server sent an event that is not JSON.") from exc
    if not isinstance(chunk, dict):
        raise Garbled("The server sent an event that is not a JSON object.")
    if error := chunk.get("error"):
        code = error.get("code") if isinstance(error, dict) else None
        if isinstance(code, int) and 400 <= code < 500:
            raise faults.refusal(code, {}, b"", None)
        raise CutOff("The server failed in the middle of its answer. Its log says why.")
    return chunk


def _usage(body: dict[str, Any]) -> Usage | None:
    usage = body.get("usage")
    if not isinstance(usage, dict):
        return None
    return Usage(int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0))
