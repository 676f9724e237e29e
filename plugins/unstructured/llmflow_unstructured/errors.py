"""What goes wrong with a document, in words that say what to do. None of them holds any of its text."""

from __future__ import annotations


class BadDocument(Exception):
    """The file can't be read, is not what its name says, or is of a kind that is not taken."""


class TooLarge(BadDocument):
    """A limit of `Limits` was reached; the message names it, and how far the file got."""


class NoEngine(Exception):
    """What would read this is not here: no OCR, or no answer from the Unstructured API."""
