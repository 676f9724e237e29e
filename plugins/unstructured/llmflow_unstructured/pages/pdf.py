"""PDF files: text pages by their text, scanned ones by recognition, mixed ones by both."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import pypdfium2
import pypdfium2.raw as pdfium
from PIL import Image, ImageDraw

from llmflow_unstructured.elements import Box, Element
from llmflow_unstructured.errors import BadDocument, NoEngine, TooLarge
from llmflow_unstructured.limits import MEBI, Limits
from llmflow_unstructured.pages import PageFailed, PageOptions, structure, tesseract
from llmflow_unstructured.pages.recognise import Recogniser
from llmflow_unstructured.pages.textlayer import Layer, layer
from llmflow_unstructured.pages.words import Sheet, Word

LEAST_RESOLUTION = 72
COARSEST = 100.0  # dots per inch, of a scan that is rendered no finer than it is
BASE_MEMORY, PAGE_MEMORY = 400 * MEBI, 200 * MEBI  # of the process, and of a page of A4 that is made ready
_Page = Sheet | PageFailed


def read(
    data: bytes, options: PageOptions, limits: Limits, on_progress: Callable[[int, int], None]
) -> Iterator[Element | PageFailed]:
    """The elements of all pages in order; a page that can't be read is named, and the others are read.

    Raises BadDocument where there is no page to be had, TooLarge where there are too many, NoEngine where a page has to
    be recognised and there is no Tesseract.
    """
    document = _opened(data)
    try:
        count = len(document)
        if count > limits.pages:
            raise TooLarge(
                f"It has {count:,} pages, and {limits.pages:,} are the limit: split it, or raise the limit."
            )
        pages = list(_pages(document, options, limits, on_progress))
    finally:
        document.close()
    yield from in_order(pages, options)


def in_order(pages: list[_Page], options: PageOptions) -> Iterator[Element | PageFailed]:
    """The elements of pages with those that failed at their places."""
    failed = sorted((page for page in pages if isinstance(page, PageFailed)), key=lambda page: page.page)
    sheets = sorted((page for page in pages if isinstance(page, Sheet)), key=lambda sheet: sheet.number)
    for element in structure.elements(sheets, with_tables=options.tables):
        while failed and failed[0].page < (element.page or 0):
            yield failed.pop(0)
        yield element
    yield from failed


def _opened(data: bytes) -> pypdfium2.PdfDocument:
    try:
        return pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        code = pdfium.FPDF_GetLastError()
        if code in (pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY) or "assword" in str(error):
            raise BadDocument(
                "The PDF is protected by a password: save it without one, and give that."
            ) from error
        raise BadDocument(
            "The PDF is damaged: open it in a PDF program, save it anew, and give that."
        ) from error


def _pages(
    document: pypdfium2.PdfDocument,
    options: PageOptions,
    limits: Limits,
    on_progress: Callable[[int, int], None],
) -> Iterator[_Page]:
    """Pages as they are done: text at once, the others on threads."""
    threads, count, done = at_once(limits), len(document), 0
    waiting: deque[tuple[int, Future[Sheet]]] = deque()
    with ThreadPoolExecutor(threads) as workers, ThreadPoolExecutor(os.cpu_count() or 1) as calls:
        reader = _Reader(options, limits, calls)
        for number in range(1, count + 1):
            page = _prepared(document, number, reader, workers)
            if isinstance(page, Future):
                waiting.append((number, page))
            else:
                yield page
                done += 1
                on_progress(done, count)
            while len(waiting) > 2 * threads or (waiting and number == count):
                yield _finished(*waiting.popleft())
                done += 1
                on_progress(done, count)


def at_once(limits: Limits) -> int:
    """How many scanned pages are worked on at a time: by the cores, and by the memory that they take."""
    return max(1, min(os.cpu_count() or 1, (limits.memory - BASE_MEMORY) // PAGE_MEMORY))


class _Reader:
    """What a page is recognised with, looked for when the first page needs it."""

    def __init__(self, options: PageOptions, limits: Limits, calls: ThreadPoolExecutor) -> None:
        self.options, self.limits, self._calls = options, limits, calls
        self._recogniser: Recogniser | None = None

    @property
    def recogniser(self) -> Recogniser:
        if self._recogniser is None:
            engine = tesseract.found(self.options.languages)
            self._recogniser = Recogniser(engine, self.options.languages, self._calls, self.limits.ends)
        return self._recogniser


def _prepared(
    document: pypdfium2.PdfDocument, number: int, reader: _Reader, workers: ThreadPoolExecutor
) -> _Page | Future[Sheet]:
    """A page that is read, or is going to be."""
    try:
        reader.limits.check_time()
        page = document[number - 1]
        try:
            return _chosen(page, number, reader, workers)
        finally:
            page.close()
    except NoEngine:
        raise
    except TooLarge as error:
        return PageFailed(number, str(error))
    except (pypdfium2.PdfiumError, ValueError, OSError, MemoryError, ArithmeticError) as error:
        return PageFailed(number, f"the page is damaged ({type(error).__name__})")


def _chosen(
    page: pypdfium2.PdfPage, number: int, reader: _Reader, workers: ThreadPoolExecutor
) -> _Page | Future[Sheet]:
    options = reader.options
    text = layer(page, number)
    if options.strategy == "fast":
        return text.sheet
    if options.strategy == "auto":
        blank = not text.letters and not text.sheet.pictures and not text.drawn
        if blank or (text.usable and not text.bare):
            return text.sheet
        if text.usable:
            picture, resolution = _rendered(page, text, reader)
            return workers.submit(_mixed, reader.recogniser, text, picture, resolution)
    picture, resolution = _rendered(page, text, reader)
    return workers.submit(reader.recogniser.sheet, picture, resolution, number)


def _finished(number: int, page: Future[Sheet]) -> _Page:
    try:
        return page.result()
    except NoEngine:
        raise
    except (tesseract.Unreadable, TooLarge) as error:
        return PageFailed(number, str(error))
    except (ValueError, OSError, MemoryError, ArithmeticError) as error:
        return PageFailed(number, f"the page can't be recognised ({type(error).__name__})")


def _rendered(page: pypdfium2.PdfPage, text: Layer, reader: _Reader) -> tuple[Image.Image, float]:
    """The page as a picture: as fine as its scan, no finer, and less fine where it would be too large."""
    width, height = page.get_size()
    area = max(1e-6, width * height / 72**2)  # square inches
    scanned = max(text.resolution, COARSEST) if text.resolution else math.inf
    resolution = min(float(reader.options.resolution), scanned, math.sqrt(reader.limits.pixels / area))
    if resolution < LEAST_RESOLUTION:
        raise TooLarge(
            f"the page has {width / 72:.0f} × {height / 72:.0f} inches, which is too large to recognise"
        )
    bitmap = page.render(scale=resolution / 72, grayscale=True, rev_byteorder=False)
    try:
        return bitmap.to_pil().convert("L"), resolution
    finally:
        bitmap.close()


def _mixed(recogniser: Recogniser, text: Layer, picture: Image.Image, resolution: float) -> Sheet:
    """The words of the page, and those recognised on its pictures; where both are, those of the page."""
    scale = resolution / 72
    words = list(text.sheet.words)
    for box in text.bare:
        part = picture.crop((box.left * scale, box.top * scale, box.right * scale, box.bottom * scale))
        _blotted(part, box, text.sheet.words, scale)
        found = recogniser.sheet(part, resolution, text.sheet.number, upright=True)
        words += [_moved(word, box) for word in found.words]
    return replace(text.sheet, words=tuple(words))


def _blotted(part: Image.Image, box: Box, words: tuple[Word, ...], scale: float) -> None:
    """Take the words that are known already out of a picture."""
    pen = ImageDraw.Draw(part)
    for word in words:
        if (
            word.right > box.left
            and word.left < box.right
            and word.bottom > box.top
            and word.top < box.bottom
        ):
            corners = [
                (word.left - box.left) * scale, (word.top - box.top) * scale,
                (word.right - box.left) * scale, (word.bottom - box.top) * scale,
            ]  # fmt: skip
            pen.rectangle(corners, fill=255)


def _moved(word: Word, box: Box) -> Word:
    return replace(
        word,
        left=word.left + box.left,
        right=word.right + box.left,
        top=word.top + box.top,
        bottom=word.bottom + box.top,
    )
