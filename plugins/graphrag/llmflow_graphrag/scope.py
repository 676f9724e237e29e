"""Whose data is read or written: no call of a store can be written without saying so."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field

from llmflow_graphrag.errors import BadRequest
from llmflow_graphrag.keys import key

EVERYONE = "everyone"  # the access label of what all readers of a workspace may see
LONGEST_NAME = 128  # characters
MOST_LABELS = 64


@dataclass(frozen=True)
class Scope:
    """A workspace of a tenant, and the access labels of the one who asks.

    A document is seen by those who hold one of its labels. There is no label that stands for all of them.
    Raises BadRequest for names that are empty, too long or hold control characters, and without any label.
    """

    tenant: str
    workspace: str
    access: frozenset[str] = frozenset({EVERYONE})
    key: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tenant", name(self.tenant, "tenant"))
        object.__setattr__(self, "workspace", name(self.workspace, "workspace"))
        object.__setattr__(self, "access", labels(self.access))
        object.__setattr__(self, "key", key("scope", self.tenant, self.workspace))


def labels(given: frozenset[str] | set[str] | tuple[str, ...] | list[str]) -> frozenset[str]:
    """Access labels, checked; raises BadRequest without any."""
    if not given:
        raise BadRequest("No access label was given: without one nothing may be seen.")
    if len(given) > MOST_LABELS:
        raise BadRequest(f"{len(given)} access labels were given; at most {MOST_LABELS} are taken.")
    return frozenset(name(label, "access label") for label in given)


def name(text: str, what: str) -> str:
    """A name that people give to something, in Unicode's composed form; raises BadRequest for one that can't be."""
    composed = unicodedata.normalize("NFC", text) if isinstance(text, str) else ""
    if not composed.strip() or len(composed) > LONGEST_NAME:
        raise BadRequest(f"A {what} must have 1 to {LONGEST_NAME} characters.")
    if any(unicodedata.category(sign) in ("Cc", "Cs", "Cn") for sign in composed):
        raise BadRequest(f"A {what} can't hold control characters.")
    return composed
