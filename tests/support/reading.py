"""What readers give for a document, in short forms that tests compare."""

from __future__ import annotations

from llmflow_unstructured.elements import Element, Event, Failed, Noted
from llmflow_unstructured.limits import USUAL, Limits
from llmflow_unstructured.partition import PLAIN, Options, partition


def events(data: bytes, name: str = "a", options: Options = PLAIN, limits: Limits = USUAL) -> list[Event]:
    """All that is told of a document, read in this process."""
    return list(partition(data, name, options, limits))


def elements(data: bytes, name: str = "a", options: Options = PLAIN) -> list[Element]:
    """The elements alone; nothing may have failed."""
    found = events(data, name, options)
    assert [one for one in found if isinstance(one, Failed)] == []
    return [one for one in found if isinstance(one, Element)]


def said(data: bytes, name: str = "a") -> list[tuple[str, str]]:
    """Kind and text of each element."""
    return [(one.kind, one.text) for one in elements(data, name)]


def noted(data: bytes, name: str = "a") -> list[str]:
    """What is worth knowing about a document."""
    return [one.what for one in events(data, name) if isinstance(one, Noted)]


def failed(data: bytes, name: str = "a") -> list[tuple[str, str]]:
    """What could not be read, and why."""
    return [(one.where, one.why) for one in events(data, name) if isinstance(one, Failed)]
