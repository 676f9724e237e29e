"""What a document is made of, in the words of the Unstructured API, so that either engine's answer reads alike.

The JSON of an element is Unstructured's own (`type`, `element_id`, `text`, `metadata`); GraphRAG and Dify's knowledge
pipelines take it as it is.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from llmflow_unstructured.errors import BadDocument

Kind = Literal[
    "Title",
    "NarrativeText",
    "ListItem",
    "Table",
    "Image",
    "FigureCaption",
    "Header",
    "Footer",
    "Footnote",
    "PageNumber",
    "Formula",
    "CodeSnippet",
    "UncategorizedText",
]
KINDS: frozenset[str] = frozenset(get_args(Kind))
DEPTHS = ("Title", "ListItem")  # kinds that have a level


@dataclass(frozen=True)
class Box:
    """Where something is on its page, in points (1/72 inch) from the upper left corner of the upright page."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class Element:
    """One piece of a document, in reading order.

    `depth` is a title's or a list item's level, 0 the outermost; `html` is a table with its spans, its `text` the same
    cells, tab and line separated; `page` counts from 1 and is None where a format has no pages.
    """

    kind: Kind
    text: str
    page: int | None = None
    box: Box | None = None
    page_size: tuple[float, float] | None = None
    depth: int = 0
    html: str = ""
    languages: tuple[str, ...] = ()
    link: str = ""
    inside: str = ""  # the member of an archive, or the attachment of a message, that it comes from
    page_name: str = ""  # of a sheet
    picture: bytes = field(default=b"", repr=False)  # an Image's file, where pictures were asked for
    picture_type: str = ""  # its media type


@dataclass(frozen=True)
class Failed:
    """A part of a document that could not be read, and why; what is around it was."""

    where: str
    why: str


@dataclass(frozen=True)
class Noted:
    """Something about a document that its owner should know, though it was read."""

    what: str


@dataclass(frozen=True)
class Found:
    """What a file turned out to be, as a media type; it comes before its elements."""

    media: str


Event = Element | Failed | Noted | Found


@dataclass(frozen=True)
class Placed:
    """An element with its id and that of the title it stands under ("" where there is none)."""

    id: str
    parent: str
    element: Element


def placed(elements: Iterable[Element], *, filename: str) -> Iterator[Placed]:
    """The elements with ids by content and place. What stands in a margin, or in another file, is under no title."""
    above: list[tuple[int, str]] = []
    inside = ""
    for number, element in enumerate(elements):
        id_ = _id(filename, number, element)
        if element.inside != inside:
            above, inside = [], element.inside
        if element.kind == "Title":
            while above and above[-1][0] >= element.depth:
                above.pop()
        parent = above[-1][1] if above and element.kind not in ("Header", "Footer") else ""
        if element.kind == "Title":
            above.append((element.depth, id_))
        yield Placed(id_, parent, element)


def as_json(elements: Iterable[Element], *, filename: str, filetype: str) -> Iterator[dict[str, Any]]:
    """The elements as the Unstructured API gives them: ids by content and place, `parent_id` the title above."""
    for one in placed(elements, filename=filename):
        element = one.element
        metadata: dict[str, Any] = {"filename": filename, "filetype": filetype}
        metadata |= {"parent_id": one.parent} if one.parent else {}
        metadata |= {"category_depth": element.depth} if element.kind in DEPTHS else {}
        metadata |= {"page_number": element.page} if element.page is not None else {}
        metadata |= {"page_name": element.page_name} if element.page_name else {}
        metadata |= {"coordinates": _coordinates(element.box, element.page_size)} if element.box else {}
        metadata |= {"text_as_html": element.html} if element.html else {}
        metadata |= {"languages": list(element.languages)} if element.languages else {}
        metadata |= {"link_urls": [element.link]} if element.link else {}
        metadata |= {"inside": element.inside} if element.inside else {}
        if element.picture:
            metadata["image_base64"] = base64.b64encode(element.picture).decode()
            metadata["image_mime_type"] = element.picture_type
        yield {"type": element.kind, "element_id": one.id, "text": element.text, "metadata": metadata}


def from_json(given: Mapping[str, Any]) -> Element:
    """The element in a JSON object of the Unstructured API, or of `as_json`. Raises BadDocument."""
    try:
        about = given.get("metadata") or {}
        kind = given["type"]
        links = about.get("link_urls") or [""]
        languages = about.get("languages") or []
        box, size = _box(about.get("coordinates") or {})
        return Element(
            kind if kind in KINDS else "UncategorizedText",
            str(given.get("text") or ""),
            page=None if about.get("page_number") is None else int(about["page_number"]),
            box=box,
            page_size=size,
            depth=int(about.get("category_depth") or 0),
            html=str(about.get("text_as_html") or ""),
            languages=tuple(str(language) for language in languages),
            link=str(links[0]),
            inside=str(about.get("inside") or ""),
            page_name=str(about.get("page_name") or ""),
            picture=base64.b64decode(about.get("image_base64") or ""),
            picture_type=str(about.get("image_mime_type") or ""),
        )
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise BadDocument("An element is not in the form that Unstructured gives.") from error


def _coordinates(box: Box, size: tuple[float, float] | None) -> dict[str, Any]:
    """Counter-clockwise from the upper left, as Unstructured has it."""
    points = [
        [box.left, box.top],
        [box.left, box.bottom],
        [box.right, box.bottom],
        [box.right, box.top],
    ]
    width, height = size or (None, None)
    return {"points": points, "system": "PixelSpace", "layout_width": width, "layout_height": height}


def _box(coordinates: Mapping[str, Any]) -> tuple[Box | None, tuple[float, float] | None]:
    points = coordinates.get("points")
    if not points:
        return None, None
    across, down = [float(point[0]) for point in points], [float(point[1]) for point in points]
    width, height = coordinates.get("layout_width"), coordinates.get("layout_height")
    size = (float(width), float(height)) if width and height else None
    return Box(min(across), min(down), max(across), max(down)), size


def _id(filename: str, number: int, element: Element) -> str:
    said = "\0".join((filename, str(number), str(element.page), element.kind, element.text))
    return hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:32]
