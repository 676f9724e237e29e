"""The cases of tests/cases/plugins/servers.yaml: a running stand-in each, and what to expect of a plugin."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict
from ruamel.yaml import YAML

from support.fake_vllm import (
    KEY,
    MODEL,
    Behaviour,
    FakeVllm,
    chunk,
    event,
    fake_vllm,
    good_stream,
    unused_url,
)

CASES = Path(__file__).parents[1] / "cases" / "plugins" / "servers.yaml"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Item(_Strict):
    """One piece of a stream; exactly one field is set."""

    token: str | None = None
    token_of: int | None = None  # a token of so many letters
    reasoning: str | None = None
    reasoning_content: str | None = None
    call: dict[str, Any] | None = None
    finish: str | None = None
    usage: tuple[int, int] | None = None
    done: bool = False
    raw: str | None = None
    half_a_character: bool = False


class Server(_Strict):
    """How the stand-in behaves."""

    down: bool = False
    status: int = 200
    headers: dict[str, str] = {}
    body: str = ""
    delay: float = 0.0
    hang_up: int = 0
    stream: tuple[Item, ...] = ()
    cut_every: int = 0
    line_end: str = "\n"
    drop: bool = False


class Ask(_Strict):
    """What is asked, and with which form."""

    prompt: str = "안녕하세요"
    model: str = MODEL
    key: str = KEY
    timeout: str = "30"
    path: str = ""


class Expected(_Strict):
    """What must come of it; `text` is what was streamed before a fault, too."""

    text: str = ""
    length: int | None = None
    finish: str | None = None
    prompt: int | None = None
    completion: int | None = None
    calls: tuple[tuple[str, str, str], ...] = ()
    fault: str | None = None
    error: str | None = None
    says: str = ""
    silent_about: str | None = None
    field: str | None = None
    requests: int | None = None


class Case(_Strict):
    """One case by name."""

    name: str
    server: Server = Server()
    ask: Ask = Ask()
    expect: Expected


def cases() -> list[Case]:
    """All cases, in the order of the file."""
    rows = YAML(typ="safe", pure=True).load(CASES.read_text(encoding="utf-8"))
    return [Case.model_validate(row) for row in rows]


@contextmanager
def serving(case: Case) -> Iterator[FakeVllm]:
    """The case's server on loopback."""
    if case.server.down:
        yield FakeVllm(unused_url())
        return
    server = case.server
    behaviour = Behaviour(
        status=server.status,
        headers=server.headers,
        body=server.body.encode(),
        chunks=_chunks(server),
        delay=server.delay,
        drop=server.drop,
        hang_up=server.hang_up,
    )
    with fake_vllm(behaviour) as fake:
        yield fake


def form(case: Case, url: str) -> dict[str, str]:
    """The Dify form that reaches the case's server."""
    return {"endpoint_url": url + case.ask.path, "api_key": case.ask.key, "timeout": case.ask.timeout}


def _chunks(server: Server) -> tuple[bytes, ...]:
    parts = tuple(map(_bytes, server.stream)) or good_stream()
    parts = tuple(part.replace(b"\n", server.line_end.encode()) for part in parts)
    if not server.cut_every:
        return parts
    whole, size = b"".join(parts), server.cut_every
    return tuple(whole[i : i + size] for i in range(0, len(whole), size))


def _bytes(item: Item) -> bytes:
    match item:
        case Item(raw=str(raw)):
            return raw.encode()
        case Item(half_a_character=True):
            return event(chunk({"content": "가"})).replace("가".encode(), "가".encode()[:2])
        case Item(done=True):
            return b"data: [DONE]\n\n"
        case Item(usage=(prompt, completion)):
            usage = {
                "prompt_tokens": prompt,
                "completion_tokens": completion,
                "total_tokens": prompt + completion,
            }
            return event({**chunk({}), "choices": [], "usage": usage})
        case Item(finish=str(finish)):
            return event(chunk({}, finish))
        case Item(call=dict(call)):
            return event(chunk({"tool_calls": [call]}))
        case Item(token_of=int(size)):
            return event(chunk({"content": "x" * size}))
    delta = {"content": item.token, "reasoning": item.reasoning, "reasoning_content": item.reasoning_content}
    return event(chunk({name: text for name, text in delta.items() if text is not None}))
