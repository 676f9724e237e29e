"""What HWP 5 and HWPX have in common: paragraphs with shapes and styles become headings, lists and prose alike."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from llmflow_unstructured.elements import Element
from llmflow_unstructured.formats import prose
from llmflow_unstructured.formats.numbering import Counters, Level

OUTLINE = re.compile(r"^(?:개요|outline)\s?(\d{1,2})$", re.IGNORECASE)
TITLE = re.compile(r"^(?:(?:문서|큰|장|절|소)?\s?제목|title|heading)\s?(\d?)$", re.IGNORECASE)
CAPTION = re.compile(r"^(?:캡션|caption)", re.IGNORECASE)
LARGER = 1.15  # times the size of most text: a short paragraph of that size is a heading
LONGEST_HEADING = 60  # signs

Heading = Literal["", "outline", "number", "bullet"]


@dataclass(frozen=True)
class Shape:
    """What a paragraph's shape says of its place in the document; `list` is the id of its numbering."""

    heading: Heading = ""
    level: int = 0
    list: int = 0


@dataclass
class Looks:
    """The shapes, styles, numberings and sizes of letters that a document declares."""

    shapes: dict[int, Shape] = field(default_factory=dict)
    styles: dict[int, tuple[str, int]] = field(default_factory=dict)  # name and shape
    numberings: dict[int, Mapping[int, Level]] = field(default_factory=dict)
    sizes: dict[int, int] = field(default_factory=dict)  # of letters, by the id of their shape


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of body text; `size` is that of most of its letters, 0 where it is not known."""

    text: str
    shape: int
    style: int
    size: int = 0
    link: str = ""


@dataclass
class Writer:
    """Turns the paragraphs of one document into elements."""

    looks: Looks
    outline: int = 0  # the numbering of this section's outline
    usual: int = 0  # the size of most letters
    counters: Counters = field(default_factory=Counters)

    def element(self, paragraph: Paragraph, page: int) -> Element | None:
        """The paragraph as an element, None where it holds nothing."""
        said = prose.clean(paragraph.text)
        if not said:
            return None
        name, of_style = self.looks.styles.get(paragraph.style, ("", -1))
        shape = self.looks.shapes.get(paragraph.shape) or self.looks.shapes.get(of_style) or Shape()
        if CAPTION.match(name.strip()):
            return Element("FigureCaption", said, page=page, link=paragraph.link)
        titled = TITLE.match(name.strip())
        outlined = OUTLINE.match(name.strip()) if shape.heading == "" else None
        if shape.heading == "outline" or outlined or titled:
            depth = shape.level if shape.heading == "outline" else _level(outlined or titled)
            return Element("Title", self._numbered(said, shape), page=page, depth=depth, link=paragraph.link)
        if shape.heading in ("number", "bullet"):
            return Element(
                "ListItem", self._numbered(said, shape), page, depth=shape.level, link=paragraph.link
            )
        return self._plain(said, paragraph, page)

    def _plain(self, said: str, paragraph: Paragraph, page: int) -> Element:
        """A paragraph that only its letters and its text tell about."""
        found = prose.paragraph(said, page, paragraph.link)
        large = self.usual and paragraph.size >= LARGER * self.usual
        if large and len(said) <= LONGEST_HEADING and found.kind != "NarrativeText":
            depth = 0 if paragraph.size >= 1.5 * self.usual else 1
            return Element("Title", said, page=page, depth=depth, link=paragraph.link)
        return found

    def _numbered(self, said: str, shape: Shape) -> str:
        list_ = self.outline if shape.heading == "outline" else shape.list
        levels = self.looks.numberings.get(list_)
        if shape.heading == "bullet" or not levels:
            return said
        label = self.counters.next(f"{shape.heading}{list_}", levels, shape.level)
        return f"{label} {said}" if label else said


def usual_size(weighed: Iterable[tuple[int, int]]) -> int:
    """The size of most letters, of sizes with the number of letters in each."""
    counts: Counter[int] = Counter()
    for size, letters in weighed:
        counts[size] += letters
    return counts.most_common(1)[0][0] if counts else 0


def web_address(command: str) -> str:
    """The address in a hyperlink's command, "" where it leads elsewhere: `http\\://site;1;0;0;`."""
    address = command.replace("\\:", ":").replace("\\?", "?").partition(";")[0].strip()
    return address if address.lower().startswith(("http://", "https://", "mailto:")) else ""


def _level(found: re.Match[str] | None) -> int:
    return max(0, int(found[1]) - 1) if found and found[1] else 0
