"""Tables of office formats, whose cells hold paragraphs, pictures and other tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from llmflow_unstructured import tables
from llmflow_unstructured.elements import Element
from llmflow_unstructured.tables import Cell

APART = ("Image", "Footnote")  # no part of a cell's text


def table(held: Sequence[list[Element]], cell: Callable[[int, str], Cell], page: int | None) -> list[Element]:
    """A table of what each of its cells holds, with what can't be part of a cell's text after it.

    Where only one cell holds anything, it is a frame around paragraphs.
    """
    said = [text(elements) for elements in held]
    if sum(map(bool, said)) <= 1:
        return [element for elements in held for element in elements]
    made = tables.grid(cell(number, line) for number, line in enumerate(said))
    loose = [one for elements in held for one in elements if one.kind in APART]
    return [Element("Table", tables.text(made), page=page, html=tables.html(made)), *loose]


def text(elements: Iterable[Element]) -> str:
    """What a cell holds, a line each."""
    return "\n".join(element.text for element in elements if element.kind not in APART)
