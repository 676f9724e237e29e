"""One vLLM server: what it serves, its answers, its token counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import httpx
from llmflow_kit import faults, sse
from llmflow_kit.faults import Fault, Garbled, NotServed, Rejected
from llmflow_kit.http import Http, Timeouts

from llmflow_vllm import schema, stream
from llmflow_vllm.settings import Settings
from llmflow_vllm.stream import Piece

REMEMBERED = 300.0  # seconds for which a model's size is not asked again
TOKENIZE_TIMEOUT = 10.0  # seconds: an estimate now is worth more than the exact count in minutes
TOKENIZED = {"model", "messages", "tools"}  # the part of a chat request that makes the prompt
AUTO_TOOLS_OFF = "enable-auto-tool-choice"  # the option that vLLM's refusal of tools names


@dataclass(frozen=True)
class Served:
    """A model that a server serves; `size` is its context in tokens, 0 where the server does not say."""

    name: str
    size: int


class Vllm:
    """Asks one server; safe to share between requests."""

    def __init__(
        self,
        settings: Settings,
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._clock = settings, clock

        def http(seconds: float) -> Http:
            timeouts = Timeouts(read=seconds)
            return Http(
                settings.server, key=settings.key, ca=settings.ca, timeouts=timeouts, transport=transport
            )

        self._http = http(settings.timeout)
        self._quick = http(min(TOKENIZE_TIMEOUT, settings.timeout))
        self._sizes: dict[str, tuple[float, int]] = {}
        self._counts_tokens = True

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
        self._quick.close()

    def served(self) -> tuple[Served, ...]:
        """The models that the server lists; raises a Fault."""
        body = self._quick.get("/v1/models")
        rows = body.get("data") if isinstance(body, dict) else None
        if not isinstance(rows, list):
            raise Garbled("The server's list of models makes no sense.", field=faults.ENDPOINT)
        models = [row for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str)]
        return tuple(Served(row["id"], int(row.get("max_model_len") or 0)) for row in models)

    def check(self, model: str) -> None:
        """Raise the Fault that keeps `model` from answering, after one short answer at most."""
        names = tuple(served.name for served in self.served())
        if model not in names:
            raise NotServed(model, names)
        request = {"model": model, "messages": [{"role": "user", "content": "ping"}], "max_tokens": 1}
        self.answer(request)

    def answer(self, request: dict[str, Any]) -> Piece:
        """The whole answer to a chat request; raises a Fault."""
        with _tools_explained():
            return stream.answer(self._http.post("/v1/chat/completions", request))

    def pieces(self, request: dict[str, Any]) -> Iterator[Piece]:
        """The answer to a chat request as it comes: refusals are raised here, breaks while iterating."""
        streamed = {**request, "stream": True, "stream_options": {"include_usage": True}}
        with _tools_explained():
            chunks = self._http.stream("/v1/chat/completions", streamed)
        return stream.pieces(sse.events(chunks))

    def size(self, model: str) -> int:
        """The context of `model` in tokens: as set, else as the server says, else a careful guess."""
        if self._settings.context_size:
            return self._settings.context_size
        asked, size = self._sizes.get(model, (-REMEMBERED, 0))
        if self._clock() - asked < REMEMBERED:
            return size
        try:
            sizes = {served.name: served.size for served in self.served()}
        except Fault:
            return size or schema.UNKNOWN_SIZE  # Dify must be able to show the model while its server is down
        size = sizes.get(model) or schema.UNKNOWN_SIZE
        self._sizes[model] = (self._clock(), size)
        return size

    def count_tokens(self, request: dict[str, Any]) -> int:
        """The tokens of a chat request's prompt, counted by the server, estimated where it does not."""
        if not self._counts_tokens:
            return estimate(request)
        wanted = {name: value for name, value in request.items() if name in TOKENIZED}
        try:
            body = self._quick.post("/tokenize", wanted)
        except Fault as fault:
            self._counts_tokens = fault.field != faults.ENDPOINT or not isinstance(fault, Rejected)
            return estimate(request)  # a gateway may let only /v1 through: then it is not asked again
        count = body.get("count") if isinstance(body, dict) else None
        return count if isinstance(count, int) else estimate(request)


def estimate(request: dict[str, Any]) -> int:
    """Tokens of a prompt, rather too many than too few: four ASCII letters, or one other, are a token."""
    said = str(request["messages"]) + str(request.get("tools") or "")
    plain = sum(map(str.isascii, said))
    return -(-plain // 4) + (len(said) - plain)


@contextmanager
def _tools_explained() -> Iterator[None]:
    """Name the form field when the server refuses tools that it was not started for."""
    try:
        yield
    except Rejected as fault:
        if AUTO_TOOLS_OFF not in fault.text:
            raise
        raise Rejected("The server is not started for tool calling.", field="tool_calling") from fault


@lru_cache(maxsize=64)
def vllm(settings: Settings) -> Vllm:
    """The server of these settings, with the connections that earlier requests left open."""
    return Vllm(settings)
