"""A picture of a page becomes a sheet of words, by Tesseract."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from math import inf

import numpy as np
from PIL import Image

from llmflow_unstructured.pages.clean import Cleaned, cleaned, lying
from llmflow_unstructured.pages.lines import Line
from llmflow_unstructured.pages.merge import doubtful, merged
from llmflow_unstructured.pages.segment import Segments, cut, gap, inked, origin, part, segments, whites
from llmflow_unstructured.pages.tesseract import Sign, Tesseract
from llmflow_unstructured.pages.words import Rule, Sheet, Word

HEIGHT = 36.0  # dots of a line's height, as the models like it
TALLER = 48.0  # of lines that are read again
AT_ONCE = 40  # lines of a call
FINEST = 400.0  # dots per inch that help
WEAK = 75.0  # a page that is less sure is read again, in other ways
CLEAR, CLEARER = (
    89.0,
    4.0,
)  # a page that is less sure may be upside down; and is, if lines gain so much when turned
PROBES = 4  # lines that tell whether a page is upside down
STAIN, STAINED = 4, 40.0  # signs, and how sure they are
TYPE = 1.1  # the size of type over the height of its line
FULL_WIDTH = ("kor", "jpn", "chi_sim", "chi_tra")  # whose models know no other script


@dataclass(frozen=True)
class Recogniser:
    """Reads pictures of pages, some lines at a time, on the threads of a pool."""

    engine: Tesseract
    languages: tuple[str, ...]
    pool: Executor
    ends: float

    def sheet(self, picture: Image.Image, resolution: float, number: int, *, upright: bool = False) -> Sheet:
        """The words of a page, and its rules, in points of the upright page."""
        if resolution > FINEST:
            scale, resolution = FINEST / resolution, FINEST
            size = (round(picture.width * scale) or 1, round(picture.height * scale) or 1)
            picture = picture.convert("L").resize(
                size, Image.Resampling.BOX if scale < 0.5 else Image.Resampling.BICUBIC
            )
        page = cleaned(picture, resolution)
        on_side = not upright and lying(page.ink)
        if on_side:
            page = cleaned(picture.transpose(Image.Transpose.ROTATE_90), resolution)
        parts = segments(page)
        if on_side and self._upside_down(page, parts):
            page, parts = _over(page)
        sheet = self._sheet(page, parts, HEIGHT, number)
        if not upright and not on_side and sheet.sure < CLEAR and self._upside_down(page, parts):
            page, parts = _over(page)
            sheet = self._sheet(page, parts, HEIGHT, number)
        return sheet if sheet.sure >= WEAK or not sheet.words else self._best(sheet, page, parts)

    def _best(self, sheet: Sheet, page: Cleaned, parts: Segments) -> Sheet:
        """The page read again, larger, and in black and white: the one that is most sure."""
        black = replace(page, grey=np.where(page.ink, np.uint8(0), np.uint8(255)))
        again = [self._sheet(way, parts, TALLER, sheet.number) for way in (page, black)]
        return max(sheet, *again, key=lambda sheet: sheet.sure)

    def _upside_down(self, page: Cleaned, parts: Segments) -> bool:
        """Whether some lines are read with more certainty when they are turned."""
        lines = sorted(parts.lines, key=lambda line: line.box.left - line.box.right)[:PROBES]
        cuts = [cut(page.grey, line, parts.height, HEIGHT)[0] for line in lines]
        turned = [picture.transpose(Image.Transpose.ROTATE_180) for picture in cuts]
        return self._sure(turned) > self._sure(cuts) + CLEARER

    def _sure(self, lines: Sequence[Image.Image]) -> float:
        signs = [sign.sure for read in self._read(lines, HEIGHT) for sign in read]
        return sum(signs) / len(signs) if signs else 0.0

    def _sheet(self, page: Cleaned, parts: Segments, height: float, number: int) -> Sheet:
        cuts = [cut(page.grey, line, parts.height, height) for line in parts.lines]
        read = self._read([picture for picture, _ in cuts], height)
        point = 72 / page.resolution
        words = [
            word
            for line, (picture, scale), signs in zip(parts.lines, cuts, read, strict=True)
            if not _noise(signs)
            for word in _words(
                line, _between_whites(picture, signs), origin(line, parts.height), scale, point
            )
        ]
        rules = [Rule(r.left * point, r.top * point, r.right * point, r.bottom * point) for r in parts.rules]
        high, wide = page.grey.shape
        return Sheet(number, wide * point, high * point, tuple(words), tuple(rules))

    def _read(self, lines: Sequence[Image.Image], height: float) -> list[tuple[Sign, ...]]:
        main, others = self.languages[0], self.languages[1:]
        if main not in FULL_WIDTH or not others:
            return self._calls(lines, "+".join(self.languages))
        read = self._calls(lines, main)
        spans = [(at, *span) for at, signs in enumerate(read) for span in reversed(doubtful(signs))]
        parts = [part(lines[at], read[at], first, after) for at, first, after in spans]
        again = self._calls([picture for picture, _ in parts], "+".join(others))
        for (at, first, after), (picture, left), signs in zip(spans, parts, again, strict=True):
            whole, (start, end) = read[at], inked(picture)
            moved = [
                replace(sign, left=left + max(sign.left, start), right=left + min(sign.right, end))
                for sign in signs
            ]
            read[at] = (*whole[:first], *merged(whole[first:after], moved, height), *whole[after:])
        return read

    def _calls(self, lines: Sequence[Image.Image], language: str) -> list[tuple[Sign, ...]]:
        parts = [lines[at : at + AT_ONCE] for at in range(0, len(lines), AT_ONCE)]
        calls = [self.pool.submit(self.engine.read, part, language, self.ends) for part in parts]
        return [signs for call in calls for signs in call.result()]


def _over(page: Cleaned) -> tuple[Cleaned, Segments]:
    """The page turned by half a turn."""
    over = replace(page, grey=page.grey[::-1, ::-1].copy(), ink=page.ink[::-1, ::-1].copy())
    return over, segments(over)


def _noise(signs: Sequence[Sign]) -> bool:
    """Whether what was read is a stain: a few signs that are hardly any."""
    sure = sum(sign.sure for sign in signs) / max(1, len(signs))
    return len(signs) <= STAIN and sure < (
        STAINED if any(sign.text.isalnum() for sign in signs) else 2 * STAINED
    )


def _between_whites(line: Image.Image, signs: Sequence[Sign]) -> list[Sign]:
    """The signs, with words that reach as far as their ink."""
    white, placed = whites(line), list(signs)
    for at, (before, behind) in enumerate(pairwise(signs)):
        if behind.space:
            right, left = gap(white, before, behind)
            placed[at] = replace(placed[at], right=right)
            placed[at + 1] = replace(behind, left=left)
    return placed


def _words(line: Line, signs: Sequence[Sign], left: float, scale: float, point: float) -> list[Word]:
    """The signs of a line put together to words, each behind the other."""
    groups: list[list[Sign]] = []
    for sign in signs:
        if sign.space or not groups:
            groups.append([])
        groups[-1].append(sign)
    box, size = line.box, (line.box.bottom - line.box.top) * point * TYPE
    ends = list(accumulate((max(sign.right for sign in group) for group in groups), max))
    starts = [max(group[0].left, end) for group, end in zip(groups, [-inf, *ends], strict=False)]
    return [
        Word(
            "".join(sign.text for sign in group),
            (left + start / scale) * point,
            box.top * point,
            (left + max(start + 1, end) / scale) * point,
            box.bottom * point,
            size,
            sure=sum(sign.sure for sign in group) / len(group),
        )
        for group, start, end in zip(groups, starts, ends, strict=True)
    ]
