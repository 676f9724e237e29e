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
EVEN = 6  # greys by which the paper of an even page differs
NOISY, SMOOTH = 5.0, 0.5  # deviation of the paper's grey, from which on it is smoothed; over so many dots
STANDS_OUT = 30  # greys by which a dot that differs from all around it is dirt
BLACK = 0.2  # of the ink that is black all through
WHITER = 1.0  # how much whiter white is than the threshold, of how much darker black is
SPECK = 0.012  # inches: smaller things are dirt
SPECKLED = (
    60  # small things without a larger one near, from which on they are dirt, if they are all over the page
)
ROWS, SPREAD = 300, 0.3  # of a page, and the share of them where they are
SMALL, ROOM_ACROSS, ROOM_DOWN = 0.03, 0.04, 0.03  # inches: such things, and what is near
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
    even = _smoothed(_evened(_dotless(np.asarray(picture.convert("L"))), resolution))
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
    counts = np.array(Image.fromarray(grey).histogram(), np.float64)
    below = np.cumsum(counts)
    weighted = np.cumsum(counts * np.arange(256))
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = (weighted / below - (weighted[-1] - weighted) / above) ** 2 * below * above
    return int(np.clip(np.nanargmax(np.nan_to_num(spread)) + 1, 90, 190))


def contrasted(grey: Grey, level: int) -> Grey:
    """The same with black ink and white paper, and the greys between them at the strokes' edges."""
    picture = Image.fromarray(grey)
    below = np.cumsum(picture.histogram()[:level])
    black = float(np.searchsorted(below, BLACK * below[-1])) if below[-1] else 0.0
    white = min(250.0, level + WHITER * (level - black))
    stretched = (np.arange(256) - black) * (255 / max(1.0, white - black))
    return np.asarray(picture.point(np.clip(stretched, 0, 255).astype(int).tolist()))


def _dotless(grey: Grey) -> Grey:
    """Without the single dots that are darker, or brighter, than all eight around them."""
    clean, middle = grey.copy(), grey[1:-1, 1:-1]
    darkest, brightest = _around(grey, np.minimum), _around(grey, np.maximum)
    dark = middle < darkest - np.minimum(darkest, STANDS_OUT)
    bright = middle > brightest + np.minimum(255 - brightest, STANDS_OUT)
    clean[1:-1, 1:-1][dark] = darkest[dark]
    clean[1:-1, 1:-1][bright] = brightest[bright]
    return clean


def _around(grey: Grey, most: np.ufunc) -> Grey:
    """Of each dot but those at the rim, the most extreme of the eight around it."""
    across = most(most(grey[:, :-2], grey[:, 1:-1]), grey[:, 2:])
    found: Grey = most(most(across[:-2], across[2:]), most(grey[1:-1, :-2], grey[1:-1, 2:]))
    return found


def _evened(grey: Grey, resolution: float) -> Grey:
    """Grey over the grey of the paper around it."""
    picture = Image.fromarray(grey)
    small = picture.reduce(max(1, round(resolution / 50)))
    wide = max(3, round(PAPER * 50) | 1)
    paper = small.filter(ImageFilter.MedianFilter(3)).filter(ImageFilter.MaxFilter(wide))
    paper = paper.filter(ImageFilter.GaussianBlur(wide / 2))
    levels = np.asarray(paper)
    if np.ptp(levels) <= EVEN:
        scale = 255 / max(40, int(np.median(levels)))
        return np.asarray(picture.point([min(255, round(value * scale)) for value in range(256)]))
    paper = paper.resize(grey.shape[::-1], Image.Resampling.BILINEAR)
    level = np.maximum(np.asarray(paper, dtype=np.float32), 40)
    return np.clip(grey * (255 / level), 0, 255).astype(np.uint8)


def _smoothed(grey: Grey) -> Grey:
    noise = _noise(grey)
    if noise < NOISY:
        return grey
    return np.asarray(Image.fromarray(grey).filter(ImageFilter.GaussianBlur(SMOOTH)))


def _noise(grey: Grey) -> float:
    """The deviation of the paper's grey from one dot to the next."""
    across = np.diff(grey[::4].astype(np.int16), axis=1)
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
    dirt: Ink = specks | edge
    loose = _loose(found, dirt, resolution)
    if np.count_nonzero(loose) > SPECKLED and _spread(found.top[loose], high):
        dirt |= loose
    return found.mask(dirt)


def _spread(tops: NDArray[np.int64], high: int) -> bool:
    """Whether things are all over a page, and not in a few rows, as the dots of a table of contents are."""
    rows = np.unique(tops // max(1, high // ROWS))
    return len(rows) > SPREAD * min(len(tops), ROWS)


def _loose(found: Components, dirt: Ink, resolution: float) -> Ink:
    """Which small things have no larger one near, as full stops have."""
    small: Ink = np.maximum(found.width, found.height) <= SMALL * resolution
    across, down = max(1, round(ROOM_ACROSS * resolution)), max(1, round(ROOM_DOWN * resolution))
    cells = np.zeros((found.shape[0] // down + 3, found.shape[1] // across + 3), np.bool_)
    rows, columns = np.nonzero(found.mask(~small & ~dirt))
    cells[rows // down + 1, columns // across + 1] = True
    near = cells[:-2] | cells[1:-1] | cells[2:]
    near = near[:, :-2] | near[:, 1:-1] | near[:, 2:]
    return small & ~near[found.top // down, found.left // across]
