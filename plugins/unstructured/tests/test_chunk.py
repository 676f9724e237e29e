"""Chunks, Markdown and JSON of elements."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmflow_unstructured import chunk, render, tables
from llmflow_unstructured.chunk import Sizes
from llmflow_unstructured.elements import Box, Element, as_json, from_json
from llmflow_unstructured.errors import BadDocument
from llmflow_unstructured.render import Style

PROSE = "벡터 검색은 뜻이 가까운 문단을 찾는다. "
KINDS = ("Title", "NarrativeText", "ListItem", "UncategorizedText", "Header", "FigureCaption")
ANY = st.builds(
    Element,
    st.sampled_from(KINDS),
    st.text("가나다 .\nab|#", max_size=400),
    st.none() | st.integers(1, 9),
    depth=st.integers(0, 3),
    inside=st.sampled_from(("", "", "", "a.txt")),
)


def table(rows: int, width: int = 20) -> Element:
    made = tables.from_rows([["이름", "값"], *[[f"행{number}", "가" * width] for number in range(rows)]])
    return Element("Table", tables.text(made), html=tables.html(made), page=3)


def document() -> list[Element]:
    return [
        Element("Title", "총칙", page=1),
        Element("NarrativeText", PROSE * 3, page=1),
        Element("Title", "세부", page=2, depth=1),
        Element("NarrativeText", PROSE * 30, page=2),
        Element("Header", "머리말"),
        Element("Title", "표", page=3, depth=1),
        Element("FigureCaption", "표 1 값", page=3),
        table(30),
    ]


@given(st.lists(ANY, max_size=12), st.integers(50, 400), st.integers(0, 25), st.integers(0, 400))
def test_chunks_hold_all_of_the_text_and_no_more_than_their_size(
    elements: list[Element], most: int, overlap: int, least: int
) -> None:
    sizes = Sizes(most, overlap=overlap, least=min(least, most))
    for cut in (chunk.by_title, chunk.basic):
        chunks = list(cut(elements, sizes))
        assert all(0 < len(one.text) <= most for one in chunks)
        body = [one.text for one in elements if one.kind != "Header"]
        if not overlap:
            assert "".join("".join(one.text for one in chunks).split()) == "".join("".join(body).split())
        assert (
            all(len({held.element.inside for held in one.held}) == 1 for one in chunks) or cut is chunk.basic
        )


def test_chunks_stand_under_their_headings() -> None:
    chunks = list(chunk.by_title(document(), Sizes(300, overlap=40, least=0), filename="a"))
    by_heading = [(one.headings, one.goes_on) for one in chunks]
    assert by_heading[0] == (("총칙",), False)
    assert by_heading[1] == (("총칙", "세부"), False)
    assert by_heading[2] == (("총칙", "세부"), True)
    ids = {one["element_id"]: one["text"] for one in as_json(document(), filename="a", filetype="")}
    assert [ids[one.parent] for one in chunks] == [one.headings[-1] for one in chunks]
    first, second = chunks[1].text, chunks[2].text
    assert any(first.endswith(second[:length]) for length in range(20, 60))  # they share a piece
    assert "머리말" not in "".join(one.text for one in chunks)


def test_a_table_too_large_is_cut_between_rows_with_its_head() -> None:
    parts = [one for one in chunk.by_title(document(), Sizes(300, least=0)) if one.html]
    assert len(parts) > 1
    rows = []
    for part in parts:
        assert part.text.startswith("표\n\n표 1 값\n\n이름\t값\n")
        assert len(part.text) <= 300
        assert part.html.startswith("<table><tr><th>이름</th><th>값</th></tr>")
        rows += part.text.split("\n\n")[-1].splitlines()[1:]
    assert rows == table(30).text.splitlines()[1:]
    assert [part.goes_on for part in parts] == [False, *[True] * (len(parts) - 1)]
    (whole,) = [one for one in chunk.by_title(document(), Sizes(5000, least=0)) if one.html]
    assert table(30).text in whole.text


def test_short_sections_go_together_with_the_next() -> None:
    short = [Element("Title", "가"), Element("NarrativeText", "짧다.")]
    short += [Element("Title", "나"), Element("NarrativeText", "또.")]
    assert [one.text for one in chunk.by_title(short, Sizes(200, least=100))] == ["가\n\n짧다.\n\n나\n\n또."]
    assert len(list(chunk.by_title(short, Sizes(200, least=0)))) == 2


def test_chunks_as_unstructured_gives_them() -> None:
    told = list(
        chunk.as_json(chunk.by_title(document(), Sizes(300)), filename="a.pdf", filetype="application/pdf")
    )
    assert {one["type"] for one in told} == {"CompositeElement", "Table"}
    assert told[-1]["metadata"]["page_number"] == 3
    assert told[-1]["metadata"]["headings"] == ["총칙", "표"]
    assert len({one["element_id"] for one in told}) == len(told)


@pytest.mark.parametrize("wrong", [{"most": 10}, {"most": 100, "overlap": 60}, {"most": 100, "wanted": 200}])
def test_sizes_that_fit_no_chunk(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadDocument, match="Chunks take"):
        Sizes(**wrong)


@given(st.lists(ANY, max_size=8))
def test_json_brings_elements_back(elements: list[Element]) -> None:
    full = [
        Element(
            one.kind, one.text, one.page, Box(1, 2, 3, 4), (100.0, 200.0), one.depth if one.kind == "Title" else 0,
            languages=("kor",), link="http://a", inside=one.inside, page_name="s", picture=b"\x00", picture_type="a/b",
        )
        for one in elements
    ]  # fmt: skip
    assert [from_json(one) for one in as_json(full, filename="a", filetype="b")] == full


def test_parents_are_the_titles_above_and_never_those_of_another_file() -> None:
    elements = [
        Element("Title", "가"),
        Element("Title", "나", depth=1),
        Element("NarrativeText", "본문"),
        Element("Title", "다", depth=1),
        Element("NarrativeText", "첨부", inside="b.txt"),
    ]
    told = list(as_json(elements, filename="a", filetype=""))
    parents = [one["metadata"].get("parent_id") for one in told]
    ids = [one["element_id"] for one in told]
    assert parents == [None, ids[0], ids[1], ids[0], None]


@pytest.mark.parametrize(
    "wrong", [{}, {"type": 1, "metadata": 5}, {"type": "Title", "metadata": {"page_number": "x"}}]
)
def test_what_is_no_element_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(BadDocument, match="form that Unstructured gives"):
        from_json(wrong)


def test_markdown_shows_the_structure() -> None:
    elements = [
        Element("Header", "머리말"),
        Element("Title", "제목", page=1),
        Element("NarrativeText", "# 본문이다.", page=1),
        Element("ListItem", "□ 하나", depth=0, page=1),
        Element("ListItem", "- 안쪽", depth=2, page=1),
        Element("ListItem", "1. 둘", depth=0, page=2),
        table(1, 1),
        Element("CodeSnippet", "x = 1\n"),
        Element("Footnote", "각주"),
        Element("Formula", "a+b"),
        Element("Image", "그림"),
        Element("FigureCaption", "그림 1", inside="b.zip"),
    ]
    assert render.markdown(elements, Style(pages=True, picture=lambda _: "")) == (
        "<!-- page 1 -->\n\n# 제목\n\n\\# 본문이다.\n\n- □ 하나\n    - 안쪽\n\n<!-- page 2 -->\n\n1. 둘\n\n"
        "<!-- page 3 -->\n\n| 이름 | 값 |\n| --- | --- |\n| 행0 | 가 |\n\n```\nx = 1\n\n```\n\n"
        "> 각주\n\n$$\na+b\n$$\n\n"
        "[그림]\n\n<!-- b.zip -->\n\n*그림 1*\n"
    )
