"""One interface to both engines: a file becomes a document, read here in a sandbox or by the Unstructured API."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from llmflow_unstructured import cache, sandbox
from llmflow_unstructured.cache import Cache, Kept
from llmflow_unstructured.elements import Element, Event, Failed, Found, Noted, as_json
from llmflow_unstructured.errors import BadDocument, NoEngine
from llmflow_unstructured.limits import USUAL, Limits
from llmflow_unstructured.partition import PLAIN, Options, Progress


class Reader(Protocol):
    """What reads documents."""

    @property
    def name(self) -> str:
        """What results are kept under."""
        ...

    def check(self) -> None:
        """Raise NoEngine unless it can read."""
        ...

    def read(
        self, data: bytes, name: str, options: Options, limits: Limits, progress: Progress | None = None
    ) -> Iterator[Event]:
        """The elements of a file. Raises BadDocument, TooLarge or NoEngine."""
        ...


class Here:
    """Reads in a process of its own on this machine."""

    name = "here"

    def check(self) -> None:
        """Read a line; raises NoEngine."""
        try:
            found = [one for one in sandbox.read("점검 check".encode(), "a.txt") if isinstance(one, Element)]
        except (BadDocument, OSError) as error:
            raise NoEngine(f"Documents can't be read on this machine: {error}") from error
        if not found:
            raise NoEngine("Documents can't be read on this machine.")

    def read(
        self, data: bytes, name: str, options: Options, limits: Limits, progress: Progress | None = None
    ) -> Iterator[Event]:
        """The elements of a file. Raises BadDocument, TooLarge or NoEngine."""
        return sandbox.read(data, name, options, limits, progress)


@dataclass(frozen=True)
class Document:
    """What was read of a file: all of it, part of it, or nothing."""

    name: str
    media: str = ""
    elements: tuple[Element, ...] = field(default=(), repr=False)
    failures: tuple[Failed, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    cached: bool = False

    @property
    def state(self) -> str:
        """`complete`, `partial` or `failed`."""
        if not self.failures:
            return "complete"
        return "partial" if self.elements else "failed"

    def about(self) -> dict[str, Any]:
        """All but the elements, for those who look after the documents."""
        pages = max((element.page or 0 for element in self.elements), default=0)
        told: dict[str, Any] = {"filename": self.name, "filetype": self.media, "state": self.state}
        told |= {"pages": pages} if pages else {}
        told |= {"elements": len(self.elements), "seconds": round(self.seconds, 3), "cached": self.cached}
        told |= (
            {"failures": [{"where": one.where, "why": one.why} for one in self.failures]}
            if self.failures
            else {}
        )
        told |= {"notes": list(self.notes)} if self.notes else {}
        return told

    def as_json(self) -> Iterator[dict[str, Any]]:
        """The elements as the Unstructured API gives them."""
        return as_json(self.elements, filename=self.name, filetype=self.media)


@dataclass(frozen=True)
class Engine:
    """A reader, with what was read before."""

    reader: Reader
    limits: Limits = USUAL
    cache: Cache | None = None

    def parse(
        self, data: bytes, name: str, options: Options = PLAIN, progress: Progress | None = None
    ) -> Document:
        """A file as a document. Nothing is raised: what can't be read is among its failures."""
        start = time.monotonic()
        key = cache.key(data, name, options, self.reader.name)
        kept = self.cache.get(key) if self.cache else None
        if kept:
            return Document(
                name,
                kept.media,
                kept.elements,
                notes=kept.notes,
                seconds=time.monotonic() - start,
                cached=True,
            )
        document = _gathered(
            name, lambda: self.reader.read(data, name, options, self.limits, progress), start
        )
        if self.cache and document.state == "complete":
            self.cache.put(key, Kept(document.media, document.elements, document.notes))
        return document


def _gathered(name: str, read: Callable[[], Iterator[Event]], start: float) -> Document:
    elements: list[Element] = []
    failures: list[Failed] = []
    notes: list[str] = []
    media = ""
    try:
        for event in read():
            match event:
                case Element():
                    elements.append(event)
                case Failed():
                    failures.append(event)
                case Noted():
                    notes.append(event.what)
                case Found():
                    media = media or event.media
    except (BadDocument, NoEngine) as error:
        failures.append(Failed("the file", str(error)))
    seconds = time.monotonic() - start
    return Document(name, media, tuple(elements), tuple(failures), tuple(notes), seconds)
