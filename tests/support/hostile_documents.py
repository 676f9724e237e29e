"""Documents that were damaged, by accident or with intent: sound ones of every format, and ways to spoil them."""

from __future__ import annotations

import gzip
import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from support import made_hwp, made_office
from support.made_hwp import BULLET, NUMBERED, OUTLINE_1, Hwp
from support.made_hwpx import Hwpx
from support.ole_file import compound

PROSE = "이 규정은 폐쇄망 운영의 절차를 정하는 것을 목적으로 한다. The gateway validates requests."
TOKENS = (
    b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\x00", b"\xff", b"<", b"</", b"&", b'"', b"\r\n\r\n", b"--", b"]]>",
    b"A" * 300, b"\x7f\xff\xff\xff", b"<w:tbl><w:tr><w:tc>", b"<table><tr><td>", b"9999999999", b"-1", b"\xed\xa0\x80",
    b"<!ENTITY a 'b'>", b"|" * 50, b"[" * 200, b">" * 200, b"*" * 99, b"=?utf-8?B?", b"\x1b", b"%PDF-1.7",
    b"PK\x03\x04",
)  # fmt: skip

BOMBS = (
    "ratio.zip", "nested.zip", "many.zip", "lying.zip", "a.gz", "laughs.docx", "quadratic.docx",
    "deep.docx", "ratio.docx", "ratio.hwp", "deep.html", "deep-tables.html", "spans.html", "quotes.md",
    "brackets.md", "emphasis.md", "lists.md", "wide.csv", "header.eml", "parts.eml", "spanned.hwpx",
)  # fmt: skip


@cache
def sound() -> dict[str, bytes]:
    """A sound document of every format, by a name that says which."""
    plain = {
        "a.html": (
            f"<html><body><h1>제목</h1><p>{PROSE}</p><ul><li>가</ul><table><tr><th>a<td>b</table></body>"
        ).encode(),
        "a.md": f"# 제목\n\n{PROSE}\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n- x\n  - y\n\n```\ncode\n```\n".encode(),
        "a.txt": f"제1장 총칙\n\n{PROSE}\n\n- 하나\n- 둘\n".encode("cp949"),
        "a.csv": "이름,값\n가,1\n나,2\n".encode("cp949"),
        "a.tsv": "a\tb\n1\t2\n".encode("utf-16"),
        "a.eml": made_office.eml(
            PROSE, html=f"<p>{PROSE}</p>", attached={"b.txt": b"x"}, Subject="제목", From="a@b.c"
        ),
        "a.msg": made_office.msg({"0037": "제목", "1000": PROSE}, {"b.txt": b"x"}),
        "a.docx": made_office.with_footnotes(made_office.docx(_docx)),
        "a.pptx": made_office.pptx(_pptx),
        "a.xlsx": made_office.xlsx(_xlsx),
        "a.hwp": _hangul(Hwp()).content(),
        "b.hwp": _hangul(Hwp(flags=0)).content(),
        "a.hwpx": _hangul(Hwpx()).content(),
    }
    return {
        **plain,
        "a.zip": made_office.zipped({"a.csv": plain["a.csv"], "b.hwpx": plain["a.hwpx"]}),
        "a.txt.gz": gzip.compress(plain["a.txt"]),
    }


def spoiled(
    count: int, seed: int = 0, more: Mapping[str, bytes] | None = None
) -> Iterator[tuple[str, bytes]]:
    """Damaged documents, each with its name; the same seed gives the same ones. `more` are further sound ones."""
    whole = {**sound(), **(more or {})}
    names = list(whole)
    for number in range(count):
        dice = random.Random(seed * 1_000_003 + number)
        name = names[number % len(names)]
        data = whole[name]
        ways = WAYS if not data.startswith(b"PK") else (*WAYS, _within, _within, _within)
        ways = (*ways, _records, _records) if name == "b.hwp" else ways
        for _ in range(dice.choice((1, 1, 1, 2, 4))):
            data = dice.choice(ways)(data, dice)
        yield f"{number}-{name}", data


@cache
def bombs() -> dict[str, bytes]:
    """Small files that unpack, unfold or nest beyond all measure."""
    zeros = b"0" * 3_000_000
    nested = made_office.zipped({"a.txt": zeros})
    for _ in range(8):
        nested = made_office.zipped({"a.zip": nested})
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    laughs = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]><w:document xmlns:w="x">&l9;</w:document>'
    blowup = (
        f'<!DOCTYPE x [<!ENTITY a "{"a" * 50_000}">]><w:document xmlns:w="x">{"&a;" * 20_000}</w:document>'
    )
    word = made_office.docx(lambda document: document.add_paragraph("x"))
    deep = "<w:tbl><w:tr><w:tc>" * 3000 + "<w:p/>" + "</w:tc></w:tr></w:tbl>" * 3000
    section = made_hwp.paragraph("가" * 1000, 0) * 9000
    packer = zlib.compressobj(9, wbits=-15)
    packed = packer.compress(section + zeros) + packer.flush()
    streams = {"FileHeader": made_hwp.file_header(1), "DocInfo": b"\x03\x00", "BodyText/Section0": packed}

    def body(xml: str) -> bytes:
        return made_office.edited(word, "word/document.xml", lambda _: xml.encode())

    return {
        "ratio.zip": made_office.zipped({"a.txt": zeros}),
        "nested.zip": nested,
        "many.zip": made_office.zipped({f"{number}.txt": b"" for number in range(2_500)}),
        "lying.zip": _lying(made_office.zipped({"a.txt": zeros})),
        "a.gz": gzip.compress(zeros),
        "laughs.docx": body(laughs),
        "quadratic.docx": body(blowup),
        "deep.docx": made_office.docx(body=deep),
        "ratio.docx": body("<x>" + " " * 3_000_000 + "</x>"),
        "ratio.hwp": compound(streams),
        "deep.html": b"<html>" + b"<div>" * 200_000,
        "deep-tables.html": b"<html>" + b"<table><tr><td>" * 20_000,
        "spans.html": b"<table>" + b"<tr>" + b"<td rowspan=1000 colspan=1000>x" * 2000 + b"</table>",
        "quotes.md": b">" * 400_000,
        "brackets.md": b"[" * 400_000,
        "emphasis.md": b"*a _b " * 20_000,
        "lists.md": b"".join(b" " * (2 * depth) + b"- x\n" for depth in range(400)),
        "wide.csv": b"," * 1_200_000,
        "header.eml": b"From: a@b.c\nSubject: " + b"=?utf-8?Q?a?= " * 100_000 + b"\n\nx",
        "parts.eml": _nested_mail(400),
        "spanned.hwpx": Hwpx()
        .spanned([(x, y, 60_000, 60_000, "x", False) for x in range(40) for y in range(40)], 40, 40)
        .content(),
    }


def with_addresses(url: str) -> dict[str, bytes]:
    """Documents that ask whoever reads them to fetch something from an address."""
    outside = (
        f'<?xml version="1.0"?><!DOCTYPE x SYSTEM "{url}/dtd"><w:document xmlns:w="x"><w:body/></w:document>'
    )
    entity = f'<!DOCTYPE x [<!ENTITY e SYSTEM "{url}/entity">]><w:document xmlns:w="x">&e;</w:document>'
    word = made_office.docx(lambda document: document.add_paragraph("본문이다."))
    relation = f'<Relationship Id="rX" Type="http://x/image" Target="{url}/image.png" TargetMode="External"/>'
    blip = '<w:p><w:r><w:drawing><a:blip xmlns:a="a" xmlns:r="r" r:link="rX" r:embed="rX"/></w:drawing></w:r></w:p>'
    linked = made_office.edited(
        made_office.docx(body=blip),
        "word/_rels/document.xml.rels",
        lambda xml: xml.replace(b"</Relationships>", relation.encode() + b"</Relationships>"),
    )
    page = (
        f'<html><head><link rel="stylesheet" href="{url}/css"><base href="{url}">'
        f'<script src="{url}/js"></script></head>'
        f'<body><p>본문</p><img src="{url}/img" alt="그림"><iframe src="{url}/frame"></iframe></body></html>'
    )
    include = f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="{url}/x"/>'
    include = f"<sec>{include}<p><run><t>가</t></run></p></sec>"
    return {
        "dtd.docx": made_office.edited(word, "word/document.xml", lambda _: outside.encode()),
        "entity.docx": made_office.edited(word, "word/document.xml", lambda _: entity.encode()),
        "linked.docx": linked,
        "a.html": page.encode(),
        "a.md": f"![x]({url}/md)\n\n<img src='{url}/inline' alt='y'>".encode(),
        "a.eml": made_office.eml("x", html=page, Subject="s", From="a@b.c"),
        "a.hwpx": made_office.edited(Hwpx().content(), "Contents/section0.xml", lambda _: include.encode()),
    }


def _flip(data: bytes, dice: random.Random) -> bytes:
    held = bytearray(data)
    for _ in range(dice.choice((1, 4, 32))):
        if held:
            held[dice.randrange(len(held))] ^= 1 << dice.randrange(8)
    return bytes(held)


def _cut(data: bytes, dice: random.Random) -> bytes:
    return data[: dice.randrange(len(data) + 1)]


def _drop(data: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(data) + 1)
    return data[:at] + data[at + dice.choice((1, 2, 16, 512)) :]


def _insert(data: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(data) + 1)
    return data[:at] + dice.choice(TOKENS) + data[at:]


def _over(data: bytes, dice: random.Random) -> bytes:
    token = dice.choice(TOKENS)
    at = dice.randrange(len(data) + 1)
    return data[:at] + token + data[at + len(token) :]


def _repeat(data: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(data) + 1)
    piece = data[at : at + dice.choice((4, 64, 512))]
    return data[:at] + piece * dice.choice((2, 20, 200)) + data[at:]


def _splice(data: bytes, dice: random.Random) -> bytes:
    other = dice.choice(list(sound().values()))
    return data[: dice.randrange(len(data) + 1)] + other[dice.randrange(len(other)) :]


WAYS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _flip,
    _cut,
    _drop,
    _insert,
    _over,
    _repeat,
    _splice,
)


def _within(data: bytes, dice: random.Random) -> bytes:
    """A member of an archive spoiled, the archive itself sound."""
    target = io.BytesIO()
    try:
        with (
            zipfile.ZipFile(io.BytesIO(data)) as old,
            zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new,
        ):
            names = [name for name in old.namelist() if old.getinfo(name).file_size < 1 << 20]
            chosen = dice.choice(names)
            for name in names:
                content = old.read(name)
                new.writestr(name, dice.choice(WAYS)(content, dice) if name == chosen else content)
    except Exception:  # noqa: BLE001 - spoiled before: whatever zipfile says of it, spoil it from outside
        return _flip(data, dice)
    return target.getvalue()


def _records(data: bytes, dice: random.Random) -> bytes:
    """The head of a record of an unpacked HWP document changed: its tag, its level or its length."""
    at = dice.randrange(len(data) - 4)
    for place in range(at, min(len(data) - 4, at + 4096)):
        (head,) = struct.unpack_from("<I", data, place)
        if 0x42 <= head & 0x3FF <= 0x5B and head >> 20 < 400:
            head ^= 1 << dice.randrange(32)
            return data[:place] + struct.pack("<I", head) + data[place + 4 :]
    return _flip(data, dice)


def _lying(archive: bytes) -> bytes:
    """An archive whose directory says that its member is small."""
    at = archive.index(b"PK\x01\x02")
    return archive[: at + 24] + struct.pack("<I", 10) + archive[at + 28 :]


def _nested_mail(depth: int) -> bytes:
    heads = "".join(f'Content-Type: multipart/mixed; boundary="b{n}"\n\n--b{n}\n' for n in range(depth))
    return ("From: a@b.c\nSubject: s\nMIME-Version: 1.0\n" + heads + "\nx").encode()


def _docx(document: Any) -> None:
    document.add_heading("제목", 1)
    document.add_paragraph(PROSE)
    document.add_paragraph("하나", style="List Number")
    document.add_table(2, 2).cell(0, 0).merge(document.tables[0].cell(0, 1)).text = "칸"
    document.sections[0].header.paragraphs[0].text = "머리말"


def _pptx(presentation: Any) -> None:
    slide = presentation.slides.add_slide(presentation.slide_layouts[1])
    slide.shapes.title.text, slide.placeholders[1].text = "제목", "하나\n둘"
    slide.notes_slide.notes_text_frame.text = "노트"


def _xlsx(workbook: Any) -> None:
    sheet = workbook.active
    for row in (("이름", "값"), ("가", 1.5), ("나", True)):
        sheet.append(row)
    sheet["B2"].number_format = "#,##0.0"
    sheet.merge_cells("A3:B3")


def _hangul(made: Any) -> Any:
    made.paragraph("제목", OUTLINE_1, 1).paragraph(PROSE, lines=(10, 20)).table(
        [["가", "나"], ["1", "2"]], "표 1", 1
    )
    made.margin(b"head", "머리말").margin(b"fn  ", "각주", 17).paragraph("하나", NUMBERED).paragraph(
        "둘", BULLET
    )
    return made.box("상자").picture(made_office.png()).equation("a").link("링크", "http://x.y/z")
