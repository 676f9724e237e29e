"""What the benchmarks measure with: a fast stand-in on the wire of the others, a bare client, a lean driver."""

from __future__ import annotations

import base64
import json
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from llmflow_runner.environment import Installed
from support import bare_client, plugin_driver
from support.fake_vllm import KEY, MODEL, FakeVllm, fake_vllm
from support.fast_engine import MARK, FastEngine, fast_engine
from support.plugin_driver import Driver, Silent, driver, forget_peak, use

QUESTION = {"model": MODEL, "messages": [{"role": "user", "content": "안녕"}]}
PLUGIN = """\
import json, os, sys

def say(**event):
    sys.stdout.write(json.dumps(event, ensure_ascii=False, separators=(",", ":")) + "\\n\\n")
    sys.stdout.flush()

def answer(session, type, data):
    say(event="session", session_id=session, data={"type": type, "data": data})

say(event="heartbeat", session_id=None, data={})
for line in sys.stdin:
    request = json.loads(line)
    session, asked = request["session_id"], request["data"]
    if asked.get("die"):
        sys.exit("it had enough")
    if asked.get("hang"):
        say(event="heartbeat", session_id=None, data={})
        continue
    if asked.get("fail"):
        answer(session, "error", {"error_type": "InvokeError", "message": "말 없음", "args": {}})
    for text in asked.get("texts", []):
        answer(session, "stream", {"delta": {"message": {"role": "assistant", "content": text}, "usage": None}})
    answer(session, "stream", {"delta": {"usage": {"completion_tokens": 3}}, "echo": asked.get("large")})
    answer(session, "end", {})
"""


@pytest.fixture(scope="module")
def fast() -> Iterator[FastEngine]:
    with fast_engine() as engine:
        yield engine


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[Driver]:
    (tmp_path / "main.py").write_text(PLUGIN, encoding="utf-8")
    with driver(Installed(tmp_path, Path(sys.executable))) as running:
        yield running


def test_the_fast_stand_in_streams_as_the_other_does(fast: FastEngine) -> None:
    with fake_vllm() as fake:
        assert _shapes(_streamed(fast)) == _shapes(_streamed(fake))


def test_its_answers_are_as_long_as_was_asked(fast: FastEngine) -> None:
    events = _streamed(fast, max_tokens=7)
    said = "".join(event["choices"][0]["delta"].get("content", "") for event in events if event["choices"])
    assert said.count(MARK) == events[-1]["usage"]["completion_tokens"] == 7
    whole = httpx.post(
        f"{fast.url}/v1/chat/completions", json=QUESTION | {"max_tokens": 7}, trust_env=False
    ).json()
    assert whole["choices"][0]["message"]["content"] == said


def test_each_token_is_a_chunk_of_its_own(fast: FastEngine) -> None:
    stream = bare_client.Stream(_address(fast), _request(5))
    stream.ask()
    raw = b""
    while not stream.whole:
        raw += stream.read()
    stream.socket.close()
    sizes_and_chunks = raw.partition(b"\r\n\r\n")[2].split(b"\r\n")
    chunks = [chunk for chunk in sizes_and_chunks[1::2] if chunk]
    assert [int(size, 16) for size in sizes_and_chunks[:-2:2]] == [*map(len, chunks), 0]
    assert all(chunk.startswith(b"data: ") and chunk.count(b"\n\n") == 1 for chunk in chunks)
    assert len(chunks) == 5 + 4  # the opening, the reason to finish, the usage, [DONE]


def test_its_vectors_are_the_same_in_both_encodings(fast: FastEngine) -> None:
    asked = {"model": MODEL, "input": ["하나", "둘"]}
    plain, packed = (
        [
            row["embedding"]
            for row in httpx.post(f"{fast.url}/embeddings", json=body, trust_env=False).json()["data"]
        ]
        for body in (asked, asked | {"encoding_format": "base64"})
    )
    for numbers, text in zip(plain, packed, strict=True):
        unpacked = struct.unpack(f"<{len(numbers)}f", base64.b64decode(text))
        assert unpacked == pytest.approx(numbers)


def test_the_bare_client_counts_every_token(fast: FastEngine) -> None:
    command = [sys.executable, bare_client.__file__, *map(str, _address(fast)), "4", "3"]
    done = subprocess.run(command, input=_request(50), stdout=subprocess.PIPE, check=True)
    found = json.loads(done.stdout)
    assert found["tokens"] == found["marks"] == 4 * 3 * 50
    assert found["seconds"] > 0
    assert found["peak_mib"] > 1


def test_the_driver_counts_what_a_plugin_says(plugin: Driver) -> None:
    found = plugin.ask([{"texts": [f"말{MARK}", f"말{MARK}말{MARK}"]}] * 20, at_once=6, counting=len)
    assert (found.sessions, found.messages, found.marks, found.tokens) == (20, 60, 60, 60)
    assert found.units > found.messages
    assert found.seconds > 0


def test_the_driver_reads_while_a_request_waits_to_be_taken(plugin: Driver) -> None:
    large = "x" * (1 << 20)  # more than any pipe holds, both ways
    assert plugin.ask([{"large": large}] * 6, at_once=6).sessions == 6
    assert plugin.answer({"large": large})["echo"] == large


def test_the_first_text_is_not_the_first_message(plugin: Driver) -> None:
    assert plugin.first_text({"texts": ["", "말"]}) > 0
    assert plugin.first_text({"texts": [""]}) == 0


@pytest.mark.parametrize(
    ("how", "says"), [({"fail": True}, "InvokeError: 말 없음"), ({"die": True}, "it had enough")]
)
def test_a_plugin_that_fails_is_no_figure(plugin: Driver, how: dict[str, bool], says: str) -> None:
    with pytest.raises(Silent, match=says):
        plugin.ask([{}, how], at_once=1)


def test_heartbeats_do_not_keep_a_hanging_session_alive(
    plugin: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugin_driver, "PATIENCE", 0.2)
    with pytest.raises(Silent, match="no session went on"):
        plugin.ask([{"hang": True}], at_once=1)


def test_the_figures_of_a_process(plugin: Driver) -> None:
    before = use(plugin.pid)
    plugin.ask([{"large": "x" * (4 << 20)}], at_once=1)
    after = use(plugin.pid)
    assert after.peak_mib > before.peak_mib
    assert after.cpu_seconds >= before.cpu_seconds
    forget_peak(plugin.pid)
    assert use(plugin.pid).peak_mib <= after.peak_mib


def _streamed(server: FastEngine | FakeVllm, **fields: int) -> list[dict[str, Any]]:
    body = {**QUESTION, "stream": True, "stream_options": {"include_usage": True}, **fields}
    headers = {"authorization": f"Bearer {KEY}"}
    with httpx.stream(
        "POST", f"{server.url}/v1/chat/completions", json=body, headers=headers, trust_env=False
    ) as answer:
        lines = [line.removeprefix("data: ") for line in answer.iter_lines() if line]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def _shapes(events: list[dict[str, Any]]) -> list[Any]:
    """What each event is made of, the tokens between the first and the last two once."""
    first, *tokens, finish, usage = map(_shape, events)
    assert all(token == tokens[0] for token in tokens)
    return [first, tokens[0], finish, usage]


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shape(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_shape(item) for item in value]
    return type(value)


def _address(engine: FastEngine) -> tuple[str, int]:
    url = httpx.URL(engine.url)
    return url.host, url.port or 80


def _request(tokens: int) -> bytes:
    body = {**QUESTION, "max_tokens": tokens, "stream": True, "stream_options": {"include_usage": True}}
    content = json.dumps(body).encode()
    return b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%s" % (
        len(content),
        content,
    )
