"""Documents, sentences, chunks, words and names: the laws, and cases in both languages."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmflow_graphrag import chunks, documents, names, sentences, words
from llmflow_graphrag.errors import BadDocument, BadRequest, Incompatible
from llmflow_graphrag.scope import Scope

SCOPE = Scope("tenant", "work")
PROSE = (
    "긴 문장이 여기에 있다. ",
    "Dr. Kim is 3.5 m tall. ",
    "x" * 3000,
    "가나다" * 400,
    "שלום ",
    "👩\u200d👧 ",
)
MARKS = ("# 제목\n\n", "## 부제\n\n", "| a | b |\n", "제1조(목적)\n", "①", "```\ncode\n```\n", "- item\n")
SIGNS = ("\n\n", "\r\n", "\ud800", "\u200b", "\x00")
PIECES = st.lists(st.sampled_from((*PROSE, *MARKS, *SIGNS)), min_size=1, max_size=30)


@given(PIECES)
def test_a_chunk_is_the_documents_text_between_its_offsets(pieces: list[str]) -> None:
    text = "".join(pieces)
    for make in (documents.from_text, documents.from_markdown):
        try:
            document = make("id", text)
        except BadDocument:
            continue
        assert len(document.text) == len(text)
        cut = chunks.chunks(SCOPE, document)
        end = 0
        for chunk in cut:
            assert document.text[chunk.start : chunk.end] == chunk.text
            assert chunk.start >= end
            assert chunks.weight(chunk.text) <= chunks.MOST * 2
            end = chunk.end
        assert len({chunk.key for chunk in cut}) == len(cut)
        kept = "".join(chunk.text for chunk in cut)
        assert sorted(kept.replace(" ", "").split()) or not document.text.strip()


def test_a_paragraph_that_moves_stays_the_same_chunk() -> None:
    first = documents.from_markdown("id", "# A\n\none one\n\n# B\n\ntwo two", title="t")
    second = documents.from_markdown("id", "# B\n\ntwo two\n\n# New\n\nthree\n\n# A\n\none one", title="t")
    before = {chunk.text: chunk.key for chunk in chunks.chunks(SCOPE, first)}
    after = {chunk.text: chunk.key for chunk in chunks.chunks(SCOPE, second)}
    assert {text: after[text] for text in before} == before


def test_elements_keep_their_pages_and_places() -> None:
    corners = [[10, 20], [10, 40], [90, 40], [90, 20]]
    second = {"page_number": 2, "coordinates": {"points": corners}}
    document = documents.from_elements(
        "scan.pdf",
        [
            {"type": "Title", "text": "회의록", "metadata": {"page_number": 1, "category_depth": 0}},
            {"type": "NarrativeText", "text": "박서연 팀장이 참석했다.", "metadata": second},
        ],
    )
    (chunk,) = chunks.chunks(SCOPE, document)
    assert (document.title, chunk.page, chunk.heading) == ("회의록", 1, ("회의록",))
    assert [vars(box) for box in chunk.boxes] == [
        {"page": 2, "left": 10.0, "top": 20.0, "right": 90.0, "bottom": 40.0}
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [("", "is empty"), (" \n", "is empty"), ("\x00\x01\x02" * 50, "binary"), ("x" * 32_000_001, "at most")],
    ids=["empty", "blank", "binary", "huge"],
)
def test_what_is_no_document_is_refused(text: str, says: str) -> None:
    with pytest.raises(BadDocument, match=says):
        documents.from_text("id", text)


@pytest.mark.parametrize(
    "elements",
    [
        [{"type": "Title", "text": "x", "metadata": 3}],
        ["text"],
        [{"text": "x", "metadata": {"coordinates": {"points": [1]}, "page_number": 1}}],
    ],
)
def test_elements_in_another_form_are_refused(elements: list[dict[str, object]]) -> None:
    with pytest.raises(BadDocument, match="Element 1"):
        documents.from_elements("id", elements)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("가나다. 라마바.", ["가나다.", "라마바."]),
        ("그는 떠났다.그러나 돌아왔다.", ["그는 떠났다.", "그러나 돌아왔다."]),
        ("Dr. Kim met e.g. Mr. Lee. They left.", ["Dr. Kim met e.g. Mr. Lee.", "They left."]),
        ("It is 3.5 m. Good!", ["It is 3.5 m.", "Good!"]),
        ("목적\n제2조 정의\n① 하나", ["목적", "제2조 정의", "① 하나"]),
        ('He said "no." Then left.', ['He said "no."', "Then left."]),
    ],
)
def test_sentences_end_where_people_end_them(text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in sentences.spans(text)] == expected


@pytest.mark.parametrize(
    ("analyser", "text", "term"),
    [
        ("kiwi", "검색팀을", "검색팀"),
        ("kiwi", "개인정보관리팀은", "개인정보관리팀"),
        ("kiwi", "데이터베이스를", "데이터베이스"),
        ("plain", "데이터베이스를", "데이터베이스"),
        ("plain", "검색팀으로부터", "검색팀"),
        ("plain", "running", "run"),
        ("kiwi", "GraphRAG를", "graphrag"),
    ],
)
def test_a_word_is_found_without_its_ending(analyser: str, text: str, term: str) -> None:
    assert term in words.terms(words.analyser(analyser), text)


@pytest.mark.parametrize("analyser", ["kiwi", "plain"])
@given(text=st.text(max_size=80))
def test_words_of_anything_are_plain_terms(analyser: str, text: str) -> None:
    found = words.terms(words.analyser(analyser), text)
    assert all(words.PART.fullmatch(term) for term in found)
    assert found == words.terms(words.analyser(analyser), text)


def test_an_analyser_that_nobody_knows_is_refused() -> None:
    with pytest.raises(Incompatible, match="kiwi and plain"):
        words.analyser("mecab")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("(주)한빛 소프트", "한빛소프트 주식회사"),
        ("㈜한빛소프트", "한빛소프트"),
        ("The Acme Corp.", "ACME"),
        ("Lothair II's", "lothair ii"),
        ("ＡＢＣ", "abc"),
    ],
)
def test_spellings_of_one_name_have_one_norm(first: str, second: str) -> None:
    assert names.norm(first) == names.norm(second) != ""


@pytest.mark.parametrize(
    ("hangul", "latin"), [("삼성", "Samsung"), ("푸른솔", "Pureunsol"), ("한빛소프트", "HanbitSoft")]
)
def test_a_name_sounds_alike_in_both_scripts(hangul: str, latin: str) -> None:
    assert names.sound(names.norm(hangul)) == names.sound(names.norm(latin)) != ""


@pytest.mark.parametrize(
    "fields",
    [
        {"tenant": ""},
        {"tenant": "a\x00"},
        {"workspace": " "},
        {"access": frozenset()},
        {"tenant": "x" * 129},
        {"access": frozenset({""})},
    ],
)
def test_a_scope_without_names_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(BadRequest):
        Scope(**{"tenant": "t", "workspace": "w", **fields})  # type: ignore[arg-type]


def test_names_can_not_imitate_each_other() -> None:
    assert Scope("a", "bc").key != Scope("ab", "c").key
    assert Scope("가", "w").key == Scope("가", "w").key


@pytest.mark.parametrize("analyser", ["kiwi", "plain"])
def test_threads_do_not_mix_their_words_up(analyser: str) -> None:
    texts = [f"running{n} families{n} easily{n} 데이터{n}베이스를 담당자{n}에게" for n in range(400)]
    alone = [words.terms(words.analyser(analyser), text) for text in texts]
    for kept in (words.Plain(), words.Kiwi()) if analyser == "kiwi" else (words.Plain(),):
        if kept.name == analyser:
            with ThreadPoolExecutor(8) as pool:
                assert list(pool.map(lambda text, kept=kept: words.terms(kept, text), texts)) == alone
