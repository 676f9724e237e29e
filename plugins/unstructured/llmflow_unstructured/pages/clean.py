"""A scanned page made ready to be recognised: even paper, straight lines, neither specks nor rules nor dark edges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from llmflow_unstructured.pages.components import Components, components

Grey = NDArray[np.uint8]
Ink = NDArray[np.bool_]

STEEPEST, COARSE, FINE = 5.0, 0.25, 0.05  # degrees of skew: the most that is looked for, and the steps
LOOKED = 120_000  # dots of ink that the skew is estimated from
LEAST = 100  # dots of ink that say anything
LYING = 1.6  # how much more uneven columns are than rows, of a page on its side
STRAIGHT = 0.08  # degrees that are left as they are
PAPER = 0.22  # inches: no stroke is as wide, so that a blur of the brightest over it is the paper
NOISY = 5.0  # deviation of the paper's grey, from which on it is smoothed
SPECK = 0.012  # inches: smaller things are dirt
EDGE = 0.02  # of the page: what is dark and touches the rim there is no text


@dataclass(frozen=True)
class Cleaned:
    """A page on white paper, its ink, its resolution, and the angle that it was turned by."""

    grey: Grey
    ink: Ink
    resolution: float
    angle: float


def cleaned(picture: Image.Image, resolution: float) -> Cleaned:
    """The page with even paper, turned straight."""
    even = _smoothed(_evened(np.asarray(picture.convert("L")), resolution))
    ink = even < threshold(even)
    angle = skew(ink & ~_dirt(components(ink), even.shape, resolution))
    if abs(angle) > STRAIGHT:
        turned = Image.fromarray(even).rotate(-angle, Image.Resampling.BICUBIC, expand=False, fillcolor=255)
        even = np.asarray(turned)
    level = threshold(even)
    ink = even < level
    dirt = _dirt(components(ink), even.shape, resolution)
    if dirt.any():
        even = np.where(dirt, np.uint8(255), even)
        ink &= ~dirt
    return Cleaned(contrasted(even, level), ink, resolution, angle)


def skew(ink: Ink) -> float:
    """By how many degrees counter-clockwise the lines of a page rise: at that angle its rows are most uneven."""
    x, y = _dots(ink)
    if not len(x):
        return 0.0
    best, _ = _steepest(x, y, np.arange(-STEEPEST, STEEPEST + COARSE / 2, COARSE))
    return _steepest(x, y, np.arange(best - COARSE, best + COARSE + FINE / 2, FINE))[0]


def lying(ink: Ink) -> bool:
    """Whether a straight page lies on its side: its columns are more uneven than its rows."""
    x, y = _dots(ink)
    if not len(x):
        return False
    straight = np.array([0.0])
    return _steepest(y, x, straight)[1] > LYING * _steepest(x, y, straight)[1]


def _dots(ink: Ink) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where some of the ink is, across and down, no finer than the estimate needs."""
    rows, columns = np.nonzero(ink)
    if len(rows) < LEAST:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    if len(rows) > LOOKED:
        chosen = np.random.default_rng(0).choice(len(rows), LOOKED, replace=False)
        rows, columns = rows[chosen], columns[chosen]
    step = max(1, round(max(ink.shape) / 1200))  # whole: uneven shares of rows look like lines
    return columns // step, rows // step


def _steepest(x: NDArray[np.int64], y: NDArray[np.int64], angles: NDArray[np.float64]) -> tuple[float, float]:
    """The angle at which rows are most uneven, and how uneven they are there."""
    scores = []
    for angle in angles:
        row = np.floor(y + np.tan(np.radians(angle)) * x).astype(np.int64)
        counts = np.bincount(row - row.min()).astype(np.float64)
        scores.append(float(np.square(np.diff(counts)).sum()))
    best = int(np.argmax(scores))
    return float(angles[best]), scores[best]


def threshold(grey: Grey) -> int:
    """The grey that parts ink from paper best (Otsu), not so bright that the other side's print is ink."""
    counts = np.bincount(grey.ravel(), minlength=256).astype(np.float64)
    below = np.cumsum(counts)
    weighted = np.cumsum(counts * np.arange(256))
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = (weighted / below - (weighted[-1] - weighted) / above) ** 2 * below * above
    return int(np.clip(np.nanargmax(np.nan_to_num(spread)) + 1, 90, 190))


def contrasted(grey: Grey, level: int) -> Grey:
    """The same with black ink and white paper, and the greys between them at the strokes' edges."""
    ink = grey[grey < level]
    black = float(np.percentile(ink, 20)) if ink.size else 0.0
    white = min(250.0, level + 0.62 * (level - black))
    stretched = (grey.astype(np.float32) - black) * (255 / max(1.0, white - black))
    sharp: Grey = np.clip(stretched, 0, 255).astype(np.uint8)
    return sharp


def _evened(grey: Grey, resolution: float) -> Grey:
    """Grey over the grey of the paper around it."""
    small = Image.fromarray(grey).reduce(max(1, round(resolution / 50)))
    wide = max(3, round(PAPER * 50) | 1)
    paper = small.filter(ImageFilter.MedianFilter(3)).filter(ImageFilter.MaxFilter(wide))
    paper = paper.filter(ImageFilter.GaussianBlur(wide / 2)).resize(
        grey.shape[::-1], Image.Resampling.BILINEAR
    )
    level = np.maximum(np.asarray(paper, dtype=np.float32), 40)
    return np.clip(grey * (255 / level), 0, 255).astype(np.uint8)


def _smoothed(grey: Grey) -> Grey:
    noise = _noise(grey)
    if noise < NOISY:
        return grey
    return np.asarray(Image.fromarray(grey).filter(ImageFilter.MedianFilter(3)))


def _noise(grey: Grey) -> float:
    """The deviation of the paper's grey from one dot to the next."""
    across = np.diff(grey[::2].astype(np.int16), axis=1)
    return float(np.median(np.abs(across))) / 0.954


def _dirt(found: Components, shape: tuple[int, ...], resolution: float) -> Ink:
    """Specks, and what is dark along the rim of the page."""
    high, wide = shape
    size = SPECK * resolution
    specks = (found.width <= size) & (found.height <= size)
    rim = (
        (found.left <= EDGE * wide * 0.25)
        | (found.right >= wide - EDGE * wide * 0.25)
        | (found.top <= EDGE * high * 0.25)
        | (found.bottom >= high - EDGE * high * 0.25)
    )
    edge = rim & ((found.height > high * 0.08) | (found.width > wide * 0.08) | (found.width <= wide * 0.01))
    return found.mask(specks | edge)
