"""Plain text in any encoding: paragraphs, lists and the headings of statutes. A form feed begins a page."""

from __future__ import annotations

import re
from collections.abc import Iterator

from llmflow_unstructured.elements import Element
from llmflow_unstructured.formats import Source, decoding, prose

BLANK = re.compile(r"\n[^\S\n]*\n")
LONGEST_TITLE = 60  # signs of a first line that names the document


def read(source: Source) -> Iterator[Element]:
    """The elements of a text."""
    text, _ = decoding.decode(source.data)
    pages = text.replace("\r\n", "\n").replace("\r", "\n").split("\f")
    first = True
    for number, page in enumerate(pages, 1):
        source.limits.check_time()
        for element in paragraphs(page, number if len(pages) > 1 else None):
            named = first and element.kind == "UncategorizedText" and len(element.text) <= LONGEST_TITLE
            yield (
                Element("Title", element.text, page=element.page)
                if named and "\n" not in element.text
                else element
            )
            first = False


def paragraphs(text: str, page: int | None = None) -> Iterator[Element]:
    """The paragraphs of a text, apart by blank lines; items of lists and headings each by itself."""
    for block in BLANK.split(text):
        for said in _pieces(prose.clean(block)):
            yield prose.paragraph(said, page)


def _pieces(block: str) -> Iterator[str]:
    """A block of lines, apart before each heading and item of a list; a heading ends with its line."""
    lines: list[str] = []
    for line in block.split("\n"):
        kind, _ = prose.kind_of(line)
        if lines and (kind in ("Title", "ListItem") or prose.kind_of(lines[0])[0] == "Title"):
            yield "\n".join(lines)
            lines = []
        lines.append(line)
    if lines and lines != [""]:
        yield "\n".join(lines)
