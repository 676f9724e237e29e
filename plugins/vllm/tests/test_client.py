"""What the client asks a server, how often, and what it makes of strange answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from llmflow_kit.connection import Connection, Server
from llmflow_kit.faults import Garbled, NotServed, Rejected
from llmflow_vllm import schema, settings
from llmflow_vllm.client import Vllm, estimate
from llmflow_vllm.discovery import REMEMBERED, UNKNOWN_SIZE, Model
from llmflow_vllm.settings import Settings

MODELS = {"data": [{"id": "m", "max_model_len": 2048}, {"id": "adapter", "parent": "m"}]}
REQUEST = {"model": "m", "messages": [{"role": "user", "content": "안녕"}]}


class Site:
    """Answers by path, remembers what it was asked; an answer that is a number is a status."""

    def __init__(self, **answers: Any) -> None:
        self.answers = {"/v1/models": MODELS, **{f"/{name}": answer for name, answer in answers.items()}}
        self.asked: list[str] = []

    def client(self, clock: Callable[[], float] = lambda: 0.0, **form: Any) -> Vllm:
        chosen = Settings(Connection((Server("http://vllm"),)), **form)
        return Vllm(chosen, httpx.MockTransport(self._answer), clock, lambda _: None)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        answer = self.answers.get(request.url.path, 404)
        if callable(answer):
            answer = answer(json.loads(request.read()))
        status, body = (answer, {"detail": "x"}) if isinstance(answer, int) else (200, answer)
        return httpx.Response(status, stream=httpx.ByteStream(json.dumps(body).encode()))


@pytest.mark.parametrize(
    "url", ["http://vllm:8000", "http://vllm:8000/", "http://vllm:8000/v1", "http://vllm:8000/v1/"]
)
def test_the_address_with_and_without_v1(url: str) -> None:
    assert settings.parse({"endpoint_url": url}).connection.servers == (Server("http://vllm:8000"),)


def test_a_model_is_read_once_in_a_while() -> None:
    now, site = [0.0], Site()
    discovery = site.client(lambda: now[0], tools="on").discovery
    assert [discovery.model("m").context_size for _ in range(3)] == [2048] * 3
    assert site.asked.count("/v1/models") == 1
    now[0] = REMEMBERED + 1
    assert discovery.model("m").context_size == 2048
    assert site.asked.count("/v1/models") == 2


def test_a_model_is_read_anew_when_its_server_was_lost() -> None:
    site = Site()
    client = site.client(tools="on", media="none")
    assert client.discovery.model("m").context_size == 2048
    site.answers["/v1/models"] = {"data": [{"id": "m", "max_model_len": 4096}]}
    assert client.discovery.model("m").context_size == 2048
    site.answers["/tokenize"] = 500
    client.count_tokens(REQUEST)
    assert client.discovery.model("m").context_size == 4096


def test_adapters_belong_to_their_model_and_have_its_size() -> None:
    discovery = Site().client(tools="on", media="none").discovery
    assert discovery.model("m").adapters == ("adapter",)
    assert discovery.model("adapter").context_size == 2048


def test_a_size_that_nobody_knows() -> None:
    alone = {"data": [{"id": "m", "max_model_len": None}]}
    assert Site(**{"v1/models": alone}).client().discovery.model("m").context_size == UNKNOWN_SIZE
    assert Site(**{"v1/models": 503}).client().discovery.model("m").context_size == UNKNOWN_SIZE


def test_a_size_in_the_form_comes_first() -> None:
    assert Site().client(context_size=99).discovery.model("m").context_size == 99


@pytest.mark.parametrize(
    ("tools", "media", "able", "features"),
    [
        ("auto", "auto", True, {"tools", "vision", "audio"}),
        ("auto", "auto", False, set()),
        ("on", "all", False, {"tools", "vision", "audio", "video"}),
        ("off", "none", True, set()),
        ("off", "images-video", False, {"vision", "video"}),
    ],
)
def test_what_a_model_can_is_tried_out(tools: str, media: str, able: bool, features: set[str]) -> None:
    site = Site(**{"v1/chat/completions": {"choices": []} if able else 400})
    model = site.client(tools=tools, media=media).discovery.model("m")
    assert model.media | ({"tools"} if model.tools else set()) == features
    assert ("/v1/chat/completions" in site.asked) is (tools == "auto")


def test_a_form_that_says_more_than_the_server_can() -> None:
    site = Site(**{"v1/chat/completions": 400})
    for client, name in ((site.client(tools="on"), "tool_calling"), (site.client(media="images"), "media")):
        with pytest.raises(Rejected) as fault:
            client.discovery.require("m")
        assert fault.value.field == name


def test_a_version() -> None:
    assert Site(version={"version": "0.32.0"}).client().discovery.version() == "0.32.0"
    assert Site().client().discovery.version() == ""


def test_a_model_that_is_not_served_is_told_with_those_that_are() -> None:
    with pytest.raises(NotServed, match="It serves: m, adapter"):
        Site().client().check("other")


@pytest.mark.parametrize("body", [[], {}, {"data": "x"}, "x"])
def test_a_list_of_models_that_makes_no_sense(body: Any) -> None:
    with pytest.raises(Garbled):
        Site(**{"v1/models": body}).client().discovery.served()


def test_tokens_are_counted_by_the_server() -> None:
    assert Site(tokenize={"count": 42}).client().count_tokens(REQUEST) == 42


def test_a_gateway_without_tokenize_is_asked_once() -> None:
    site = Site()
    client = site.client()
    assert client.count_tokens(REQUEST) == client.count_tokens(REQUEST) == estimate(REQUEST)
    assert site.asked == ["/tokenize"]


@pytest.mark.parametrize("answer", [503, [], {"count": None}])
def test_an_estimate_is_better_than_nothing(answer: Any) -> None:
    client = Site(tokenize=answer).client()
    assert client.count_tokens(REQUEST) == estimate(REQUEST) > 0


def test_a_prompt_is_counted_once() -> None:
    site = Site(tokenize={"count": 42})
    client = site.client()
    assert client.count_tokens(REQUEST) == client.count_tokens({**REQUEST, "temperature": 1}) == 42
    assert site.asked == ["/tokenize"]


@pytest.mark.parametrize("scope", ["workspace", "app", "user"])
def test_cached_prompts_are_shared_within_a_scope(scope: str) -> None:
    chosen = settings.parse({"endpoint_url": "http://vllm", "cache_scope": scope, "cache_secret": "s"})
    other = settings.parse({"endpoint_url": "http://vllm", "cache_scope": scope, "cache_secret": "t"})
    salt = chosen.cache_salt("app", "user")
    assert salt == chosen.cache_salt("app", "user")
    assert salt != other.cache_salt("app", "user")
    assert (salt == chosen.cache_salt("app", "other")) is (scope != "user")
    assert (salt == chosen.cache_salt("other", "user")) is (scope != "app")


def test_a_scope_needs_a_secret() -> None:
    with pytest.raises(Rejected, match="without a secret"):
        settings.parse({"endpoint_url": "http://vllm", "cache_scope": "app"})
    assert settings.parse({"endpoint_url": "http://vllm"}).cache_salt("a", "u") is None


def test_tools_off_are_no_feature() -> None:
    assert "tool-call" in schema.entity(Model("m", tools=True), chat=True)["features"]
    assert "tool-call" not in schema.entity(Model("m", tools=False), chat=True)["features"]


def test_a_form_with_several_faults_says_all() -> None:
    with pytest.raises(Rejected) as fault:
        settings.parse(
            {"endpoint_url": "vllm", "context_size": "big", "timeout": "0", "tool_calling": "maybe"}
        )
    for name in ("endpoint_url", "context_size", "timeout", "tool_calling"):
        assert settings.LABELS[name] in fault.value.text
