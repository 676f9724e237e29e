"""Where the lines of a scanned page are: its rules and pictures apart, its ink in blobs, the blobs in lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from llmflow_unstructured.elements import Box
from llmflow_unstructured.pages import lines as layout
from llmflow_unstructured.pages.clean import Cleaned, Ink
from llmflow_unstructured.pages.components import Components, closed, components, drawn, runs
from llmflow_unstructured.pages.lines import Line
from llmflow_unstructured.pages.tesseract import Sign
from llmflow_unstructured.pages.words import Rule, Word, median

RULE = 0.45  # inches: no stroke of a letter is as long
SHORT_RULE = 1.25  # of the height of a line: a rule down the page from one across to another may be as short
SOLID = 0.8  # of a blob that is dark: letters leave more white
THIN = 0.035  # inches: the most a rule is thick
PICTURE = 4.0  # of the usual height of a line: what is higher is no letter
DRAWN, BESIDE = (
    1.6,
    5.0,
)  # of the usual height of a line: a part of a drawing is higher, and so near to a picture
FIRST_GUESS = 0.10  # inches between the parts of a word, before the size of its type is known
ACROSS, DOWN = 0.32, 0.14  # of the height of a line: gaps within a word, and within a syllable
TINY = 0.45  # of the height of a line: commas and dots are smaller
WHITE = 150  # the grey of a column of dots that no letter is in
AFTER_MARK, MARKED = 3.0, 0.25  # of the height of a line: how far a mark stands before it, and from its edges
BLANK, ASIDE = 0.4, 0.1  # of the height of a line, left white above and below its picture, and beside it


@dataclass(frozen=True)
class Segments:
    """The lines of a page, its rules and pictures, all in dots, and the usual height of a line."""

    lines: tuple[Line, ...]
    rules: tuple[Rule, ...]
    pictures: tuple[Box, ...]
    height: float


def segments(page: Cleaned) -> Segments:
    """What a page is made of."""
    height = _height(components(closed(page.ink, round(FIRST_GUESS * page.resolution))), page.resolution)
    rules, ruled = _rules(page, height)
    ink = page.ink & ~ruled
    blobs = components(closed(closed(ink.T, round(DOWN * height)).T, round(ACROSS * height)))
    high = (blobs.height > PICTURE * height) | _solid(blobs, ink, height)
    pictures = tuple(
        Box(float(left), float(top), float(right), float(bottom))
        for left, top, right, bottom in _boxes(blobs, high)
    )
    words = [
        Word("", float(left), float(top), float(right), float(bottom), max(height, float(bottom - top)))
        for left, top, right, bottom in _boxes(blobs, ~high)
    ]
    found = [line for line in layout.lines(words, rules) if not _drawn(line, pictures, height)]
    return Segments(tuple(_whole(found, height)), tuple(rules), pictures, height)


def cut(grey: NDArray[np.uint8], line: Line, height: float, wanted: float) -> tuple[Image.Image, float]:
    """The picture of a line, its type as high as wanted, on white; and the scale."""
    box, size = line.box, max(height * 0.7, line.box.bottom - line.box.top)
    blank, aside, scale = round(BLANK * size), round(ASIDE * size), wanted / size
    top, left = max(0, int(box.top) - 1), max(0, int(box.left) - 1)
    part = grey[top : int(box.bottom) + 1, left : int(box.right) + 1]
    framed = Image.fromarray(np.pad(part, ((blank, blank), (aside, aside)), constant_values=255))
    shape = (max(1, round(framed.width * scale)), max(1, round(framed.height * scale)))
    return framed.resize(shape, Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC), scale


def part(line: Image.Image, signs: Sequence[Sign], first: int, after: int) -> tuple[Image.Image, float]:
    """The picture of some signs of a line, cut where it is white around them; and where it begins in the line's."""
    white = whites(line)
    left = sum(gap(white, signs[first - 1], signs[first])) // 2 if first else 0
    right = sum(gap(white, signs[after - 1], signs[after])) // 2 if after < len(signs) else line.width
    return line.crop((left, 0, max(left + 1, right), line.height)), left


def whites(line: Image.Image) -> NDArray[np.bool_]:
    """Which columns of a line's picture no letter is in."""
    found: NDArray[np.bool_] = np.asarray(line).min(axis=0) > WHITE
    return found


def inked(line: Image.Image) -> tuple[int, int]:
    """Where the ink of a line's picture begins and ends."""
    columns = np.flatnonzero(~whites(line))
    return (int(columns[0]), int(columns[-1]) + 1) if len(columns) else (0, line.width)


def gap(white: NDArray[np.bool_], before: Sign, behind: Sign) -> tuple[int, int]:
    """The widest white between the middles of two signs, since signs say only about where they end."""
    start, end = round((before.left + before.right) / 2), round((behind.left + behind.right) / 2)
    starts, ends = runs(white[None, start:end])
    if not len(starts):
        middle = round((before.right + behind.left) / 2)
        return middle, middle
    widest = int(np.argmax(ends - starts))
    return start + int(starts[widest]), start + int(ends[widest])


def origin(line: Line, height: float) -> float:
    """Where the picture of a line begins on the page."""
    size = max(height * 0.7, line.box.bottom - line.box.top)
    return max(0, int(line.box.left) - 1) - round(ASIDE * size)


def _rules(page: Cleaned, height: float) -> tuple[list[Rule], Ink]:
    """The printed lines of a page, and their dots; short ones down the page only from one line across to another."""
    thin = THIN * page.resolution
    across, ruled = _straight(page.ink, round(RULE * page.resolution), thin)
    down, _ = _straight(page.ink.T, round(SHORT_RULE * height), thin)
    turned = (Rule(rule.top, rule.left, rule.bottom, rule.right) for rule in down)
    kept = [
        rule
        for rule in turned
        if rule.bottom - rule.top >= RULE * page.resolution
        or all(_meets(rule.left, end, across, thin) for end in (rule.top, rule.bottom))
    ]
    ruled = _widened(ruled)
    for rule in kept:
        left, top, right, bottom = map(int, (rule.left, rule.top, rule.right, rule.bottom))
        ruled[top:bottom, max(0, left - 1) : right + 1] = True
    return [*across, *kept], ruled


def _straight(ink: Ink, least: int, thin: float) -> tuple[list[Rule], Ink]:
    """Strokes along the rows of a picture, as long and no thicker, and their dots."""
    parts = components(_long(closed(ink, max(2, round(thin * 0.3))), least))
    slim = parts.height <= thin
    return [Rule(*map(float, box)) for box in _boxes(parts, slim)], parts.mask(slim)


def _widened(mask: Ink) -> Ink:
    """With the grey rims above and below."""
    wide = mask.copy()
    wide[1:] |= mask[:-1]
    wide[:-1] |= mask[1:]
    return wide


def _meets(x: float, y: float, across: Sequence[Rule], thin: float) -> bool:
    return any(
        abs(rule.top - y) <= 2 * thin and rule.left - thin <= x <= rule.right + thin for rule in across
    )


def _drawn(line: Line, pictures: Sequence[Box], height: float) -> bool:
    """Whether a line is a part of a drawing: one thing, higher than type and hardly wider, beside a picture."""
    box = line.box
    if len(line.words) > 1 or not DRAWN * height < box.bottom - box.top > (box.right - box.left) / 2:
        return False
    return any(
        min(box.bottom, picture.bottom) > max(box.top, picture.top)
        and max(box.left, picture.left) - min(box.right, picture.right) < BESIDE * height
        for picture in pictures
    )


def _solid(blobs: Components, ink: Ink, height: float) -> NDArray[np.bool_]:
    """Which blobs are dark all over, as bars and boxes of drawings are."""
    solid = np.zeros(len(blobs), np.bool_)
    for at in np.flatnonzero((blobs.height > 0.6 * height) & (blobs.width > 0.6 * height)).tolist():
        box = ink[blobs.top[at] : blobs.bottom[at], blobs.left[at] : blobs.right[at]]
        solid[at] = box.mean() > SOLID
    return solid


def _long(picture: Ink, least: int) -> Ink:
    """Only the runs of rows that are as long."""
    starts, ends = runs(picture)
    kept = ends - starts >= least
    return drawn(starts[kept], ends[kept], (picture.shape[0], picture.shape[1]))


def _height(blobs: Components, resolution: float) -> float:
    """The usual height of a line, by the width that is covered; 10 points where there is nothing."""
    letters = (blobs.height > 0.05 * resolution) & (blobs.height < 0.7 * resolution)
    heights, widths = blobs.height[letters].tolist(), blobs.width[letters].tolist()
    return median(heights, widths) or resolution * 10 / 72


def _boxes(found: Components, chosen: NDArray[np.bool_]) -> Iterator[tuple[int, int, int, int]]:
    sides = (found.left, found.top, found.right, found.bottom)
    yield from zip(*(side[chosen].tolist() for side in sides), strict=True)


def _whole(found: Sequence[Line], height: float) -> list[Line]:
    """Lines that took in what lies within them, or is small and near: a part of a syllable, a comma."""
    kept: list[Line] = []
    for line in sorted(found, key=lambda line: line.box.top - line.box.bottom):
        home = next((at for at, other in enumerate(kept) if _within(line.box, other.box, height)), None)
        if home is None:
            kept.append(line)
        else:
            kept[home] = Line((*kept[home].words, *line.words))
    return [line for line in kept if not _speck(line.box, kept, height)]


def _speck(box: Box, others: Sequence[Line], height: float) -> bool:
    """Whether a line is a speck: tiny, and no mark before a line of text."""
    if max(box.right - box.left, box.bottom - box.top) >= TINY * height:
        return False
    middle = (box.top + box.bottom) / 2
    return not any(
        box.right < line.box.left < box.right + AFTER_MARK * height
        and line.box.top + MARKED * height < middle < line.box.bottom - MARKED * height
        for line in others
    )


def _within(small: Box, large: Box, height: float) -> bool:
    tiny = max(small.right - small.left, small.bottom - small.top) < TINY * height
    below, beside = (TINY * height, TINY * height) if tiny else (0.0, 0.0)
    shared = min(small.bottom, large.bottom + below) - max(small.top, large.top)
    middle = (small.left + small.right) / 2
    level = shared > (0.9 if tiny else 0.5) * (small.bottom - small.top)
    return level and large.left - beside < middle < large.right + beside
