import json
from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest
from llmflow_bundle.errors import VerifyFailed
from llmflow_bundle.report import Recording
from llmflow_installer.certificates import Pki, site_pki
from llmflow_installer.site import Site
from llmflow_installer.state import SiteState
from llmflow_installer.verify import ANSWER_LIMIT, Verified, verify
from support.stand import START, Stand, vllm_and_registry

Platform = Callable[[httpx.Request], httpx.Response]
KEY = "the-key"


@pytest.fixture
def pki(site: Site, stand: Stand) -> Pki:
    return site_pki(site, SiteState.of(stand.state, site.name), START)


@pytest.fixture
def ask(site: Site, stand: Stand, pki: Pki) -> Callable[[Platform], Verified]:
    def ask(platform: Platform) -> Verified:
        stand.platform = platform
        return verify(site, pki, {"vllm_api_key": KEY}, stand.world.http, Recording())

    return ask


def stream(*deltas: object, done: bool = True) -> httpx.Response:
    events = [f"data: {json.dumps({'choices': [{'delta': delta}]})}\n\n" for delta in deltas]
    return httpx.Response(200, text="".join([": a comment\n\n", *events, "data: [DONE]\n\n" if done else ""]))


def test_everything_is_asked(ask: Callable[[Platform], Verified]) -> None:
    asked: list[str] = []

    def platform(request: httpx.Request) -> httpx.Response:
        asked.append(f"{request.method} {request.url}")
        return vllm_and_registry(request)

    verified = ask(platform)
    assert asked == [
        "GET https://10.78.0.2:5000/v2/",
        "GET https://10.78.0.2:30800/health",
        "GET https://10.78.0.3:30800/health",
        "GET https://10.78.0.4:30800/health",
        "GET https://10.78.0.2:30800/v1/models",
        "GET https://10.78.0.2:30800/v1/models",
        "POST https://10.78.0.2:30800/v1/chat/completions",
    ]
    assert verified.answer is not None
    assert verified.answer.model == "scripted-qwen"
    assert len(verified.checks) == 6


def test_the_key_is_shown_only_where_it_is_needed(ask: Callable[[Platform], Verified]) -> None:
    def platform(request: httpx.Request) -> httpx.Response:
        if "Authorization" in request.headers:
            assert request.headers["Authorization"] == f"Bearer {KEY}"
            assert request.url.path.startswith("/v1/")
        return vllm_and_registry(request)

    ask(platform)


@pytest.mark.parametrize(
    ("path", "response", "id_", "says"),
    [
        pytest.param("/v2/", httpx.Response(500), "VERIFY-REGISTRY", "HTTP 500", id="registry"),
        pytest.param(
            "/v1/models",
            httpx.Response(200, json={"data": []}),
            "VERIFY-VLLM-ANSWER",
            "no model",
            id="no-model",
        ),
        pytest.param(
            "/v1/models",
            httpx.Response(200, text="<html>"),
            "VERIFY-VLLM-ANSWER",
            "Expecting value",
            id="not-json",
        ),
        pytest.param(
            "/v1/chat/completions", httpx.Response(503), "VERIFY-VLLM-ANSWER", "HTTP 503", id="busy"
        ),
        pytest.param(
            "/v1/chat/completions", stream({"content": " \n"}), "VERIFY-VLLM-ANSWER", "empty", id="blank"
        ),
        pytest.param(
            "/v1/chat/completions",
            stream({"role": "assistant"}, {}),
            "VERIFY-VLLM-ANSWER",
            "empty",
            id="no-text",
        ),
        pytest.param(
            "/v1/chat/completions",
            stream({"content": "가" * (ANSWER_LIMIT + 1)}),
            "VERIFY-VLLM-ANSWER",
            "longer",
            id="endless",
        ),
        pytest.param(
            "/v1/chat/completions",
            httpx.Response(200, text="data: {oops\n\n"),
            "VERIFY-VLLM-ANSWER",
            "Expecting",
            id="garbled",
        ),
    ],
)
def test_what_can_be_missing(
    path: str, response: httpx.Response, id_: str, says: str, ask: Callable[[Platform], Verified]
) -> None:
    def platform(request: httpx.Request) -> httpx.Response:
        keyless = path == "/v1/models" and "Authorization" not in request.headers
        return response if request.url.path == path and not keyless else vllm_and_registry(request)

    with pytest.raises(VerifyFailed) as caught:
        ask(platform)
    assert [finding.id for finding in caught.value.findings] == [id_]
    assert says in caught.value.findings[0].what
    assert KEY not in str([caught.value.what, *caught.value.findings])


def test_one_host_that_does_not_answer_is_named(ask: Callable[[Platform], Verified]) -> None:
    def platform(request: httpx.Request) -> httpx.Response:
        if request.url.host == "10.78.0.4":
            raise httpx.ConnectError("No route to host")
        return vllm_and_registry(request)

    with pytest.raises(VerifyFailed) as caught:
        ask(platform)
    assert [finding.what for finding in caught.value.findings] == [
        "vLLM is healthy through worker2: No route to host"
    ]


def test_an_open_door_is_found(ask: Callable[[Platform], Verified]) -> None:
    def platform(request: httpx.Request) -> httpx.Response:
        request.headers["Authorization"] = "whatever"
        return vllm_and_registry(request)

    with pytest.raises(VerifyFailed) as caught:
        ask(platform)
    assert [finding.id for finding in caught.value.findings] == ["VERIFY-VLLM-OPEN"]


def test_a_stream_without_its_end_mark_still_has_an_answer(ask: Callable[[Platform], Verified]) -> None:
    def platform(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/chat/completions":
            return stream({"content": "서"}, {"content": "울"}, done=False)
        return vllm_and_registry(request)

    answer = ask(platform).answer
    assert answer is not None
    assert answer.answer == "서울"


def test_a_site_without_vllm_is_not_asked_for_it(site: Site, pki: Pki, stand: Stand) -> None:
    verified = verify(replace(site, organs=()), pki, {"vllm_api_key": KEY}, stand.world.http, Recording())
    assert verified.answer is None
    assert verified.checks == ("the registry answers at https://10.78.0.2:5000/v2/",)
