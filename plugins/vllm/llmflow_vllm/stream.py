"""vLLM's streamed answers as pieces for Dify: text as it comes, then tool calls, the reason to finish, the usage.

What comes together leaves together: the events of one read become one piece. Thoughts come under `reasoning` or,
from older servers, `reasoning_content`; some send both. They are wrapped as <think>…</think> before the answer,
which is how Dify keeps them apart from it. Tool calls leave whole, since Dify's agents parse each one they get.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from llmflow_kit import faults, sse
from llmflow_kit.faults import CutOff, Fault, Garbled

DECODER = json.JSONDecoder()  # its raw_decode does without two searches for blanks in each event
MOST_LOGPROBS = 20_000  # tokens whose probabilities are kept
MOST_CALLS, LONGEST_CALL = 128, 1 << 20  # tool calls of an answer; characters of one call's arguments


@dataclass(frozen=True)
class Usage:
    """Tokens as the server counted them, and times in seconds where it measures them."""

    prompt: int
    completion: int
    cached: int = 0  # of the prompt
    thoughts: int = 0  # of the completion


@dataclass(frozen=True)
class ToolCall:
    """One finished call; `arguments` is JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class Piece:
    """A piece of an answer; only the last one has `finish`, and with it all that is known at the end."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish: str | None = None
    usage: Usage | None = None  # None where the server did not say
    fingerprint: str | None = None  # of the server's build and settings
    queued: float | None = (
        None  # seconds before the server began, where it says (--enable-per-request-metrics)
    )
    logprobs: tuple[dict[str, Any], ...] = ()


def pieces(batches: Iterable[list[str]], rest: Callable[[], None] = lambda: None) -> Iterator[Piece]:
    """Yield a stream's pieces; raises CutOff where it ends too early, Garbled where it makes no sense.

    `rest` is called after each piece but the last, to let more come together.
    """
    batches, growing = iter(batches), Growing()
    try:
        for batch in batches:
            text = growing.add_all(batch)
            if text:
                yield Piece(text)
            if growing.fault:
                raise growing.fault
            if growing.done:
                break
            if text:
                rest()
    except CutOff:
        if growing.finish is None:
            raise
    if growing.finish is None:
        raise CutOff("The answer broke off before its end.")
    yield growing.last()
    with suppress(Fault):  # the answer is whole; what follows only frees the connection for the next request
        for _ in batches:
            pass


def whole(pieces: Iterable[Piece]) -> Piece:
    """A stream's pieces as one."""
    said, last = [], Piece()
    for last in pieces:
        said.append(last.text)
    return Piece(**{**vars(last), "text": "".join(said)})


class Growing:
    """An answer as it grows, event by event."""

    def __init__(self) -> None:
        self.finish: str | None = None
        self.done = False
        self.fault: Fault | None = None
        self._usage: Usage | None = None
        self._fingerprint: str | None = None
        self._queued: float | None = None
        self._logprobs: list[dict[str, Any]] = []
        self._thoughts, self._calls = Thoughts(), Calls()

    def add_all(self, events: Iterable[str]) -> str:
        """Take events in and return the text that they add; a fault among them ends it and is kept."""
        text = []
        try:
            for data in events:
                if data == sse.DONE:
                    self.done = True
                    break
                text.append(self.add(_object(data)))
        except Fault as fault:
            self.fault = fault
        except (
            AttributeError,
            TypeError,
            ValueError,
            OverflowError,
        ):  # an answer of another shape than vLLM's
            self.fault = Garbled("The server sent an event that makes no sense.")
        return "".join(text)

    def add(self, chunk: dict[str, Any]) -> str:
        """Take one chunk in and return the text that it adds."""
        text = ""
        for choice in chunk.get("choices") or ():
            if choice.get("index"):
                continue  # Dify shows one answer
            delta = choice.get("delta")
            if delta is None:
                text += _string(choice.get("text"))  # a plain completion
            else:
                text += self._thoughts.wrap(delta)
                if calls := delta.get("tool_calls"):
                    self._calls.add(calls)
            if probable := choice.get("logprobs"):
                self._note_logprobs(probable)
            self.finish = choice.get("finish_reason") or self.finish
        if chunk.get("usage"):
            self._usage = _usage(chunk["usage"])
        if metrics := chunk.get("metrics"):
            queued = metrics.get("queue_time_ms")
            self._queued = None if queued is None else float(queued) / 1000
        self._fingerprint = chunk.get("system_fingerprint") or self._fingerprint
        return text

    def last(self) -> Piece:
        """The piece that ends the answer."""
        return Piece(
            text=self._thoughts.end(),
            tool_calls=self._calls.finished(),
            finish=str(self.finish),
            usage=self._usage,
            fingerprint=None if self._fingerprint is None else str(self._fingerprint),
            queued=self._queued,
            logprobs=tuple(self._logprobs),
        )

    def _note_logprobs(self, probable: dict[str, Any]) -> None:
        found = probable.get("content") or ()
        self._logprobs += list(found)[: MOST_LOGPROBS - len(self._logprobs)]


class Thoughts:
    """Wraps the thoughts before an answer."""

    def __init__(self) -> None:
        self._open = False

    def wrap(self, delta: dict[str, Any]) -> str:
        """The text of one delta: thoughts are opened by the first, closed by an answer or a call."""
        said = _string(delta.get("content"))
        thought = _string(delta.get("reasoning") or delta.get("reasoning_content"))
        if not thought and not self._open:
            return said
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


@dataclass
class _Call:
    """A call as far as it has come."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


class Calls:
    """Puts tool calls together from their pieces, which carry the index of their call."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []

    def add(self, deltas: Iterable[dict[str, Any]]) -> None:
        """Add the pieces of one delta; one without index, or with a new id under an old index, is a new call."""
        for delta in deltas:
            id_, function = _string(delta.get("id")), delta.get("function") or {}
            call = self._of(delta.get("index"), id_)
            call.id = id_ or call.id
            call.name += _string(function.get("name"))
            call.arguments += _string(function.get("arguments"))
            if len(call.arguments) > LONGEST_CALL:
                raise Garbled(f"The arguments of a tool call are longer than {LONGEST_CALL} characters.")

    def finished(self) -> tuple[ToolCall, ...]:
        """The calls in the model's order; one that came without an id gets one, or its result could not be told."""
        return tuple(
            ToolCall(call.id or f"call-{number}", call.name, call.arguments)
            for number, call in enumerate(sorted(self._calls, key=lambda call: call.index))
        )

    def _of(self, index: int | None, id_: str) -> _Call:
        """The call that a piece belongs to, made where it is a new one."""
        for call in reversed(self._calls):
            if call.index == index and (not id_ or call.id in ("", id_)):
                return call
        if len(self._calls) >= MOST_CALLS:
            raise Garbled(f"The answer makes more than {MOST_CALLS} tool calls.")
        self._calls.append(_Call(len(self._calls) if index is None else int(index)))
        return self._calls[-1]


def _object(data: str) -> dict[str, Any]:
    """An event's JSON object; an error sent in mid-stream is raised as the fault that it means."""
    try:
        chunk, end = DECODER.raw_decode(data)
    except (ValueError, RecursionError) as exc:
        raise Garbled("The server sent an event that is not JSON.") from exc
    if data[end:].strip():
        raise Garbled("The server sent an event that is more than JSON.")
    if not isinstance(chunk, dict):
        raise Garbled("The server sent an event that is not a JSON object.")
    if error := chunk.get("error"):
        code = error.get("code") if isinstance(error, dict) else None
        if isinstance(code, int) and 400 <= code < 500:
            raise faults.refusal(code, {}, b"", None)
        raise CutOff("The server failed in the middle of its answer. Its log says why.")
    return chunk


def _string(value: object) -> str:
    """A text, "" for null; raises TypeError for anything else."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _usage(usage: dict[str, Any]) -> Usage:
    prompt, completion = (
        usage.get("prompt_tokens_details") or {},
        usage.get("completion_tokens_details") or {},
    )
    return Usage(
        prompt=_count(usage.get("prompt_tokens")),
        completion=_count(usage.get("completion_tokens")),
        cached=_count(prompt.get("cached_tokens")),
        thoughts=_count(completion.get("reasoning_tokens")),
    )


def _count(value: object) -> int:
    """A number of tokens, 0 for null; raises ValueError or TypeError for what is none."""
    if value is None:
        return 0
    if not isinstance(value, int) or value < 0:
        raise ValueError("not a number of tokens")
    return value
