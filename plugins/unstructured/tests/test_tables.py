"""Tables: laws that hold for any cells, and the ways between HTML, Markdown and text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmflow_unstructured import tables
from llmflow_unstructured.tables import Cell, Grid

WORDS = st.text("ab가나|:-&>1", max_size=6)
CELLS = st.lists(
    st.builds(
        Cell, st.integers(0, 9), st.integers(0, 9), WORDS, st.integers(1, 4), st.integers(1, 4), st.booleans()
    ),
    max_size=30,
)
FAR = st.lists(
    st.builds(Cell, st.integers(0, 10**9), st.integers(0, 10**9), WORDS, st.integers(1, 10**9)), max_size=30
)


def places(table: Grid) -> list[tuple[int, int]]:
    return [
        (y, x)
        for cell in table.cells
        for y in range(cell.row, cell.row + cell.rows)
        for x in range(cell.column, cell.column + cell.columns)
    ]


@given(CELLS | FAR)
def test_a_grid_lies_within_itself_and_keeps_each_first_cell(cells: list[Cell]) -> None:
    table = tables.grid(cells)
    for y, x in places(table):
        assert 0 <= y < table.rows
        assert 0 <= x < table.columns
    assert len({(cell.row, cell.column) for cell in table.cells}) == len(table.cells)
    assert len(tables.html(table)) < 10_000 + 100 * len(cells)
    if not cells:
        assert tables.text(table) == tables.markdown(table) == ""


@given(CELLS)
def test_html_brings_every_text_and_place_back(cells: list[Cell]) -> None:
    table = tables.grid(cells)
    again = tables.from_html(tables.html(table))
    assert sorted(c.text for c in again.cells if c.text) == sorted(c.text for c in table.cells if c.text)
    assert tables.html(tables.from_html(tables.html(again))) == tables.html(again)


@given(
    st.integers(2, 4).flatmap(
        lambda width: st.lists(st.lists(WORDS, min_size=width, max_size=width), min_size=2, max_size=5)
    )
)
def test_markdown_brings_rows_back(rows: list[list[str]]) -> None:
    table = tables.from_rows(rows)
    again = tables.from_markdown(tables.markdown(table))
    assert [cell.text for cell in again.cells] == [cell.text for cell in table.cells]


SPANNED = (
    "<table><thead><tr><th colspan=2>머리</th><th>끝</th></tr></thead>"
    "<tr><td rowspan=2>긴</td><td>가<br>나</td><td>a|b</td></tr><tr><td colspan=2>밑</td></tr></table>"
)


def test_spans_are_said_once_in_text_and_in_every_row_of_markdown() -> None:
    table = tables.from_html(SPANNED)
    assert tables.text(table) == "머리\t\t끝\n긴\t가 나\ta|b\n\t밑"
    assert tables.markdown(table).splitlines() == [
        "| 머리 |  | 끝 |",
        "| --- | --- | --- |",
        "| 긴 | 가<br>나 | a\\|b |",
        "| 긴 | 밑 |  |",
    ]


def test_rows_cut_out_repeat_what_reaches_into_them() -> None:
    table = tables.from_html(SPANNED)
    assert tables.text(tables.rows_of(table, 2, 3)) == "긴\t밑"
    assert (
        tables.text(tables.joined(tables.rows_of(table, 0, 1), tables.rows_of(table, 2, 3)))
        == "머리\t끝\n긴\t밑"
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("<table><tr><td>a<td>b<tr><td>c</table>", "a\tb\nc"),
        (
            "<p>x</p><table><tr><td>a<table><tr><td>1<td>2</table>b</td><td>c</td></tr></table><table>",
            "a 1 2 b\tc",
        ),
        ("<table><tr><td rowspan=99999999 colspan=-1>a<td>b</table>", "a\tb"),
        ("no table", ""),
    ],
)
def test_html_of_any_kind(given: str, expected: str) -> None:
    assert tables.text(tables.from_html(given)) == expected
