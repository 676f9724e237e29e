"""XML from files: no entities, no document types, nothing fetched, no tree deeper than libxml2 takes unasked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lxml import etree

from llmflow_unstructured.errors import BadDocument

ANY_SPACE = "{*}"  # before a name: in any namespace, or none
Node = Any  # an element of lxml, which has no types of its own


def parse(content: bytes) -> Node:
    """The root of an XML document. Raises BadDocument."""
    return parsed(content)[0]


def parsed(content: bytes) -> tuple[Node, bool]:
    """The root of an XML document, and whether it is whole: what follows damage is left out. Raises BadDocument."""
    try:
        return _root(content, recover=False), True
    except etree.XMLSyntaxError:
        pass
    try:
        root = _root(content, recover=True)
    except etree.XMLSyntaxError as error:
        raise BadDocument("A part of it is not XML as its format wants it.") from error
    if root is None:
        raise BadDocument("A part of it is not XML as its format wants it.")
    return root, False


def local(node: Node) -> str:
    """The name of a node without its namespace, "" for comments and instructions."""
    tag = node.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def attribute(node: Node, name: str) -> str:
    """An attribute by its name without a namespace, "" where there is none."""
    value = node.get(name)
    if value is not None:
        return str(value)
    return next((str(value) for key, value in node.items() if key.rpartition("}")[2] == name), "")


def number(node: Node, name: str, default: int = 0) -> int:
    """A whole attribute, `default` where it is none."""
    value = attribute(node, name)
    try:
        return int(value) if len(value) < 12 else default
    except ValueError:
        return default


def child(node: Node, *names: str) -> Node | None:
    """The first child along a path of names, None where the path ends."""
    for name in names:
        node = next(node.iterchildren(ANY_SPACE + name), None)
        if node is None:
            return None
    return node


def children(node: Node, name: str) -> Iterator[Node]:
    """The children of a name."""
    found: Iterator[Node] = node.iterchildren(ANY_SPACE + name)
    return found


def below(node: Node, *names: str) -> Iterator[Node]:
    """All nodes below, and the node itself, that have one of the names, in document order."""
    found: Iterator[Node] = node.iter(*(ANY_SPACE + name for name in names))
    return found


def _root(content: bytes, *, recover: bool) -> Node:
    parser = etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        recover=recover,
    )
    root = etree.fromstring(content, parser)
    if root is not None and root.getroottree().docinfo.internalDTD is not None:
        raise BadDocument("It declares a document type, which no document of its format needs.")
    return root
