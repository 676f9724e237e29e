"""Pages: PDF files and pictures. Words with boxes, printed or recognised, become elements in reading order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Strategy = Literal["auto", "fast", "ocr"]


@dataclass(frozen=True)
class PageOptions:
    """How pages are read: `auto` chooses per page, `fast` takes only what text a file has, `ocr` recognises all.

    `languages` are Tesseract's names, the main one first; `resolution` is in dots per inch, of rendered pages.
    """

    strategy: Strategy
    languages: tuple[str, ...] = ("kor", "eng")
    tables: bool = True
    resolution: int = 300


@dataclass(frozen=True)
class PageFailed:
    """A page that gave nothing, and why; the pages around it were read."""

    page: int
    why: str
