"""OpenAI-compatible servers in the place of Dify's models: vLLM, TEI, Infinity and their like, asked over HTTP."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from llmflow_runner import usages

PARTS = {"text": "text", "image": "image_url"}  # of a message: Dify's kinds → OpenAI's
CONNECT = 10.0  # seconds


@dataclass(frozen=True)
class Server:
    """Where a server is, and how it is reached; secrets come out of files."""

    url: str
    key: str = ""
    ca: Path | None = None
    timeout: float = 300.0

    def address(self, path: str) -> str:
        """The address of a path below /v1, whether or not the server was named with it."""
        return f"{self.url.rstrip('/').removesuffix('/v1')}/v1/{path}"

    @contextmanager
    def client(self) -> Iterator[httpx.Client]:
        """A client that knows no proxy and no certificate but the one named; raises LookupError for its failures."""
        verify: ssl.SSLContext | bool = True
        if self.ca:
            verify = ssl.create_default_context(cafile=str(self.ca))
        headers = {"authorization": f"Bearer {self.key}"} if self.key else {}
        timeout = httpx.Timeout(self.timeout, connect=CONNECT)
        try:
            with httpx.Client(headers=headers, verify=verify, trust_env=False, timeout=timeout) as client:
                yield client
        except httpx.HTTPError as exc:
            raise LookupError(f"{self.url} did not answer: {exc or type(exc).__name__}") from exc
        except (ValueError, KeyError, TypeError, IndexError) as exc:
            raise LookupError(f"{self.url} answered what no OpenAI-compatible server does: {exc!r}") from exc

    def post(
        self, path: str, body: Mapping[str, Any], read: Callable[[Any], dict[str, Any]]
    ) -> dict[str, Any]:
        """What `read` makes of the JSON that a path answers."""
        with self.client() as client:
            return read(_accepted(client.post(self.address(path), json=body)).json())


@dataclass(frozen=True)
class Chat:
    """Answers `llm`, streamed."""

    server: Server

    def __call__(self, asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The chunks of the answer, calls of tools whole in the last one."""
        request = asked["request"]
        model, calls, finish, usage = (
            str(request["model"]),
            dict[int, dict[str, Any]](),
            "stop",
            usages.language(),
        )
        for index, event in enumerate(self._events(_chat(request))):
            if counted := event.get("usage"):
                usage = usages.language(counted["prompt_tokens"], counted.get("completion_tokens", 0))
            for choice in event.get("choices", ()):
                delta = choice.get("delta", {})
                finish = choice.get("finish_reason") or finish
                for part in delta.get("tool_calls") or ():
                    _add(calls.setdefault(part.get("index", 0), usages.call("", "", "")), part)
                if text := delta.get("content"):
                    yield usages.chunk(model, index, text)
        yield usages.chunk(model, 0, "", [calls[index] for index in sorted(calls)], finish, usage)

    def _events(self, body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        with (
            self.server.client() as client,
            client.stream("POST", self.server.address("chat/completions"), json=body) as response,
        ):
            if response.is_error:
                response.read()
            for line in _accepted(response).iter_lines():
                data = line.removeprefix("data:").strip()
                if line.startswith("data:") and data != "[DONE]":
                    yield json.loads(data)


@dataclass(frozen=True)
class Embeddings:
    """Answers `text_embedding`."""

    server: Server

    def __call__(self, asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """One vector for each text, in order."""
        request = asked["request"]

        def read(answer: Any) -> dict[str, Any]:
            rows = sorted(answer["data"], key=lambda row: row["index"])
            usage = usages.embedding(answer.get("usage", {}).get("total_tokens", 0))
            return {
                "model": request["model"],
                "embeddings": [row["embedding"] for row in rows],
                "usage": usage,
            }

        yield self.server.post("embeddings", {"model": request["model"], "input": request["texts"]}, read)


@dataclass(frozen=True)
class Ranking:
    """Answers `rerank`."""

    server: Server

    def __call__(self, asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The documents above the threshold, the best first."""
        request, least = asked["request"], asked["request"].get("score_threshold") or 0.0

        def read(answer: Any) -> dict[str, Any]:
            docs = [
                {
                    "index": row["index"],
                    "text": request["docs"][row["index"]],
                    "score": row["relevance_score"],
                }
                for row in answer["results"]
                if row["relevance_score"] >= least
            ]
            best = sorted(docs, key=lambda doc: -doc["score"])[: request.get("top_n") or len(docs)]
            return {"model": request["model"], "docs": best}

        body = {"model": request["model"], "query": request["query"], "documents": request["docs"]}
        yield self.server.post("rerank", body, read)


def _chat(request: Mapping[str, Any]) -> dict[str, Any]:
    """Dify's question to a language model in OpenAI's words."""
    body: dict[str, Any] = {
        **request.get("completion_params", {}),
        "model": request["model"],
        "messages": [_message(one) for one in request["prompt_messages"]],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if request.get("stop"):
        body["stop"] = request["stop"]
    if tools := request.get("tools"):
        body["tools"] = [{"type": "function", "function": tool} for tool in tools]
    return body


def _message(said: Mapping[str, Any]) -> dict[str, Any]:
    content = said.get("content")
    message: dict[str, Any] = {
        "role": said["role"],
        "content": [_part(part) for part in content] if isinstance(content, list) else content or "",
    }
    kept = {key: said[key] for key in ("tool_calls", "tool_call_id") if said.get(key)}
    return message | kept


def _part(part: Mapping[str, Any]) -> dict[str, Any]:
    kind = PARTS.get(str(part["type"]))
    if kind is None:
        raise ValueError(f"a part of the kind {part['type']}")
    if kind == "text":
        return {"type": kind, "text": part["data"]}
    address = part.get("url") or f"data:{part['mime_type']};base64,{part['base64_data']}"
    return {"type": kind, "image_url": {"url": address}}


def _add(call: dict[str, Any], part: Mapping[str, Any]) -> None:
    """Add a piece of a call to what has come of it."""
    call["id"] = call["id"] or part.get("id") or ""
    for key, text in (part.get("function") or {}).items():
        call["function"][key] = (call["function"].get(key) or "") + (text or "")


def _accepted(response: httpx.Response) -> httpx.Response:
    if response.is_error:
        raise LookupError(f"{response.url} answered {response.status_code}: {response.text[:300]}")
    return response
