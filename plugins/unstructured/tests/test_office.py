"""DOCX, PPTX and XLSX, written by their own libraries and by hand where those fall short."""

from __future__ import annotations

import datetime
import io
import zipfile
from importlib import import_module
from typing import Any

import pytest
from llmflow_unstructured.elements import Element
from llmflow_unstructured.errors import BadDocument
from llmflow_unstructured.formats.numberformat import shown
from llmflow_unstructured.partition import Options
from support.made_hwpx import Hwpx
from support.made_office import docx, edited, png, pptx, with_footnotes, xlsx
from support.reading import elements, events, failed, noted, said

PROSE = "이 문서는 폐쇄망에 설치하는 절차를 설명한다."
PIXEL = png()


def test_docx_headings_lists_tables_margins_and_pages() -> None:
    def fill(document: Any) -> None:
        document.add_heading("운영 매뉴얼", 0)
        document.add_heading("개요", 1)
        document.add_paragraph(PROSE)
        document.add_paragraph("점", style="List Bullet")
        document.add_paragraph("하나", style="List Number")
        document.add_paragraph("둘", style="List Number")
        document.add_paragraph("그림 1 구성도", style="Caption")
        document.sections[0].header.paragraphs[0].text = "머리말"
        document.sections[0].footer.paragraphs[0].text = "꼬리말"
        document.add_page_break()
        document.add_heading("다음", 2)

    found = elements(docx(fill))
    assert [(one.kind, one.text, one.page, one.depth) for one in found] == [
        ("Header", "머리말", None, 0),
        ("Title", "운영 매뉴얼", 1, 0),
        ("Title", "개요", 1, 1),
        ("NarrativeText", PROSE, 1, 0),
        ("ListItem", "점", 1, 0),
        ("ListItem", "1. 하나", 1, 0),
        ("ListItem", "2. 둘", 1, 0),
        ("FigureCaption", "그림 1 구성도", 1, 0),
        ("Title", "다음", 2, 2),
        ("Footer", "꼬리말", None, 0),
    ]


def test_docx_tables_with_merged_cells() -> None:
    def fill(document: Any) -> None:
        table = document.add_table(3, 3)
        for y in range(3):
            for x in range(3):
                table.cell(y, x).text = f"{y}{x}"
        table.cell(0, 0).merge(table.cell(0, 1)).text = "가로"
        table.cell(1, 2).merge(table.cell(2, 2)).text = "세로"

    (table,) = elements(docx(fill))
    assert table.html == (
        '<table><tr><td colspan="2">가로</td><td>02</td></tr><tr><td>10</td><td>11</td>'
        '<td rowspan="2">세로</td></tr><tr><td>20</td><td>21</td></tr></table>'
    )


CHANGED = """<w:p><w:r><w:t xml:space="preserve">남는 </w:t></w:r><w:del><w:r><w:delText>지운</w:delText></w:r></w:del>
<w:ins><w:r><w:t>더한 말</w:t></w:r></w:ins><w:moveFrom><w:r><w:t>옮긴 데</w:t></w:r></w:moveFrom></w:p>
<w:p><w:r><w:rPr><w:vanish/></w:rPr><w:t>숨은 글</w:t></w:r></w:p>
<w:tbl><w:tr><w:trPr><w:del/></w:trPr><w:tc><w:p><w:r><w:t>지운 줄</w:t></w:r></w:p></w:tc></w:tr>
<w:tr><w:tc><w:p><w:r><w:t>가</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>나</w:t></w:r></w:p></w:tc></w:tr></w:tbl>"""
BOXED = """<w:p><w:r><w:t>본문이다.</w:t></w:r><w:r><mc:AlternateContent
xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"><mc:Choice><w:drawing><w:txbxContent>
<w:p><w:r><w:t>상자 안</w:t></w:r></w:p></w:txbxContent></w:drawing></mc:Choice><mc:Fallback><w:pict><w:txbxContent>
<w:p><w:r><w:t>상자 안</w:t></w:r></w:p></w:txbxContent></w:pict></mc:Fallback></mc:AlternateContent></w:r></w:p>"""
NOTED = """<w:p><w:r><w:t>주가 달린 글이다.</w:t></w:r><w:r><w:footnoteReference w:id="1"/></w:r></w:p>"""
FIELD = """<w:p><w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>HYPERLINK "https://example.com/a"
</w:instrText></w:r><w:r><w:fldChar w:fldCharType="separate"/></w:r><w:r><w:t>누리집</w:t></w:r>
<w:r><w:fldChar w:fldCharType="end"/></w:r></w:p>"""
MATHS = """<w:p><m:oMath xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"><m:r><m:t>a+b</m:t></m:r>
</m:oMath></w:p>"""


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (CHANGED, [("UncategorizedText", "남는 더한 말"), ("Table", "가\t나")]),
        (BOXED, [("NarrativeText", "본문이다."), ("UncategorizedText", "상자 안")]),
        (NOTED, [("NarrativeText", "주가 달린 글이다."), ("Footnote", "각주 내용")]),
        (FIELD, [("UncategorizedText", "누리집")]),
        (MATHS, [("Formula", "a+b")]),
    ],
    ids=["changes", "text box", "footnote", "field", "formula"],
)
def test_docx_what_its_library_does_not_show(body: str, expected: list[tuple[str, str]]) -> None:
    assert said(with_footnotes(docx(body=body))) == expected


def test_docx_links_and_pictures() -> None:
    def fill(document: Any) -> None:
        document.add_picture(io.BytesIO(PIXEL))

    (picture,) = elements(docx(fill), options=Options(pictures=True))
    assert (picture.kind, picture.picture, picture.picture_type) == ("Image", PIXEL, "image/png")
    (field,) = elements(docx(body=FIELD))
    assert field.link == "https://example.com/a"


def test_docx_that_is_damaged_is_read_up_to_the_damage() -> None:
    held = docx(lambda document: document.add_paragraph(PROSE))
    cut = edited(held, "word/document.xml", lambda xml: xml[: xml.index(b"</w:body>")])
    assert [one.text for one in events(cut) if isinstance(one, Element)] == [PROSE]
    assert failed(cut) == [("the document", "It is damaged: what follows the damage is left out.")]
    with pytest.raises(BadDocument, match="main part"):
        events(
            edited(held, "_rels/.rels", lambda _: b"<r/>").replace(b"word/document.xml", b"word/elsewhere.xm")
        )


def test_pptx_reads_slides_as_people_do() -> None:
    def fill(presentation: Any) -> None:
        from pptx.util import Inches

        first = presentation.slides.add_slide(presentation.slide_layouts[1])
        first.shapes.title.text, first.placeholders[1].text = "구조", "추론 서버\n벡터 검색"
        table = first.shapes.add_table(2, 2, Inches(1), Inches(5), Inches(5), Inches(1)).table
        for y, row in enumerate((("구분", "수량"), ("GPU", "8"))):
            for x, text in enumerate(row):
                table.cell(y, x).text = text
        first.notes_slide.notes_text_frame.text = "발표자 노트"
        hidden = presentation.slides.add_slide(presentation.slide_layouts[6])
        hidden.element.set("show", "0")
        third = presentation.slides.add_slide(presentation.slide_layouts[6])
        for left, top, text in ((5, 1, "오른쪽 위"), (1, 3, "아래"), (1, 1.1, "왼쪽 위")):
            third.shapes.add_textbox(Inches(left), Inches(top), Inches(2), Inches(1)).text_frame.text = text

    deck = pptx(fill)
    found = elements(deck)
    assert [(one.kind, one.text, one.page) for one in found] == [
        ("Title", "구조", 1),
        ("ListItem", "추론 서버", 1),
        ("ListItem", "벡터 검색", 1),
        ("Table", "구분\t수량\nGPU\t8", 1),
        ("NarrativeText", "발표자 노트", 1),
        ("UncategorizedText", "왼쪽 위", 3),
        ("UncategorizedText", "오른쪽 위", 3),
        ("UncategorizedText", "아래", 3),
    ]
    assert found[3].html.startswith("<table><tr><th>구분</th>")
    assert found[5].box is not None
    assert (found[5].box.left, found[5].page_size) == (72.0, (720.0, 540.0))
    assert noted(deck) == ["Slide 2 is hidden: it was left out."]
    broken = edited(deck, "ppt/slides/slide1.xml", lambda _: b"no xml")
    assert [where for where, _ in failed(broken)] == ["slide 1"]


def test_charts_are_the_tables_that_they_show() -> None:
    def fill(presentation: Any) -> None:
        data = import_module("pptx.chart.data").CategoryChartData()
        column = import_module("pptx.enum.chart").XL_CHART_TYPE.COLUMN_CLUSTERED
        data.categories = ["1분기", "2분기"]
        data.add_series("매출", (19.5, 21))
        data.add_series("비용", (7, None))
        slide = presentation.slides.add_slide(presentation.slide_layouts[6])
        chart = slide.shapes.add_chart(column, 0, 0, 99, 99, data).chart
        chart.has_title, chart.chart_title.text_frame.text = True, "분기 실적"

    deck = pptx(fill)
    assert said(deck) == [
        ("FigureCaption", "분기 실적"),
        ("Table", "\t매출\t비용\n1분기\t19.5\t7\n2분기\t21"),
    ]
    with zipfile.ZipFile(io.BytesIO(deck)) as archive:
        chart = archive.read(next(name for name in archive.namelist() if name.startswith("ppt/charts/chart")))
    drawn = Hwpx().raw('<hp:chart chartIDRef="Chart/chart1.xml"/>').content()
    assert said(edited(drawn, "Chart/chart1.xml", lambda _: chart)) == said(deck)


def test_xlsx_shows_what_the_sheet_shows() -> None:
    def fill(workbook: Any) -> None:
        sheet = workbook.active
        sheet.title = "현황"
        sheet["A1"] = "서버 현황"
        sheet.merge_cells("A1:C1")
        for row in (
            ("서버", "가동", "비용"),
            ("gpu-01", datetime.date(2026, 3, 5), 1234567.5),
            ("합", None, True),
        ):
            sheet.append(row)
        sheet["C3"].number_format = "#,##0"
        sheet["B8"], sheet["C8"], sheet["B9"], sheet["C9"] = "가", "나", "다", 0.256
        sheet["C9"].number_format = "0.0%"
        sheet.merge_cells("B9:B10")
        sheet["C10"] = "=1+1"
        workbook.create_sheet("숨김").sheet_state = "hidden"
        workbook.create_sheet("빈 시트")

    book = xlsx(fill)
    found = elements(book)
    assert [(one.kind, one.text, one.page, one.page_name) for one in found] == [
        ("Title", "서버 현황", 1, "현황"),
        ("Table", "서버\t가동\t비용\ngpu-01\t2026-03-05\t1,234,568\n합\t\tTRUE", 1, "현황"),
        ("Table", "가\t나\n다\t25.6%", 1, "현황"),
    ]
    assert noted(book) == ['The sheet "숨김" is hidden: it was left out.']


def test_xlsx_with_one_cell_at_the_far_end_costs_nothing() -> None:
    def fill(workbook: Any) -> None:
        workbook.active["XFD1048576"] = "끝"
        workbook.active["A1"] = "처음"

    far = edited(
        xlsx(fill),
        "xl/worksheets/sheet1.xml",
        lambda xml: xml.replace(
            b"</sheetData>", b'</sheetData><mergeCells><mergeCell ref="A1:XFD1048576"/></mergeCells>'
        ),
    )
    assert "처음" in elements(far)[0].text


@pytest.mark.parametrize(
    ("value", "format_", "expected"),
    [
        ("1234567.891", "#,##0.00", "1,234,567.89"),
        ("0.2565", "0.0%", "25.7%"),
        ("-1234", "#,##0;(#,##0)", "(1,234)"),
        ("-1234", "#,##0;[Red]-#,##0", "-1,234"),
        ("0", '#,##0;-#,##0;"-"', "-"),
        ("5000", '"₩"#,##0', "₩5,000"),
        ("5000", "[$₩-412]#,##0", "₩5,000"),
        ("12", '0"명"', "12명"),
        ("45", "00000", "00045"),
        ("123456", "0.00E+00", "1.23E+05"),
        ("0.5", "# ?/?", "0.5"),
        ("-0.001", "0.00", "0.00"),
        ("1e20", "General", "1E+20"),
        ("42", "General", "42"),
        ("45292", "yyyy-mm-dd", "2024-01-01"),
        ("45292.75", "yyyy-mm-dd hh:mm", "2024-01-01 18:00"),
        ("45292", 'yyyy"년" m"월" d"일" aaaa', "2024년 1월 1일 월요일"),
        ("45292.75", "m/d/yy h:mm AM/PM", "1/1/24 6:00 PM"),
        ("45292.75", "오전/오후 h:mm", "오후 6:00"),
        ("1.5", "[h]:mm", "36:00"),
        ("-3", "yyyy-mm-dd", "-3"),
        ("abc", "0", "abc"),
        ("1e9999999", "0", "1e9999999"),
    ],
)
def test_numbers_as_a_sheet_shows_them(value: str, format_: str, expected: str) -> None:
    assert shown(value, format_) == expected
