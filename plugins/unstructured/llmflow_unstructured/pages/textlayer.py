"""What a PDF page says by itself: its words with their type, its ruled lines, where its pictures are.

PDFium is asked letter by letter, in one thread; it is not made for more.
"""

from __future__ import annotations

import ctypes
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import pypdfium2
import pypdfium2.raw as pdfium

from llmflow_unstructured.elements import Box
from llmflow_unstructured.pages.words import Rule, Sheet, Word

THICK = 3.0  # points: a ruled line is at most so thick
SHORT = 10.0  # points: and at least so long
PATHS, SEGMENTS = 20_000, 400  # of a page, of a path: a drawing has more, a table has not
LETTERS = 1_000_000  # of a page
INVISIBLE = 3  # a text's rendering mode: what a scanner's own recognition lays under its picture
BOLD = 600  # weight
ODD = 0.25  # share of letters that mean nothing, from which on a text is no text
FEW = 8  # letters: fewer are a page number or a stamp
COVERED = 0.06  # of a page, by pictures with no words on them, that may hold more words
FILLS = 0.7  # of a page, by the picture of a scanned one
DRAWN = 200  # paths without a word: letters that were turned to shapes
Point = tuple[float, float]
_Corners = tuple[float, float, float, float]


@dataclass(frozen=True)
class Layer:
    """The text layer of a page; `odd` is the share of its letters that have no meaning.

    `resolution` is that of the picture that fills the page, in dots per inch, and 0 where none does.
    """

    sheet: Sheet
    odd: float
    paths: int
    resolution: float

    @cached_property
    def letters(self) -> int:
        """How many it has."""
        return sum(len(word.text) for word in self.sheet.words)

    @property
    def usable(self) -> bool:
        """Whether it is text that can be taken as it is."""
        return self.letters >= FEW and self.odd < ODD

    @property
    def bare(self) -> list[Box]:
        """Pictures with hardly a word on them, which may hold more words."""
        area = self.sheet.width * self.sheet.height
        return [
            picture
            for picture in self.sheet.pictures
            if _area(picture) > COVERED * area and self._words_on(picture) < FEW
        ]

    @property
    def drawn(self) -> bool:
        """Whether what looks like text may be drawn shapes."""
        return not self.letters and self.paths > DRAWN

    def _words_on(self, box: Box) -> int:
        return sum(
            len(word.text)
            for word in self.sheet.words
            if box.left < (word.left + word.right) / 2 < box.right
            and box.top < (word.top + word.bottom) / 2 < box.bottom
        )


def layer(page: pypdfium2.PdfPage, number: int) -> Layer:
    """What a page says, upright as its `/Rotate` has it."""
    width, height = page.get_size()
    place = _placing(page, width, height)
    rules, pictures, paths = _drawings(page, place)
    words, odd = _words(page, place)
    kept = [(inner, dots) for box, dots in pictures if (inner := _inside(box, width, height))]
    sheet = Sheet(number, width, height, tuple(words), tuple(rules), tuple(box for box, _ in kept))
    fill = [dots for box, dots in kept if _area(box) > FILLS * width * height]
    return Layer(sheet, odd, paths, fill[0] if len(fill) == 1 else 0.0)


def _placing(page: pypdfium2.PdfPage, width: float, height: float) -> Callable[[float, float], Point]:
    """From the page's own coordinates to points from the upper left of the upright page."""
    scale = 1000
    wide, high = max(1, round(width * scale)), max(1, round(height * scale))

    def told(x: float, y: float) -> Point:
        across, down = ctypes.c_int(), ctypes.c_int()
        pdfium.FPDF_PageToDevice(page, 0, 0, wide, high, 0, x, y, across, down)
        return across.value / scale, down.value / scale

    (x0, y0), (x1, y1), (x2, y2) = told(0, 0), told(100, 0), told(0, 100)
    a, b, c, d = (x1 - x0) / 100, (y1 - y0) / 100, (x2 - x0) / 100, (y2 - y0) / 100
    return lambda x, y: (x0 + a * x + c * y, y0 + b * x + d * y)


# ---- words


@dataclass(frozen=True)
class _Type:
    """How the letters of one piece of text are set."""

    size: float
    bold: bool
    hidden: bool


@dataclass
class _Open:
    """A word that is being put together."""

    letters: list[str]
    corners: list[_Corners]
    type: _Type


def _words(page: pypdfium2.PdfPage, place: Callable[[float, float], Point]) -> tuple[list[Word], float]:
    text = page.get_textpage()
    try:
        count = min(LETTERS, text.count_chars())
        words = [word for group in _groups(text.raw, count, place) if (word := _word(group))]
        return words, _odd([word.text for word in words], text.raw, count)
    finally:
        text.close()


def _groups(text: object, count: int, place: Callable[[float, float], Point]) -> Iterator[_Open]:
    """Letters with no blank, no leap and no change of type between them."""
    types: dict[object, _Type] = {}
    box, open_ = pdfium.FS_RECTF(), None
    high = ""
    for at in range(count):
        code = pdfium.FPDFText_GetUnicode(text, at)
        letter = chr(code) if code < 0x110000 else "\ufffd"
        if 0xD800 <= code < 0xDC00:
            high = letter
            continue
        if high:
            letter, high = (high + letter).encode("utf-16", "surrogatepass").decode("utf-16", "replace"), ""
        if letter.isspace() or code in (0, 0xFEFF, 0xAD):
            if open_:
                yield open_
            open_ = None
            continue
        if not pdfium.FPDFText_GetLooseCharBox(text, at, box):
            continue
        (x0, y0), (x1, y1) = place(box.left, box.top), place(box.right, box.bottom)
        corners = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
        kind = _type(text, at, types)
        letter = "-" if code == 2 else letter  # PDFium's sign for a hyphen at the end of a line
        if open_ and kind == open_.type and _goes_on(open_.corners[-1], corners):
            open_.letters.append(letter)
            open_.corners.append(corners)
            continue
        if open_:
            yield open_
        open_ = _Open([letter], [corners], kind)
    if open_:
        yield open_


def _type(text: object, at: int, types: dict[object, _Type]) -> _Type:
    piece = pdfium.FPDFText_GetTextObject(text, at)
    key = ctypes.addressof(piece.contents) if piece else None
    if key not in types:
        types[key] = _looked_up(piece) if piece else _Type(0.0, False, False)
    return types[key]


def _looked_up(piece: object) -> _Type:
    size, matrix = ctypes.c_float(), pdfium.FS_MATRIX()
    pdfium.FPDFTextObj_GetFontSize(piece, size)
    pdfium.FPDFPageObj_GetMatrix(piece, matrix)
    scale = max(1e-3, (matrix.c**2 + matrix.d**2) ** 0.5)
    font = pdfium.FPDFTextObj_GetFont(piece)
    name = ctypes.create_string_buffer(128)
    pdfium.FPDFFont_GetBaseFontName(font, name, 128)
    named = any(mark in name.value.lower() for mark in (b"bold", b"black", b"heavy"))
    bold = named or pdfium.FPDFFont_GetWeight(font) >= BOLD
    hidden = pdfium.FPDFTextObj_GetTextRenderMode(piece) == INVISIBLE
    return _Type(round(abs(size.value) * scale, 2), bold, hidden)


def _goes_on(last: _Corners, next_: _Corners) -> bool:
    """Whether a letter stands right behind the one before."""
    high = max(1.0, last[3] - last[1])
    level = abs((next_[1] + next_[3]) - (last[1] + last[3])) < high * 0.6
    return level and -0.5 * high < next_[0] - last[2] < 0.35 * high


def _word(group: _Open) -> Word | None:
    text = unicodedata.normalize("NFC", "".join(group.letters))
    left = min(corners[0] for corners in group.corners)
    top = min(corners[1] for corners in group.corners)
    right = max(corners[2] for corners in group.corners)
    bottom = max(corners[3] for corners in group.corners)
    size = group.type.size or (bottom - top) * 0.85
    if right <= left or bottom <= top or size <= 0:
        return None
    return Word(text, left, top, right, bottom, size, group.type.bold)


def _odd(words: Sequence[str], text: object, count: int) -> float:
    letters = "".join(words)
    if not letters:
        return 0.0
    bad = sum(
        unicodedata.category(letter) in ("Co", "Cn", "Cs", "Cc") or letter == "\ufffd" for letter in letters
    )
    step = max(1, count // 500)
    unmapped = sum(pdfium.FPDFText_HasUnicodeMapError(text, at) == 1 for at in range(0, count, step)) * step
    return float(max(bad, min(len(letters), unmapped)) / len(letters))


# ---- drawings


def _drawings(
    page: pypdfium2.PdfPage, place: Callable[[float, float], Point]
) -> tuple[list[Rule], list[tuple[Box, float]], int]:
    """Rules, pictures with their dots per inch, and how many paths there are."""
    rules: list[Rule] = []
    pictures: list[tuple[Box, float]] = []
    paths = 0
    for thing in page.get_objects(max_depth=3):
        if thing.type == pdfium.FPDF_PAGEOBJ_PATH:
            paths += 1
            if paths <= PATHS:
                rules += _rules(thing.raw, place)
        elif thing.type == pdfium.FPDF_PAGEOBJ_IMAGE:
            left, bottom, right, top = thing.get_bounds()
            (x0, y0), (x1, y1) = place(left, top), place(right, bottom)
            box = Box(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
            pictures.append((box, _resolution(thing.raw, box)))
    return rules, pictures, paths


def _resolution(picture: object, box: Box) -> float:
    """Dots per inch of a picture, by its area, since it may lie on its side."""
    wide, high = ctypes.c_uint(), ctypes.c_uint()
    pdfium.FPDFImageObj_GetImagePixelSize(picture, wide, high)
    return float(72 * (wide.value * high.value / max(1.0, _area(box))) ** 0.5)


def _rules(path: object, place: Callable[[float, float], Point]) -> Iterator[Rule]:
    """The sides of a path that run along or down the page, and thin boxes that are filled."""
    count = pdfium.FPDFPath_CountSegments(path)
    if not 0 < count <= SEGMENTS:
        return
    matrix, fill, stroke = pdfium.FS_MATRIX(), ctypes.c_int(), ctypes.c_int()
    pdfium.FPDFPageObj_GetMatrix(path, matrix)
    pdfium.FPDFPath_GetDrawMode(path, fill, stroke)
    corners = list(_corners(path, count, matrix, place))
    if not stroke.value:
        yield from _slim(corners)
        return
    start = last = None
    for kind, close, point in corners:
        if kind == pdfium.FPDF_SEGMENT_MOVETO:
            start = last = point
            continue
        if kind == pdfium.FPDF_SEGMENT_LINETO and last:
            yield from _side(last, point)
        if close and start:
            yield from _side(point, start)
        last = point


def _corners(
    path: object, count: int, matrix: pdfium.FS_MATRIX, place: Callable[[float, float], Point]
) -> Iterator[tuple[int, bool, Point]]:
    x, y = ctypes.c_float(), ctypes.c_float()
    for at in range(count):
        segment = pdfium.FPDFPath_GetPathSegment(path, at)
        if not segment or not pdfium.FPDFPathSegment_GetPoint(segment, x, y):
            continue
        across = matrix.a * x.value + matrix.c * y.value + matrix.e
        down = matrix.b * x.value + matrix.d * y.value + matrix.f
        closed = bool(pdfium.FPDFPathSegment_GetClose(segment))
        yield pdfium.FPDFPathSegment_GetType(segment), closed, place(across, down)


def _slim(corners: Sequence[tuple[int, bool, Point]]) -> Iterator[Rule]:
    """Filled boxes, each of which is a rule if it is thin."""
    box: list[Point] = []
    for kind, _, point in [*corners, (pdfium.FPDF_SEGMENT_MOVETO, False, (0.0, 0.0))]:
        if kind == pdfium.FPDF_SEGMENT_MOVETO and box:
            across, down = [x for x, _ in box], [y for _, y in box]
            rule = Rule(min(across), min(down), max(across), max(down))
            wide, high = rule.right - rule.left, rule.bottom - rule.top
            if min(wide, high) <= THICK and max(wide, high) >= SHORT:
                yield rule
            box = []
        box.append(point)


def _side(one: Point, other: Point) -> Iterator[Rule]:
    (x0, y0), (x1, y1) = one, other
    wide, high = abs(x1 - x0), abs(y1 - y0)
    if min(wide, high) <= 1.0 and max(wide, high) >= SHORT:
        yield Rule(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))


def _inside(box: Box, width: float, height: float) -> Box | None:
    inner = Box(max(0.0, box.left), max(0.0, box.top), min(width, box.right), min(height, box.bottom))
    return inner if inner.right > inner.left and inner.bottom > inner.top else None


def _area(box: Box) -> float:
    return (box.right - box.left) * (box.bottom - box.top)
