"""The figures of retrieval, the plain retrievers, and the sets of questions that are part of the repository."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench import embed, quality, retrievers, sets
from bench.embed import Embedder
from bench.sets import KOREAN, Passage, Question, QuestionSet
from support.minilm import Vocabulary, words

MADE = KOREAN.parents[1] / "unstructured" / "handbook"
DEMO = KOREAN.parents[3] / "installer/src/llmflow_installer/handbook"
SMALL = QuestionSet(
    "small",
    [
        Passage("hs9", "HS-9", "베어링은 도림베어링이 공급한다.", "hs9"),
        Passage("dorim", "도림베어링", "대표이사는 최민재이다.", "dorim"),
        Passage("bus", "Buses", "The buses run to the station.", "bus"),
    ],
    [
        Question("a", "도림베어링의 대표는?", frozenset({"dorim"}), 1, "single"),
        Question("b", "where does a bus run", frozenset({"bus"}), 1, "single"),
        Question("c", "HS-9의 베어링 회사 대표는?", frozenset({"hs9", "dorim"}), 2, "bridge"),
    ],
)


@pytest.mark.parametrize(
    ("found", "gold", "expected"),
    [
        ("abcdef", "a", [1, 1, 1, 1, 1]),
        ("xaybzc", "abc", [1 / 3, 2 / 3, 1, 0, 1 / 2]),
        ("uvwxya", "a", [0, 0, 1, 0, 1 / 6]),
        ("xy", "a", [0, 0, 0, 0, 0]),
        ("", "a", [0, 0, 0, 0, 0]),
    ],
)
def test_scores_of_an_answer(found: str, gold: str, expected: list[float]) -> None:
    assert quality.score(list(found), frozenset(gold)) == pytest.approx(expected)


def test_an_answer_that_repeats_a_passage_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        quality.score(["a", "b", "a"], frozenset("a"))


def test_intervals_hold_the_mean_and_narrow_with_more_questions() -> None:
    few = np.tile([[0.0] * 5, [1.0] * 5], (10, 1))
    many = np.tile(few, (20, 1))
    short, long = quality.estimates(few)["mrr"], quality.estimates(many)["mrr"]
    assert short.low < short.mean == 0.5 < short.high
    assert long.high - long.low < (short.high - short.low) / 3
    assert quality.estimates(few) == quality.estimates(few)


def test_differences_are_of_pairs() -> None:
    """One that is better by the same on every question is so without doubt, however the questions differ."""
    easy_and_hard = np.tile([[0.0] * 5, [0.8] * 5], (10, 1))
    assert quality.estimates(easy_and_hard + 0.1 - easy_and_hard)["recall@5"] == quality.Estimate(
        0.1, 0.1, 0.1
    )


def test_everything_is_measured_against_the_best_baseline() -> None:
    def perfect(question: str, k: int) -> list[str]:
        return sorted(next(asked for asked in SMALL.questions if asked.text == question).gold)[:k]

    rows = quality.measure(
        SMALL, {"bm25": lambda _q, _k: [], "hybrid": lambda _q, _k: ["hs9"], "engine": perfect}
    )
    whole = {row.retriever: row for row in rows if row.group == "all"}
    assert {name: row.against for name, row in whole.items()} == {
        "bm25": "hybrid", "hybrid": "bm25", "engine": "hybrid",
    }  # fmt: skip
    assert whole["engine"].metrics["all@5"].mean == 1
    assert whole["engine"].difference["recall@5"].mean == pytest.approx(1 - 0.5 / 3, abs=1e-4)
    assert {(row.group, row.questions) for row in rows} == {
        ("all", 3), ("1 hops", 2), ("2 hops", 1), ("kind single", 2), ("kind bridge", 1),
    }  # fmt: skip
    assert quality.table(rows).count("\n") == 1 + 3 * 3, "groups by kind are left to the JSON"


def test_halves_share_nothing_and_leave_nothing_out() -> None:
    questions = sets.load(KOREAN).questions
    tune, report = quality.half(questions, "tune"), quality.half(questions, "report")
    assert {question.id for question in (*tune, *report)} == {question.id for question in questions}
    assert len(tune) + len(report) == len(questions)
    assert min(len(tune), len(report)) > len(questions) / 3


def test_dense_gives_the_nearest_first() -> None:
    def by_length(texts: Sequence[str]) -> Any:
        return np.array([[1.0, 1 / len(text)] for text in texts])

    answer = retrievers.dense(SMALL, Embedder("length", by_length, by_length))
    shortest = min(SMALL.passages, key=lambda passage: len(passage.whole))
    assert answer("?", 1) == [shortest.id]


def test_what_was_embedded_once_is_not_embedded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def by_length(texts: Sequence[str]) -> Any:
        seen.extend(texts)
        return np.array([[float(len(text))] for text in texts], dtype=np.float32)

    monkeypatch.setenv("LLMFLOW_CACHE", str(tmp_path))
    first = embed.remembered("length", by_length, ["가", "나나"])
    again = embed.remembered("length", by_length, ["다다다", "나나", "가"])
    assert (first.tolist(), again.tolist()) == ([[1], [2]], [[3], [2], [1]])
    assert seen == ["가", "나나", "다다다"]


def test_hybrid_prefers_what_both_found() -> None:
    answer = retrievers.hybrid(lambda _q, _k: ["a", "b"], lambda _q, _k: ["c", "b"])
    assert answer("?", 2)[0] == "b"
    assert sorted(answer("?", 9)) == ["a", "b", "c"]


def test_a_set_whose_gold_is_missing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl").write_text('{"id": "a", "title": "", "text": ""}\n')
    (tmp_path / "questions.jsonl").write_text(
        '{"id": "q", "question": "?", "gold": ["b"], "hops": 1, "kind": ""}\n'
    )
    with pytest.raises(ValueError, match="question q"):
        sets.load(tmp_path)


def test_sets_are_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "corpus.jsonl").write_text('{"id": "a", "title": "", "text": ""}\n')
    (tmp_path / "questions.jsonl").write_text(
        '{"id": "q", "question": "?", "gold": ["a"], "hops": 1, "kind": ""}\n'
    )
    monkeypatch.setenv(sets.OTHERS, str(tmp_path))
    korean, other = sets.sets()
    assert (korean.name, other.name) == ("korean", tmp_path.name)
    assert other.passages == [Passage("a", "", "", doc="a")]


def _questions() -> list[dict[str, Any]]:
    return [
        json.loads(line) for line in (KOREAN / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    ]


def test_the_korean_set_asks_nothing_twice_and_knows_each_passage_once() -> None:
    korean = sets.load(KOREAN)
    for things in ([p.id for p in korean.passages], [p.whole for p in korean.passages]):
        assert len(set(things)) == len(things)
    asked = ["".join(words(question.text)) for question in korean.questions]
    assert len(set(asked)) == len(asked)
    assert all(len(question.gold) == question.hops for question in korean.questions)


def test_bridges_of_the_korean_set_are_in_the_passages_and_not_in_the_question() -> None:
    texts = {passage.id: passage.whole for passage in sets.load(KOREAN).passages}
    for question in (asked for asked in _questions() if asked["kind"] == "bridge"):
        assert len(question["bridges"]) == question["hops"] - 1, question["id"]
        for names in question["bridges"]:
            assert not [name for name in names if name in question["question"]], question["id"]
            joined = [gold for gold in question["gold"] if any(name in texts[gold] for name in names)]
            assert len(joined) >= 2, question["id"]


def test_answers_of_the_korean_set_are_in_its_gold_passages_and_not_in_the_question() -> None:
    texts = {passage.id: passage.whole for passage in sets.load(KOREAN).passages}
    for question in (asked for asked in _questions() if asked["kind"] != "comparison"):
        assert any(question["answer"] in texts[gold] for gold in question["gold"]), question["id"]
        assert question["answer"] not in question["question"], question["id"]


def test_the_demo_has_twenty_documents_and_answers_in_two_of_them() -> None:
    asked = json.loads((DEMO / "questions.json").read_text(encoding="utf-8"))
    assert len(asked) == 5
    assert len([file for file in DEMO.iterdir() if file.suffix in (".md", ".txt", ".pdf", ".hwpx")]) == 20
    for question in asked:
        texts = [_text(name) for name in question["documents"]]
        assert len(texts) == 2
        assert all(any(answer in text for text in texts) for answer in question["answer"]), question


def _text(name: str) -> str:
    """A document's text, also where the demo has it as a scan or an office file."""
    path = DEMO / name if name.endswith((".md", ".txt")) else MADE / f"{Path(name).stem}.md"
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't stop, Café!", ["don", "'", "t", "stop", ",", "cafe", "!"]),
        ("漢字 PMT\u200b(팀)", ["漢", "字", "pmt", "(", "\u1110\u1175\u11b7", ")"]),
        (" \t\n", []),
    ],
)
def test_words_as_bert_cuts_them(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_tokens_are_the_longest_known_beginnings() -> None:
    names = ["[UNK]", "[CLS]", "[SEP]", "play", "##ing", "##in", "##g", "p"]
    vocabulary = Vocabulary({name: number for number, name in enumerate(names)})
    assert vocabulary.tokens("playing pq") == [1, 3, 4, 0, 2]
    assert len(vocabulary.tokens("play " * 1000)) == 256
