"""Words with boxes become lines, blocks, an order, tables and elements: cases of set pages, and laws."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmflow_unstructured.elements import Box
from llmflow_unstructured.pages import grids, joining, lines, structure
from llmflow_unstructured.pages.words import Rule, Sheet, Word

WIDE, HIGH = 600.0, 800.0
EM = 10.0
BODY = "가나다 라마바사 아자차 카타파하 거너더러 머버서 어저처커 터퍼허".split()


def row(text: str, left: float, top: float, size: float = EM, *, bold: bool = False) -> list[Word]:
    """Words in a row, each letter as wide as it is high, a third of it between two of them."""
    words = []
    for word in text.split():
        right = left + size * len(word)
        words.append(Word(word, left, top, right, top + size, size, bold))
        left = right + size / 3
    return words


def column(count: int, left: float, top: float, words: int = 4) -> list[Word]:
    """Full lines below each other."""
    return [
        word for number in range(count) for word in row(" ".join(BODY[:words]), left, top + number * 1.6 * EM)
    ]


def texts(sheet: Sheet) -> list[str]:
    return [element.text for element in structure.elements([sheet])]


# ---- laws

SIDES = st.tuples(
    st.floats(0, WIDE - 40),
    st.floats(0, HIGH - 20),
    st.floats(1, 40),
    st.floats(1, 20),
    st.text("가나ab1.", min_size=1),
)


@given(st.lists(SIDES, max_size=40))
def test_no_word_is_lost_whatever_its_place(
    given_sides: list[tuple[float, float, float, float, str]],
) -> None:
    words = [Word(text, x, y, x + w, y + h, h) for x, y, w, h, text in given_sides]
    found = lines.lines(words)
    assert sorted(id(word) for line in found for word in line.words) == sorted(map(id, words))
    parts = lines.blocks(found)
    assert sorted(id(line) for block in parts for line in block.lines) == sorted(map(id, found))
    read = "".join(texts(Sheet(1, WIDE, HIGH, tuple(words))))
    assert sorted("".join(read.split())) == sorted("".join(word.text for word in words))


@given(
    st.lists(st.tuples(st.floats(0, 500), st.floats(0, 700), st.floats(1, 99), st.floats(1, 99)), max_size=25)
)
def test_reading_order_is_a_permutation(sides: list[tuple[float, float, float, float]]) -> None:
    boxes = [Box(x, y, x + w, y + h) for x, y, w, h in sides]
    assert sorted(lines.ordered(boxes)) == list(range(len(boxes)))


@given(st.permutations(range(30)), st.floats(0, 60), st.floats(0, 60))
def test_order_of_words_in_the_file_and_place_of_the_page_do_not_matter(
    order: list[int], right: float, down: float
) -> None:
    page = [*column(5, 50, 100, 3), *column(5, 330, 100, 3)]
    moved = [
        Word(w.text, w.left + right, w.top + down, w.right + right, w.bottom + down, w.size)
        for w in (page[at] for at in order)
    ]
    assert texts(Sheet(1, WIDE, HIGH, tuple(moved))) == texts(Sheet(1, WIDE, HIGH, tuple(page)))


# ---- columns


@pytest.mark.parametrize("columns", [1, 2, 3])
def test_columns_are_read_one_after_the_other(columns: int) -> None:
    lefts = [40 + number * 180 for number in range(columns)]
    page = [word for at, left in enumerate(lefts) for word in row(f"처음{at}", left, 80)]
    page += [word for left in lefts for word in column(12, left, 100, 3)]
    page += [word for at, left in enumerate(lefts) for word in row(f"끝{at}.", left, 292)]
    read = " ".join(texts(Sheet(1, WIDE, HIGH, tuple(page))))
    places = [read.index(mark) for at in range(columns) for mark in (f"처음{at}", f"끝{at}.")]
    assert places == sorted(places)


def test_what_spans_both_columns_parts_what_is_above_from_what_is_below() -> None:
    page = [*row("왼쪽위", 40, 80), *column(5, 40, 100), *row("오른쪽위", 330, 80), *column(5, 330, 100)]
    page += row("가로지르는 " * 8, 40, 230)
    page += [
        *row("왼쪽아래", 40, 300),
        *column(5, 40, 320),
        *row("오른쪽아래", 330, 300),
        *column(5, 330, 320),
    ]
    read = " ".join(texts(Sheet(1, WIDE, HIGH, tuple(page))))
    places = [read.index(mark) for mark in ("왼쪽위", "오른쪽위", "가로지르는", "왼쪽아래", "오른쪽아래")]
    assert places == sorted(places)


def test_wide_spaces_of_a_justified_line_part_no_columns() -> None:
    chance = random.Random(3)
    page = []
    for number in range(12):
        left = 40.0
        for word in chance.sample(BODY, 5):
            page += row(word, left, 100 + number * 16)
            left += EM * len(word) + chance.uniform(3, 14)
    assert len(lines.lines(page)) == 12


def test_wide_spaces_that_stand_below_each_other_in_prose_part_no_columns() -> None:
    page = column(3, 40, 100)
    for number in range(3, 6):
        page += row("가나다 라마바사", 40, 100 + number * 1.6 * EM)
        page += row("카타파하 거너", 40 + 8.3 * EM + 9, 100 + number * 1.6 * EM)
    page += column(3, 40, 100 + 6 * 1.6 * EM)
    assert len(lines.lines(page)) == 9


# ---- paragraphs and kinds


def test_headings_lists_captions_and_footnotes_are_told_apart() -> None:
    page = [
        *row("연차 보고서", 40, 60, 20, bold=True),
        *row("1. 목적", 40, 110, 14, bold=True),
        *column(4, 40, 140, 8),
        *row("1.1 범위", 40, 230, 12, bold=True),
        *column(4, 40, 255, 8),
        *row("- 첫째 항목", 40, 350),
        *row("- 둘째 항목", 40, 366),
        *row("그림 1. 구조", 200, 420),
        *row("1) 덧붙인 말이다.", 40, 720, 8),
    ]
    found = list(structure.elements([Sheet(1, WIDE, HIGH, tuple(page))]))
    assert [(element.kind, element.depth) for element in found if element.kind != "NarrativeText"] == [
        ("Title", 0), ("Title", 1), ("Title", 2), ("ListItem", 0), ("ListItem", 0),
        ("FigureCaption", 0), ("Footnote", 0),
    ]  # fmt: skip


def test_running_heads_and_page_numbers_are_known_by_coming_again() -> None:
    sheets = [
        Sheet(
            number,
            WIDE,
            HIGH,
            (
                *row("한빛연구원 연차보고", 40, 30),
                *row(" ".join(BODY[number : number + 3]), 40, 60),
                *column(10, 40, 120, 8),
                *row(f"- {number} -", 290, 770),
            ),
        )
        for number in (1, 2, 3)
    ]
    kinds = [element.kind for element in structure.elements(sheets)]
    assert (kinds.count("Header"), kinds.count("PageNumber")) == (3, 3)


@pytest.mark.parametrize(
    ("above", "below", "text"),
    [
        ("a hyphen-", "ated word", "a hyphenated word"),
        ("plain", "words", "plain words"),
        ("well-", "Being", "well- Being"),
    ],
)
def test_hyphens_at_the_end_of_lines_are_undone(above: str, below: str, text: str) -> None:
    assert joining.put_together(above, below, joining.Wrapping(by_syllable=False)) == text


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (
            ["모든 질의는 내부망에서만 처", "리되며 외부 연결은 허용되지", "않는다."],
            "모든 질의는 내부망에서만 처리되며 외부 연결은 허용되지 않는다.",
        ),
        (
            ["모든 질의는 내부망에서", "처리되며 외부 연결은", "허용되지 않는다."],
            "모든 질의는 내부망에서 처리되며 외부 연결은 허용되지 않는다.",
        ),
    ],
    ids=["by syllable", "by word"],
)
def test_korean_lines_are_joined_as_they_were_broken(rows: Sequence[str], text: str) -> None:
    found = [lines.Line(tuple(row(said, 40, 100 + 16 * at))) for at, said in enumerate(rows)]
    whole = [
        lines.Line(tuple(row(said, 40, 300))) for said in ("모든 질의는 내부망에서만 처리되며 외부 허용되지",)
    ]
    assert joining.joined(found, joining.wrapping([found, whole])) == text


def test_lines_that_begin_with_particles_were_cut_within_words() -> None:
    rows = ["이 지침은 문서", "를 다루는 절차", "를 정하며 모두", "에게 적용한다."]
    found = [lines.Line(tuple(row(said, 40, 100 + 16 * at))) for at, said in enumerate(rows)]
    assert (
        joining.joined(found, joining.wrapping([found]))
        == "이 지침은 문서를 다루는 절차를 정하며 모두에게 적용한다."
    )


# ---- tables


def ruling(xs: Sequence[float], ys: Sequence[float]) -> list[Rule]:
    return [Rule(xs[0], y, xs[-1], y) for y in ys] + [Rule(x, ys[0], x, ys[-1]) for x in xs]


def test_cells_of_a_ruled_table_are_between_its_lines() -> None:
    xs, ys = (40, 140, 240, 340), (100, 120, 140, 160)
    page = [word for y in range(3) for x in range(3) for word in row(f"{y}행{x}", 50 + 100 * x, 105 + 20 * y)]
    (table,), rest = grids.tables(page, ruling(xs, ys))
    assert not rest
    assert {(c.row, c.column, c.text) for c in table.grid.cells} == {
        (y, x, f"{y}행{x}") for y in range(3) for x in range(3)
    }


def test_a_cell_spans_where_a_line_is_missing() -> None:
    rules = [
        *(Rule(40, y, 240, y) for y in (100, 120)), Rule(140, 140, 240, 140), Rule(40, 160, 240, 160),
        Rule(40, 100, 40, 160), Rule(240, 100, 240, 160), Rule(140, 120, 140, 160),
    ]  # fmt: skip
    page = [*row("머리", 130, 105), *row("옆", 50, 135), *row("위", 150, 125), *row("아래", 150, 145)]
    (table,), _ = grids.tables(page, rules)
    assert {(c.row, c.column, c.rows, c.columns, c.text) for c in table.grid.cells} == {
        (0, 0, 1, 2, "머리"), (1, 0, 2, 1, "옆"), (1, 1, 1, 1, "위"), (2, 1, 1, 1, "아래"),
    }  # fmt: skip


def test_columns_alone_make_a_table_and_prose_in_columns_none() -> None:
    entries = [
        word for y in range(5) for x in range(3) for word in row(f"값{y}{x}", 60 + 160 * x, 100 + 18 * y)
    ]
    (table,), rest = grids.tables(entries, [])
    assert (table.grid.rows, table.grid.columns, rest) == (5, 3, [])
    prose = [*column(12, 40, 100), *column(12, 330, 100)]
    assert grids.tables(prose, [])[0] == []


def test_a_drawing_is_no_table() -> None:
    assert grids.tables(column(3, 40, 500), ruling((40, 80, 120), (100, 140, 200)))[0] == []
