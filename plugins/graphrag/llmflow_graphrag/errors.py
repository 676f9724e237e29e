"""What can go wrong, in words for the person who asked: what happened, where, and what to do.

    GraphragError
    + BadDocument     the document's author: empty, binary, too large
    + BadRequest      the caller: a scope, filter, mode or id that cannot be
    + NotFound        the caller: no such document or entity in this workspace
    + Busy            nobody: another worker holds the document; later it will be free
    + Incompatible    the operator: the workspace was built with another embedder, analyser or schema
    + StoreDown       the operator: a store does not answer, or is read-only
    + ModelFailed     the operator: the embedder, the language model or the reranker

No text holds a key, a prompt or the content of a document.
"""

from __future__ import annotations


class GraphragError(Exception):
    """Base of every failure; str() is the text for the user."""


class BadDocument(GraphragError):
    """A document that cannot be taken in as it is."""


class BadRequest(GraphragError):
    """A request that cannot be answered as it is."""


class NotFound(GraphragError):
    """What was named is not in this workspace, or not for this reader."""


class Busy(GraphragError):
    """Another worker is at this document."""


class Incompatible(GraphragError):
    """The workspace was built with settings that differ from these."""


class StoreDown(GraphragError):
    """A store does not answer, or takes no writes."""


class ModelFailed(GraphragError):
    """An embedder, a language model or a reranker did not do its work."""
