"""Pictures of pages: PNG, JPEG, TIFF with its pages, BMP, WebP."""

from __future__ import annotations

import io
import os
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from PIL import Image, ImageOps, UnidentifiedImageError

from llmflow_unstructured.elements import Element
from llmflow_unstructured.errors import BadDocument, TooLarge
from llmflow_unstructured.limits import Limits
from llmflow_unstructured.pages import PageFailed, PageOptions, tesseract
from llmflow_unstructured.pages.pdf import at_once, in_order
from llmflow_unstructured.pages.recognise import Recogniser
from llmflow_unstructured.pages.words import Sheet

FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP")
SANE = (50, 1200)  # dots per inch that a picture may say of itself
LONG_SIDE = 11.7  # inches, of a picture that says nothing: a page of A4
DAMAGE = (  # what Pillow's readers meet damage with
    OSError, ValueError, SyntaxError, EOFError, ArithmeticError, MemoryError, LookupError, TypeError, AttributeError,
    RuntimeError, AssertionError, struct.error, zlib.error,
)  # fmt: skip


def read(
    data: bytes, options: PageOptions, limits: Limits, on_progress: Callable[[int, int], None]
) -> Iterator[Element | PageFailed]:
    """The elements of a picture's pages in order; a page that can't be read is named, and the others are read."""
    picture = _opened(data)
    count = min(getattr(picture, "n_frames", 1), limits.pages + 1)
    if count > limits.pages:
        raise TooLarge(
            f"It has more than {limits.pages:,} pages, which are the limit: split it, or raise the limit."
        )
    threads = at_once(limits)
    pages: list[Sheet | PageFailed] = []
    engine = tesseract.found(options.languages)
    with ThreadPoolExecutor(threads) as workers, ThreadPoolExecutor(os.cpu_count() or 1) as calls:
        recogniser = Recogniser(engine, options.languages, calls, limits.ends)
        for first in range(0, count, threads):
            batch = [_frame(picture, number, limits) for number in range(first, min(count, first + threads))]
            waiting = [
                page if isinstance(page, PageFailed) else workers.submit(_sheet, recogniser, *page)
                for page in batch
            ]
            for page in waiting:
                pages.append(page if isinstance(page, PageFailed) else page.result())
                on_progress(len(pages), count)
    yield from in_order(pages, options)


def _opened(data: bytes) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # dots are counted before they are read; damage shows soon enough
            return Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise TooLarge("The picture has more dots than any page: make it smaller.") from error
    except UnidentifiedImageError as error:
        raise BadDocument("The picture is damaged, or none of PNG, JPEG, TIFF, BMP and WebP.") from error
    except DAMAGE as error:
        raise BadDocument("The picture is damaged.") from error


def _frame(picture: Image.Image, number: int, limits: Limits) -> tuple[Image.Image, float, int] | PageFailed:
    """One page of a picture, grey and upright as it says it is, with its resolution and number."""
    try:
        limits.check_time()
        picture.seek(number)
        if picture.width * picture.height > limits.pixels:
            return PageFailed(
                number + 1, f"it has {picture.width} × {picture.height} dots, {limits.pixels:,} at most"
            )
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # what a damaged picture is said to lack is no one's business here
            frame = ImageOps.exif_transpose(picture)
            return _grey(frame), _resolution(picture), number + 1
    except TooLarge as error:
        return PageFailed(number + 1, str(error))
    except (Image.DecompressionBombError, *DAMAGE) as error:
        return PageFailed(number + 1, f"the picture is damaged ({type(error).__name__})")


def _grey(frame: Image.Image) -> Image.Image:
    """Grey, on white where it is transparent."""
    if frame.has_transparency_data:
        layers = frame.convert("RGBA")
        frame = Image.alpha_composite(Image.new("RGBA", layers.size, "white"), layers)
    if frame.mode.startswith("I;16"):
        return frame.point(lambda value: value / 256).convert("L")
    return frame.convert("L")


def _resolution(picture: Image.Image) -> float:
    """What the picture says, if that makes sense; else as if it were a page."""
    said = picture.info.get("dpi")
    try:
        resolution = float(said[1]) if said else 0.0
    except (TypeError, ValueError, IndexError, ZeroDivisionError):
        resolution = 0.0
    long = max(picture.width, picture.height)
    if SANE[0] <= resolution <= SANE[1] and resolution != 72:
        return resolution
    return min(SANE[1], max(72.0, long / LONG_SIDE))


def _sheet(recogniser: Recogniser, frame: Image.Image, resolution: float, number: int) -> Sheet | PageFailed:
    try:
        return recogniser.sheet(frame, resolution, number)
    except (tesseract.Unreadable, TooLarge) as error:
        return PageFailed(number, str(error))
    except (ValueError, OSError, MemoryError, ArithmeticError) as error:
        return PageFailed(number, f"the page can't be recognised ({type(error).__name__})")
