"""The packaged plugin against a real vLLM: what the stand-in of the other tests claims about vLLM is true."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from llmflow_bundle.dirs import cache_dir
from llmflow_bundle.report import Recording
from llmflow_runner import archive, call, environment, pack, sign
from llmflow_runner.daemon import Plugin, PluginError
from support import fake_vllm
from support.vllm_server import SIZE, Missing, Served, real_vllm

PLUGIN = Path(__file__).parents[2] / "plugins" / "vllm"
QUESTION, ANSWER = "안녕하세요", "안녕하세요. 무엇을 도와드릴까요?"
SAID = {"role", "content", "reasoning"}  # of a message, what the plugin reads
WEATHER = {
    "name": "get_weather",
    "description": "weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@pytest.fixture(scope="module")
def vllm() -> Iterator[Served]:
    try:
        with real_vllm() as served:
            yield served
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plugin]:
    key = sign.signing_key(tmp_path_factory.mktemp("keys"))
    package = pack.pack(PLUGIN, tmp_path_factory.mktemp("out"), key, cache_dir(), Recording())
    opened = archive.read(package)
    empty = tmp_path_factory.mktemp("empty")
    with environment.installed(opened, empty, False, Recording()) as place, Plugin(place) as running:
        yield running


def test_a_streamed_answer(vllm: Served, plugin: Plugin) -> None:
    chunks = list(plugin.ask(_invoke(vllm)))
    assert "".join(map(call.text_of, chunks)) == ANSWER
    assert len(chunks) > 3  # it came in pieces
    last = chunks[-1]["delta"]
    assert last["finish_reason"] == "stop"
    assert last["usage"]["prompt_tokens"] > 0
    assert last["usage"]["completion_tokens"] > 0


def test_a_whole_answer_counts_the_same(vllm: Served, plugin: Plugin) -> None:
    (whole,) = plugin.ask(_invoke(vllm, stream=False))
    *_, last = plugin.ask(_invoke(vllm))
    assert call.text_of(whole) == ANSWER
    counted = ("prompt_tokens", "completion_tokens", "total_tokens")
    assert [whole["delta"]["usage"][n] for n in counted] == [last["delta"]["usage"][n] for n in counted]


def test_a_stop_word_ends_the_answer(vllm: Served, plugin: Plugin) -> None:
    chunks = plugin.ask({**_invoke(vllm), "stop": ["무엇을"]})
    assert "".join(map(call.text_of, chunks)) == ANSWER.split("무엇을")[0]


def test_a_limit_of_tokens_is_said(vllm: Served, plugin: Plugin) -> None:
    *_, last = plugin.ask(_invoke(vllm, max_tokens=2))
    assert last["delta"]["finish_reason"] == "length"
    assert last["delta"]["usage"]["completion_tokens"] == 2


def test_a_tool_is_called_and_its_result_told(vllm: Served, plugin: Plugin) -> None:
    question = {"role": "user", "content": "서울 날씨?"}
    asked = _invoke(vllm) | {"tools": [WEATHER], "prompt_messages": [question]}
    *_, last = plugin.ask(asked)
    (called,) = last["delta"]["message"]["tool_calls"]
    assert called["function"]["name"] == "get_weather"
    assert json.loads(called["function"]["arguments"]) == {"city": "서울"}

    said = {"role": "assistant", "content": "", "tool_calls": [called]}
    told = {"role": "tool", "content": "서울 맑음", "tool_call_id": called["id"]}
    chunks = plugin.ask(asked | {"prompt_messages": [question, said, told]})
    assert "".join(map(call.text_of, chunks)) == "서울의 날씨는 맑음입니다."


def test_an_answer_follows_a_json_schema(vllm: Served, plugin: Plugin) -> None:
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
    parameters = {"response_format": "json_schema", "json_schema": json.dumps(schema), "max_tokens": 200}
    chunks = list(plugin.ask(_invoke(vllm) | {"model_parameters": parameters}))
    assert isinstance(json.loads("".join(map(call.text_of, chunks)))["ok"], bool)


def test_tokens_are_counted_as_the_server_bills_them(vllm: Served, plugin: Plugin) -> None:
    prompt = {"prompt_messages": [{"role": "user", "content": QUESTION}], "tools": None}
    (counted,) = plugin.ask(_model(vllm, "get_llm_num_tokens") | prompt)
    *_, last = plugin.ask(_invoke(vllm))
    assert counted["num_tokens"] == last["delta"]["usage"]["prompt_tokens"]


def test_the_schema_has_the_servers_context(vllm: Served, plugin: Plugin) -> None:
    (answer,) = plugin.ask(_model(vllm, "get_ai_model_schemas"))
    assert answer["model_schema"]["model_properties"]["context_size"] == SIZE


def test_the_form_is_accepted(vllm: Served, plugin: Plugin) -> None:
    (answer,) = plugin.ask(_model(vllm, "validate_model_credentials"))
    assert answer["result"] is True


@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        ({"key": "wrong"}, "InvokeAuthorizationError", "API key"),
        ({"model": "another"}, "InvokeBadRequestError", '"another"'),
        ({"path": "/v2"}, "InvokeBadRequestError", "Server address"),
        ({"max_tokens": SIZE + 1}, "InvokeBadRequestError", "max_model_len"),
    ],
)
def test_refusals(vllm: Served, plugin: Plugin, change: dict[str, Any], kind: str, says: str) -> None:
    with pytest.raises(PluginError, match=says) as error:
        list(plugin.ask(_invoke(vllm, **change)))
    assert error.value.kind == kind


def test_the_stand_in_speaks_as_vllm_does(vllm: Served) -> None:
    """The shapes of both wires, event for event, key for key where the stand-in has one."""
    with fake_vllm.fake_vllm() as fake:
        assert _shapes(fake.url) == _shapes(vllm.url)


def _shapes(url: str) -> dict[str, Any]:
    request = {
        "model": fake_vllm.MODEL,
        "messages": [{"role": "user", "content": QUESTION}],
        "temperature": 0,
    }
    streamed = {**request, "stream": True, "stream_options": {"include_usage": True}}
    with httpx.Client(
        base_url=url, headers={"authorization": f"Bearer {fake_vllm.KEY}"}, trust_env=False
    ) as client:
        events = client.post("/v1/chat/completions", json=streamed).text.split("\n\n")
        chunks = [json.loads(e.removeprefix("data: ")) for e in events if e.startswith("data: {")]
        whole = client.post("/v1/chat/completions", json=request).json()
        models = client.get("/v1/models").json()["data"][0]
        return {
            "kinds": [_kind(chunk) for chunk in (chunks[0], chunks[1], *chunks[-2:])],
            "end": events[-2:],
            "usage": sorted(chunks[-1]["usage"])[:3],
            "whole": SAID & set(whole["choices"][0]["message"]),
            "models": (models["id"], models["max_model_len"]),
            "tokenize": type(client.post("/tokenize", json=request).json()["count"]).__name__,
            "route": _refusal(client.post("/v1/nowhere", json={})),
            "model": _refusal(client.post("/v1/chat/completions", json={**request, "model": "another"})),
            "key": _refusal(client.get("/v1/models", headers={"authorization": "Bearer wrong"})),
        }


def _kind(chunk: dict[str, Any]) -> tuple[str, ...]:
    if not chunk["choices"]:
        return ("usage",)
    choice = chunk["choices"][0]
    return (*sorted(choice["delta"]), str(choice["finish_reason"]))


def _refusal(response: httpx.Response) -> tuple[int, Any]:
    return response.status_code, response.json()


def _model(
    vllm: Served, action: str, *, key: str | None = None, model: str = "", path: str = ""
) -> dict[str, Any]:
    credentials = {"endpoint_url": vllm.url + path, "api_key": key or vllm.key}
    about = {"type": "model", "user_id": "u", "provider": "vllm", "model_type": "llm"}
    return {**about, "action": action, "model": model or vllm.model, "credentials": credentials}


def _invoke(vllm: Served, *, stream: bool = True, max_tokens: int = 100, **change: str) -> dict[str, Any]:
    request = call.request("vllm", call.Question(vllm.model, QUESTION, {}, max_tokens, stream))
    return request | _model(vllm, "invoke_llm", **change)
