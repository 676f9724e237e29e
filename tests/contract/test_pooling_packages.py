"""The plugins that embed and rerank, as they ship: checked, installed with the network refused, started as the daemon
starts them, and called against good and bad servers.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from llmflow_bundle.dirs import cache_dir
from llmflow_bundle.report import Recording
from llmflow_runner import archive, check, environment, pack, sign
from llmflow_runner.daemon import Plugin, PluginError
from support import fake_engines
from support.fake_engines import CONTEXT, EMBEDDER, KEY, RERANKER, SHORT_DIMENSIONS, Wire, count, vector
from support.fake_infinity import InfinityWire
from support.fake_pooling import PoolingWire
from support.fake_tei import TeiWire
from support.fake_vllm import unused_url
from support.pooling_servers import Trial, serving, trials, verify

PLUGINS = Path(__file__).parents[2] / "plugins"
PROVIDERS = {"tei": "embeddings", "infinity": "embeddings", "vllm": "vllm"}
UNPACKED = 50 << 20  # bytes that the daemon takes
UNKNOWN = 512  # tokens of a context that no server tells
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(24)).decode()


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> rsa.RSAPrivateKey:
    return sign.signing_key(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def packages(key: rsa.RSAPrivateKey, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    out = tmp_path_factory.mktemp("out")
    names = set(PROVIDERS.values())
    return {name: pack.pack(PLUGINS / name, out, key, cache_dir(), Recording()) for name in names}


@pytest.fixture(scope="module")
def running(
    packages: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Plugin]]:
    """Each package in an empty place of its own, running."""
    empty = tmp_path_factory.mktemp("empty")
    opened = {name: archive.read(path) for name, path in packages.items()}
    with (
        environment.installed(opened["embeddings"], empty, False, Recording()) as one,
        environment.installed(opened["vllm"], empty, False, Recording()) as other,
        Plugin(one) as embeddings,
        Plugin(other) as vllm,
    ):
        yield {"embeddings": embeddings, "vllm": vllm}


@pytest.mark.parametrize("name", sorted(set(PROVIDERS.values())))
def test_the_checker_finds_nothing(name: str, packages: dict[str, Path], key: rsa.RSAPrivateKey) -> None:
    assert check.check(packages[name], key.public_key()) == []
    assert sum(map(len, archive.read(packages[name]).files.values())) <= UNPACKED


@pytest.mark.parametrize("trial", trials("tei", "infinity", "vllm", quick=False), ids=lambda trial: trial.id)
def test_servers_through_the_daemons_protocol(trial: Trial, running: dict[str, Plugin]) -> None:
    result: Any = None
    error: PluginError | None = None
    with serving(trial) as server:
        request = _work(trial, trial.form(server.url))
        try:
            (answer,) = running[PROVIDERS[trial.at]].ask(request)
        except PluginError as raised:
            error = raised
        else:
            result = _result(trial, answer)
    assert (error.kind if error else None) == trial.case.expect.error
    verify(trial, server, result, error.text if error else "")


def test_an_answer_in_dify_words(running: dict[str, Plugin]) -> None:
    with fake_engines.serving(TeiWire()) as server:
        (embedded,) = running["embeddings"].ask(
            _model("tei", server.url, "invoke_text_embedding")
            | {"texts": ["안녕", "두 단어"], "input_type": "query"}
        )
    assert embedded["model"] == EMBEDDER
    assert embedded["embeddings"] == [pytest.approx(vector("안녕")), pytest.approx(vector("두 단어"))]
    usage = embedded["usage"]
    assert usage["tokens"] == usage["total_tokens"] == count("안녕") + count("두 단어")
    assert float(usage["total_price"]) == 0
    headers = {name.lower() for name in server.requests[-1].headers}
    assert {"traceparent", "x-request-id"} <= headers


def test_the_callers_own_documents_come_back(running: dict[str, Plugin]) -> None:
    """vLLM echoes documents, the stand-in a wrong one."""
    with fake_engines.serving(PoolingWire(kind="reranker")) as server:
        request = _model("vllm", server.url, "invoke_rerank", RERANKER)
        request |= {"query": "a b", "docs": ["", "a", "a b"], "score_threshold": 0.5, "top_n": 5}
        (ranked,) = running["vllm"].ask(request)
    assert [(doc["index"], doc["text"]) for doc in ranked["docs"]] == [(2, "a b"), (1, "a")]


@pytest.mark.parametrize("at", ["infinity", "vllm"])
def test_pictures_and_words_share_a_space(at: str, running: dict[str, Plugin]) -> None:
    wire = InfinityWire(images=True) if at == "infinity" else PoolingWire(images=True)
    documents = [
        {"content": PNG, "content_type": "image"},
        {"content": "말", "content_type": "text"},
    ]
    with fake_engines.serving(wire) as server:
        request = _model(at, server.url, "invoke_multimodal_embedding") | {"documents": documents}
        (embedded,) = running[PROVIDERS[at]].ask(request | {"input_type": "document"})
    picture = vector(f"data:image/png;base64,{PNG}")
    assert embedded["embeddings"] == [pytest.approx(picture), pytest.approx(vector("말"))]


def test_pictures_are_ranked(running: dict[str, Plugin]) -> None:
    picture = {"content": PNG, "content_type": "image"}
    words = {"content": "a", "content_type": "text"}
    with fake_engines.serving(PoolingWire(kind="reranker", images=True)) as server:
        request = _model("vllm", server.url, "invoke_multimodal_rerank", RERANKER)
        (ranked,) = running["vllm"].ask(
            request | {"query": words, "docs": [picture, words], "score_threshold": None, "top_n": None}
        )
    assert [(doc["index"], doc["text"]) for doc in ranked["docs"]] == [(1, "a"), (0, PNG)]


@pytest.mark.parametrize(("at", "counted"), [("tei", [3, 4]), ("vllm", [3, 4]), ("infinity", None)])
def test_tokens_are_counted_by_the_server_or_estimated(
    at: str, counted: list[int] | None, running: dict[str, Plugin]
) -> None:
    wire = {"tei": TeiWire(), "vllm": PoolingWire(), "infinity": InfinityWire()}[at]
    with fake_engines.serving(wire) as server:
        request = _model(at, server.url, "get_text_embedding_num_tokens") | {"texts": ["하나", "하나 둘"]}
        (answer,) = running[PROVIDERS[at]].ask(request)
    assert answer["num_tokens"] == counted or (counted is None and min(answer["num_tokens"]) > 0)


@pytest.mark.parametrize(
    ("at", "wire", "context", "features"),
    [
        ("tei", TeiWire(), CONTEXT, []),
        ("infinity", InfinityWire(), UNKNOWN, []),
        ("infinity", InfinityWire(images=True), UNKNOWN, ["vision"]),
        ("vllm", PoolingWire(), CONTEXT, []),
        ("vllm", PoolingWire(images=True), CONTEXT, ["vision"]),
    ],
)
def test_the_models_schema_comes_from_the_server(
    at: str, wire: Wire, context: int, features: list[str], running: dict[str, Plugin]
) -> None:
    with fake_engines.serving(wire) as server:
        (answer,) = running[PROVIDERS[at]].ask(_model(at, server.url, "get_ai_model_schemas"))
    schema = answer["model_schema"]
    assert schema["label"]["en_US"] == f"{EMBEDDER} ({SHORT_DIMENSIONS})"
    assert schema["model_properties"]["context_size"] == context
    assert schema["model_properties"]["max_chunks"] >= 256
    assert schema["features"] == features


@pytest.mark.parametrize(
    ("at", "wire", "context", "features"),
    [
        ("tei", TeiWire(kind="reranker"), CONTEXT, []),
        ("infinity", InfinityWire(), UNKNOWN, []),
        ("vllm", PoolingWire(kind="reranker"), CONTEXT, []),
        ("vllm", PoolingWire(kind="reranker", images=True), CONTEXT, ["vision"]),
    ],
)
def test_a_rerankers_schema(
    at: str, wire: Wire, context: int, features: list[str], running: dict[str, Plugin]
) -> None:
    with fake_engines.serving(wire) as server:
        request = _model(at, server.url, "get_ai_model_schemas", RERANKER, "rerank")
        (answer,) = running[PROVIDERS[at]].ask(request)
    assert answer["model_schema"]["model_properties"] == {"context_size": context}
    assert answer["model_schema"]["features"] == features


def test_a_schema_while_the_server_is_down(running: dict[str, Plugin]) -> None:
    for kind, name in (("text-embedding", EMBEDDER), ("rerank", RERANKER)):
        request = _model("tei", unused_url(), "get_ai_model_schemas", name, kind)
        (answer,) = running["embeddings"].ask(request)
        assert answer["model_schema"]["model_properties"]["context_size"] == UNKNOWN


@pytest.mark.parametrize(
    ("at", "kind", "change", "says"),
    [
        ("tei", "text-embedding", {}, None),
        ("tei", "text-embedding", {"server": "infinity"}, "Server / 서버 종류"),
        ("tei", "text-embedding", {"endpoint_url": "tei:8080"}, "Server address"),
        ("tei", "text-embedding", {"api_key": "wrong"}, "API key"),
        ("tei", "text-embedding", {"dimensions": "many"}, "Dimensions"),
        ("tei", "text-embedding", {"dimensions": "99"}, "Dimensions"),
        ("tei", "text-embedding", {"query_prompt": "no-such-prompt"}, "no-such-prompt"),
        ("tei", "text-embedding", {"model": "another"}, f"It serves: /data/{EMBEDDER}"),
        ("tei", "rerank", {}, "is for embedding, not for rerank"),
        ("infinity", "text-embedding", {}, None),
        ("infinity", "rerank", {"model": RERANKER}, None),
        ("infinity", "rerank", {}, "is for embedding, not for rerank"),
        ("infinity", "text-embedding", {"model": RERANKER}, "is for rerank, not for embedding"),
        ("infinity", "text-embedding", {"model": "another"}, f"It serves: {EMBEDDER}, {RERANKER}"),
        ("infinity", "text-embedding", {"truncation": "refuse"}, "Context size"),
        ("vllm", "text-embedding", {}, None),
        ("vllm", "rerank", {}, "is for embedding, not for rerank"),
        ("vllm", "text-embedding", {"model": "another"}, f"It serves: {EMBEDDER}"),
        ("vllm", "text-embedding", {"scores": "best"}, "Scores"),
    ],
)
def test_the_form_is_checked_against_the_server(
    at: str, kind: str, change: dict[str, str], says: str | None, running: dict[str, Plugin]
) -> None:
    wire = {"tei": TeiWire(), "vllm": PoolingWire(), "infinity": InfinityWire()}[at]
    with fake_engines.serving(wire) as server:
        request = _model(at, server.url, "validate_model_credentials", change.get("model", EMBEDDER), kind)
        request["credentials"] |= {name: value for name, value in change.items() if name != "model"}
        if says is None:
            assert next(iter(running[PROVIDERS[at]].ask(request)))["result"] is True
            return
        with pytest.raises(PluginError, match=says) as error:
            list(running[PROVIDERS[at]].ask(request))
    assert error.value.kind == "CredentialsValidateFailedError"


@pytest.mark.parametrize(
    ("provider", "wire", "says"),
    [
        ("embeddings", PoolingWire(), "neither TEI nor Infinity"),
        ("vllm", PoolingWire(kind="llm"), "is for text generation, not for embedding"),
        ("vllm", PoolingWire(version="0.9.1"), "0.12 or newer"),
        ("vllm", TeiWire(), "no such address"),
    ],
)
def test_another_kind_of_server_is_told_by_name(
    provider: str, wire: fake_engines.Wire, says: str, running: dict[str, Plugin]
) -> None:
    with fake_engines.serving(wire) as server:
        at = "tei" if provider == "embeddings" else "vllm"
        request = _model(at, server.url, "validate_model_credentials")
        with pytest.raises(PluginError, match=says):
            list(running[provider].ask(request))


def test_more_than_a_line_holds_is_refused_before_it_kills_the_plugin(running: dict[str, Plugin]) -> None:
    with fake_engines.serving(InfinityWire()) as server:
        request = _model("infinity", server.url, "invoke_text_embedding") | {"input_type": "document"}
        with pytest.raises(PluginError, match="ask for fewer at once"):
            list(running["embeddings"].ask(request | {"texts": ["x"] * 55_000}))
        (embedded,) = running["embeddings"].ask(request | {"texts": ["x"] * 1_000})
    assert len(embedded["embeddings"]) == 1_000


def _work(trial: Trial, form: dict[str, str]) -> dict[str, Any]:
    ask = trial.case.ask
    kind, action = (
        ("text-embedding", "invoke_text_embedding") if trial.of == "embed" else ("rerank", "invoke_rerank")
    )
    request = _model(trial.at, "", action, trial.model, kind) | {"credentials": form}
    if trial.of == "embed":
        return request | {"texts": trial.texts, "input_type": "query" if ask.query else "document"}
    return request | {"query": ask.query_text, "docs": trial.texts, "score_threshold": None, "top_n": None}


def _result(trial: Trial, answer: Any) -> Any:
    if trial.of == "embed":
        return answer["embeddings"]
    return [(doc["index"], doc["score"]) for doc in answer["docs"]]


def _model(at: str, url: str, action: str, model: str = EMBEDDER, kind: str = "") -> dict[str, Any]:
    about = {"type": "model", "user_id": "u", "provider": PROVIDERS[at], "action": action, "model": model}
    kind = kind or ("rerank" if "rerank" in action else "text-embedding")
    return {**about, "model_type": kind, "credentials": {"endpoint_url": url, "api_key": KEY}}
