"""Texts of a length that a server takes: what it cannot cut or refuse by itself is done here, by an estimate."""

from __future__ import annotations

from llmflow_kit import tokens
from llmflow_kit.faults import Rejected
from llmflow_kit.pooling import REFUSE, START, Served


def fitted(text: str, name: str, model: Served, truncation: str, context_size: int, *, field: str) -> str:
    """The part of a text that is sent; raises Rejected where it may not be cut.

    `name` is what the text is called then, `field` the form's field that forbids it.
    `context_size` is the tokens that fit, 0 where nobody knows: that matters only where the server cannot do what is
    wanted with longer texts.
    """
    most = max(1, len(text) * model.limits.bytes // tokens.size(text))
    if model.most_characters:
        most = min(most, model.most_characters)
    if truncation not in model.cuts:
        most = min(most, len(text) * _known(context_size) // max(context_size, tokens.estimate(text)))
    if len(text) <= most:
        return text
    if truncation == REFUSE:
        raise Rejected(f"{name} has {len(text)} characters; the server takes about {most}.", field=field)
    return text[len(text) - most :] if truncation == START else text[:most]


def _known(context_size: int) -> int:
    if not context_size:
        raise Rejected(
            "The server does not say how long a text may be, and cuts longer ones at their end by itself.",
            field="context_size",
        )
    return context_size
