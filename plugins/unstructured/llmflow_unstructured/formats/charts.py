"""Charts as the tables that they show: all office formats keep the numbers beside the drawing, in the same XML."""

from __future__ import annotations

from collections.abc import Iterator

from llmflow_unstructured import tables
from llmflow_unstructured.elements import Element
from llmflow_unstructured.formats import Source, prose, xml
from llmflow_unstructured.formats.xml import Node

ACROSS, UP = ("cat", "xVal"), ("val", "yVal")


def read(root: Node, source: Source) -> Iterator[Element]:
    """A chart's title as a caption, and its numbers as a table: a row for each category, a column for each series."""
    chart = xml.child(root, "chart")
    title = xml.child(chart, "title") if chart is not None else None
    said = prose.clean("".join(one.text or "" for one in xml.below(title, "t"))) if title is not None else ""
    if said:
        yield Element("FigureCaption", said)
    series = [(_name(one), _points(one, ACROSS), _points(one, UP)) for one in xml.below(root, "ser")]
    source.budget.fill(sum(len(names) + len(values) for _, names, values in series))
    categories: dict[int, str] = {}
    for _, names, values in series:
        for index in (*names, *values):
            categories[index] = categories.get(index) or names.get(index, "")
    rows = [["", *(name for name, _, _ in series)]]
    rows += [
        [categories[index], *(values.get(index, "") for _, _, values in series)]
        for index in sorted(categories)
    ]
    if categories:
        made = tables.from_rows(rows)
        yield Element("Table", tables.text(made), html=tables.html(made))


def _name(series: Node) -> str:
    node = xml.child(series, "tx")
    return prose.clean(next((one.text or "" for one in xml.below(node, "v")), "")) if node is not None else ""


def _points(series: Node, names: tuple[str, ...]) -> dict[int, str]:
    """The values of a series by their number."""
    node = next((found for name in names if (found := xml.child(series, name)) is not None), None)
    if node is None:
        return {}
    points = ((xml.number(one, "idx"), xml.child(one, "v")) for one in xml.below(node, "pt"))
    return {index: (value.text or "").strip() for index, value in points if value is not None}
