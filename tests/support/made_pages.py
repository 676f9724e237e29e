"""Pages made of known text as PDF files; `made_scans` makes pictures of them.

Every page says what it holds, in reading order, so that what is read of it can be measured. Dice have fixed seeds.
"""

from __future__ import annotations

import logging
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from fpdf import FPDF

from support.tesseract import real_tesseract

logging.getLogger("fontTools").setLevel(logging.ERROR)  # it tells of every table that a subset goes without

TEXTS = Path(__file__).parents[1] / "cases" / "unstructured"
DEVELOPMENT, HELD_OUT = "sentences", "held-out"  # one to work with, one that is only measured on
WIDTH, HEIGHT = 595.28, 841.89  # A4, in points
MARGIN = 64.0
GUTTER = 24.0

FACES = {
    "gothic": ("NanumGothic.ttf", "NanumGothicBold.ttf"),
    "myeongjo": ("NanumMyeongjo.ttf", "NanumMyeongjoBold.ttf"),
    "batang": ("UnBatang.ttf", "UnBatangBold.ttf"),
    "dotum": ("UnDotum.ttf", "UnDotumBold.ttf"),
    "noto sans": ("NotoSansCJK-Regular.ttc", "NotoSansCJK-Bold.ttc"),
    "noto serif": ("NotoSerifCJK-Regular.ttc", "NotoSerifCJK-Bold.ttc"),
    "barun gothic": ("NanumBarunGothic.ttf", "NanumBarunGothicBold.ttf"),
    "graphic": ("UnGraphic.ttf", "UnGraphicBold.ttf"),
}
NAMES = (
    "김민준 이서연 박도윤 최하은 정시우 강지호 조예린 윤태석 장미란 임성훈 한가람 오세진 서유나 신동혁 권은비"
).split()
ROLES = "이사장 국장 팀장 연구원 교수 위원장 과장 본부장".split()
PLACES = "서울 부산 대구 인천 광주 대전 울산 세종 수원 청주 전주 포항 제주 강릉 목포 춘천 안동 여수".split()
ORGS = (
    "한국전력기술원 국립수산과학원 한빛은행 대한적십자사 미래자동차 새움건설 동방제약 청솔대학교 국토안전관리원"
).split()
PRODUCTS = "Kubernetes PostgreSQL Milvus Neo4j vLLM OpenStack Grafana Redis Harbor Keycloak".split()
NAMES_EN = ("Alice Harper", "Daniel Kim", "Maria Lopez", "Henrik Olsen", "Grace Park")
MONTHS = "January March April June August October December".split()
WEEKDAYS = "월요일 화요일 수요일 목요일 금요일".split()
HEADINGS = (
    "목적과 적용 범위", "용어의 정의", "시스템 구성", "설치 절차", "운영과 점검", "장애 대응", "보안 요구 사항",
    "조사 방법", "측정 결과", "결과의 해석", "예산과 일정", "위원회의 구성", "자료의 보존", "향후 과제",
    "Background", "Related Work", "Evaluation", "배경과 동기", "품질 관리", "교육 훈련",
)  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """A cell of a table, its upper left corner, and how far it reaches."""

    text: str
    row: int
    column: int
    rows: int = 1
    columns: int = 1


@dataclass(frozen=True)
class Told:
    """What a page holds: one thing in reading order."""

    kind: str
    text: str
    depth: int = 0
    cells: tuple[Cell, ...] = ()


@dataclass(frozen=True)
class Made:
    """A PDF file, and what each of its pages holds."""

    pdf: bytes
    pages: tuple[tuple[Told, ...], ...]

    def text(self, page: int) -> str:
        """All that the page says."""
        return "\n".join(told.text for told in self.pages[page])


@dataclass(frozen=True)
class Look:
    """How pages are set."""

    face: str = "gothic"
    size: float = 10.5
    leading: float = 1.6
    columns: int = 1
    by_syllable: bool = False  # lines break inside Korean words, as Hangul's usual settings have it
    justified: bool = True
    text: str = DEVELOPMENT


def some_look(seed: int, columns: int = 1, text: str = DEVELOPMENT) -> Look:
    """One that the dice choose: a face, sizes from 9 to 12 points, lines that break in words or between them."""
    dice = random.Random(seed)
    return Look(
        face=dice.choice(list(FACES)),
        size=dice.choice((9, 9.5, 10, 10.5, 11, 12)),
        leading=dice.choice((1.45, 1.6, 1.8)),
        columns=columns,
        by_syllable=dice.random() < 0.5,
        justified=dice.random() < 0.7,
        text=text,
    )


# ---- text


@cache
def _sentences(text: str) -> tuple[str, ...]:
    lines = (TEXTS / f"{text}.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if line)


def sentence(dice: random.Random, text: str = DEVELOPMENT) -> str:
    """A sentence with names and figures of its own."""
    return re.sub(r"\{(\w+)\}", lambda slot: _filled(slot[1], dice), dice.choice(_sentences(text)))


def paragraph(dice: random.Random, text: str = DEVELOPMENT, least: int = 3, most: int = 6) -> str:
    """Some sentences, each of them once."""
    return " ".join(sentence(dice, text) for _ in range(dice.randint(least, most)))


def _filled(slot: str, dice: random.Random) -> str:
    number = dice.choice((dice.randint(11, 99), dice.randint(100, 999), dice.randint(1000, 98000)))
    year, month, day = dice.randint(1998, 2026), dice.randint(1, 12), dice.randint(1, 28)
    return {
        "name": lambda: dice.choice(NAMES),
        "role": lambda: dice.choice(ROLES),
        "place": lambda: dice.choice(PLACES),
        "org": lambda: dice.choice(ORGS),
        "product": lambda: dice.choice(PRODUCTS),
        "name_en": lambda: dice.choice(NAMES_EN),
        "weekday": lambda: dice.choice(WEEKDAYS),
        "date": lambda: dice.choice((f"{year}년 {month}월 {day}일", f"{year}. {month}. {day}.")),
        "date_en": lambda: f"{dice.choice(MONTHS)} {day}, {year}",
        "year": lambda: str(year),
        "num": lambda: f"{number:,}",
        "small": lambda: str(dice.randint(2, 12)),
        "percent": lambda: f"{dice.randint(1, 980) / 10:g}%",
        "money": lambda: f"{dice.randint(2, 95)}억 {dice.randint(1, 9)},{dice.randint(100, 999)}만 원",
        "money_en": lambda: f"${dice.randint(10, 990)},000",
        "mail": lambda: (
            f"{dice.choice(('help', 'admin', 'desk', 'info'))}{dice.randint(1, 99)}@example.co.kr"
        ),
        "phone": lambda: f"0{dice.choice('2456')}-{dice.randint(200, 999)}-{dice.randint(1000, 9999)}",
    }[slot]()


# ---- setting


@dataclass
class Sheet:
    """Sets one thing after the other, and remembers what."""

    look: Look
    pdf: FPDF = field(default_factory=lambda: FPDF(unit="pt", format=(WIDTH, HEIGHT)))
    pages: list[list[Told]] = field(default_factory=list)
    column: int = 0
    y: float = MARGIN
    top: float = MARGIN
    bottom: float = HEIGHT - MARGIN

    def __post_init__(self) -> None:
        fonts = real_tesseract()
        for style, name in zip(("", "B"), FACES[self.look.face], strict=True):
            collection = 1 if name.endswith(".ttc") else 0  # the second of Noto's is Korean
            self.pdf.add_font("face", style, fonts.font(name), collection_font_number=collection)
        self.pdf.set_auto_page_break(False)

    def page(self) -> None:
        self.pdf.add_page()
        self.pages.append([])
        self.column, self.y, self.top, self.bottom = 0, MARGIN, MARGIN, HEIGHT - MARGIN

    @property
    def width(self) -> float:
        return (WIDTH - 2 * MARGIN - GUTTER * (self.look.columns - 1)) / self.look.columns

    @property
    def left(self) -> float:
        return MARGIN + self.column * (self.width + GUTTER)

    def tell(self, kind: str, text: str, depth: int = 0, cells: tuple[Cell, ...] = ()) -> None:
        self.pages[-1].append(Told(kind, text, depth, cells))

    def fits(self, height: float) -> bool:
        """Whether so much goes on this page, in the next column if need be."""
        if self.y + height <= self.bottom:
            return True
        if self.column + 1 < self.look.columns:
            self.column, self.y = self.column + 1, self.top
            return self.y + height <= self.bottom
        return False

    def write(self, text: str, size: float, style: str = "", *, indent: float = 0, hang: float = 0) -> int:
        """Set a paragraph in this column, going on in the next; how many signs of it were set."""
        self.pdf.set_font("face", style, size)
        leading, put = size * self.look.leading, 0
        lines = list(self._lines(text, self.width - hang, indent))
        for number, line in enumerate(lines):
            if not self.fits(leading):
                return put
            first, last = number == 0, number == len(lines) - 1
            start = self.left + hang + (indent if first else 0)
            self._set(line, start, self.y + size, self.left + self.width, not last)
            put += sum(map(len, line)) + len(line)
            self.y += leading
        return len(text)

    def _lines(self, text: str, width: float, indent: float) -> Iterator[list[str]]:
        line: list[str] = []
        room = width - indent
        for word in text.split():
            if line and self._long([*line, word]) > room:
                if self.look.by_syllable:
                    head, word = self._cut(line, word, room)
                    if head:
                        line.append(head)
                yield line
                line, room = [], width
            if word:
                line.append(word)
        if line:
            yield line

    def _cut(self, line: list[str], word: str, room: float) -> tuple[str, str]:
        """As much of a word as goes on the line: cuts are between two Hangul syllables only."""
        for at in range(len(word) - 1, 0, -1):
            hangul = all("가" <= sign <= "힣" for sign in word[at - 1 : at + 1])
            if hangul and self._long([*line, word[:at]]) <= room:
                return word[:at], word[at:]
        return "", word

    def _long(self, words: Sequence[str]) -> float:
        return self.pdf.get_string_width(" ".join(words))

    def _set(self, words: Sequence[str], left: float, base: float, right: float, full: bool) -> None:
        if not (self.look.justified and full and len(words) > 1):
            self.pdf.text(left, base, " ".join(words))
            return
        gap = (right - left - sum(map(self.pdf.get_string_width, words))) / (len(words) - 1)
        for word in words:
            self.pdf.text(left, base, word)
            left += self.pdf.get_string_width(word) + gap

    def line(self, text: str, x: float, base: float, size: float, style: str = "") -> None:
        self.pdf.set_font("face", style, size)
        self.pdf.text(x, base, text)

    def made(self) -> Made:
        return Made(bytes(self.pdf.output()), tuple(map(tuple, self.pages)))


# ---- documents


def prose(seed: int, pages: int = 1, look: Look | None = None) -> Made:
    """Paragraphs only, in one column or more."""
    dice, look = random.Random(seed), look or Look()
    sheet = Sheet(look)
    for _ in range(pages):
        sheet.page()
        while sheet.fits(look.size * look.leading * 7):
            said = paragraph(dice, look.text)
            room = sheet.write(said, look.size, indent=look.size)
            sheet.tell("NarrativeText", said[:room].rstrip())
            if room < len(said):
                break
            sheet.y += look.size * 0.7
    return sheet.made()


def report(seed: int, pages: int = 4, look: Look | None = None) -> Made:
    """Numbered headings, paragraphs, lists, footnotes, captions, running heads and feet with page numbers."""
    dice, look = random.Random(seed), look or Look()
    sheet, chapter, part, figure = Sheet(look), 0, 0, 0
    title, running = (
        dice.choice(HEADINGS) + "에 관한 보고서",
        f"{dice.choice(ORGS)} 연차 보고 {dice.randint(2001, 2026)}",
    )
    for number in range(1, pages + 1):
        sheet.page()
        sheet.line(running, MARGIN, 40, 8)
        sheet.tell("Header", running)
        notes: list[str] = []
        sheet.bottom -= 60
        if number == 1:
            size = look.size * 1.9
            sheet.line(title, MARGIN, sheet.y + size, size, "B")
            sheet.tell("Title", title, 0)
            sheet.y += size * 2.2
            sheet.top = sheet.y
        while sheet.fits(look.size * look.leading * 9):
            if dice.random() < 0.35 or chapter == 0:
                chapter, part = chapter + 1, 0
                _heading(sheet, f"{chapter}. {dice.choice(HEADINGS)}", 1.4, 1)
            elif dice.random() < 0.35:
                part += 1
                _heading(sheet, f"{chapter}.{part} {dice.choice(HEADINGS)}", 1.15, 2)
            said = paragraph(dice, look.text, 2, 4)
            if len(notes) < 2 and dice.random() < 0.25:
                notes.append(f"{len(notes) + 1}) {sentence(dice, look.text)}")
            room = sheet.write(said, look.size, indent=look.size)
            sheet.tell("NarrativeText", said[:room].rstrip())
            if room < len(said):
                break
            sheet.y += look.size * 0.7
            kind = dice.random()
            if kind < 0.2 and sheet.fits(look.size * look.leading * 9):
                _list(sheet, dice)
            elif kind < 0.35 and sheet.fits(130):
                figure += 1
                _figure(
                    sheet, f"그림 {figure}. {dice.choice(HEADINGS)}의 {dice.choice(('흐름', '변화', '구조'))}"
                )
        _footnotes(sheet, notes)
        sheet.line(f"- {number} -", WIDTH / 2 - 10, HEIGHT - 36, 8.5)
        sheet.tell("PageNumber", f"- {number} -")
    return sheet.made()


def _heading(sheet: Sheet, text: str, scale: float, depth: int) -> None:
    size = sheet.look.size * scale
    sheet.y += size * 0.8
    sheet.write(text, size, "B")
    sheet.tell("Title", text, depth)
    sheet.y += size * 0.3


def _list(sheet: Sheet, dice: random.Random) -> None:
    mark = dice.choice(("-", "·", "{})", "{}."))
    for number in range(1, dice.randint(3, 5)):
        said = f"{mark.format(number)} {sentence(dice, sheet.look.text)}"
        if not sheet.fits(sheet.look.size * sheet.look.leading * 3):
            return
        sheet.write(said, sheet.look.size, hang=14)
        sheet.tell("ListItem", said)
    sheet.y += sheet.look.size * 0.7


def _figure(sheet: Sheet, caption: str) -> None:
    """A drawing without words, with its caption below."""
    sheet.pdf.set_line_width(0.8)
    left, width = sheet.left + sheet.width * 0.2, sheet.width * 0.6
    for bar in range(6):
        high = 20 + (bar * 37) % 60
        sheet.pdf.rect(left + bar * width / 6, sheet.y + 90 - high, width / 9, high, "F" if bar % 2 else "D")
    sheet.y += 98
    size = sheet.look.size * 0.9
    sheet.pdf.set_font("face", "", size)
    long = sheet.pdf.get_string_width(caption)
    sheet.pdf.text(sheet.left + max(0.0, (sheet.width - long) / 2), sheet.y + size, caption)
    sheet.tell("FigureCaption", caption)
    sheet.y += size * 2.4


def _footnotes(sheet: Sheet, notes: Sequence[str]) -> None:
    if not notes:
        return
    look = replace(sheet.look, columns=1)
    below = Sheet.__new__(Sheet)
    below.__dict__ |= {
        **sheet.__dict__,
        "look": look,
        "column": 0,
        "bottom": HEIGHT - 50,
        "y": HEIGHT - MARGIN - 52,
    }
    sheet.pdf.set_line_width(0.5)
    sheet.pdf.line(MARGIN, below.y, MARGIN + 140, below.y)
    below.y += 4
    for note in notes:
        size = sheet.look.size * 0.8
        below.write(note, size)
        sheet.tell("Footnote", note)


# ---- tables


def tables(seed: int, *, ruled: bool, spans: bool = True, count: int = 3, look: Look | None = None) -> Made:
    """A page with tables between paragraphs: with lines or without, with cells over several columns and rows."""
    dice, look = random.Random(seed), look or Look(size=10)
    sheet = Sheet(look)
    sheet.page()
    for number in range(1, count + 1):
        said = paragraph(dice, look.text, 1, 2)
        sheet.write(said, look.size)
        sheet.tell("NarrativeText", said)
        sheet.y += 8
        caption = f"표 {number}. {dice.choice(HEADINGS)} 현황"
        sheet.write(caption, look.size * 0.9)
        sheet.tell("FigureCaption", caption)
        sheet.y += 3
        _table(sheet, dice, ruled, spans)
        sheet.y += 14
    return sheet.made()


def _table(sheet: Sheet, dice: random.Random, ruled: bool, spans: bool) -> None:
    rows, columns = dice.randint(4, 7), dice.randint(3, 5)
    cells = list(_cells(dice, rows, columns, spans))
    widths = [sheet.width / columns] * columns
    height = sheet.look.size * 1.9
    top = sheet.y
    for cell in cells:
        x, y = sheet.left + sum(widths[: cell.column]), top + cell.row * height
        wide, high = sum(widths[cell.column : cell.column + cell.columns]), height * cell.rows
        if ruled:
            sheet.pdf.set_line_width(0.6)
            sheet.pdf.rect(x, y, wide, high)
        bold = "B" if cell.row == 0 else ""
        sheet.pdf.set_font("face", bold, sheet.look.size * 0.92)
        long = sheet.pdf.get_string_width(cell.text)
        figures = re.fullmatch(r"[\d,.%-]+", cell.text) is not None
        inset = (wide - long) / 2 if cell.columns > 1 or cell.row == 0 else wide - long - 6 if figures else 6
        sheet.pdf.text(x + max(2.0, inset), y + high / 2 + sheet.look.size * 0.33, cell.text)
    if not ruled:
        sheet.pdf.set_line_width(0.9)
        for edge in (0, 1, rows):
            y = top + edge * height
            sheet.pdf.line(sheet.left, y, sheet.left + sheet.width, y)
    sheet.y = top + rows * height
    said = "\n".join("\t".join(cell.text for cell in cells if cell.row == row) for row in range(rows))
    sheet.tell("Table", said, cells=tuple(cells))


def _cells(dice: random.Random, rows: int, columns: int, spans: bool) -> Iterator[Cell]:
    heads = dice.sample(
        ("구분", "수량", "금액", "비고", "담당", "기간", "상태", "지역", "등급", "Model"), columns
    )
    kinds = [0, *(dice.randint(1, 5) for _ in range(columns - 1))]  # a column holds things of one kind
    taken: set[tuple[int, int]] = set()
    for row in range(rows):
        for column in range(columns):
            if (row, column) in taken:
                continue
            high = wide = 1
            if spans and row and column == 0 and row + 1 < rows and dice.random() < 0.2:
                high = 2
            elif spans and 0 < row < rows - 1 and 0 < column < columns - 1 and dice.random() < 0.1:
                wide = 2
            taken |= {(row + r, column + c) for r in range(high) for c in range(wide)}
            yield Cell(heads[column] if row == 0 else _entry(dice, kinds[column]), row, column, high, wide)


def _entry(dice: random.Random, kind: int) -> str:
    return (
        lambda: dice.choice((*PLACES, *PRODUCTS, "임베딩 차원", "동시 요청", "보관 기간", "합격 인원")),
        lambda: f"{dice.randint(100, 99999):,}",
        lambda: f"{dice.randint(10, 999) / 10}%",
        lambda: dice.choice(NAMES),
        lambda: dice.choice(("완료", "진행 중", "해당 없음", "검토 필요", "정상")),
        lambda: f"{dice.randint(2, 90)}일",
    )[kind]()
