"""A file's bytes become elements, whatever its format: what can be read is handed on as it is read."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib import import_module

from llmflow_unstructured.detect import Format, detect, named
from llmflow_unstructured.elements import Element, Event, Failed, Found, Noted
from llmflow_unstructured.errors import BadDocument, NoEngine, TooLarge
from llmflow_unstructured.formats import Budget, Source
from llmflow_unstructured.languages import languages_of
from llmflow_unstructured.limits import USUAL, Limits
from llmflow_unstructured.pages import PageFailed, PageOptions, Strategy

Progress = Callable[[int, int], None]

NOT_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")  # kept by no store
MODULES: dict[Format, str] = {
    "docx": "docx", "pptx": "pptx", "xlsx": "xlsx", "hwpx": "hwpx", "hwp": "hwp", "msg": "msg", "eml": "mail",
    "html": "html", "markdown": "markdown", "csv": "delimited", "text": "text", "zip": "archive", "gzip": "archive",
}  # fmt: skip


@dataclass(frozen=True)
class Options:
    """How a document is read; what concerns pages is of no effect on formats without them."""

    strategy: Strategy = "auto"
    languages: tuple[str, ...] = ("kor", "eng")
    resolution: int = 300
    tables: bool = True
    pictures: bool = False

    @property
    def pages(self) -> PageOptions:
        """The same, for PDF files and pictures."""
        return PageOptions(self.strategy, self.languages, self.tables, self.resolution)


PLAIN = Options()


def partition(
    data: bytes,
    name: str,
    options: Options = PLAIN,
    limits: Limits = USUAL,
    progress: Progress | None = None,
) -> Iterator[Event]:
    """The elements of a file in reading order, with what could not be read and what is worth knowing among them.

    Raises BadDocument, TooLarge or NoEngine where nothing can be read; later on, they end the elements with a Failed.
    """
    if len(data) > limits.size:
        raise TooLarge(f"The file is larger than {limits.size >> 20} MiB.")
    running = limits.started()
    source = Source(data, name, running, Budget.of(running), _any(options), pictures=options.pictures)
    if progress:
        source = replace(source, progress=progress)
    yield from _bounded(source.read(source), running)


def _any(options: Options) -> Callable[[Source], Iterator[Event]]:
    """A reader of any format, which formats that hold others are handed on."""

    def read(source: Source) -> Iterator[Event]:
        try:
            found, media = detect(replace(source, budget=Budget.of(source.limits)))  # a look costs nothing
            if source.depth == 0:
                yield Found(media)
            said = named(source.name)
            if said and said != found:
                which = f'"{source.name}"' if source.depth else "It"
                yield Noted(f"{which} is named as {said}, but is {found}: it was read as what it is.")
            if found in ("pdf", "image"):
                yield from _pages(found, source, options)
            else:
                yield from import_module(f"llmflow_unstructured.formats.{MODULES[found]}").read(source)
        except (BadDocument, NoEngine):
            raise
        except ImportError as error:
            raise NoEngine(f"What reads this is not installed here: {error.name or error}.") from error
        except Exception as error:
            # Libraries meet a damaged file with whatever their arithmetic raises; no file may end the process.
            raise _told(error) from error

    return read


def _pages(found: Format, source: Source, options: Options) -> Iterator[Event]:
    module = import_module(f"llmflow_unstructured.pages.{found}")
    for one in module.read(source.data, options.pages, source.limits, source.progress):
        yield Failed(f"page {one.page}", one.why) if isinstance(one, PageFailed) else one


def _bounded(events: Iterator[Event], limits: Limits) -> Iterator[Event]:
    """The events up to the limits of text and time, or up to damage that no reader expected."""
    begun, signs = False, 0
    try:
        for event in events:
            if isinstance(event, Element):
                event = _clean(event)
                signs += len(event.text) + len(event.html)
                if signs > limits.characters:
                    raise TooLarge(f"It holds more than {limits.characters:,} characters: split it.")
            begun = begun or isinstance(event, Element)
            yield event
            limits.check_time()
    except (BadDocument, NoEngine) as error:
        if not begun:
            raise
        yield Failed("the rest", str(error))


def _clean(element: Element) -> Element:
    """The element with its Hangul composed, without signs that no store takes, and with its languages."""
    text, html = _signs(element.text), _signs(element.html)
    return replace(element, text=text, html=html, languages=element.languages or languages_of(text))


def _signs(text: str) -> str:
    return NOT_TEXT.sub("\ufffd", unicodedata.normalize("NFC", text))


def _told(error: Exception) -> BadDocument:
    if isinstance(error, MemoryError):
        return TooLarge("Reading it takes more memory than the limit: split it, or raise the limit.")
    if isinstance(error, RecursionError):
        return TooLarge("It is nested deeper than any document: it can't be read.")
    return BadDocument(f"It is damaged: reading it stopped with {type(error).__name__}.")
