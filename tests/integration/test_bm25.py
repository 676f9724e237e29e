"""The plain retriever that figures are compared with, on the morphemes of Kiwi."""

from __future__ import annotations

from bench import retrievers
from bench.sets import Passage, Question, QuestionSet

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
    ],
)


def test_korean_is_read_with_particles_and_english_by_stems() -> None:
    answer = retrievers.bm25(SMALL)
    assert [answer(question.text, 1) for question in SMALL.questions] == [["dorim"], ["bus"]]
