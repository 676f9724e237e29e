"""TEI and Infinity: who is there, what it is asked, and how often."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from llmflow_embeddings import settings
from llmflow_kit import prefixes, tokens
from llmflow_kit.faults import Garbled, Rejected, Unreachable
from ruamel.yaml import YAML
from support.fake_engines import (
    EMBEDDER,
    KEY,
    RERANKER,
    Behaviour,
    FakeEngine,
    Wire,
    count,
    logistic,
    logit,
    serving,
    vector,
)
from support.fake_infinity import InfinityWire
from support.fake_tei import TeiWire

OTHERS = [f"문서 {n} " + "단어 " * (n % 50) for n in range(100)]


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    yield
    settings.engine_at.cache_clear()


def form(server: FakeEngine, **fields: str) -> dict[str, str]:
    return {"endpoint_url": server.url, "api_key": KEY, **fields}


def embed(server: FakeEngine, *texts: str, query: bool = False, **fields: str) -> Any:
    model = settings.embedder(form(server, **fields), EMBEDDER)
    try:
        return model.embed(texts, query=query)
    finally:
        model.engine.close()


def test_the_form_of_the_yaml_is_the_form_that_is_read() -> None:
    provider = Path(__file__).parents[1] / "provider" / "embeddings.yaml"
    fields = YAML(typ="safe", pure=True).load(provider.read_text(encoding="utf-8"))["model_credential_schema"]
    labels = {field["variable"]: field["label"]["en_US"] for field in fields["credential_form_schemas"]}
    assert labels == settings.LABELS


@pytest.mark.parametrize(
    ("wire", "asked"),
    [
        (TeiWire(), ["/info"]),
        (InfinityWire(), ["/info", "/models"]),
        (InfinityWire(prefix="/v1"), ["/info", "/models", "/v1/models"]),
    ],
)
@pytest.mark.parametrize("suffix", ["", "/", "/v1"])
def test_a_server_is_found_out_once(wire: Wire, asked: list[str], suffix: str) -> None:
    with serving(wire) as server:
        model = settings.embedder(form(server) | {"endpoint_url": server.url + suffix}, EMBEDDER)
        for _ in range(3):
            model.embed(["말"])
        model.engine.close()
        assert server.paths(*wire.work) == asked


def test_two_models_of_a_server_share_what_is_known_of_it() -> None:
    with serving(InfinityWire()) as server:
        settings.embedder(form(server), EMBEDDER).embed(["말"])
        other = settings.reranker(form(server, scores="raw"), RERANKER)
        other.rerank("a", ["a"])
        other.engine.close()
        assert server.paths("/embeddings", "/rerank") == ["/info", "/models"]


def test_two_keys_of_a_server_do_not() -> None:
    with serving(TeiWire()) as server:
        engines = [settings.embedder(form(server, api_key=key), EMBEDDER).engine for key in (KEY, "other")]
        assert engines[0] is not engines[1]


def test_what_is_known_is_forgotten_when_the_server_is_lost() -> None:
    with serving(TeiWire(), behaviour := Behaviour()) as server:
        model = settings.embedder(form(server), EMBEDDER)
        model.embed(["말"])
        behaviour.hang_up = 9
        with pytest.raises(Unreachable):
            model.embed(["말"], query=True)
        behaviour.hang_up = 0
        model.embed(["말"])
        model.engine.close()
        assert server.paths(*TeiWire.work) == ["/info", "/info"]


@pytest.mark.parametrize(
    ("wire", "fields", "route"),
    [
        (TeiWire(), {}, "/v1/embeddings"),
        (TeiWire(), {"truncation": "start"}, "/embed"),
        (TeiWire(), {"truncation": "refuse"}, "/embed"),
        (TeiWire(), {"normalize": "off"}, "/embed"),
        (TeiWire(), {"query_prompt": "query"}, "/embed"),
        (TeiWire(auto_truncate=False), {}, "/embed"),
        (TeiWire(auto_truncate=False), {"truncation": "refuse"}, "/v1/embeddings"),
    ],
)
def test_teis_routes(wire: Wire, fields: dict[str, str], route: str) -> None:
    """OpenAI's has base64 and real token counts, the native one does as it is told."""
    with serving(wire) as server:
        found = embed(server, "말", query=True, **fields)
    assert server.paths("/info") == [route]
    assert found.counted == (route == "/v1/embeddings")


def test_teis_prompts_are_used_by_name() -> None:
    with serving(TeiWire()) as server:
        asked = embed(server, "말", query=True, query_prompt="query").vectors
        told = embed(server, "말", query_prompt="query").vectors
    assert list(asked[0]) == pytest.approx(vector("ask: 말"))
    assert list(told[0]) == pytest.approx(vector("말"))


def test_the_guides_name_every_prefix() -> None:
    folder = Path(__file__).parents[1]
    for guide in (folder / "README.md", folder / "readme" / "README_ko_KR.md"):
        told = guide.read_text(encoding="utf-8").replace("\\|", "|").replace("\\n", "\n")
        assert not [
            text for _, family in prefixes.FAMILIES for text in family if text and f"`{text}`" not in told
        ]


def test_vectors_as_they_come() -> None:
    with serving(TeiWire()) as server:
        (row,) = embed(server, "말", normalize="off").vectors
    assert list(row) == pytest.approx([2 * number for number in vector("말")])


def test_infinity_cuts_dimensions_without_making_unit_vectors_so_the_plugin_does() -> None:
    with serving(InfinityWire()) as server:
        (row,) = embed(server, "말", dimensions="2").vectors
        (raw,) = embed(server, "말", dimensions="2", normalize="off").vectors
    assert sum(number**2 for number in row) == pytest.approx(1)
    assert list(raw) == pytest.approx(vector("말")[:2])


@pytest.mark.parametrize(
    ("tokens", "billed"), [(True, count("문장 하나 더")), (False, tokens.estimate("문장 하나 더"))]
)
def test_infinitys_characters_are_not_taken_for_tokens(tokens: bool, billed: int) -> None:
    with serving(InfinityWire(tokens=tokens)) as server:
        found = embed(server, "문장 하나 더")
    assert (found.tokens, found.counted) == (billed, tokens)


@pytest.mark.parametrize("most", [1, 32])
def test_no_request_holds_more_texts_than_the_server_takes(most: int) -> None:
    with serving(TeiWire(batch=most)) as server:
        found = embed(server, *OTHERS)
    assert [list(row) for row in found.vectors] == [pytest.approx(vector(text)) for text in OTHERS]
    assert max(len(body["input"]) for body in server.bodies("/v1/embeddings")) == most


def test_requests_keep_to_the_tokens_that_the_server_computes_at_once() -> None:
    with serving(TeiWire(batch_tokens=200)) as server:
        embed(server, *OTHERS)
    assert len(server.bodies("/v1/embeddings")) > 100 / 32 * 2


@pytest.mark.parametrize("raw", [False, True])
def test_more_documents_than_the_server_takes_are_ranked_as_one_list(raw: bool) -> None:
    query = "문서 7 단어"
    with serving(TeiWire(kind="reranker")) as server:
        model = settings.reranker(form(server, scores="raw" if raw else ""), RERANKER)
        found = model.rerank(query, OTHERS, top_n=50)
        model.engine.close()
    assert sorted(len(body["texts"]) for body in server.bodies("/rerank")) == [4, 32, 32, 32]
    score = logit if raw else lambda q, d: logistic(logit(q, d))
    right = sorted(enumerate(score(query, text) for text in OTHERS), key=lambda row: -row[1])[:50]
    assert [(one.index, round(one.score, 6)) for one in found] == [(i, round(s, 6)) for i, s in right]


@pytest.mark.parametrize("wire", [TeiWire(kind="reranker"), InfinityWire()])
def test_raw_scores_are_the_models_own(wire: Wire) -> None:
    with serving(wire) as server:
        model = settings.reranker(form(server, scores="raw"), RERANKER)
        found = model.scores("a b", ["a", "", "a b"])
        model.engine.close()
    assert found == [logit("a b", document) for document in ("a", "", "a b")]


def test_a_busy_server_loses_nothing() -> None:
    behaviour = Behaviour(busy_above=2, headers={"retry-after": "0"}, delay=0.002)
    with serving(TeiWire(batch=1), behaviour) as server:
        found = embed(server, *OTHERS[:30])
    assert [list(row) for row in found.vectors] == [pytest.approx(vector(text)) for text in OTHERS[:30]]


def test_a_busy_server_is_asked_less_at_once() -> None:
    sizes = {}
    for refusals in (0, 4):
        behaviour = Behaviour(status=429, headers={"retry-after": "0"}, refusals=refusals)
        with serving(TeiWire(batch=1), behaviour) as server:
            model = settings.embedder(form(server), EMBEDDER)
            model.embed(OTHERS[:8])
            model.engine.close()
        sizes[refusals] = model.engine.window.size
    assert sizes[4] < 5 < sizes[0]


def test_a_server_with_room_is_asked_more_at_once() -> None:
    with serving(TeiWire(batch=1), Behaviour(delay=0.002)) as server:
        model = settings.embedder(form(server), EMBEDDER)
        model.embed(OTHERS)
        model.engine.close()
    assert model.engine.window.size > 10


def test_no_more_is_under_way_than_tei_says_it_bears() -> None:
    with serving(TeiWire(batch=4, at_once=8), Behaviour(delay=0.002)) as server:
        embed(server, *OTHERS)
    assert server.most_underway <= 2


def test_sparse_vectors_of_tei() -> None:
    with serving(TeiWire(kind="splade")) as server:
        model = settings.embedder(form(server), EMBEDDER)
        assert model.embed_sparse(["a bb", "ccc"]) == [{1: 1.5, 2: 1.5}, {3: 1.5}]
        with pytest.raises(Rejected, match="is for sparse, not for embedding"):
            model.check()
        model.engine.close()


@pytest.mark.parametrize("change", ["one too few", "one too many"])
def test_sparse_vectors_that_are_too_few_or_too_many(change: str) -> None:
    with serving(TeiWire(kind="splade"), Behaviour(change=change)) as server:
        model = settings.embedder(form(server), EMBEDDER)
        with pytest.raises(Garbled):
            model.embed_sparse(["a", "b"])
        model.engine.close()


def test_no_sparse_vectors_of_infinity() -> None:
    with serving(InfinityWire()) as server:
        model = settings.embedder(form(server), EMBEDDER)
        with pytest.raises(Rejected, match="TEI with a SPLADE model"):
            model.embed_sparse(["a"])
        model.engine.close()


@pytest.mark.parametrize(("wire", "says"), [(TeiWire(), "Infinity"), (InfinityWire(), "does not support")])
def test_pictures_for_a_model_of_words(wire: Wire, says: str) -> None:
    with serving(wire) as server:
        model = settings.embedder(form(server), EMBEDDER)
        with pytest.raises(Rejected, match=says):
            model.embed_mixed([("image", "data:image/png;base64,AAAA")])
        model.engine.close()


def test_every_server_of_several_is_checked() -> None:
    with serving(TeiWire()) as good, serving(TeiWire(kind="reranker", name=EMBEDDER)) as bad:
        model = settings.embedder(form(good) | {"endpoint_url": f"{good.url}, {bad.url}"}, EMBEDDER)
        with pytest.raises(Rejected, match=f"at {bad.url} is for rerank"):
            model.check()
        model.engine.close()


def test_several_servers_share_the_work() -> None:
    with serving(TeiWire(batch=1)) as one, serving(TeiWire(batch=1)) as other:
        model = settings.embedder(form(one) | {"endpoint_url": f"{one.url} {other.url}"}, EMBEDDER)
        found = model.embed(OTHERS[:40])
        model.engine.close()
    assert [list(row) for row in found.vectors] == [pytest.approx(vector(text)) for text in OTHERS[:40]]
    assert min(len(server.bodies("/v1/embeddings")) for server in (one, other)) > 10


@pytest.mark.parametrize("name", [f"/data/{EMBEDDER}", EMBEDDER])
def test_teis_path_of_a_model_need_not_be_written_out(name: str) -> None:
    with serving(TeiWire()) as server:
        model = settings.embedder(form(server), name)
        model.check()
        model.engine.close()


def test_every_bad_field_of_the_form_is_named() -> None:
    with pytest.raises(Rejected) as fault:
        settings.parse({"endpoint_url": "tei", "server": "vllm", "scores": "best", "context_size": "x"})
    for name in ("endpoint_url", "server", "scores", "context_size"):
        assert settings.LABELS[name] in fault.value.text
