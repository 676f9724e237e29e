"""The vLLM servers of one credential: their answers, their token counts, what they can do."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import lru_cache
from typing import Any

import httpx
from llmflow_kit import faults, sse, tokens
from llmflow_kit.endpoints import Answer, Endpoints
from llmflow_kit.faults import Fault, NotServed, Rejected
from llmflow_kit.http import NO_HEADERS, encoded
from llmflow_kit.pace import PACE

from llmflow_vllm import stream
from llmflow_vllm.discovery import QUICK, Discovery
from llmflow_vllm.settings import Settings
from llmflow_vllm.stream import Piece

TOKENIZED = {"model", "messages", "tools", "prompt", "chat_template_kwargs"}  # what makes the prompt
AUTO_TOOLS_OFF = "enable-auto-tool-choice"  # the option that vLLM's refusal of tools names
COUNTED = 512  # prompts whose token counts are remembered


class Vllm:
    """Asks the servers; safe to share between requests."""

    def __init__(
        self,
        settings: Settings,
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._servers = Endpoints(settings.connection, transport, clock, sleep)
        self.discovery = Discovery(settings, self._servers, clock)
        self._counts: OrderedDict[bytes, int] = OrderedDict()
        self._counts_tokens = True

    def close(self) -> None:
        """Close the connections."""
        self._servers.close()

    def check(self, model: str) -> None:
        """Raise the Fault that keeps `model` from answering, after one short answer at most."""
        names = tuple(served.name for served in self.discovery.served())
        if model not in names:
            raise NotServed(model, names)
        said = {"messages": [{"role": "user", "content": "1"}]} if self._settings.chat else {"prompt": "1"}
        stream.whole(self.pieces({"model": model, **said, "max_tokens": 1}))
        self.discovery.require(model)

    def pieces(self, request: Mapping[str, Any], headers: Mapping[str, str] = NO_HEADERS) -> Iterator[Piece]:
        """The answer to a request as it comes: refusals are raised here, breaks while iterating.

        Closing the iterator closes the connection, at which vLLM drops the request.
        """
        path = "/v1/chat/completions" if self._settings.chat else "/v1/completions"
        streamed = {**request, "stream": True, "stream_options": {"include_usage": True}}
        with _tools_explained():
            answer = self._servers.stream(path, streamed, headers)
        return _paced(answer)

    def count_tokens(self, request: Mapping[str, Any]) -> int:
        """The tokens of a request's prompt, counted by the server, estimated where it does not."""
        wanted = {name: value for name, value in request.items() if name in TOKENIZED}
        key = hashlib.sha256(encoded(wanted)).digest()
        if key in self._counts:
            return self._counts[key]
        if not self._counts_tokens:
            return estimate(wanted)
        try:
            body = self._servers.post("/tokenize", wanted, patience=QUICK)
        except Fault as fault:
            self._counts_tokens = fault.field != faults.ENDPOINT or not isinstance(fault, Rejected)
            return estimate(wanted)  # a gateway may let only /v1 through: then it is not asked again
        count = body.get("count") if isinstance(body, dict) else None
        if not isinstance(count, int):
            return estimate(wanted)
        self._counts[key] = count
        if len(self._counts) > COUNTED:
            self._counts.popitem(last=False)
        return count


def estimate(request: Mapping[str, Any]) -> int:
    """Tokens of a request's prompt, rather too many than too few."""
    return tokens.estimate("".join(str(request.get(name) or "") for name in ("messages", "prompt", "tools")))


def _paced(answer: Answer) -> Iterator[Piece]:
    with closing(answer), PACE.stream():
        yield from stream.pieces(sse.batches(answer), PACE.rest)


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
    """The servers of these settings, with the connections that earlier requests left open."""
    return Vllm(settings)
