"""The packaged plugin against a real vLLM: what the stand-in of the other tests claims about vLLM is true."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from llmflow_bundle.dirs import cache_dir
from llmflow_bundle.report import Recording
from llmflow_runner import archive, call, environment, pack, sign
from llmflow_runner.daemon import Plugin, PluginError
from llmflow_vllm import parameters, settings
from llmflow_vllm.client import Vllm
from support import fake_vllm
from support.vllm_server import ADAPTER, SIZE, Missing, Served, real_vllm

PLUGIN = Path(__file__).parents[2] / "plugins" / "vllm"
MESSAGE = "0d9e2f00-4b63-4722-880f-cdf667035ced"
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
        with real_vllm(telling=True) as served:
            yield served
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = sign.signing_key(tmp_path_factory.mktemp("keys"))
    return pack.pack(PLUGIN, tmp_path_factory.mktemp("out"), key, cache_dir(), Recording())


@pytest.fixture(scope="module")
def plugin(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plugin]:
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


@pytest.mark.parametrize(
    ("parameters", "fits"),
    [
        ({"choice": "서울\n부산"}, r"서울|부산"),
        ({"regex": "[0-9]{4}"}, r"[0-9]{4}"),
        ({"grammar": 'root ::= "가" | "나"'}, r"가|나"),
        (
            {
                "structural_tag": '{"type": "structural_tag", "format": {"type": "const_string", "value": "네"}}'
            },
            r"네",
        ),
        ({"response_format": "json_object"}, r"(?s)\{.*"),
    ],
)
def test_an_answer_is_constrained(
    vllm: Served, plugin: Plugin, parameters: dict[str, Any], fits: str
) -> None:
    chunks = plugin.ask(_invoke(vllm) | {"model_parameters": {"max_tokens": 100, **parameters}})
    assert re.fullmatch(fits, "".join(map(call.text_of, chunks)))


@pytest.mark.parametrize(
    "parameters",
    [
        {"temperature": 0.9, "top_p": 0.9, "top_k": 5, "min_p": 0.1, "seed": 7},
        {"presence_penalty": 0.5, "frequency_penalty": 0.5, "repetition_penalty": 1.2, "min_tokens": 2},
        {"stop_token_ids": "5", "bad_words": "서울", "logit_bias": '{"5": -100}', "ignore_eos": True},
        {
            "skip_special_tokens": False,
            "spaces_between_special_tokens": False,
            "include_stop_str_in_output": True,
        },
        {"truncate_prompt_tokens": 5, "truncation_side": "left", "allowed_token_ids": "5,6,7"},
        {"use_beam_search": True, "n": 2, "length_penalty": 1.0},
        {"reasoning_effort": "low", "include_reasoning": False, "enable_thinking": False},
        {"priority": -3, "extra_body": '{"session_id": "s"}', "chat_template_kwargs": '{"a": 1}'},
    ],
    ids=lambda parameters: "-".join(parameters),
)
def test_parameters_are_taken(vllm: Served, plugin: Plugin, parameters: dict[str, Any]) -> None:
    *_, last = plugin.ask(_invoke(vllm) | {"model_parameters": {"max_tokens": 8, **parameters}})
    assert last["delta"]["usage"]["completion_tokens"] > 0


def test_no_parameter_is_one_that_vllm_ignores(vllm: Served) -> None:
    """vLLM answers 200 to fields that it does not know: each that the table can send must be in its own schema."""
    with httpx.Client(base_url=vllm.url, trust_env=False) as client:
        schemas = client.get("/openapi.json").json()["components"]["schemas"]
    known = set(schemas["ChatCompletionRequest"]["properties"])
    sent = {p.name for p in parameters.TABLE if p.read}
    sent |= {
        "response_format",
        "structured_outputs",
        "tools",
        "tool_choice",
        "stop",
        "stream",
        "stream_options",
    }
    sent |= {"chat_template_kwargs", "cache_salt", "messages", "model"}
    assert sent <= known
    assert not set(parameters.REPLACED) & known - {"best_of"}
    assert set(schemas["StructuredOutputsParams"]["properties"]) >= {
        "choice",
        "regex",
        "grammar",
        "structural_tag",
    }


def test_probabilities_and_times_come_with_the_end(vllm: Served, plugin: Plugin) -> None:
    request = _invoke(vllm) | {"model_parameters": {"max_tokens": 4, "top_logprobs": 2, "temperature": 0.0}}
    *_, last = plugin.ask(request, message_id=MESSAGE)
    told = last["delta"]["message"]["opaque_body"]["llmflow"]
    assert len(told["logprobs"]) == 4
    assert len(told["logprobs"][0]["top_logprobs"]) == 2
    assert 0 < told["time_to_first_token"] <= told["duration"]
    assert 0 <= told["queue_time"] < told["duration"]
    assert told["tokens_per_second"] > 0
    assert told["trace_id"] == MESSAGE.replace("-", "")


def test_an_adapter_answers_otherwise(vllm: Served, plugin: Plugin) -> None:
    (answer,) = plugin.ask(_model(vllm, "get_ai_model_schemas"))
    rules = {rule["name"]: rule for rule in answer["model_schema"]["parameter_rules"]}
    assert rules["lora"]["options"] == [ADAPTER]
    changed = {"model_parameters": {"max_tokens": 20, "temperature": 0.0, "lora": ADAPTER}}
    said = "".join(map(call.text_of, plugin.ask(_invoke(vllm) | changed)))
    assert said
    assert said != ANSWER[: len(said)]
    (itself,) = plugin.ask(_model(vllm, "get_ai_model_schemas", model=ADAPTER))
    assert itself["model_schema"]["model_properties"]["context_size"] == SIZE


def test_what_the_server_can_is_found_out(vllm: Served, plugin: Plugin) -> None:
    (answer,) = plugin.ask(_model(vllm, "get_ai_model_schemas"))
    assert "tool-call" in answer["model_schema"]["features"]
    assert "vision" not in answer["model_schema"]["features"]


@pytest.mark.parametrize("choice", ["none", "required", "get_weather"])
def test_tools_are_called_as_freely_as_chosen(vllm: Served, plugin: Plugin, choice: str) -> None:
    asked = _invoke(vllm) | {
        "tools": [WEATHER],
        "prompt_messages": [{"role": "user", "content": "서울 날씨?"}],
    }
    asked["model_parameters"] |= {"tool_choice": choice, "strict_tools": True}
    *_, last = plugin.ask(asked)
    called = [call_["function"]["name"] for call_ in last["delta"]["message"]["tool_calls"]]
    assert called == ([] if choice == "none" else ["get_weather"])


def test_a_plain_completion(vllm: Served, plugin: Plugin) -> None:
    request = _invoke(vllm)
    request["credentials"] = {**request["credentials"], "mode": "completion"}
    chunks = list(plugin.ask(request))
    assert "".join(map(call.text_of, chunks))
    assert chunks[-1]["delta"]["usage"]["completion_tokens"] > 0


def test_an_answer_that_nobody_reads_is_given_up_at_the_server(vllm: Served) -> None:
    """Closing the stream closes the connection; vLLM then aborts the request, as its own gauge shows."""
    client = Vllm(settings.parse({"endpoint_url": vllm.url, "api_key": vllm.key}))
    said = {"messages": [{"role": "user", "content": QUESTION}], "ignore_eos": True, "max_tokens": SIZE - 100}
    pieces = client.pieces({"model": vllm.model, **said})
    next(pieces)
    assert _running(vllm) == 1
    pieces.close()  # type: ignore[attr-defined]  # a generator, which its type does not say
    _until(lambda: _running(vllm) == 0)
    client.close()


def test_a_plugin_that_ends_gives_its_answers_up(vllm: Served, package: Path, tmp_path: Path) -> None:
    opened = archive.read(package)
    with environment.installed(opened, tmp_path, False, Recording()) as place:
        with Plugin(place) as ending:
            request = _invoke(vllm)
            request["model_parameters"] = {"ignore_eos": True, "max_tokens": SIZE - 100}
            next(iter(ending.ask(request)))
            assert _running(vllm) == 1
        _until(lambda: _running(vllm) == 0)


def test_a_prompt_is_cached_within_its_scope_only(vllm: Served, plugin: Plugin) -> None:
    """A salt of one's own finds nothing that others have left in the cache, and later what it left itself."""
    long = "폐쇄망 설치 안내를 한 문장씩 차례로 읽어 주세요. " * 20
    shared = _invoke(vllm) | {"prompt_messages": [{"role": "user", "content": long}]}
    own = {
        **shared,
        "credentials": {**shared["credentials"], "cache_scope": "workspace", "cache_secret": "s"},
    }
    assert [_cached(plugin, r) > 0 for r in (shared, shared, own, own)] == [False, True, False, True]


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


def _cached(plugin: Plugin, request: dict[str, Any]) -> int:
    """Tokens of a prompt that the server had in its cache."""
    *_, last = plugin.ask(request)
    return int(last["delta"]["message"]["opaque_body"]["llmflow"]["cached_tokens"])


def _running(vllm: Served) -> int:
    return int(_metric(vllm, "vllm:num_requests_running"))


def _metric(vllm: Served, name: str) -> float:
    page = httpx.get(f"{vllm.url}/metrics", trust_env=False).text
    return sum(float(line.rsplit(" ", 1)[1]) for line in page.splitlines() if line.startswith(f"{name}{{"))


def _until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)  # between two looks at the condition


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
            "usage": {"prompt_tokens", "completion_tokens", "total_tokens"} & set(chunks[-1]["usage"]),
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
