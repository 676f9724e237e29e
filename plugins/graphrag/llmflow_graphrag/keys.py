"""Names of things in the stores: hashes that begin with the tenant, so that two tenants can't share one.

Parts are length-prefixed: no part can imitate the end of another.
"""

from __future__ import annotations

import re
from hashlib import blake2b

from llmflow_graphrag.errors import BadRequest

SIZE = 16  # bytes; 32 hex digits
FORM = re.compile("[0-9a-f]{32}")


def key(kind: str, *parts: str | int) -> str:
    """The 32 hex digits that stand for these parts in this order."""
    digest = blake2b(digest_size=SIZE, person=kind.encode()[:16])
    for part in parts:
        data = str(part).encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()


def checked(text: str) -> str:
    """A key that may come from outside. Raises BadRequest where it is none."""
    if not FORM.fullmatch(text):
        raise BadRequest("A key must be 32 hex digits.")
    return text
