"""What a chunk says: by rule, and by a language model that may say anything."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmflow_graphrag import chunks, documents, words
from llmflow_graphrag.chunks import Chunk
from llmflow_graphrag.errors import BadDocument, ModelFailed
from llmflow_graphrag.extraction.llm import LlmExtractor, Ontology
from llmflow_graphrag.extraction.rules import contribution, names
from llmflow_graphrag.model import SAME_AS, Contribution
from llmflow_graphrag.models import Meter
from llmflow_graphrag.scope import Scope
from support.graphrag import ScriptedModel

KIWI = words.analyser("kiwi")
TEXT = "한빛소프트의 김민수 대표는 서울에서 푸른솔테크놀로지(PSOL)와 계약했다."


def chunk(text: str, title: str = "계약") -> Chunk:
    return chunks.chunks(Scope("t", "w"), documents.from_text("id", text, title=title))[0]


def norms(found: Contribution) -> set[str]:
    return {mention.norm for mention in found.mentions}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TEXT, {"계약", "한빛소프트", "김민수", "푸른솔테크놀로지", "psol"}),
        ("Lothair II was a son of Ermengarde of Tours.", {"lothairii", "ermengardeoftours"}),
        ("He met John F. Kennedy in New York.", {"johnfkennedy", "newyork"}),
        ("담당은 「정보보호 지침」에 따른다.", {"정보보호지침"}),
    ],
)
def test_names_are_found_by_rule(text: str, expected: set[str]) -> None:
    assert expected <= norms(contribution("계약", chunk(text), KIWI))


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("개인정보관리팀(PMT)은 매년 점검한다.", ("개인정보관리팀", "pmt")),
        ("World Health Organization (WHO) said so.", ("worldhealthorganization", "who")),
        ("주식회사 푸른솔테크놀로지(이하 “푸른솔”이라 한다)는 돕는다.", ("푸른솔테크놀로지", "푸른솔")),
    ],
)
def test_what_stands_in_brackets_is_another_name(text: str, pair: tuple[str, str]) -> None:
    facts = contribution("t", chunk(text), KIWI).facts
    assert [(fact.subject, fact.predicate, fact.object) for fact in facts] == [(pair[0], SAME_AS, pair[1])]


@given(st.text(min_size=1, max_size=200).filter(lambda text: text.strip()))
def test_mentions_lie_in_their_chunk(text: str) -> None:
    try:
        one = chunk(text)
    except BadDocument:
        return
    found = contribution("title", one, KIWI)
    assert all(one.start <= m.start <= m.end <= one.end for m in found.mentions)
    assert {name for fact in found.facts for name in (fact.subject, fact.object)} <= norms(found)
    assert all(isinstance(name, str) for name in names(text, KIWI))


# a language model


class Kept:
    def __init__(self) -> None:
        self.answers: dict[str, str] = {}

    def get(self, key: str) -> str | None:
        return self.answers.get(key)

    def put(self, key: str, answer: str) -> None:
        self.answers[key] = answer


GOOD = {
    "entities": [{"name": "김민수", "type": "person"}, {"name": "한빛소프트", "type": "organization"}],
    "facts": [
        {
            "subject": "김민수",
            "predicate": "대표",
            "object": "한빛소프트",
            "quote": "한빛소프트의 김민수 대표",
        }
    ],
}


def fact(**other: object) -> dict[str, object]:
    said = {
        "subject": "김민수",
        "predicate": "대표",
        "object": "한빛소프트",
        "quote": "한빛소프트의 김민수 대표",
    }
    return {**said, **other}


def extract(
    *answers: str | Exception, ontology: Ontology | None = None
) -> tuple[Contribution, ScriptedModel, Meter]:
    model, meter = ScriptedModel(list(answers), otherwise="prose"), Meter()
    extractor = LlmExtractor(model, KIWI, ontology or Ontology())
    return extractor.extract("계약", chunk(TEXT), Kept(), meter), model, meter


@pytest.mark.parametrize(
    "answer",
    [
        json.dumps(GOOD),
        "```json\n" + json.dumps(GOOD, ensure_ascii=False) + "\n```",
        "Here you are: " + json.dumps(GOOD) + " Anything else?",
        json.dumps(GOOD, ensure_ascii=False)[:-1],
        json.dumps(GOOD, ensure_ascii=False)[:-2] + ', {"subject": "김민',
    ],
    ids=["json", "fenced", "in prose", "cut at the end", "cut inside"],
)
def test_an_answer_is_understood_with_one_call(answer: str) -> None:
    found, _, meter = extract(answer)
    assert meter.calls == 1
    assert [(f.subject, f.predicate, f.object) for f in found.facts if f.predicate == "대표"] == [
        ("김민수", "대표", "한빛소프트")
    ]
    assert {m.norm: m.type for m in found.mentions}["김민수"] == "person"


@pytest.mark.parametrize(
    "first", ["I can't help with that.", "", "{", "[1, 2]", '{"entities": 3}', "{" * 5000]
)
def test_an_answer_without_json_is_asked_for_once_more(first: str) -> None:
    found, model, meter = extract(first, json.dumps(GOOD))
    assert meter.calls == len(model.prompts) == 2
    assert "김민수" in norms(found)


def test_a_model_that_never_answers_is_an_error_not_an_empty_chunk() -> None:
    with pytest.raises(ModelFailed, match="JSON") as told:
        extract("no", "no")
    assert "한빛" not in str(told.value)


@pytest.mark.parametrize(
    ("bad", "ontology"),
    [
        (fact(object="청와대"), Ontology()),
        (fact(quote="지어낸 말"), Ontology()),
        (fact(predicate="`]->(x) DETACH DELETE x"), Ontology(predicates=("대표",))),
        (fact(predicate=""), Ontology()),
        (fact(subject=3, predicate=[], object=None, quote={}), Ontology()),
    ],
    ids=[
        "a name from outside",
        "an invented quotation",
        "a predicate that is not allowed",
        "no predicate",
        "no texts",
    ],
)
def test_what_the_chunk_does_not_bear_out_is_not_believed(bad: dict[str, object], ontology: Ontology) -> None:
    found, _, _ = extract(json.dumps({"entities": GOOD["entities"], "facts": [bad]}), ontology=ontology)
    assert [fact for fact in found.facts if fact.predicate != SAME_AS] == []


def test_a_document_can_not_name_what_it_does_not_hold() -> None:
    invented = {
        "entities": [{"name": "다른 회사", "type": "organization"}, {"name": "서울", "type": "weapon"}],
        "facts": [],
    }
    found, _, _ = extract(json.dumps(invented))
    assert not {"다른회사", "서울"} & norms(found)


def test_the_fence_is_not_one_that_the_document_can_close() -> None:
    _, model, _ = extract(json.dumps(GOOD))
    prompt = model.prompts[0]
    fence = next(line for line in prompt.splitlines() if line.startswith("==="))
    assert prompt.count(fence) == 2
    assert fence not in TEXT


def test_a_chunk_that_was_read_costs_no_call() -> None:
    kept, meter = Kept(), Meter()
    extractor = LlmExtractor(ScriptedModel([json.dumps(GOOD)]), KIWI)
    first = extractor.extract("계약", chunk(TEXT), kept, meter)
    assert extractor.extract("계약", chunk(TEXT), kept, meter) == first
    assert meter.calls == 1
