"""Elements as Markdown: headings by their level, lists by their depth, tables, code, notes at their place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from llmflow_unstructured import tables
from llmflow_unstructured.elements import Element

DEEPEST = 6
IN_MARGINS = ("Header", "Footer", "PageNumber")
LABEL = re.compile(r"^(\d{1,9}[.)]) ")
BULLET = re.compile(r"^[-–—*+•·‧∙] +")
SPECIAL = re.compile(r"^(#{1,6}(?=\s)|>|```|~~~)")
LONGEST_TABLE = 2_000_000  # signs of HTML; a larger one is given as text


@dataclass(frozen=True)
class Style:
    """How Markdown is written: `pages` marks where pages begin, `html` keeps tables as HTML with their spans,
    `picture` says where a picture's file is.
    """

    pages: bool = False
    html: bool = False
    picture: Callable[[Element], str] | None = None


PLAIN = Style()


def markdown(elements: Iterable[Element], style: Style = PLAIN) -> str:
    """The elements as Markdown. What a page repeats in its margins is left out."""
    return "\n".join(_lines(elements, style)).strip() + "\n"


def _lines(elements: Iterable[Element], style: Style) -> Iterator[str]:
    page, inside = None, ""
    above: list[int] = []  # the depths of the items that the next may be within
    for element in elements:
        marks = []
        if element.inside != inside:
            inside = element.inside
            marks += [inside] if inside else []
        if style.pages and element.page is not None and element.page != page:
            page = element.page
            marks.append(f"page {page}")
        if above and (marks or element.kind != "ListItem"):
            above = []
            yield ""
        for mark in marks:
            yield from (f"<!-- {mark.replace('--', '')} -->", "")
        if element.kind == "ListItem":
            while above and above[-1] >= element.depth:
                above.pop()
            yield _item(element.text, len(above))
            above.append(element.depth)
            continue
        said = "" if element.kind in IN_MARGINS else _block(element, style)
        yield from (said, "") if said else ()


def _item(text: str, depth: int) -> str:
    label = LABEL.match(text)
    said = text if label else f"- {BULLET.sub('', text)}"
    indent = "    " * depth
    return indent + said.replace("\n", f"\n{indent}  ")


def _block(element: Element, style: Style) -> str:
    text = element.text.strip()
    match element.kind:
        case "Title":
            return f"{'#' * min(DEEPEST, element.depth + 1)} {' '.join(text.split())}"
        case "Table":
            return element.html if style.html and element.html else _table(element)
        case "CodeSnippet":
            fence = "````" if "```" in text else "```"
            return f"{fence}\n{element.text}\n{fence}"
        case "Formula":
            return f"$$\n{text}\n$$"
        case "FigureCaption":
            return f"*{' '.join(text.split())}*" if text else ""
        case "Footnote":
            return "> " + text.replace("\n", "\n> ") if text else ""
        case "Image":
            where = style.picture(element) if style.picture else ""
            said = " ".join(text.split()).replace("]", "")
            return f"![{said}]({where})" if where else f"[{said}]" if said else ""
        case _:
            return SPECIAL.sub(r"\\\1", text)


def _table(element: Element) -> str:
    if not element.html or len(element.html) > LONGEST_TABLE:
        return element.text
    return tables.markdown(tables.from_html(element.html)) or element.text
