"""The packaged plugins that embed and rerank against real engines: Infinity, vLLM, and TEI where there is one.

What the stand-ins of the other tests claim about the engines is true. A TEI with an embedding model is named by
$LLMFLOW_TEST_TEI_URL, its key by $LLMFLOW_TEST_TEI_KEY.
"""

from __future__ import annotations

import json
import math
import os
import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from llmflow_bundle.dirs import cache_dir
from llmflow_bundle.report import Recording
from llmflow_runner import archive, environment, pack, sign
from llmflow_runner.daemon import Plugin, PluginError
from support import fake_engines, infinity_server
from support.fake_engines import EMBEDDER, RERANKER, Wire
from support.fake_infinity import InfinityWire
from support.fake_pooling import PoolingWire
from support.fake_tei import TeiWire
from support.vllm_server import KEY, Missing, real_pooling

PLUGINS = Path(__file__).parents[2] / "plugins"
TEI_URL, TEI_KEY = os.environ.get("LLMFLOW_TEST_TEI_URL"), os.environ.get("LLMFLOW_TEST_TEI_KEY", KEY)
PROVIDERS = {"infinity": "embeddings", "vllm": "vllm"}
DIMENSIONS, CONTEXT = 384, 256  # of all-MiniLM-L6-v2

Engines = dict[tuple[str, str], str]  # a kind of server and what it does → its address


@pytest.fixture(scope="module")
def engines() -> Iterator[Engines]:
    with ExitStack() as stack:
        try:
            models = infinity_server.models()
            infinity = stack.enter_context(infinity_server.real_infinity())
            embedder = stack.enter_context(real_pooling(models.embedder, EMBEDDER))
            reranker = stack.enter_context(real_pooling(models.reranker, RERANKER))
        except Missing as missing:
            pytest.skip(str(missing))
        yield {
            ("infinity", "embed"): infinity.url,
            ("infinity", "rerank"): infinity.url,
            ("vllm", "embed"): embedder.url,
            ("vllm", "rerank"): reranker.url,
        }


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Plugin]]:
    key = sign.signing_key(tmp_path_factory.mktemp("keys"))
    out, empty = tmp_path_factory.mktemp("out"), tmp_path_factory.mktemp("empty")
    with ExitStack() as stack:
        running = {}
        for name in set(PROVIDERS.values()):
            package = archive.read(pack.pack(PLUGINS / name, out, key, cache_dir(), Recording()))
            place = stack.enter_context(environment.installed(package, empty, False, Recording()))
            running[name] = stack.enter_context(Plugin(place))
        yield running


def test_engines_agree_on_vectors(engines: Engines, plugins: dict[str, Plugin]) -> None:
    texts = mixed(60)
    found = {at: embed(engines, plugins, at, texts)["embeddings"] for at in PROVIDERS}
    for ours, others in zip(found["infinity"], found["vllm"], strict=True):
        assert len(ours) == len(others) == DIMENSIONS
        assert math.sumprod(ours, ours) == pytest.approx(1, abs=1e-3)
        assert math.sumprod(ours, others) > 0.999


@pytest.mark.parametrize("at", PROVIDERS)
def test_a_text_among_others_has_the_vector_that_it_has_alone(
    at: str, engines: Engines, plugins: dict[str, Plugin]
) -> None:
    texts = mixed(150)
    together = embed(engines, plugins, at, texts)["embeddings"]
    for index in (0, 77, 149):
        (alone,) = embed(engines, plugins, at, [texts[index]], input_type="query")["embeddings"]
        assert math.sumprod(alone, together[index]) > 0.999


@pytest.mark.parametrize("at", PROVIDERS)
def test_the_passage_that_answers_ranks_first(at: str, engines: Engines, plugins: dict[str, Plugin]) -> None:
    documents = ["", *(row["passage"] for row in taught())]
    for right, row in enumerate(taught(), 1):
        for question in row["questions"]:
            request = model(engines, at, "invoke_rerank", RERANKER)
            request |= {"query": question, "docs": documents, "score_threshold": 0.5, "top_n": 3}
            (ranked,) = plugins[PROVIDERS[at]].ask(request)
            (best,) = ranked["docs"]
            assert (best["index"], best["text"]) == (right, row["passage"])
            assert 0.9 < best["score"] <= 1


def test_engines_agree_on_scores(engines: Engines, plugins: dict[str, Plugin]) -> None:
    documents, question = [row["passage"] for row in taught()], taught()[0]["questions"][0]
    found = {}
    for at in PROVIDERS:
        for scores in ("probability", "raw"):
            request = model(engines, at, "invoke_rerank", RERANKER)
            request["credentials"]["scores"] = scores
            request |= {"query": question, "docs": documents, "score_threshold": None, "top_n": None}
            (ranked,) = plugins[PROVIDERS[at]].ask(request)
            found[at, scores] = {doc["index"]: doc["score"] for doc in ranked["docs"]}
    for index in range(len(documents)):
        assert found["infinity", "probability"][index] == pytest.approx(
            found["vllm", "probability"][index], abs=0.02
        )
        raw = found["vllm", "raw"][index]
        assert 1 / (1 + math.exp(-raw)) == pytest.approx(found["vllm", "probability"][index])
        assert raw == pytest.approx(found["infinity", "raw"][index], abs=0.5)


@pytest.mark.parametrize("at", PROVIDERS)
def test_where_a_long_text_is_cut(at: str, engines: Engines, plugins: dict[str, Plugin]) -> None:
    begin, end = "the king of spain " * 100, " quantum field theory" * 100
    (first,) = embed(engines, plugins, at, [begin])["embeddings"]
    (last,) = embed(engines, plugins, at, [end])["embeddings"]
    for truncation, like, unlike in (("end", first, last), ("start", last, first)):
        fields = {"truncation": truncation, "context_size": str(CONTEXT)}
        (cut,) = embed(engines, plugins, at, [begin + end], **fields)["embeddings"]
        assert math.sumprod(cut, like) > 0.7 > math.sumprod(cut, unlike)
    with pytest.raises(PluginError, match="Text 2 of 2"):
        embed(engines, plugins, at, ["short", begin], truncation="refuse", context_size=str(CONTEXT))


def test_fewer_dimensions(engines: Engines, plugins: dict[str, Plugin]) -> None:
    (row,) = embed(engines, plugins, "infinity", ["text"], dimensions="64")["embeddings"]
    assert len(row) == 64
    assert math.sumprod(row, row) == pytest.approx(1)
    with pytest.raises(PluginError, match="Dimensions"):
        embed(engines, plugins, "vllm", ["text"], dimensions="64")


def test_tokens_are_counted_as_the_server_bills_them(engines: Engines, plugins: dict[str, Plugin]) -> None:
    texts = mixed(20)
    request = model(engines, "vllm", "get_text_embedding_num_tokens") | {"texts": texts}
    (counted,) = plugins["vllm"].ask(request)
    billed = embed(engines, plugins, "vllm", texts, truncation="refuse")["usage"]["total_tokens"]
    assert sum(counted["num_tokens"]) == billed


@pytest.mark.parametrize(
    "text", ["반쪽 \ud83d 글자", "👩‍👩‍👧", "\x00\x01", "가" * 300_000], ids=["half", "emoji", "nul", "long"]
)
@pytest.mark.parametrize("at", PROVIDERS)
def test_strange_texts(at: str, text: str, engines: Engines, plugins: dict[str, Plugin]) -> None:
    (row,) = embed(engines, plugins, at, [text])["embeddings"]
    assert len(row) == DIMENSIONS


@pytest.mark.parametrize(("at", "context"), [("infinity", 512), ("vllm", CONTEXT)])
def test_the_schema_has_what_the_server_says(
    at: str, context: int, engines: Engines, plugins: dict[str, Plugin]
) -> None:
    (answer,) = plugins[PROVIDERS[at]].ask(model(engines, at, "get_ai_model_schemas"))
    schema = answer["model_schema"]
    assert schema["label"]["en_US"] == f"{EMBEDDER} ({DIMENSIONS})"
    assert schema["model_properties"]["context_size"] == context
    assert schema["model_properties"]["max_chunks"] > 100


@pytest.mark.parametrize("at", PROVIDERS)
@pytest.mark.parametrize(
    ("of", "kind", "change", "says"),
    [
        ("embed", "text-embedding", {}, None),
        ("rerank", "rerank", {}, None),
        ("embed", "rerank", {}, "is for embedding, not for rerank"),
        ("rerank", "text-embedding", {}, "is for rerank, not for embedding"),
        ("embed", "text-embedding", {"api_key": "wrong"}, "API key"),
        ("embed", "text-embedding", {"endpoint_url": "/v2"}, "Server address"),
    ],
)
def test_the_form_is_checked_against_the_server(
    at: str,
    of: str,
    kind: str,
    change: dict[str, str],
    says: str | None,
    engines: Engines,
    plugins: dict[str, Plugin],
) -> None:
    name = EMBEDDER if of == "embed" else RERANKER
    request = model(engines, at, "validate_model_credentials", name) | {"model_type": kind}
    url = engines[at, of]
    request["credentials"] |= {"endpoint_url": url, **change}
    if "endpoint_url" in change:
        request["credentials"]["endpoint_url"] = url + change["endpoint_url"]
    if says is None:
        assert next(iter(plugins[PROVIDERS[at]].ask(request)))["result"] is True
        return
    with pytest.raises(PluginError, match=says):
        list(plugins[PROVIDERS[at]].ask(request))


@pytest.mark.parametrize("at", PROVIDERS)
def test_another_model_is_told_with_those_that_are_served(
    at: str, engines: Engines, plugins: dict[str, Plugin]
) -> None:
    request = model(engines, at, "validate_model_credentials", "another")
    with pytest.raises(PluginError, match=f"It serves: {EMBEDDER}"):
        list(plugins[PROVIDERS[at]].ask(request))


@pytest.mark.parametrize("of", ["embed", "rerank"])
def test_the_stand_in_speaks_as_infinity_does(of: str, engines: Engines) -> None:
    assert_alike(InfinityWire(), engines["infinity", of], KEY, INFINITY)


@pytest.mark.parametrize("of", ["embed", "rerank"])
def test_the_stand_in_speaks_as_vllm_does(of: str, engines: Engines) -> None:
    wire = PoolingWire(kind="embedding" if of == "embed" else "reranker", matryoshka=False)
    assert_alike(wire, engines["vllm", of], KEY, VLLM_EMBED if of == "embed" else VLLM_RERANK)


@pytest.mark.skipif(not TEI_URL, reason="no TEI is named by LLMFLOW_TEST_TEI_URL")
def test_the_stand_in_speaks_as_tei_does() -> None:
    assert TEI_URL
    assert_alike(TeiWire(), TEI_URL, TEI_KEY, TEI)


Exchange = tuple[str, str, Any]  # method, path, body

TEXTS = ["안녕하세요", "hello"]
LONG = "hello " * 600
PICTURE = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]
INFINITY: tuple[Exchange, ...] = (
    ("GET", "/info", None),
    ("GET", "/health", None),
    ("GET", "/models", None),
    ("POST", "/embeddings", {"model": EMBEDDER, "input": TEXTS, "encoding_format": "base64"}),
    ("POST", "/embeddings", {"model": EMBEDDER, "input": TEXTS, "dimensions": 4}),
    ("POST", "/embeddings", {"model": EMBEDDER, "input": TEXTS, "dimensions": 999}),
    ("POST", "/embeddings", {"model": EMBEDDER, "input": []}),
    ("POST", "/embeddings", {"model": EMBEDDER, "input": ["a" * 122_881]}),
    ("POST", "/embeddings", {"model": EMBEDDER, "input": ["a"] * 2049}),
    (
        "POST",
        "/embeddings",
        {"model": EMBEDDER, "input": ["data:image/png;base64,iVBORw0KGgo="], "modality": "image"},
    ),
    ("POST", "/embeddings", {"model": RERANKER, "input": TEXTS}),
    ("POST", "/embeddings", {"model": "another", "input": TEXTS}),
    (
        "POST",
        "/rerank",
        {"model": RERANKER, "query": "q", "documents": [*TEXTS, ""], "return_documents": False},
    ),
    ("POST", "/rerank", {"model": RERANKER, "query": "q", "documents": TEXTS, "raw_scores": True}),
    ("POST", "/rerank", {"model": EMBEDDER, "query": "q", "documents": TEXTS}),
    ("POST", "/nowhere", {}),
)
PACKED = {"encoding_format": "base64", "embed_dtype": "float32", "endianness": "little"}
VLLM_EMBED: tuple[Exchange, ...] = (
    ("GET", "/v1/models", None),
    ("GET", "/version", None),
    ("POST", "/v1/embeddings", {"model": EMBEDDER, "input": TEXTS, "use_activation": True, **PACKED}),
    ("POST", "/v1/embeddings", {"model": EMBEDDER, "input": TEXTS, "normalize": True}),
    ("POST", "/v1/embeddings", {"model": EMBEDDER, "input": TEXTS, "dimensions": 2}),
    ("POST", "/v1/embeddings", {"model": EMBEDDER, "input": [LONG]}),
    (
        "POST",
        "/v1/embeddings",
        {"model": EMBEDDER, "input": [LONG], "truncate_prompt_tokens": -1, "truncation_side": "left"},
    ),
    ("POST", "/v1/embeddings", {"model": EMBEDDER, "input": []}),
    ("POST", "/v1/embeddings", {"model": "another", "input": TEXTS}),
    ("POST", "/v1/embeddings", {"model": EMBEDDER, "messages": [{"role": "user", "content": PICTURE}]}),
    ("POST", "/v1/rerank", {"model": EMBEDDER, "query": "q", "documents": TEXTS}),
    ("POST", "/tokenize", {"model": EMBEDDER, "prompt": "hello"}),
    ("POST", "/v1/chat/completions", {}),
)
VLLM_RERANK: tuple[Exchange, ...] = (
    (
        "POST",
        "/v1/rerank",
        {"model": RERANKER, "query": "q", "documents": [*TEXTS, ""], "use_activation": False},
    ),
    ("POST", "/rerank", {"model": RERANKER, "query": "q", "documents": TEXTS, "use_activation": True}),
    ("POST", "/score", {"model": RERANKER, "text_1": "q", "text_2": TEXTS, "use_activation": False}),
    ("POST", "/v1/rerank", {"model": RERANKER, "query": "q", "documents": []}),
    ("POST", "/v1/rerank", {"model": RERANKER, "query": "q", "documents": [{"content": PICTURE}]}),
    ("POST", "/v1/rerank", {"model": RERANKER, "query": "q", "documents": [LONG]}),
    ("POST", "/v1/rerank", {"model": "another", "query": "q", "documents": TEXTS}),
    ("POST", "/v1/embeddings", {"model": RERANKER, "input": TEXTS}),
)
TEI: tuple[Exchange, ...] = (
    ("GET", "/info", None),
    ("POST", "/v1/embeddings", {"model": "any", "input": TEXTS, "encoding_format": "base64"}),
    ("POST", "/v1/embeddings", {"model": "any", "input": []}),
    (
        "POST",
        "/embed",
        {"inputs": TEXTS, "truncate": True, "truncation_direction": "left", "normalize": False},
    ),
    ("POST", "/embed", {"inputs": ["a"] * 5000}),
    ("POST", "/embed", {"inputs": [""]}),
    ("POST", "/embed", {"inputs": TEXTS, "prompt_name": "no-such-prompt"}),
    ("POST", "/embed_sparse", {"inputs": TEXTS}),
    ("POST", "/rerank", {"query": "q", "texts": TEXTS}),
    ("POST", "/rerank", {"query": "q", "texts": []}),
    ("POST", "/tokenize", {"inputs": TEXTS}),
    ("POST", "/nowhere", {}),
)


def assert_alike(wire: Wire, url: str, key: str, exchanges: tuple[Exchange, ...]) -> None:
    """The same requests to both: equal status, and every key of the stand-in's answer is in the real one's."""
    with fake_engines.serving(wire) as fake:
        for exchange in [*exchanges, ("GET", "/v1/models", "wrong key"), ("GET", "/models", "wrong key")]:
            ours, theirs = said(fake.url, fake_engines.KEY, exchange), said(url, key, exchange)
            assert within(ours, theirs), f"{exchange[:2]}: {ours} is not {theirs}"


def said(url: str, key: str, exchange: Exchange) -> Any:
    """An answer's status and shape."""
    method, path, body = exchange
    headers = {"authorization": f"Bearer {'wrong' if body == 'wrong key' else key}"}
    with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=60) as client:
        answer = client.request(method, path, json=body if method == "POST" else None)
    try:
        return [answer.status_code, shape(answer.json())]
    except ValueError:
        return [answer.status_code, answer.content.strip() == b""]


def shape(value: Any) -> Any:
    """What kind of JSON it is."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return (
        "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
    )


def within(ours: Any, theirs: Any) -> bool:
    """Whether every key of ours is in theirs, with the same kind of value."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return all(name in theirs and within(item, theirs[name]) for name, item in ours.items())
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(within, ours, theirs))
    return bool(ours == theirs)


def taught() -> list[Any]:
    """The passages that the reranker was made to know, each with the questions that it answers."""
    rows: list[Any] = json.loads(
        (infinity_server.RERANKER_RECIPE / "passages.json").read_text(encoding="utf-8")
    )
    return rows


def mixed(how_many: int) -> list[str]:
    """Korean and English texts of different length."""
    dice = random.Random(7)
    words = ["서울", "벡터", "검색", "graph", "of", "retrieval", "the", "king", "model"]
    return [" ".join(dice.choices(words, k=dice.randint(1, 40))) for _ in range(how_many)]


def embed(
    engines: Engines,
    plugins: dict[str, Plugin],
    at: str,
    texts: list[str],
    input_type: str = "document",
    **fields: str,
) -> Any:
    request = model(engines, at, "invoke_text_embedding") | {"texts": texts, "input_type": input_type}
    request["credentials"] |= fields
    (answer,) = plugins[PROVIDERS[at]].ask(request)
    return answer


def model(engines: Engines, at: str, action: str, name: str = EMBEDDER) -> dict[str, Any]:
    of = "rerank" if name == RERANKER else "embed"
    kind = "rerank" if of == "rerank" else "text-embedding"
    about = {"type": "model", "user_id": "u", "provider": PROVIDERS[at], "model_type": kind}
    credentials = {"endpoint_url": engines[at, of], "api_key": KEY}
    return {**about, "action": action, "model": name, "credentials": credentials}
