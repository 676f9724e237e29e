"""HWP 5 and HWPX: the same documents in both, read alike; and what is of one of them alone."""

from __future__ import annotations

import struct
import zlib

import pytest
from llmflow_unstructured.elements import Element
from llmflow_unstructured.errors import BadDocument
from llmflow_unstructured.partition import Options
from support import made_hwp
from support.made_hwp import BULLET, LARGE, NUMBERED, OUTLINE_1, OUTLINE_2, PLAIN, Hwp
from support.made_hwpx import Hwpx
from support.made_office import edited, zipped
from support.ole_file import compound
from support.reading import elements, events, failed, said

Maker = type[Hwp] | type[Hwpx]
BOTH = pytest.mark.parametrize("maker", [Hwp, Hwpx], ids=["hwp", "hwpx"])
PIXEL = b"\x89PNG\r\n\x1a\n" + bytes(40)
PROSE = "이 규정은 폐쇄망 운영의 절차를 정하는 것을 목적으로 한다."


@BOTH
def test_headings_carry_their_level_and_number(maker: Maker) -> None:
    made = (
        maker()
        .paragraph("총칙", OUTLINE_1, 1)
        .paragraph("목적", OUTLINE_2, 2)
        .paragraph("적용", OUTLINE_2, 2)
    )
    made.paragraph(PROSE).paragraph("보칙", OUTLINE_1, 1).paragraph("시행", OUTLINE_2, 2)
    titles = [(one.text, one.depth) for one in elements(made.content()) if one.kind == "Title"]
    assert titles == [("1. 총칙", 0), ("가. 목적", 1), ("나. 적용", 1), ("2. 보칙", 0), ("가. 시행", 1)]


@BOTH
def test_lists_large_letters_and_captions_are_told_from_prose(maker: Maker) -> None:
    made = maker().paragraph("안내 말씀", letters=LARGE).paragraph(PROSE).paragraph(PROSE)
    made.paragraph("첫째", NUMBERED).paragraph("둘째", NUMBERED).paragraph("점", BULLET)
    made.paragraph("그림 설명", PLAIN, 3).paragraph("□ 항목").paragraph("짧은 말")
    assert said(made.content()) == [
        ("Title", "안내 말씀"),
        ("NarrativeText", PROSE),
        ("NarrativeText", PROSE),
        ("ListItem", "1. 첫째"),
        ("ListItem", "2. 둘째"),
        ("ListItem", "점"),
        ("FigureCaption", "그림 설명"),
        ("ListItem", "□ 항목"),
        ("UncategorizedText", "짧은 말"),
    ]


@BOTH
def test_tables_keep_spans_heads_and_captions(maker: Maker) -> None:
    cells = [
        (0, 0, 2, 1, "넓은 머리", True),
        (2, 0, 1, 1, "끝", True),
        (0, 1, 1, 2, "긴 칸", False),
        (1, 1, 1, 1, "가\n나", False),
        (2, 1, 1, 1, "다 & <라>", False),
        (1, 2, 2, 1, "", False),
    ]
    caption, table = elements(maker().spanned(cells, 3, 3, "표 1 예").content())
    assert (caption.kind, caption.text) == ("FigureCaption", "표 1 예")
    assert table.text == "넓은 머리\t\t끝\n긴 칸\t가 나\t다 & <라>\n"
    assert table.html == (
        '<table><tr><th colspan="2">넓은 머리</th><th>끝</th></tr>'
        '<tr><td rowspan="2">긴 칸</td><td>가<br>나</td><td>다 &amp; &lt;라&gt;</td></tr>'
        '<tr><td colspan="2"></td></tr></table>'
    )


@BOTH
def test_a_frame_around_paragraphs_is_no_table(maker: Maker) -> None:
    assert said(maker().spanned([(0, 0, 1, 1, f"{PROSE}\n짧은 말", False)], 1, 1).content()) == [
        ("NarrativeText", PROSE),
        ("UncategorizedText", "짧은 말"),
    ]


@BOTH
def test_heads_feet_and_notes_are_told_apart(maker: Maker) -> None:
    made = maker().margin(b"head", "머리말").margin(b"foot", "꼬리말").margin(b"head", "머리말")
    made.margin(b"fn  ", "각주", 17, "본문에 각주가 있다.").margin(b"en  ", "미주", 17)
    assert said(made.content()) == [
        ("Header", "머리말"),
        ("Footer", "꼬리말"),
        ("NarrativeText", "본문에 각주가 있다."),
        ("Footnote", "각주"),
        ("Footnote", "미주"),
    ]


@BOTH
def test_pages_are_counted_by_breaks_lines_and_sections(maker: Maker) -> None:
    made = (
        maker()
        .paragraph("하나", lines=(100, 900))
        .paragraph("둘", lines=(50, 60, 10))
        .paragraph("셋", lines=(90,))
    )
    made.paragraph("넷", breaks=4).paragraph("다섯").section().paragraph("여섯")
    assert [(one.text, one.page) for one in elements(made.content())] == [
        ("하나", 1), ("둘", 2), ("셋", 3), ("넷", 4), ("다섯", 4), ("여섯", 5),
    ]  # fmt: skip


@BOTH
def test_drawings_equations_links_and_pictures(maker: Maker) -> None:
    made = (
        maker().box("글상자 안").equation("a over b").link("누리집", "https://example.com/a").picture(PIXEL)
    )
    found = elements(made.content(), options=Options(pictures=True))
    assert [(one.kind, one.text) for one in found[:3]] == [
        ("UncategorizedText", "글상자 안"),
        ("Formula", "a over b"),
        ("UncategorizedText", "누리집"),
    ]
    assert found[2].link == "https://example.com/a"
    assert (found[3].kind, found[3].picture, found[3].picture_type) == ("Image", PIXEL, "image/png")
    bare = elements(made.content())[3]
    assert (bare.picture, bare.picture_type) == (b"", "")


@BOTH
def test_a_table_with_a_place_beyond_all_bounds_stays_a_table(maker: Maker) -> None:
    far = [(x * 9000, y * 9000, 9000, 9000, f"{x}{y}", False) for x in range(3) for y in range(3)]
    (table,) = elements(maker().spanned(far, 3, 3).content())
    assert table.text == "00\t10\t20\n01\t11\t21\n02\t12\t22"


def test_tracked_changes_of_hwpx_count_as_accepted() -> None:
    change = (
        '<hp:t>남는 <hp:deleteBegin Id="1"/>지운<hp:deleteEnd Id="1"/><hp:insertBegin Id="2"/>더한'
        '<hp:insertEnd Id="2"/> 말<hp:deleteBegin Id="9"/> 끝</hp:t>'
    )
    assert said(Hwpx().raw(change).content()) == [("UncategorizedText", "남는 더한 말 끝")]


def test_hwpx_without_its_package_file_is_read_by_names() -> None:
    held = Hwpx().paragraph("하나").section().paragraph("둘").content()
    bare = edited(held, "Contents/content.hpf", lambda _: b"")
    with pytest.raises(BadDocument, match="XML"):
        events(bare)
    kept = {
        "Contents/header.xml": b"<head/>",
        "Contents/section0.xml": b"<sec><p><run><t>x</t></run></p></sec>",
    }
    assert said(zipped(kept)) == [("UncategorizedText", "x")]


def test_a_damaged_section_of_several_is_named_and_the_rest_is_read() -> None:
    held = Hwpx().paragraph("하나").section().paragraph("둘").section().paragraph("셋").content()
    broken = edited(held, "Contents/section1.xml", lambda _: b"no xml")
    found = events(broken)
    assert [one.text for one in found if isinstance(one, Element)] == ["하나", "셋"]
    assert failed(broken)[0][0] == "section 2"
    cut = edited(held, "Contents/section2.xml", lambda xml: xml[:-12])
    assert failed(cut) == [("section 3", "It is damaged: what follows the damage is left out.")]


@pytest.mark.parametrize(
    ("flags", "says"),
    [(3, "password"), (5, "distribution"), (17, "rights management")],
)
def test_hwp_that_needs_a_key_says_so(flags: int, says: str) -> None:
    with pytest.raises(BadDocument, match=says):
        events(Hwp(flags=flags).paragraph(PROSE).content())


def test_hwpx_that_needs_a_key_says_so() -> None:
    with pytest.raises(BadDocument, match="password"):
        events(Hwpx(encrypted=True).paragraph(PROSE).content())


def test_hwp_without_compression_and_with_long_records() -> None:
    text = "가나다라 " * 1200
    (element,) = elements(Hwp(flags=0).paragraph(text).content())
    assert element.text == text.strip()


def test_signs_of_hwp_within_a_text() -> None:
    said_ = "탭".encode("utf-16-le") + made_hwp.control(b"", 9) + "뒤\n줄\x1e끝 😀".encode("utf-16-le")
    made = Hwp()
    made.sections[-1] += made_hwp.paragraph(said_, 0)
    assert said(made.content()) == [("UncategorizedText", "탭 뒤\n줄 끝 😀")]


def test_hwp_whose_lengths_lie_is_read_as_far_as_it_goes() -> None:
    section = made_hwp.paragraph("앞", 0) + struct.pack("<II", 0x42 | 0xFFF << 20, 0xFFFFFFF0) + b"x"
    packed = zlib.compressobj(wbits=-15)
    body = packed.compress(section) + packed.flush()
    streams = {"FileHeader": made_hwp.file_header(1), "DocInfo": b"\x03\x00", "BodyText/Section0": body}
    assert said(compound(streams)) == [("UncategorizedText", "앞")]


def test_deep_records_end_where_no_document_goes() -> None:
    deep = b"".join(made_hwp.record(0x47, level, b"lbt " + bytes(4)) for level in range(1, 900))
    made = Hwp()
    made.sections[-1] += made_hwp.paragraph("겉", 0) + deep
    assert said(made.content()) == [("UncategorizedText", "겉")]
