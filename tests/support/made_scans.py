"""Pictures of made pages as scanners of all sorts give them: the dice of a seed say what a page has gone through."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pypdfium2
from fpdf import FPDF
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from support.made_pages import HEIGHT, WIDTH

Grey = NDArray[np.float32]
Scan = tuple[Image.Image, int]  # a picture, and its dots per inch
LEAST_SKEW, MOST_SKEW = 0.5, 3.0  # degrees, to either side


@dataclass(frozen=True)
class Wear:
    """What a scanner and its glass have done to a page; greys are of 255."""

    resolution: int
    skew: float  # degrees
    blur: float  # dots
    ink: float  # the grey of black
    paper: float  # the grey of white
    noise: float  # deviation of the grey of each dot
    specks: float  # share of dots that are black, and as many that are white
    slope: float  # grey that the paper loses from one corner to the other
    binding: float  # grey that it loses in the fold at its left
    behind: float  # share of the other side's print that shines through
    rim: float  # width of a black edge, of the page's
    quality: int  # of JPEG


def picture(pdf: bytes, page: int = 0, resolution: int = 300) -> Image.Image:
    """A page as a perfect scanner would give it."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        shown: Image.Image = document[page].render(scale=resolution / 72, grayscale=True).to_pil()
        return shown.convert("L")
    finally:
        document.close()


def clean(pdf: bytes, page: int = 0, seed: int = 0) -> Scan:
    """300 dots per inch, straight, with little noise."""
    grey = _array(picture(pdf, page, 300))
    return _picture(grey + np.random.default_rng(seed).normal(0, 2, grey.shape)), 300


def noisy(pdf: bytes, page: int = 0, seed: int = 0) -> Scan:
    """200 dots per inch : askew, blurred, grey, squeezed; some with a shadow, specks, print that shines through."""
    dice = np.random.default_rng(seed)
    wear = Wear(
        resolution=200,
        skew=_either_side(dice),
        blur=dice.uniform(0.5, 0.95),
        ink=dice.uniform(15, 60),
        paper=dice.uniform(200, 245),
        noise=dice.uniform(3, 8),
        specks=_sometimes(dice, 0.0002, 0.001),
        slope=_sometimes(dice, 10, 40),
        binding=_sometimes(dice, 30, 80),
        behind=_sometimes(dice, 0.03, 0.1),
        rim=0.0,
        quality=int(dice.integers(30, 61)),
    )
    return worn(pdf, page, wear, dice), wear.resolution


def harsh(pdf: bytes, page: int = 0, seed: int = 0) -> Scan:
    """150 dots per inch with all of it at once, and a black edge."""
    dice = np.random.default_rng(seed)
    wear = Wear(
        resolution=150,
        skew=_either_side(dice),
        blur=dice.uniform(0.5, 0.7),
        ink=dice.uniform(35, 60),
        paper=dice.uniform(205, 235),
        noise=dice.uniform(7, 13),
        specks=dice.uniform(0.0005, 0.0015),
        slope=dice.uniform(20, 60),
        binding=_sometimes(dice, 40, 90),
        behind=dice.uniform(0.06, 0.12),
        rim=0.012,
        quality=int(dice.integers(30, 51)),
    )
    return worn(pdf, page, wear, dice), wear.resolution


QUALITIES: dict[str, Callable[[bytes, int, int], Scan]] = {
    "clean": clean,
    "noisy": noisy,
    "harsh": harsh,
}


def worn(pdf: bytes, page: int, wear: Wear, dice: np.random.Generator) -> Image.Image:
    """The page after all that."""
    upright = picture(pdf, page, wear.resolution)
    turned = upright.rotate(wear.skew, Image.Resampling.BICUBIC, fillcolor=255)
    white = _array(turned.filter(ImageFilter.GaussianBlur(wear.blur))) / 255
    behind = _array(upright.transpose(Image.Transpose.FLIP_LEFT_RIGHT).filter(ImageFilter.GaussianBlur(1.5)))
    white = np.clip(white - (1 - behind / 255) * wear.behind, 0, 1)
    high, wide = white.shape
    across, down = np.meshgrid(np.linspace(0, 1, wide), np.linspace(0, 1, high))
    light = wear.paper - wear.slope * (across + down) / 2 - wear.binding * np.exp(-across / 0.05)
    grey = wear.ink + white * (light - wear.ink) + dice.normal(0, wear.noise, white.shape)
    specks = dice.random(white.shape)
    grey[specks < wear.specks] = 20
    grey[specks > 1 - wear.specks] = 245
    grey[:, : int(wide * wear.rim)] = 20
    return _squeezed(_picture(grey), wear.quality)


def scan(pictures: Sequence[Scan]) -> bytes:
    """A PDF file of pictures."""
    pdf = FPDF(unit="pt", format=(WIDTH, HEIGHT))
    for image, resolution in pictures:
        size = (image.width * 72 / resolution, image.height * 72 / resolution)
        pdf.add_page(format=size)
        pdf.image(image, 0, 0, *size)
    return bytes(pdf.output())


def _either_side(dice: np.random.Generator) -> float:
    return float(dice.choice((-1, 1)) * dice.uniform(LEAST_SKEW, MOST_SKEW))


def _sometimes(dice: np.random.Generator, least: float, most: float) -> float:
    """Something that one page in two has."""
    return float(dice.uniform(least, most) if dice.random() < 0.5 else 0.0)


def _array(image: Image.Image) -> Grey:
    return np.asarray(image, dtype=np.float32)


def _picture(grey: NDArray[np.floating]) -> Image.Image:
    return Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8))


def _squeezed(image: Image.Image, quality: int) -> Image.Image:
    kept = io.BytesIO()
    image.save(kept, "JPEG", quality=quality)
    return Image.open(kept).convert("L")
