"""PDF files by their text: kinds, places, turned pages, and files that are damaged, locked or too large."""

from __future__ import annotations

import io

import pypdfium2
import pytest
from fpdf import FPDF
from hypothesis import given
from hypothesis import strategies as st
from llmflow_unstructured.elements import Element
from llmflow_unstructured.errors import BadDocument, TooLarge
from llmflow_unstructured.limits import Limits
from llmflow_unstructured.pages import PageFailed, PageOptions, pdf

LIPSUM = (
    "The gateway validates every request before it is forwarded to the model server of the closed network. "
)


def read(data: bytes, limits: Limits | None = None) -> list[Element | PageFailed]:
    return list(pdf.read(data, PageOptions("fast"), limits or Limits(), _unheard))


def _unheard(done: int, count: int) -> None:
    """Progress that nobody looks at."""


def sheet(pages: int = 1) -> FPDF:
    """Pages with a heading, two paragraphs and a table."""
    made = FPDF(unit="pt", format="A4")
    for number in range(1, pages + 1):
        made.add_page()
        made.set_font("helvetica", "B", 18)
        made.cell(text=f"Chapter {number}", new_x="LMARGIN", new_y="NEXT")
        made.set_font("helvetica", "", 11)
        made.multi_cell(0, 15, LIPSUM * 4, new_x="LMARGIN", new_y="NEXT")
        made.ln(12)
        with made.table() as table:
            for row in (("Name", "Value"), ("alpha", "1"), ("beta", "2")):
                table.row(row)
    return made


PLAIN = bytes(sheet(2).output())


def turned(data: bytes, degrees: int) -> bytes:
    document = pypdfium2.PdfDocument(data)
    for page in document:
        page.set_rotation(degrees)
    kept = io.BytesIO()
    document.save(kept)
    document.close()
    return kept.getvalue()


def test_kinds_pages_and_places() -> None:
    found = [element for element in read(PLAIN) if isinstance(element, Element)]
    assert [(element.kind, element.page) for element in found] == [
        (kind, page) for page in (1, 2) for kind in ("Title", "NarrativeText", "Table")
    ]
    assert found[2].html.count("<tr>") == 3
    assert " ".join(found[1].text.split()) == (LIPSUM * 4).strip()
    for element in found:
        assert element.box
        assert element.page_size == pytest.approx((595.28, 841.89), abs=0.01)
        assert 0 <= element.box.left < element.box.right <= 595.28
        assert 0 <= element.box.top < element.box.bottom <= 841.89


def test_a_page_that_lies_on_its_side_has_a_width_and_height_of_its_own() -> None:
    (first, *_) = read(turned(PLAIN, 90))
    assert isinstance(first, Element)
    assert first.page_size == pytest.approx((841.89, 595.28), abs=0.01)


def test_a_page_that_is_turned_to_stand_upright_reads_as_it_stands() -> None:
    made = FPDF(unit="pt", format="A4")
    made.add_page()
    made.set_font("helvetica", "", 11)
    for number in range(8):
        with made.rotation(90, 100 + 16 * number, 700):
            made.text(100 + 16 * number, 700, f"Line {number} of text that runs up the page.")
    upright = [element for element in read(turned(bytes(made.output()), 90)) if isinstance(element, Element)]
    said = " ".join(element.text for element in upright)
    assert [said.index(f"Line {number}") for number in range(8)] == sorted(
        said.index(f"Line {number}") for number in range(8)
    )


def test_progress_counts_every_page() -> None:
    told: list[tuple[int, int]] = []
    list(pdf.read(PLAIN, PageOptions("fast"), Limits(), lambda done, count: told.append((done, count))))
    assert told[-1] == (2, 2)
    assert told == sorted(told)


def test_a_locked_file_says_what_to_do() -> None:
    made = sheet()
    made.set_encryption(owner_password="owner", user_password="user")
    with pytest.raises(BadDocument, match="password: save it without one"):
        read(bytes(made.output()))


def test_too_many_pages_are_refused() -> None:
    with pytest.raises(TooLarge, match="2 pages"):
        read(PLAIN, Limits(pages=1))


def test_when_time_is_up_the_rest_is_named() -> None:
    found = read(PLAIN, Limits(seconds=-1.0).started())
    assert [(type(one), one.page) for one in found] == [(PageFailed, 1), (PageFailed, 2)]


@given(st.binary(min_size=1, max_size=40), st.integers(0, 10**6), st.booleans())
def test_damaged_files_never_crash(noise: bytes, at: int, cut: bool) -> None:
    at %= len(PLAIN)
    damaged = PLAIN[:at] if cut else PLAIN[:at] + noise + PLAIN[at + len(noise) :]
    try:
        found = read(damaged)
    except BadDocument:
        return
    assert all(isinstance(one, Element | PageFailed) for one in found)
