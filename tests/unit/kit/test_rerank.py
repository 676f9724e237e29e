"""Documents ranked, with a dialect that answers in this process."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmflow_kit import answers, rerank
from llmflow_kit.batches import Limits
from llmflow_kit.faults import Garbled, Rejected
from llmflow_kit.pooling import Pairs
from llmflow_kit.rerank import Ranked, Ranking, Reranker
from llmflow_kit.settings import Form
from support.fake_dialect import MODEL, FakeDialect, engine
from support.fake_engines import logistic, logit

QUERY = "a b c"
DOCUMENTS = ["x", "a b c", "", "a", "a b", "x y", "b"]


def reranker(dialect: FakeDialect, ranking: Ranking | None = None, **change: Any) -> Reranker:
    return Reranker(engine(dialect, **change), MODEL, ranking or Ranking())


def test_the_best_first_equals_in_their_old_order() -> None:
    dialect = FakeDialect()
    found = reranker(dialect, limits=Limits(2, 1000, 1000)).rerank(QUERY, DOCUMENTS)
    assert [one.index for one in found] == [1, 4, 3, 6, 0, 2, 5]
    assert all(one.score == logistic(logit(QUERY, DOCUMENTS[one.index])) for one in found)
    assert [len(request.documents) for request in dialect.asked if isinstance(request, Pairs)] == [2, 2, 2, 1]


def test_a_document_scores_the_same_alone_and_among_others() -> None:
    """No min-max: the only document of a request is not worthless, the worst of many not 0."""
    (alone,) = reranker(FakeDialect()).rerank(QUERY, ["a"])
    among = {one.index: one.score for one in reranker(FakeDialect()).rerank(QUERY, DOCUMENTS)}
    assert alone.score == among[3]
    assert 0 < min(among.values()) < max(among.values()) < 1


@pytest.mark.parametrize(("top_n", "count"), [(None, 7), (0, 7), (-1, 7), (3, 3), (99, 7)])
def test_top_n_of_all_batches_together(top_n: int | None, count: int) -> None:
    model = reranker(FakeDialect(), limits=Limits(2, 1000, 1000))
    found = model.rerank(QUERY, DOCUMENTS, top_n=top_n)
    assert found == model.rerank(QUERY, DOCUMENTS)[:count]


@pytest.mark.parametrize(
    ("threshold", "kept"), [(None, 7), (0.0, 7), (0.5, 4), (logistic(1.0), 4), (0.99, 1), (1.0, 0)]
)
def test_a_threshold_is_reached_by_equals(threshold: float | None, kept: int) -> None:
    assert len(reranker(FakeDialect()).rerank(QUERY, DOCUMENTS, threshold=threshold)) == kept


def test_raw_scores_are_the_models_own() -> None:
    found = reranker(FakeDialect(), Ranking(raw=True)).rerank(QUERY, DOCUMENTS, threshold=1.0)
    assert found == [Ranked(1, 5.0), Ranked(4, 3.0), Ranked(3, 1.0), Ranked(6, 1.0)]


def test_no_documents_ask_nobody() -> None:
    dialect = FakeDialect()
    assert reranker(dialect).rerank(QUERY, []) == []
    assert dialect.asked == []


def test_a_blank_query_is_refused() -> None:
    with pytest.raises(Rejected, match="query is empty"):
        reranker(FakeDialect()).rerank(" ", DOCUMENTS)


def test_documents_longer_than_the_server_takes_are_cut_or_refused_by_number() -> None:
    dialect = FakeDialect()
    reranker(dialect, most_characters=5).rerank("a", ["a", "abcdefghij"])
    (request,) = dialect.asked
    assert isinstance(request, Pairs)
    assert sorted(request.documents) == ["a", "abcde"]
    with pytest.raises(Rejected, match="Document 2 of 2 has 10 characters"):
        reranker(FakeDialect(), Ranking(truncation="refuse"), most_characters=5).rerank(
            "a", ["a", "abcdefghij"]
        )


@pytest.mark.parametrize("value", [None, "1", math.nan, math.inf, True, [1.0]])
def test_a_score_that_is_none_is_no_score(value: Any) -> None:
    with pytest.raises(Garbled, match="document 2 is not a number"):
        answers.scores([0.5, value])


@given(st.floats(-1e308, 1e308))
def test_a_probability_is_one_for_every_logit(logit: float) -> None:
    assert 0 <= rerank.probability(logit) <= 1


@given(st.floats(-30, 30), st.floats(-30, 30))
def test_probabilities_keep_the_order(one: float, other: float) -> None:
    assert (one <= other) <= (rerank.probability(one) <= rerank.probability(other))


def test_the_form() -> None:
    form = Form({"scores": "raw", "document_truncation": "start"}, rerank.LABELS)
    assert rerank.ranking(form) == Ranking(raw=True, truncation="start")
    rerank.ranking(form := Form({"scores": "best"}, rerank.LABELS))
    with pytest.raises(Rejected, match="Scores"):
        form.done()
