import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from llmflow_bundle.errors import VerifyFailed
from llmflow_bundle.report import Recording
from llmflow_installer.certificates import Pki, site_pki
from llmflow_installer.engines import ENGINES
from llmflow_installer.site import Site
from llmflow_installer.state import SiteState
from llmflow_installer.stores import STORES
from llmflow_installer.verify import ANSWER_LIMIT, Verified, verify
from support.fake_stores import HELLO, LOGON, PULL, SUCCESS, chunked, failure
from support.stand import START, Stand, vectors, working_platform

Platform = Callable[[httpx.Request], httpx.Response]
KEY = "the-key"
KEYS = {engine.secret: KEY for engine in ENGINES.values()}
SECRETS = KEYS | {store.secret: "the-password" for store in STORES.values()}


@pytest.fixture
def pki(site: Site, stand: Stand) -> Pki:
    return site_pki(site, SiteState.of(stand.state, site.name), START)


@pytest.fixture
def ask(site: Site, stand: Stand, pki: Pki) -> Callable[[Platform], Verified]:
    def ask(platform: Platform) -> Verified:
        stand.platform = platform
        return verify(only(site, "vllm"), pki, KEYS, stand.world.ways, Recording())

    return ask


@pytest.fixture
def ask_all(site: Site, stand: Stand, pki: Pki) -> Callable[[Platform], Verified]:
    def ask(platform: Platform) -> Verified:
        stand.platform = platform
        return verify(only(site, *ENGINES), pki, KEYS, stand.world.ways, Recording())

    return ask


def only(site: Site, *organs: str) -> Site:
    return replace(site, organs={organ: site.organs[organ] for organ in organs})


def stream(*deltas: object, done: bool = True) -> httpx.Response:
    events = [f"data: {json.dumps({'choices': [{'delta': delta}]})}\n\n" for delta in deltas]
    return httpx.Response(200, text="".join([": a comment\n\n", *events, "data: [DONE]\n\n" if done else ""]))


def test_everything_is_asked(ask: Callable[[Platform], Verified]) -> None:
    asked: list[str] = []

    def platform(request: httpx.Request) -> httpx.Response:
        asked.append(f"{request.method} {request.url}")
        return working_platform(request)

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
        return working_platform(request)

    ask(platform)


@pytest.mark.parametrize(
    ("path", "response", "id_", "says"),
    [
        pytest.param("/v2/", httpx.Response(500), "VERIFY-REGISTRY", "HTTP 500", id="registry"),
        pytest.param(
            "/v1/models",
            httpx.Response(200, json={"data": []}),
            "VERIFY-ANSWER",
            "no model",
            id="no-model",
        ),
        pytest.param(
            "/v1/models",
            httpx.Response(200, text="<html>"),
            "VERIFY-ANSWER",
            "Expecting value",
            id="not-json",
        ),
        pytest.param("/v1/chat/completions", httpx.Response(503), "VERIFY-ANSWER", "HTTP 503", id="busy"),
        pytest.param(
            "/v1/chat/completions", stream({"content": " \n"}), "VERIFY-ANSWER", "empty", id="blank"
        ),
        pytest.param(
            "/v1/chat/completions",
            stream({"role": "assistant"}, {}),
            "VERIFY-ANSWER",
            "empty",
            id="no-text",
        ),
        pytest.param(
            "/v1/chat/completions",
            stream({"content": "가" * (ANSWER_LIMIT + 1)}),
            "VERIFY-ANSWER",
            "longer",
            id="endless",
        ),
        pytest.param(
            "/v1/chat/completions",
            httpx.Response(200, text="data: {oops\n\n"),
            "VERIFY-ANSWER",
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
        return response if request.url.path == path and not keyless else working_platform(request)

    with pytest.raises(VerifyFailed) as caught:
        ask(platform)
    assert [finding.id for finding in caught.value.findings] == [id_]
    assert says in caught.value.findings[0].what
    assert KEY not in str([caught.value.what, *caught.value.findings])


def test_one_host_that_does_not_answer_is_named(ask: Callable[[Platform], Verified]) -> None:
    def platform(request: httpx.Request) -> httpx.Response:
        if request.url.host == "10.78.0.4":
            raise httpx.ConnectError("No route to host")
        return working_platform(request)

    with pytest.raises(VerifyFailed) as caught:
        ask(platform)
    assert [finding.what for finding in caught.value.findings] == [
        "vLLM is healthy through worker2: No route to host"
    ]


def test_an_open_door_is_found(ask: Callable[[Platform], Verified]) -> None:
    def platform(request: httpx.Request) -> httpx.Response:
        request.headers["Authorization"] = "whatever"
        return working_platform(request)

    with pytest.raises(VerifyFailed) as caught:
        ask(platform)
    assert [finding.id for finding in caught.value.findings] == ["VERIFY-OPEN"]


def test_a_stream_without_its_end_mark_still_has_an_answer(ask: Callable[[Platform], Verified]) -> None:
    def platform(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/chat/completions":
            return stream({"content": "서"}, {"content": "울"}, done=False)
        return working_platform(request)

    answer = ask(platform).answer
    assert answer is not None
    assert answer.answer == "서울"


def test_every_engine_is_asked_for_what_it_does(ask_all: Callable[[Platform], Verified]) -> None:
    asked: list[tuple[int | None, str, str]] = []

    def platform(request: httpx.Request) -> httpx.Response:
        if request.method == "POST" and request.content:
            told = request.headers["content-type"] == "application/json"
            model = json.loads(request.content)["model"] if told else "a picture"
            asked.append((request.url.port, request.url.path, model))
        return working_platform(request)

    assert len(ask_all(platform).checks) == 1 + 5 * (3 + 1) + 6
    assert asked == [
        (30800, "/v1/chat/completions", "scripted-qwen"),
        (30801, "/v1/embeddings", "all-MiniLM-L6-v2"),
        (30802, "/v1/rerank", "scripted-reranker"),
        (30803, "/v1/embeddings", "all-MiniLM-L6-v2"),
        (30803, "/v1/rerank", "scripted-reranker"),
        (30804, "/general/v0/general", "a picture"),
    ]


def test_each_engine_is_shown_its_own_key(site: Site, pki: Pki, stand: Stand) -> None:
    shown: dict[int | None, set[str]] = {}

    def platform(request: httpx.Request) -> httpx.Response:
        if key := request.headers.get("Authorization") or request.headers.get("unstructured-api-key"):
            shown.setdefault(request.url.port, set()).add(key)
        return working_platform(request)

    stand.platform = platform
    verify(only(site, *ENGINES), pki, {secret: secret for secret in KEYS}, stand.world.ways, Recording())
    assert shown == {
        30800: {"Bearer vllm_api_key"},
        30801: {"Bearer vllm_embedding_api_key"},
        30802: {"Bearer vllm_rerank_api_key"},
        30803: {"Bearer infinity_api_key"},
        30804: {"unstructured_api_key"},
    }


@pytest.mark.parametrize(
    ("path", "answer", "id_", "says"),
    [
        pytest.param("embeddings", {"data": vectors(5, 3)}, "VERIFY-EMBEDDING", "5 vectors of 3", id="short"),
        pytest.param("embeddings", {"data": vectors(4)}, "VERIFY-EMBEDDING", "4 vectors", id="too-few"),
        pytest.param("embeddings", {"data": []}, "VERIFY-EMBEDDING", "of no dimensions", id="none"),
        pytest.param("embeddings", {"error": "?"}, "VERIFY-EMBEDDING", "data", id="no-data"),
        pytest.param(
            "embeddings",
            {"data": [{"index": i, "embedding": [0.0] * 384} for i in range(5)]},
            "VERIFY-EMBEDDING",
            "for the closest",
            id="no-direction",
        ),
        pytest.param(
            "rerank",
            {"results": [{"index": 1, "relevance_score": 0.1}, {"index": 2, "relevance_score": 0.2}]},
            "VERIFY-RANKING",
            "canteen",
            id="wrong-first",
        ),
        pytest.param("rerank", {"results": []}, "VERIFY-RANKING", "empty", id="no-ranks"),
        pytest.param("rerank", [], "VERIFY-RANKING", "indices", id="a-list"),
    ],
)
def test_what_an_engine_can_get_wrong(
    path: str, answer: object, id_: str, says: str, ask_all: Callable[[Platform], Verified]
) -> None:
    def platform(request: httpx.Request) -> httpx.Response:
        wrong = request.url.path == f"/v1/{path}"
        return httpx.Response(200, json=answer) if wrong else working_platform(request)

    with pytest.raises(VerifyFailed) as caught:
        ask_all(platform)
    assert [finding.id for finding in caught.value.findings] == [id_, id_]  # of vLLM and of Infinity
    assert says in caught.value.findings[0].what


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        pytest.param([], "0 characters", id="nothing"),
        pytest.param([{"type": "Title", "text": "이 문장은"}], "5 characters", id="half"),
        pytest.param([{"type": "Title"}], "text", id="no-text"),
        pytest.param({"detail": "?"}, "indices", id="no-list"),
    ],
)
def test_what_a_reader_can_get_wrong(
    answer: object, says: str, ask_all: Callable[[Platform], Verified]
) -> None:
    def platform(request: httpx.Request) -> httpx.Response:
        asked = "unstructured-api-key" in request.headers
        return httpx.Response(200, json=answer) if asked else working_platform(request)

    with pytest.raises(VerifyFailed) as caught:
        ask_all(platform)
    (finding,) = caught.value.findings
    assert finding.id == "VERIFY-READING"
    assert says in finding.what


def test_a_site_without_engines_is_not_asked_for_them(site: Site, pki: Pki, stand: Stand) -> None:
    verified = verify(only(site), pki, KEYS, stand.world.ways, Recording())
    assert verified.answer is None
    assert verified.checks == ("the registry answers at https://10.78.0.2:5000/v2/",)


@pytest.fixture
def ask_stores(site: Site, stand: Stand, pki: Pki) -> Callable[[], Verified]:
    """Verify a site that has stores and no engine."""
    stand.stores.password = "the-password"

    def ask() -> Verified:
        return verify(only(site, *STORES), pki, SECRETS, stand.world.ways, Recording())

    return ask


def test_every_store_is_asked_for_what_it_does(ask_stores: Callable[[], Verified], stand: Stand) -> None:
    assert ask_stores().checks[1:] == (
        "Neo4j is reached through cp1",
        "Neo4j is reached through worker1",
        "Neo4j is reached through worker2",
        "Neo4j writes and reads with the site's password",
        "Neo4j refuses a wrong password",
        "Milvus is reached through cp1",
        "Milvus is reached through worker1",
        "Milvus is reached through worker2",
        "Milvus keeps and finds vectors, and refuses a wrong password",
    )
    assert {port for _, port in stand.stores.dialled} == {30687, 30530}
    assert stand.stores.commands == [("milvus", ("/usr/bin/python3.11", "-m", "llmflow_milvus", "probe"))]


@pytest.mark.parametrize(
    ("wrong", "ids", "says"),
    [
        pytest.param({"password": "another"}, ["VERIFY-GRAPH"], "no", id="another-password"),
        pytest.param({"answers": {LOGON: chunked(SUCCESS)}}, ["VERIFY-OPEN"], "any password", id="open"),
        pytest.param({"answers": {PULL: chunked(SUCCESS)}}, ["VERIFY-GRAPH"], "returns []", id="no-row"),
        pytest.param(
            {"answers": {HELLO: chunked(failure("Neo.TransientError.General.X", "busy"))}},
            ["VERIFY-GRAPH", "VERIFY-OPEN"],
            "busy",
            id="busy",
        ),
        pytest.param(
            {"version": bytes(4)},
            ["VERIFY-GRAPH", "VERIFY-OPEN"],
            "does not speak Bolt 5.4",
            id="another-version",
        ),
        pytest.param(
            {"closed": ("10.78.0.4",)},
            ["VERIFY-HEALTH", "VERIFY-HEALTH"],
            "through worker2: Connection refused",
            id="closed",
        ),
        pytest.param({"probe": (1, "Traceback\nno disk")}, ["VERIFY-VECTORS"], "no disk", id="probe"),
        pytest.param({"probe": (137, "")}, ["VERIFY-VECTORS"], "ends with 137", id="killed"),
    ],
)
def test_what_a_store_can_get_wrong(
    wrong: dict[str, Any], ids: list[str], says: str, ask_stores: Callable[[], Verified], stand: Stand
) -> None:
    for name, value in wrong.items():
        setattr(stand.stores, name, value)
    with pytest.raises(VerifyFailed) as caught:
        ask_stores()
    assert [finding.id for finding in caught.value.findings] == ids
    assert says in caught.value.findings[-1].what
    assert "the-password" not in str([caught.value.what, *caught.value.findings])
