"""What stands in for Dify: scripts, storage, permissions, and servers over HTTP."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest
from llmflow_bundle.errors import SiteError
from llmflow_runner import scripts
from llmflow_runner.daemon import Plugin
from llmflow_runner.declaration import Resource
from llmflow_runner.dify import Models, Permitted, Routed, Storage, Tools
from llmflow_runner.environment import Installed
from llmflow_runner.peers import Chat, Embeddings, Ranking, Server

PERMISSION = {"model": {"enabled": True, "llm": True}, "storage": {"enabled": True, "size": 1024}}
RESOURCE = Resource.model_validate({"memory": 1, "permission": PERMISSION})
QUESTION = {
    "model": "m",
    "prompt_messages": [{"role": "user", "content": "안녕", "name": None}],
    "stop": ["끝"],
}


def asked(kind: str, **request: Any) -> dict[str, Any]:
    return {"type": kind, "backwards_request_id": "1", "request": request}


def script(tmp_path: Path, text: str) -> scripts.Script:
    path = tmp_path / "answers.yaml"
    path.write_text(text, encoding="utf-8")
    return scripts.read(path)


def test_a_storage_keeps_bytes() -> None:
    storage = Storage()

    def ask(opt: str, **more: str) -> Any:
        return next(storage(asked("storage", opt=opt, key="k", **more)))["data"]

    assert ask("exist") is False
    assert ask("set", value="00ff") == "ok"
    assert (ask("get"), ask("exist")) == ("00ff", True)
    assert ask("del") == "ok"
    with pytest.raises(LookupError, match="no k in the storage"):
        ask("get")


def test_a_storage_is_bounded(tmp_path: Path) -> None:
    file = tmp_path / "kept.json"
    storage = Storage(limit=3, file=file)

    def put(key: str, value: bytes) -> None:
        list(storage(asked("storage", opt="set", key=key, value=value.hex())))

    put("a", b"xy")
    put("a", b"xyz")  # in its own place
    with pytest.raises(ValueError, match="greater than max storage size"):
        put("b", b"x")
    for key in ("../a", "a//b", "a\\b", "k" * 257):
        with pytest.raises(ValueError, match="invalid key"):
            put(key, b"")
    again = Storage(file=file)
    assert list(again(asked("storage", opt="get", key="a"))) == [{"data": b"xyz".hex()}]


def test_answers_come_in_order_and_once(tmp_path: Path) -> None:
    said = script(
        tmp_path,
        "- {to: tool, if: b, text: second}\n- {to: tool, text: first}\n- {to: tool, always: true, json: [1]}\n",
    )
    assert said.unused == 2
    texts = [list(said(asked("tool", tool=name))) for name in ("a", "b", "c", "d")]
    assert [one["message"] for (one,) in texts] == [
        {"text": "first"},
        {"text": "second"},
        {"json_object": [1]},
        {"json_object": [1]},
    ]
    assert said.unused == 0


@pytest.mark.parametrize(
    ("entry", "kind", "expected"),
    [
        ("{to: moderation, flagged: true}", "moderation", {"result": True}),
        ("{to: app, raw: [{a: 1}]}", "app", {"a": 1}),
        ("{to: rerank, scores: [0.1, 0.9]}", "rerank", {"index": 1, "text": "y", "score": 0.9}),
        ("{to: text_embedding, vectors: [[1]]}", "text_embedding", [[1.0]]),
    ],
)
def test_answers_in_difys_words(entry: str, kind: str, expected: Any, tmp_path: Path) -> None:
    (one,) = script(tmp_path, f"- {entry}")(asked(kind, model="m", docs=["x", "y"]))
    assert expected in (one, one.get("embeddings"), one.get("docs", [None])[0])


@pytest.mark.parametrize(
    "text", ["- {to: llm, words: x}", "to: llm", "- {text: x}", "- [", "- {to: llm, tokens: [1]}"]
)
def test_scripts_that_are_none(text: str, tmp_path: Path) -> None:
    with pytest.raises(SiteError) as error:
        script(tmp_path, text)
    assert (error.value.id, error.value.exit_code) == ("PLUGIN-SCRIPT", 2)


@pytest.mark.parametrize(
    ("kind", "allowed"),
    [
        ("llm", True),
        ("llm_structured_output", True),
        ("system_summary", True),
        ("storage", True),
        ("upload_file", True),
        ("rerank", False),
        ("multimodal_embedding", False),
        ("tool", False),
        ("app", False),
        ("fetch_app", False),
        ("node_parameter_extractor", False),
    ],
)
def test_only_what_the_manifest_permits(kind: str, allowed: bool) -> None:
    permitted = Permitted(RESOURCE, lambda one: [one["type"]])
    if allowed:
        assert list(permitted(asked(kind))) == [kind]
        return
    with pytest.raises(PermissionError, match="permission denied"):
        list(permitted(asked(kind)))


def test_what_nobody_stands_in_for() -> None:
    with pytest.raises(LookupError, match="nothing here stands in for Dify's tts"):
        list(Routed({})(asked("tts")))


SERVING = """\
import json, sys

def say(**event):
    sys.stdout.write(json.dumps(event, ensure_ascii=False) + "\\n\\n")
    sys.stdout.flush()

say(event="heartbeat", session_id=None, data={})
for line in sys.stdin:
    request = json.loads(line)
    session, data = request["session_id"], request["data"]
    if data.get("model") == "broken":
        say(event="session", session_id=session, data={"type": "error", "data": {"error_type": "E", "message": "고장"}})
    else:
        say(event="session", session_id=session, data={"type": "stream", "data": data})
    say(event="session", session_id=session, data={"type": "end", "data": {}})
"""


@pytest.fixture
def serving(folder: Path) -> Iterator[Plugin]:
    """A plugin that answers each request with the request itself."""
    (folder / "main.py").write_text(SERVING, encoding="utf-8")
    with Plugin(Installed(folder, Path(sys.executable)), 20.0) as plugin:
        yield plugin


def test_models_of_another_plugin(serving: Plugin) -> None:
    models = Models(serving, "vllm", {"endpoint_url": "u"})
    request = {
        **QUESTION,
        "provider": "llmflow/vllm/vllm",
        "completion_params": {"top_p": 1},
        "stream": False,
    }
    (said,) = models(asked("llm", **request))
    assert (said["action"], said["provider"], said["credentials"]) == (
        "invoke_llm",
        "vllm",
        {"endpoint_url": "u"},
    )
    assert (said["model_parameters"], said["stream"], said["stop"]) == ({"top_p": 1}, True, ["끝"])
    with pytest.raises(LookupError, match="고장"):
        list(models(asked("rerank", model="broken")))
    with pytest.raises(LookupError, match="no plugin here serves tts"):
        list(models(asked("tts")))


def test_tools_of_another_plugin(serving: Plugin) -> None:
    tools = Tools(serving, "graphrag", {"token": "t"})
    request = {"provider": "llmflow/graphrag/graphrag", "tool": "query", "tool_parameters": {"q": "가"}}
    (said,) = tools(asked("tool", **request))
    assert (said["tool"], said["tool_parameters"], said["credentials"]) == (
        "query",
        {"q": "가"},
        {"token": "t"},
    )
    with pytest.raises(LookupError, match="no provider other"):
        list(tools(asked("tool", **{**request, "provider": "other"})))


class Handler(BaseHTTPRequestHandler):
    """Answers what the test puts into `answers`, and keeps what it was asked."""

    answers: ClassVar[dict[str, tuple[int, str]]] = {}
    requests: ClassVar[list[tuple[dict[str, str], Any]]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.requests.append(({name.lower(): value for name, value in self.headers.items()}, body))
        status, text = self.answers[self.path]
        content = text.encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *words: object) -> None:
        """Say nothing."""


@contextmanager
def server(path: str, answer: Any, status: int = 200) -> Iterator[str]:
    Handler.answers = {path: (status, answer if isinstance(answer, str) else json.dumps(answer))}
    Handler.requests.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.002})
        thread.start()
        try:
            yield f"http://127.0.0.1:{httpd.server_port}"
        finally:
            httpd.shutdown()
            thread.join()


def events(*said: dict[str, Any]) -> str:
    return "".join(f"data: {json.dumps(one)}\n\n" for one in said) + "data: [DONE]\n\n"


def delta(**more: Any) -> dict[str, Any]:
    return {"choices": [{"delta": more, "finish_reason": None}]}


def test_a_language_model_over_http() -> None:
    answer = events(
        delta(role="assistant", content="네"),
        delta(tool_calls=[{"index": 0, "id": "c1", "function": {"name": "look", "arguments": ""}}]),
        delta(tool_calls=[{"index": 0, "function": {"arguments": '{"q":'}}]),
        delta(tool_calls=[{"index": 0, "function": {"arguments": "1}"}}]),
        {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]},
        {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}},
    )
    tools = [{"name": "look", "description": "Looks", "parameters": {}}]
    with server("/v1/chat/completions", answer) as url:
        request = {**QUESTION, "completion_params": {"temperature": 0}, "tools": tools}
        first, last = Chat(Server(f"{url}/v1", "secret"))(asked("llm", **request))
    assert first["delta"]["message"]["content"] == "네"
    (call,) = last["delta"]["message"]["tool_calls"]
    assert call == {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"q":1}'}}
    assert (last["delta"]["finish_reason"], last["delta"]["usage"]["total_tokens"]) == ("tool_calls", 5)
    headers, sent = Handler.requests[0]
    assert headers["authorization"] == "Bearer secret"
    assert sent["messages"] == [{"role": "user", "content": "안녕"}]
    assert (sent["temperature"], sent["stop"], sent["tools"][0]["function"]) == (0, ["끝"], tools[0])


def test_messages_of_every_kind_reach_the_server() -> None:
    parts = [
        {"type": "text", "data": "뭐지?"},
        {"type": "image", "url": "", "base64_data": "AA==", "mime_type": "image/png"},
    ]
    said = [
        {"role": "user", "content": parts},
        {"role": "assistant", "content": "", "tool_calls": [{"id": "c"}]},
        {"role": "tool", "content": "답", "tool_call_id": "c"},
    ]
    with server("/v1/chat/completions", events(delta(content="네"))) as url:
        list(Chat(Server(url))(asked("llm", model="m", prompt_messages=said)))
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    assert Handler.requests[0][1]["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "뭐지?"}, picture]},
        {"role": "assistant", "content": "", "tool_calls": [{"id": "c"}]},
        {"role": "tool", "content": "답", "tool_call_id": "c"},
    ]


def test_vectors_over_http() -> None:
    rows = [{"index": 1, "embedding": [2]}, {"index": 0, "embedding": [1]}]
    with server("/v1/embeddings", {"data": rows, "usage": {"total_tokens": 5}}) as url:
        (answer,) = Embeddings(Server(url))(asked("text_embedding", model="e", texts=["가", "나"]))
    assert (answer["embeddings"], answer["usage"]["tokens"]) == ([[1], [2]], 5)


def test_ranks_over_http() -> None:
    rows = [{"index": index, "relevance_score": score} for index, score in enumerate((0.2, 0.9, 0.5))]
    request = {"model": "r", "query": "q", "docs": ["x", "y", "z"], "score_threshold": 0.3, "top_n": 1}
    with server("/v1/rerank", {"results": rows}) as url:
        (answer,) = Ranking(Server(url))(asked("rerank", **request))
    assert answer["docs"] == [{"index": 1, "text": "y", "score": 0.9}]


@pytest.mark.parametrize(
    ("answer", "status", "says"),
    [("over", 503, "answered 503: over"), ("{", 200, "no OpenAI-compatible server"), ({}, 200, "no OpenAI")],
)
def test_servers_that_fail(answer: Any, status: int, says: str) -> None:
    with (
        server("/v1/embeddings", answer, status) as url,
        pytest.raises(LookupError, match=says),
    ):
        list(Embeddings(Server(url))(asked("text_embedding", model="e", texts=["가"])))


def test_a_refusal_of_a_stream_is_told() -> None:
    with (
        server("/v1/chat/completions", "no such model", 404) as url,
        pytest.raises(LookupError, match="404: no such model"),
    ):
        list(Chat(Server(url))(asked("llm", **QUESTION)))


def test_a_server_that_is_not_there() -> None:
    with server("/", {}) as url:
        pass
    with pytest.raises(LookupError, match=f"{url} did not answer"):
        list(Embeddings(Server(url))(asked("text_embedding", model="e", texts=["가"])))
