"""Markdown: rendered to HTML, whose reader knows headings, lists, tables and code."""

from __future__ import annotations

import re
from collections.abc import Iterator

from markdown_it import MarkdownIt

from llmflow_unstructured.elements import Element
from llmflow_unstructured.formats import Source, decoding, html
from llmflow_unstructured.formats import text as plain

FRONT_MATTER = re.compile(r"\A---[^\S\n]*\n.*?\n(?:---|\.\.\.)[^\S\n]*\n", re.DOTALL)
LONGEST_FRONT = 16_384  # signs
OPENERS = "[<*_`>"
MOST_OPENED = (
    5_000  # signs of one paragraph that each might begin something: the renderer tries all of their pairs
)


def read(source: Source) -> Iterator[Element]:
    """The elements of a Markdown text; what describes it before its beginning is left out."""
    text, _ = decoding.decode(source.data)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if any(sum(map(block.count, OPENERS)) > MOST_OPENED for block in plain.BLANK.split(text)):
        yield from plain.paragraphs(text)
        return
    front = FRONT_MATTER.match(text[:LONGEST_FRONT])
    renderer = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    yield from html.elements(renderer.render(text[front.end() :] if front else text), source)
