"""vLLM's pooling servers: what they are asked, and what they are found to be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from llmflow_kit import connection
from llmflow_kit.faults import Rejected
from llmflow_vllm import pooling, settings
from ruamel.yaml import YAML
from support.fake_engines import EMBEDDER, KEY, RERANKER, FakeEngine, count, logit, serving, vector
from support.fake_pooling import PoolingWire

EVERY_SCORE_ROUTE = ("/v1/rerank", "/rerank", "/score")


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    yield
    pooling.engine_at.cache_clear()


def form(server: FakeEngine, **fields: str) -> dict[str, str]:
    return {"endpoint_url": server.url, "api_key": KEY, **fields}


def test_the_form_of_the_yaml_has_every_field_that_is_read() -> None:
    provider = Path(__file__).parents[1] / "provider" / "vllm.yaml"
    fields = YAML(typ="safe", pure=True).load(provider.read_text(encoding="utf-8"))["model_credential_schema"]
    labels = {field["variable"]: field["label"]["en_US"] for field in fields["credential_form_schemas"]}
    assert labels == {**settings.LABELS, **pooling.LABELS}
    assert set(settings.LABELS) & set(pooling.LABELS) == {*connection.LABELS, "context_size"}


def test_a_request_says_how_long_texts_are_cut_and_what_is_packed() -> None:
    with serving(PoolingWire()) as server:
        model = pooling.embedder(form(server, dimensions="2", truncation="start"), EMBEDDER)
        found = model.embed(["말", "두 단어"])
        model.engine.close()
    (body,) = server.bodies("/v1/embeddings")
    assert body == {
        "model": EMBEDDER,
        "input": ["두 단어", "말"],
        "dimensions": 2,
        "truncate_prompt_tokens": -1,
        "truncation_side": "left",
        "use_activation": True,
        "encoding_format": "base64",
        "embed_dtype": "float32",
        "endianness": "little",
    }
    assert list(found.vectors[0]) == pytest.approx(vector("말", 2))
    assert (found.tokens, found.counted) == (count("말") + count("두 단어"), True)


def test_vectors_as_they_come() -> None:
    with serving(PoolingWire()) as server:
        model = pooling.embedder(form(server, normalize="off"), EMBEDDER)
        (row,) = model.embed(["말"]).vectors
        model.engine.close()
    assert list(row) == pytest.approx([2 * number for number in vector("말")])


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("hidden", [(), ("/v1/rerank",), ("/v1/rerank", "/rerank")])
def test_scores_by_whichever_route_is_let_through(hidden: tuple[str, ...], raw: bool) -> None:
    wire = PoolingWire(kind="reranker", hidden=frozenset(hidden))
    with serving(wire) as server:
        model = pooling.reranker(form(server, scores="raw" if raw else ""), RERANKER)
        found = model.scores("a b", ["a", "", "a b"])
        model.engine.close()
    assert server.bodies(EVERY_SCORE_ROUTE[len(hidden)])[0]["use_activation"] is False
    logits = [logit("a b", document) for document in ("a", "", "a b")]
    assert found == (logits if raw else [pytest.approx(1 / (1 + 2.718281828459045**-x)) for x in logits])


def test_a_gateway_without_any_score_route() -> None:
    with serving(PoolingWire(kind="reranker", hidden=frozenset(EVERY_SCORE_ROUTE))) as server:
        model = pooling.reranker(form(server), RERANKER)
        with pytest.raises(Rejected, match="no such address"):
            model.rerank("a", ["a"])
        model.engine.close()


def test_a_gateway_that_lets_only_v1_through() -> None:
    hidden = frozenset({"/version", "/openapi.json", "/tokenize", "/rerank", "/score"})
    with serving(PoolingWire(hidden=hidden)) as server:
        model = pooling.embedder(form(server), EMBEDDER)
        model.check()
        assert model.count_tokens(["하나 둘"])[0] > 0
        model.engine.close()


@pytest.mark.parametrize("version", ["0.12.0", "0.32.0", "1.0.0", "0.1.dev1+gabcdef", "nightly"])
def test_versions_that_will_do(version: str) -> None:
    with serving(PoolingWire(version=version)) as server:
        model = pooling.embedder(form(server), EMBEDDER)
        model.check()
        model.engine.close()


@pytest.mark.parametrize("version", ["0.11.2", "0.9.1"])
def test_versions_that_would_take_scores_for_something_else(version: str) -> None:
    with serving(PoolingWire(version=version)) as server:
        model = pooling.reranker(form(server), RERANKER)
        with pytest.raises(Rejected, match="or newer") as fault:
            model.check()
        model.engine.close()
    assert fault.value.field == "endpoint_url"


@pytest.mark.parametrize(("kind", "found"), [("reranker", "rerank"), ("llm", "text generation")])
def test_a_server_of_another_kind(kind: str, found: str) -> None:
    wire = PoolingWire(kind=kind)
    with serving(wire) as server:
        model = pooling.embedder(form(server), wire.model)
        with pytest.raises(Rejected, match=f"is for {found}, not for embedding"):
            model.check()
        model.engine.close()


def test_an_embedding_model_is_no_reranker_though_it_can_compare() -> None:
    with serving(PoolingWire()) as server:
        model = pooling.reranker(form(server), EMBEDDER)
        with pytest.raises(Rejected, match="is for embedding, not for rerank"):
            model.check()
        model.engine.close()


def test_tokens_of_a_picture_and_a_text() -> None:
    with serving(PoolingWire(images=True)) as server:
        model = pooling.embedder(form(server), EMBEDDER)
        found = model.embed_mixed([("image", "data:image/png;base64,AAAA"), ("text", "두 단어")])
        model.engine.close()
    assert server.bodies("/v1/embeddings")[-1]["messages"][0]["content"][0]["type"] == "image_url"
    assert (found.counted, len(found.vectors)) == (True, 2)


@pytest.mark.parametrize("images", [False, True])
@pytest.mark.parametrize("kind", ["embedding", "reranker"])
def test_whether_a_model_takes_pictures_is_tried_out(kind: str, images: bool) -> None:
    wire = PoolingWire(kind=kind, images=images)
    with serving(wire) as server:
        model = pooling.embedder(form(server), wire.model)
        wanted = "embedding" if kind == "embedding" else "rerank"
        assert model.engine.takes_images(wire.model, wanted) == images
        model.engine.close()
