"""What the client asks a server, how often, and what it makes of strange answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from llmflow_kit.faults import Garbled, NotServed, Rejected
from llmflow_vllm import schema, settings, stream
from llmflow_vllm.client import REMEMBERED, Vllm, estimate
from llmflow_vllm.settings import Settings
from ruamel.yaml import YAML

MODELS = {"data": [{"id": "m", "max_model_len": 2048}, {"id": "adapter"}]}
REQUEST = {"model": "m", "messages": [{"role": "user", "content": "안녕"}]}


class Server:
    """Answers by path, remembers what it was asked."""

    def __init__(self, **answers: Any) -> None:
        self.answers = {"/v1/models": MODELS, **{f"/{name}": answer for name, answer in answers.items()}}
        self.asked: list[str] = []

    def client(self, clock: Callable[[], float] = lambda: 0.0, **form: Any) -> Vllm:
        return Vllm(Settings("http://vllm", **form), httpx.MockTransport(self._answer), clock)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        answer = self.answers.get(request.url.path, 404)
        status, body = (answer, {"detail": "x"}) if isinstance(answer, int) else (200, answer)
        return httpx.Response(status, stream=httpx.ByteStream(json.dumps(body).encode()))


def test_the_form_of_the_yaml_is_the_form_that_is_read() -> None:
    provider = Path(__file__).parents[1] / "provider" / "vllm.yaml"
    fields = YAML(typ="safe", pure=True).load(provider.read_text(encoding="utf-8"))["model_credential_schema"]
    labels = {field["variable"]: field["label"]["en_US"] for field in fields["credential_form_schemas"]}
    assert labels == settings.LABELS


@pytest.mark.parametrize(
    "url", ["http://vllm:8000", "http://vllm:8000/", "http://vllm:8000/v1", "http://vllm:8000/v1/"]
)
def test_the_address_with_and_without_v1(url: str) -> None:
    assert settings.parse({"endpoint_url": url}) == Settings("http://vllm:8000")


def test_a_key_is_in_no_repr() -> None:
    assert "secret" not in repr(Settings("http://vllm", key="secret"))


def test_a_size_is_asked_once_in_a_while() -> None:
    now, server = [0.0], Server()
    client = server.client(lambda: now[0])
    assert [client.size("m"), client.size("m")] == [2048, 2048]
    assert len(server.asked) == 1
    now[0] = REMEMBERED + 1
    assert client.size("m") == 2048
    assert len(server.asked) == 2


def test_a_size_that_nobody_knows() -> None:
    assert Server().client().size("adapter") == schema.UNKNOWN_SIZE
    assert Server(**{"v1/models": 503}).client().size("m") == schema.UNKNOWN_SIZE


def test_a_size_in_the_form_is_not_asked() -> None:
    server = Server()
    assert server.client(context_size=99).size("m") == 99
    assert server.asked == []


def test_a_model_that_is_not_served_is_told_with_those_that_are() -> None:
    with pytest.raises(NotServed, match="It serves: m, adapter"):
        Server().client().check("other")


@pytest.mark.parametrize("body", [[], {}, {"data": "x"}, "x"])
def test_a_list_of_models_that_makes_no_sense(body: Any) -> None:
    with pytest.raises(Garbled):
        Server(**{"v1/models": body}).client().served()


def test_tokens_are_counted_by_the_server() -> None:
    assert Server(tokenize={"count": 42}).client().count_tokens(REQUEST) == 42


def test_a_gateway_without_tokenize_is_asked_once() -> None:
    server = Server()
    client = server.client()
    assert client.count_tokens(REQUEST) == client.count_tokens(REQUEST) == estimate(REQUEST)
    assert server.asked == ["/tokenize"]


@pytest.mark.parametrize("answer", [503, [], {"count": None}])
def test_an_estimate_is_better_than_nothing(answer: Any) -> None:
    client = Server(tokenize=answer).client()
    assert client.count_tokens(REQUEST) == estimate(REQUEST) > 0


@pytest.mark.parametrize("body", [None, [], {}, {"choices": []}, {"choices": [1]}])
def test_whole_answers_that_make_no_sense(body: Any) -> None:
    with pytest.raises(Garbled):
        stream.answer(body)


def test_a_whole_answer_with_thoughts_and_a_call() -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"content": None, "reasoning": "음", "reasoning_content": "음", "tool_calls": [call]}
    piece = stream.answer({"choices": [{"message": message, "finish_reason": "tool_calls"}]})
    assert piece.text == "<think>\n음\n</think>\n\n"
    assert piece.tool_calls == (stream.ToolCall("a", "f", "{}"),)
    assert (piece.finish, piece.usage) == ("tool_calls", None)


def test_tools_off_are_no_feature() -> None:
    assert "tool-call" in schema.entity("m", 10, tools=True)["features"]
    assert "tool-call" not in schema.entity("m", 10, tools=False)["features"]


def test_every_default_is_within_its_bounds() -> None:
    for size in (1, 100, 1_000_000):
        for rule in schema.parameters(size):
            if rule.get("default") is not None:
                assert rule["min"] <= rule["default"] <= rule["max"]


def test_a_form_with_several_faults_says_all() -> None:
    with pytest.raises(Rejected) as fault:
        settings.parse(
            {"endpoint_url": "vllm", "context_size": "big", "timeout": "0", "tool_calling": "maybe"}
        )
    for name in ("endpoint_url", "context_size", "timeout", "tool_calling"):
        assert settings.LABELS[name] in fault.value.text
