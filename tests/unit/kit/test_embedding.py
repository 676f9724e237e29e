"""Texts as vectors, with a dialect that answers in this process."""

from __future__ import annotations

import base64
import math
import random
import tracemalloc
from array import array
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmflow_kit import embedding, pictures, pooling, prefixes, tokens, vectors
from llmflow_kit.batches import Limits
from llmflow_kit.connection import Connection, Server
from llmflow_kit.embedding import Embedder, Style
from llmflow_kit.faults import Garbled, NotServed, Rejected, Unreachable
from llmflow_kit.pooling import REMEMBERED, Engine, Known, Served, Texts
from llmflow_kit.settings import Form
from support.fake_dialect import MODEL, FakeDialect, engine, served
from support.fake_engines import count, packed, unit, vector

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(16)).decode()


def embedder(dialect: FakeDialect, style: Style | None = None, **change: Any) -> Embedder:
    return Embedder(engine(dialect, **change), MODEL, style or Style())


def numbers(found: Sequence[Sequence[float]]) -> list[list[float]]:
    return [list(row) for row in found]


def mixed(how_many: int) -> list[str]:
    """Korean and English texts of very different length."""
    dice = random.Random(7)
    words = ["서울", "벡터", "데이터베이스를", "graph", "of", "retrieval", "검색"]
    return [" ".join(dice.choices(words, k=dice.randint(1, 60))) for _ in range(how_many)]


def test_vectors_come_in_the_order_of_the_texts() -> None:
    dialect, texts = FakeDialect(), mixed(300)
    found = embedder(dialect).embed(texts)
    assert numbers(found.vectors) == [vector(text) for text in texts]
    assert max(len(request.texts if isinstance(request, Texts) else ()) for request in dialect.asked) == 4
    assert (found.tokens, found.counted) == (sum(map(count, texts)), True)


def test_no_texts_ask_nobody() -> None:
    dialect = FakeDialect()
    found = embedder(dialect).embed([])
    assert (found.vectors, found.tokens, dialect.asked) == ([], 0, [])


def test_tokens_are_estimated_where_the_server_does_not_count() -> None:
    found = embedder(FakeDialect(tokens=False)).embed(["안녕하세요", "hello"])
    assert (found.tokens, found.counted) == (tokens.estimate("안녕하세요") + tokens.estimate("hello"), False)


@pytest.mark.parametrize(("query", "prompt", "prefix"), [(True, "q", "query: "), (False, "p", "passage: ")])
def test_queries_and_passages_are_told_apart(query: bool, prompt: str, prefix: str) -> None:
    dialect = FakeDialect()
    style = Style(query_prefix="query: ", passage_prefix="passage: ", query_prompt="q", passage_prompt="p")
    embedder(dialect, style).embed(["말"], query=query)
    (request,) = dialect.asked
    assert isinstance(request, Texts)
    assert (request.prompt, list(request.texts)) == (prompt, [f"{prefix}말"])


def test_vectors_are_made_unit_vectors_where_the_server_does_not() -> None:
    long = [array("f", [3.0, 4.0])]
    assert list(vectors.checked(long, 0, unit=True)[0]) == pytest.approx([0.6, 0.8])
    assert vectors.checked(long, 0, unit=False) == long


@given(st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=50))
def test_base64_and_numbers_are_the_same_vector(row: list[float]) -> None:
    def answer(value: object) -> object:
        return {"data": [{"index": 0, "embedding": value}]}

    assert vectors.of_data(answer(packed(row)), 1) == vectors.of_data(answer(row), 1)


@given(st.lists(st.floats(-1e20, 1e20).filter(lambda number: abs(number) > 1e-10), min_size=2, max_size=20))
def test_unit_vectors_keep_their_direction(row: list[float]) -> None:
    (found,) = vectors.checked([array("f", row)], 0, unit=True)
    assert list(found) == pytest.approx(unit(row), abs=1e-3)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_is_found_in_a_vector(number: float) -> None:
    with pytest.raises(Garbled, match="Vector 2 "):
        vectors.checked([array("f", [1.0]), array("f", [number])], 0, unit=False)


def test_blank_texts_are_refused_before_anything_is_sent() -> None:
    dialect = FakeDialect()
    with pytest.raises(Rejected, match="Text 2 of 2 is empty or blank"):
        embedder(dialect).embed(["말", "\u3000\n"])
    assert dialect.asked == []


@pytest.mark.parametrize(("truncation", "kept"), [("end", "abcde"), ("start", "fghij")])
def test_more_characters_than_a_server_takes_are_cut_where_the_form_says(truncation: str, kept: str) -> None:
    dialect = FakeDialect()
    embedder(dialect, Style(truncation=truncation), most_characters=5).embed(["abcdefghij"])
    (request,) = dialect.asked
    assert isinstance(request, Texts)
    assert request.texts == [kept]


def test_a_server_that_cannot_cut_at_the_start_gets_an_estimated_end() -> None:
    dialect, cuts = FakeDialect(), frozenset({"end"})
    text = " ".join(f"단어{n}" for n in range(500))
    embedder(dialect, Style(truncation="start", context_size=100), cuts=cuts).embed([text])
    (request,) = dialect.asked
    assert isinstance(request, Texts)
    (sent,) = request.texts
    assert text.endswith(sent)
    assert 60 < tokens.estimate(sent) <= 100


def test_a_text_beyond_the_bytes_of_a_request_is_cut_or_refused() -> None:
    limits = Limits(4, 1000, 3000)
    dialect = FakeDialect()
    embedder(dialect, limits=limits).embed(["가" * 5000])
    (request,) = dialect.asked
    assert isinstance(request, Texts)
    assert tokens.size(request.texts[0]) <= 3000
    with pytest.raises(Rejected, match="Text 1 of 1 has 5000 characters") as fault:
        embedder(FakeDialect(), Style(truncation="refuse"), limits=limits).embed(["가" * 5000])
    assert fault.value.field == "truncation"


def test_queries_do_not_wait_behind_passages() -> None:
    dialect = FakeDialect()
    model = embedder(dialect)
    asked: list[int] = []

    def ask_a_query(_ask: object, request: Texts) -> None:
        if len(request.texts) == 4 and not asked:
            asked.append(len(model.embed(["질문"], query=True).vectors))

    dialect.before = ask_a_query
    model.engine.window.size = model.engine.window.most = 1
    model.embed(["하나", "둘", "셋", "넷", "다섯"])
    assert asked == [1]


def test_many_texts_need_little_more_than_their_vectors() -> None:
    texts, row = [f"글 {n}" for n in range(2_000)], array("f", [0.5, 0.5, 0.5, 0.5])

    class Cheap(FakeDialect):
        def embed(self, ask: object, request: Texts) -> pooling.Vectors:
            return pooling.Vectors([row] * len(request.texts), 1)

    model = embedder(Cheap(), limits=Limits(64, 1 << 20, 1 << 20))
    tracemalloc.start()
    try:
        assert len(model.embed(texts).vectors) == len(texts)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 800 * len(texts)  # bytes: a few numbers and references for each


def test_what_is_served_is_remembered_by_server_not_by_model() -> None:
    dialect, now, read = FakeDialect(), [0.0], []
    known = Known(dialect, (served(), served(name="second")))

    def reader(ask: object) -> Known:
        read.append(ask)
        return known

    shared = Engine(Connection((Server("http://nowhere"),)), reader, clock=lambda: now[0])
    for name in (MODEL, "second", MODEL):
        Embedder(shared, name).embed(["말"])
    assert len(read) == 1
    now[0] = REMEMBERED + 1
    shared.known()
    assert len(read) == 2
    shared.servers.epoch += 1  # a server was lost
    shared.known()
    assert len(read) == 3


def test_a_server_that_became_another_is_noticed_when_it_refuses() -> None:
    dialect = FakeDialect()
    models = [(served(),), (served(name="other"),)]
    shared = Engine(Connection((Server("http://nowhere"),)), lambda _: Known(dialect, models.pop(0)))

    def refuse(_ask: object, _request: object) -> None:
        raise Rejected("no")

    dialect.before = refuse
    with pytest.raises(NotServed, match="It serves: other"):
        Embedder(shared, MODEL).embed(["말"])


def test_token_counts_are_asked_in_batches_and_once() -> None:
    dialect = FakeDialect()
    model, texts = embedder(dialect), mixed(10)
    assert model.count_tokens(texts) == [count(text) for text in texts]
    assert [len(batch) for batch in dialect.counted] == [4, 4, 2]
    assert model.count_tokens([*texts, "새 글"])[-1] == count("새 글")
    assert sum(map(len, dialect.counted)) == 11


def test_token_counts_are_estimated_where_nobody_counts() -> None:
    model = embedder(FakeDialect(tokens=False))
    assert model.count_tokens(["안녕하세요"]) == [tokens.estimate("안녕하세요")]


@pytest.mark.parametrize(
    "text", ["", "a", "가", "é", "漢字", "👩‍👩‍👧", "mixed 섞인 text", "\x00", "\ud83d", "x" * 1000]
)
def test_an_estimate_is_at_least_one_token_and_at_most_one_a_character(text: str) -> None:
    assert 1 <= tokens.estimate(text) <= 1 + len(text)


def test_an_estimate_takes_hangul_for_a_token_each() -> None:
    assert tokens.estimate("안녕하세요") == 6
    assert tokens.estimate("hello world!") == 4


def test_pictures_and_words_keep_their_places() -> None:
    dialect = FakeDialect()
    parts = [("image", PNG), ("text", "말"), *[("image", PNG)] * 20]
    found = embedder(dialect).embed_mixed(parts)
    picture = vector(f"data:image/png;base64,{PNG}")
    assert numbers(found.vectors) == [picture, vector("말"), *[picture] * 20]
    assert [len(request.texts) for request in dialect.asked if isinstance(request, Texts)] == [1, 16, 5]


@pytest.mark.parametrize(
    ("first", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n", "png"),
        (b"\xff\xd8\xff\xe0", "jpeg"),
        (b"GIF89a", "gif"),
        (b"BM\x00", "bmp"),
        (b"RIFF\x00\x00\x00\x00WEBP", "webp"),
    ],
)
def test_pictures_by_their_first_bytes(first: bytes, kind: str) -> None:
    content = base64.b64encode(first + bytes(30)).decode()
    assert pictures.data_uri(content) == f"data:image/{kind};base64,{content}"
    assert pictures.data_uri(pictures.data_uri(content)) == pictures.data_uri(content)


@pytest.mark.parametrize("content", ["no picture", "7Zi4", "data:text/html,x", "http://elsewhere/x.png"])
def test_what_is_no_picture(content: str) -> None:
    with pytest.raises(Rejected, match="An image must be"):
        pictures.data_uri(content)


def test_sparse_weights_by_text() -> None:
    assert embedder(FakeDialect()).embed_sparse(["a bb", "ccc"]) == [{1: 1.5, 2: 1.5}, {3: 1.5}]


@pytest.mark.parametrize(
    ("model", "query", "passage"),
    [
        ("intfloat/multilingual-e5-large", "query: ", "passage: "),
        ("e5-base-v2", "query: ", "passage: "),
        ("intfloat/multilingual-e5-large-instruct", prefixes.ASK, ""),
        ("nlpai-lab/KoE5", "query: ", "passage: "),
        ("nlpai-lab/KURE-v1", "", ""),
        ("BAAI/bge-m3", "", ""),
        ("dragonkue/BGE-m3-ko", "", ""),
        ("BAAI/bge-large-en-v1.5", prefixes.SEARCH, ""),
        ("Snowflake/snowflake-arctic-embed-l-v2.0", "query: ", ""),
        ("nomic-ai/nomic-embed-text-v1.5", "search_query: ", "search_document: "),
        ("Qwen/Qwen3-Embedding-0.6B", prefixes.ASK, ""),
        ("google/embeddinggemma-300m", "task: search result | query: ", "title: none | text: "),
        ("all-MiniLM-L6-v2", "", ""),
        ("some-model5-of-ours", "", ""),
    ],
)
def test_families_by_name(model: str, query: str, passage: str) -> None:
    assert prefixes.of(model) == (query, passage)


@pytest.mark.parametrize(
    ("written", "sent"), [("", "query: "), ("Q:  ", "Q:  "), ("none", ""), (r"Ask\nQ: ", "Ask\nQ: ")]
)
def test_a_prefix_in_the_form_wins(written: str, sent: str) -> None:
    form = Form({"query_prefix": written}, embedding.LABELS)
    assert embedding.style(form).prefix("multilingual-e5-small", query=True) == sent


def test_a_prompt_of_the_servers_leaves_no_place_for_the_usual_prefix() -> None:
    found = embedding.style(Form({"query_prompt": "query"}, embedding.LABELS))
    assert (found.prefix("e5-small", query=True), found.prefix("e5-small", query=False)) == ("", "")
    assert (found.prompt(query=True), found.prompt(query=False)) == ("query", "")


def test_every_bad_field_is_named() -> None:
    form = Form({"truncation": "maybe", "dimensions": "0", "normalize": "yes"}, embedding.LABELS)
    embedding.style(form)
    with pytest.raises(Rejected) as fault:
        form.done()
    for name in ("truncation", "dimensions", "normalize"):
        assert embedding.LABELS[name] in fault.value.text


def test_a_server_that_is_lost_is_reported_as_such() -> None:
    def lost(_ask: object, _request: object) -> None:
        raise Unreachable("gone")

    with pytest.raises(Unreachable):
        embedder(FakeDialect(before=lost)).embed(["말"])


def test_a_kind_that_does_not_fit_names_the_address() -> None:
    model = served(can=frozenset({pooling.RERANK}))
    shared = Engine(
        Connection((Server("http://a"), Server("http://b"))), lambda _: Known(FakeDialect(), (model,))
    )
    with pytest.raises(Rejected, match="at http://a is for rerank, not for embedding"):
        Embedder(shared, MODEL).check()


def test_aliases_are_names() -> None:
    known = Known(FakeDialect(), (replace(served(), aliases=frozenset({"short"})),))
    assert isinstance(known.model("short"), Served)
