"""Pictures of pages: what hangs together, skew, paper, rules, lines; and pictures that are none."""

from __future__ import annotations

import io
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from llmflow_unstructured.errors import BadDocument, NoEngine
from llmflow_unstructured.limits import Limits
from llmflow_unstructured.pages import PageFailed, PageOptions, clean, image, segment, tesseract
from llmflow_unstructured.pages.components import closed, components
from PIL import Image, ImageDraw

PAGE = (850, 1100)  # a letter at 100 dots an inch
PICTURES = arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))


def page(angle: float = 0.0, columns: int = 1) -> Image.Image:
    """Rows of small boxes, as words look from afar."""
    chance = random.Random(1)
    picture = Image.new("L", PAGE, 255)
    pen = ImageDraw.Draw(picture)
    width = (PAGE[0] - 160) // columns - 40
    for column in range(columns):
        for line in range(30):
            left, start = 80 + column * (width + 80), 80 + column * (width + 80)
            while left < start + width - 60:
                right = left + chance.randint(16, 36)
                pen.rectangle((left, 100 + line * 30, right, 113 + line * 30), outline=0, width=3)
                left = right + 8
    return picture.rotate(angle, Image.Resampling.BICUBIC, fillcolor=255)


@given(PICTURES)
def test_components_are_those_of_a_flood(picture: np.ndarray[tuple[int, int], np.dtype[np.bool_]]) -> None:
    found = components(picture)
    assert len(found) == _floods(picture)
    assert int(found.dots.sum()) == int(picture.sum())
    assert np.array_equal(found.mask(np.ones(len(found), np.bool_)), picture)


def _floods(picture: np.ndarray[tuple[int, int], np.dtype[np.bool_]]) -> int:
    left = {(int(y), int(x)) for y, x in zip(*np.nonzero(picture), strict=True)}
    count = 0
    while left:
        count += 1
        edge = [left.pop()]
        while edge:
            y, x = edge.pop()
            near = {(y + j, x + i) for j in (-1, 0, 1) for i in (-1, 0, 1)} & left
            left -= near
            edge += near
    return count


@given(PICTURES, st.integers(0, 4))
def test_closing_fills_gaps_in_rows_and_nothing_else(
    picture: np.ndarray[tuple[int, int], np.dtype[np.bool_]], gap: int
) -> None:
    for before, after in zip(picture, closed(picture, gap), strict=True):
        said = "".join(".#"[int(dot)] for dot in before)
        for wide in range(1, gap + 1):
            said = said.replace(f"#{'.' * wide}#", f"#{'#' * wide}#").replace(
                f"#{'.' * wide}#", f"#{'#' * wide}#"
            )
        assert "".join(".#"[int(dot)] for dot in after) == said


@pytest.mark.parametrize("angle", [-4.5, -2.0, -0.4, 0.0, 0.7, 3.0, 4.9])
def test_skew_is_found_to_a_tenth_of_a_degree(angle: float) -> None:
    ink = np.asarray(page(angle)) < 128
    assert clean.skew(ink) == pytest.approx(angle, abs=0.11)


def test_a_page_on_its_side_is_known() -> None:
    upright = np.asarray(page()) < 128
    assert not clean.lying(upright)
    assert clean.lying(upright.T)


def test_shade_noise_specks_and_a_dark_edge_go() -> None:
    dice = np.random.default_rng(2)
    shade = np.linspace(1.0, 0.5, PAGE[0])[None, :]
    grey = np.asarray(page(1.5)) * shade + dice.normal(0, 6, PAGE[::-1])
    grey[dice.random(grey.shape) < 0.001] = 0
    grey[:, :8] = 10
    cleaned = clean.cleaned(Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8)), 100)
    assert cleaned.angle == pytest.approx(1.5, abs=0.15)
    assert cleaned.ink[:, :60].mean() < 0.002
    assert len(segment.segments(cleaned).lines) == 30


def test_specks_around_lines_are_no_lines() -> None:
    dice = np.random.default_rng(3)
    grey = np.array(page(), np.uint8)
    for x, y in dice.integers(4, (PAGE[0] - 4, PAGE[1] - 4), (600, 2)):
        grey[y : y + 2, x : x + dice.integers(1, 3)] = 20
    cleaned = clean.cleaned(Image.fromarray(grey), 100)
    assert len(segment.segments(cleaned).lines) == 30


def test_a_low_thing_beside_a_drawing_is_a_part_of_it() -> None:
    picture = page()
    pen = ImageDraw.Draw(picture)
    pen.rectangle((80, 90, PAGE[0] - 80, 350), fill=255)
    pen.ellipse((200, 120, 260, 330), outline=0, width=3)
    pen.ellipse((290, 290, 320, 330), outline=0, width=3)
    assert not [line for line in segment.segments(clean.cleaned(picture, 100)).lines if line.box.bottom < 345]


def test_words_end_where_it_is_white() -> None:
    grey = np.full((36, 200), 255, np.uint8)
    grey[8:28, 10:80] = grey[8:28, 120:190] = 0
    picture = Image.fromarray(grey)
    signs = [tesseract.Sign("가", 0, 95, 90), tesseract.Sign("나", 95, 200, 90, space=True)]
    assert segment.inked(picture) == (10, 190)
    assert segment.gap(segment.whites(picture), *signs) == (80, 120)
    part, left = segment.part(picture, signs, 1, 2)
    assert (part.width, left) == (100, 100)


@pytest.mark.parametrize("columns", [1, 2])
def test_lines_are_found_in_each_column(columns: int) -> None:
    found = segment.segments(clean.cleaned(page(columns=columns), 100)).lines
    assert len(found) == 30 * columns


def test_rules_of_a_table_are_taken_out_and_kept() -> None:
    picture = Image.new("L", PAGE, 255)
    pen = ImageDraw.Draw(picture)
    for y in range(100, 301, 50):
        pen.line((100, y, 700, y), 0, 2)
    for x in range(100, 701, 200):
        pen.line((x, 100, x, 300), 0, 2)
    for row in range(4):
        for column in range(3):
            pen.rectangle(
                (130 + 200 * column, 118 + 50 * row, 165 + 200 * column, 131 + 50 * row), outline=0, width=3
            )
    found = segment.segments(clean.cleaned(picture, 100))
    assert sorted(rule.across for rule in found.rules) == [False] * 4 + [True] * 5
    assert len(found.lines) == 12


# ---- pictures from outside


def _unheard(done: int, count: int) -> None:
    """Progress that nobody looks at."""


def _read(data: bytes, limits: Limits | None = None) -> list[object]:
    return list(image.read(data, PageOptions("auto"), limits or Limits(), _unheard))


def _kept(picture: Image.Image, kind: str) -> bytes:
    kept = io.BytesIO()
    picture.save(kept, kind)
    return kept.getvalue()


@pytest.mark.parametrize(
    "data", [b"", b"no picture", b"\x89PNG\r\n\x1a\n", b"II*\x00\xff\xff\xff\xff", b"BM" + bytes(60)]
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(BadDocument):
        _read(data)


def test_without_tesseract_it_is_said_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(tesseract.PROGRAM, "/nowhere/tesseract")
    with pytest.raises(NoEngine, match="Debian: tesseract-ocr"):
        _read(_kept(page(), "PNG"))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP", "WEBP"])
def test_too_many_dots_fail_a_page_before_they_are_read(kind: str) -> None:
    limits = Limits(pixels=1000)
    failed = image._frame(image._opened(_kept(page(), kind)), 0, limits)
    assert isinstance(failed, PageFailed)
    assert "1,000 at most" in failed.why


@given(st.binary(max_size=300), st.integers(0, 5000), st.sampled_from(["PNG", "JPEG", "TIFF", "BMP", "WEBP"]))
def test_damaged_pictures_never_crash(noise: bytes, at: int, kind: str) -> None:
    whole = _kept(page().resize((85, 110)), kind)
    at %= len(whole)
    damaged = whole[:at] + noise + whole[at + len(noise) :]
    try:
        picture = image._opened(damaged)
    except BadDocument:
        return
    found = image._frame(picture, 0, Limits())
    assert isinstance(found, PageFailed) or found[0].mode == "L"
