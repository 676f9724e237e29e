"""HTML, Markdown, text in all encodings, CSV, mail and archives, and what a file is at all."""

from __future__ import annotations

import gzip
import unicodedata

import pytest
from llmflow_unstructured.elements import Element
from llmflow_unstructured.errors import BadDocument, TooLarge
from llmflow_unstructured.formats.decoding import decode
from llmflow_unstructured.languages import languages_of
from llmflow_unstructured.limits import Limits
from llmflow_unstructured.partition import Options
from support.made_hwp import Hwp
from support.made_hwpx import Hwpx
from support.made_office import docx, eml, msg, xlsx, zipped
from support.ole_file import compound
from support.reading import elements, events, failed, noted, said

PROSE = "시스템 점검 시간은 오전 두 시부터 네 시까지입니다."
PAGE = f"""<!DOCTYPE html><html><head><title>안내</title><style>p {{}}</style></head><body>
<nav><a href="/">메뉴</a></nav><header>사이트 머리</header>
<h1>공지</h1><p>{PROSE} <a href="https://example.com/a">자세히</a></p>
<script>alert(1)</script><p hidden>숨김</p><p style="color:red; display: none">숨김</p>
<div aria-hidden="true">숨김</div>
<h2>목록</h2><ul><li>하나<ul><li>안쪽</li></ul></li><li>둘</li></ul><ol start="3"><li>셋<li>넷</ol>
<table><caption>표 1</caption><thead><tr><td>이름</td><td>값</td></tr></thead>
<tr><td rowspan=2>가</td><td>1<br>2</td></tr><tr><td>3</td></tr></table>
<table role="presentation"><tr><td>자리</td><td>잡기</td></tr></table>
<pre>코드
  두 줄</pre><div>밖<b>굵게</b><p>안</p>뒤</div><img src="http://127.0.0.1:9/x.png" alt="그림 설명">
<footer>회사 주소</footer></body></html>"""


def test_html_gives_its_main_content() -> None:
    found = elements(PAGE.encode())
    assert [(one.kind, one.text, one.depth) for one in found] == [
        ("Title", "공지", 0),
        ("NarrativeText", f"{PROSE} 자세히", 0),
        ("Title", "목록", 1),
        ("ListItem", "하나", 0),
        ("ListItem", "안쪽", 1),
        ("ListItem", "둘", 0),
        ("ListItem", "3. 셋", 0),
        ("ListItem", "4. 넷", 0),
        ("FigureCaption", "표 1", 0),
        ("Table", "이름\t값\n가\t1 2\n\t3", 0),
        ("UncategorizedText", "자리", 0),
        ("UncategorizedText", "잡기", 0),
        ("CodeSnippet", "코드\n  두 줄", 0),
        ("UncategorizedText", "밖굵게", 0),
        ("UncategorizedText", "안", 0),
        ("UncategorizedText", "뒤", 0),
        ("Image", "그림 설명", 0),
    ]
    assert found[1].link == "https://example.com/a"
    assert found[9].html.startswith("<table><tr><th>이름</th><th>값</th></tr>")


def test_html_with_a_main_part_is_that_part() -> None:
    page = "<body><div>옆</div><main><header>글의 머리</header><p>본문</p></main></body>"
    assert said(page.encode(), "a.html") == [
        ("UncategorizedText", "글의 머리"),
        ("UncategorizedText", "본문"),
    ]


def test_html_in_the_encoding_that_it_declares() -> None:
    page = '<html><head><meta charset="euc-kr"></head><body><p>뷁</p></body></html>'
    assert said(page.encode("cp949")) == [("UncategorizedText", "뷁")]


def test_html_pictures_only_from_the_page_itself() -> None:
    page = b'<html><body><img alt="a" src="data:image/png;base64,AAEC"><img alt="b" src="http://127.0.0.1:9/b"></body>'
    first, second = elements(page, options=Options(pictures=True))
    assert (first.picture, first.picture_type, second.picture) == (b"\x00\x01\x02", "image/png", b"")


def test_markdown_has_its_structure() -> None:
    text = "---\ntitle: x\n---\n# 제목\n\n본문이다.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n"
    text += "```py\nx = 1\n```\n- 하나\n  - 둘\n"
    assert said(text.encode(), "a.md") == [
        ("Title", "제목"),
        ("NarrativeText", "본문이다."),
        ("Table", "a\tb\n1\t2"),
        ("CodeSnippet", "x = 1"),
        ("ListItem", "하나"),
        ("ListItem", "둘"),
    ]
    assert said(b"# x <script>alert(1)</script>\n\n<script>y</script>", "a.md") == [("Title", "x")]


def test_text_has_paragraphs_lists_and_headings_of_statutes() -> None:
    text = "규정\n\n제1장 총칙\n제1조(목적)\n이 규정은 절차를 정한다.\n□ 첫째\n○ 둘째\n- 셋째\n\f다음 쪽"
    found = elements(text.encode(), "a.txt")
    assert [(one.kind, one.text, one.depth, one.page) for one in found] == [
        ("Title", "규정", 0, 1),
        ("Title", "제1장 총칙", 1, 1),
        ("Title", "제1조(목적)", 4, 1),
        ("NarrativeText", "이 규정은 절차를 정한다.", 0, 1),
        ("ListItem", "□ 첫째", 0, 1),
        ("ListItem", "○ 둘째", 1, 1),
        ("ListItem", "- 셋째", 2, 1),
        ("UncategorizedText", "다음 쪽", 0, 2),
    ]


KOREAN = "본 문서는 벡터 데이터베이스와 그래프 데이터베이스를 결합한 검색 시스템의 운영 절차를 설명한다. ABC 123\r\n"


@pytest.mark.parametrize(
    ("text", "written", "read"),
    [
        (KOREAN, "utf-8", "utf-8"),
        (KOREAN, "utf-8-sig", "utf-8"),
        (KOREAN, "utf-16", "utf-16"),
        (KOREAN, "utf-16-le", "utf-16-le"),
        (KOREAN, "utf-16-be", "utf-16-be"),
        (KOREAN, "euc-kr", "euc-kr"),
        (KOREAN + "똠방각하 펲시콜라", "cp949", "cp949"),
        ("항목,값\n가,1\n", "euc-kr", "euc-kr"),
        ("plain ascii", "ascii", "utf-8"),
        ("数据库管理系统的操作程序说明文档内部网络使用" * 3, "gb18030", "gb18030"),
        ("このドキュメントは検索システムの運用手順を説明します。" * 3, "shift_jis", "cp932"),
        (
            "Déjà vu à l’école: où est le garçon, s’il vous plaît? Ça va très bien, merci." * 2,
            "cp1252",
            "cp1252",
        ),
    ],
)
def test_encodings_are_told_apart(text: str, written: str, read: str) -> None:
    found, encoding = decode(text.encode(written))
    assert found == text
    assert encoding == read


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ('이름,값\n가,"1,5"\n나,2\n'.encode("cp949"), "이름\t값\n가\t1,5\n나\t2"),
        ("a\tb\n1\t2\n".encode("utf-16"), "a\tb\n1\t2"),
        (b"a;b;c\n1,5;2;3\n4;5,5;6\n", "a\tb\tc\n1,5\t2\t3\n4\t5,5\t6"),
        (b"sep=|\r\na|b\r\n1|2\r\n", "a\tb\n1\t2"),
        (b'a,b\n"x\ny",2\n', "a\tb\nx y\t2"),
    ],
    ids=["cp949", "tabs", "semicolons", "told", "lines in fields"],
)
def test_csv_finds_its_dialect(data: bytes, expected: str) -> None:
    (table,) = elements(data, "a.csv")
    assert (table.kind, table.text) == ("Table", expected)


def test_csv_that_is_no_table_is_text() -> None:
    assert said(b"just one line.", "a.csv") == [("NarrativeText", "just one line.")]


def test_mail_with_its_attachments() -> None:
    held = eml(
        PROSE,
        html=f"<p>{PROSE}</p><table><tr><td>a</td><td>b</td></tr></table>",
        attached={"첨부.hwpx": Hwpx().paragraph(PROSE).content(), "b.bin": bytes(range(32)) * 9},
        Subject="점검 안내",
        From="홍길동 <a@example.com>",
        To="b@example.com",
    )
    found = events(held)
    assert [(one.kind, one.text, one.inside) for one in found if isinstance(one, Element)] == [
        ("Title", "점검 안내", ""),
        ("UncategorizedText", "From: 홍길동 <a@example.com>\nTo: b@example.com", ""),
        ("NarrativeText", PROSE, ""),
        ("Table", "a\tb", ""),
        ("NarrativeText", PROSE, "첨부.hwpx"),
    ]
    assert [where for where, _ in failed(held)] == ["b.bin"]


def test_mail_of_old_mailers() -> None:
    raw = "Subject: 점검\r\nFrom: 홍길동 <a@b.c>\r\nContent-Type: text/plain; charset=ks_c_5601-1987\r\n\r\n본문입니다."
    assert said(raw.encode("cp949")) == [
        ("Title", "점검"),
        ("UncategorizedText", "From: 홍길동 <a@b.c>"),
        ("NarrativeText", "본문입니다."),
    ]


def test_mail_saved_as_utf_16() -> None:
    held = f"Subject: 점검\nFrom: a@b.c\nTo: d@e.f\n\n{PROSE}\n".encode("utf-16")
    assert said(held)[0] == ("Title", "점검")
    assert said(held)[-1] == ("NarrativeText", PROSE)


def test_text_is_composed_and_free_of_what_no_store_takes() -> None:
    (element,) = elements(
        b"a\x00b " + unicodedata.normalize("NFD", PROSE).encode() + b"\xef\xbf\xbe c.", "a.txt"
    )
    assert element.text == f"a\ufffdb {PROSE}\ufffd c."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PROSE, ("kor",)),
        ("The gateway validates every request.", ("eng",)),
        (f"{PROSE} The gateway validates every request before forwarding it.", ("eng", "kor")),
        ("漢字를 섞어 쓴 글이다.", ("kor",)),
        ("検索システムの手順", ("jpn",)),
        ("检索系统", ("chi_sim",)),
        ("12345", ()),
    ],
)
def test_languages_are_told_by_letters(text: str, expected: tuple[str, ...]) -> None:
    assert languages_of(text) == expected


def test_outlooks_message() -> None:
    held = msg(
        {"0037": "점검", "0C1A": "홍길동", "5D01": "a@b.c", "0E04": "김", "1000": f"{PROSE}\r\n"},
        {"첨부.txt": PROSE.encode("cp949")},
    )
    assert said(held) == [
        ("Title", "점검"),
        ("UncategorizedText", "From: 홍길동 <a@b.c>\nTo: 김"),
        ("NarrativeText", PROSE),
        ("NarrativeText", PROSE),
    ]


def test_archives_hold_documents() -> None:
    inner = zipped({"b.csv": b"x,y\n1,2\n"})
    held = zipped({"가/a.txt": PROSE.encode(), "__MACOSX/x": b"y", "in.zip": inner, "c.bin": bytes(64)})
    found = [one for one in events(held) if isinstance(one, Element)]
    assert [(one.text, one.inside) for one in found] == [(PROSE, "가/a.txt"), ("x\ty\n1\t2", "in.zip/b.csv")]
    assert [where for where, _ in failed(held)] == ["c.bin"]
    three = zipped({f"{number}.txt": b"x" for number in range(3)})
    assert len(events(three, limits=Limits(members=3))) == 4
    with pytest.raises(TooLarge, match="more files"):
        events(three, limits=Limits(members=2))
    assert said(gzip.compress(PROSE.encode()), "a.txt.gz") == [("NarrativeText", PROSE)]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b" \n ", "empty"),
        (bytes(range(256)) * 40, "binary"),
        (b"{\\rtf1 x}", "RTF"),
        (b"HWP Document File V3.00 \x1a", "HWP 3"),
        (compound({"WordDocument": b"x"}), "2003"),
        (compound({"EncryptedPackage": b"x"}), "password"),
        (compound({"Other": b"x"}), "not taken"),
        (zipped({"[Content_Types].xml": b"<Types/>"}), "not taken"),
        (zipped({"mimetype": b"application/vnd.oasis.opendocument.text"}), "OpenDocument"),
        (b"PK\x05\x06" + bytes(18), "empty"),
        (b"PK\x03\x04" + bytes(18), "damaged"),
    ],
)
def test_what_is_not_taken_says_why(data: bytes, says: str) -> None:
    with pytest.raises(BadDocument, match=says):
        events(data)


@pytest.mark.parametrize(
    ("data", "name", "note"),
    [
        (docx(lambda document: document.add_paragraph(PROSE)), "a.pdf", "named as pdf, but is docx"),
        (xlsx(lambda book: book.active.append([PROSE])), "a.docx", "named as docx, but is xlsx"),
        (Hwp().paragraph(PROSE).content(), "a.hwpx", "named as hwpx, but is hwp"),
        (PAGE.encode(), "a.txt", "named as text, but is html"),
    ],
)
def test_a_name_that_lies_is_told(data: bytes, name: str, note: str) -> None:
    assert any(PROSE in one.text for one in elements(data, name))
    assert note in noted(data, name)[0]
