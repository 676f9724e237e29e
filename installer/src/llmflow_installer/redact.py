"""Takes known secret values out of whatever is about to be kept."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

MASK = "********"
SHORTEST = 8  # characters; anything shorter is not one of our secrets and would blot out ordinary words


class Redactor:
    """Replaces each of the given values by a mask, as it is, as JSON writes it and in base64."""

    def __init__(self, values: Sequence[str]) -> None:
        plain = {value for value in values if len(value) >= SHORTEST}
        as_json = {json.dumps(value)[1:-1] for value in plain}
        as_base64 = {base64.b64encode(value.encode()).decode() for value in plain}  # Kubernetes' spelling
        self._values = sorted(plain | as_json | as_base64, key=len, reverse=True)

    def text(self, text: str) -> str:
        """The text without secrets."""
        for value in self._values:
            text = text.replace(value, MASK)
        return text

    def deeply(self, node: Any) -> Any:
        """The same structure of dicts and lists without secrets in any of its strings."""
        if isinstance(node, str):
            return self.text(node)
        if isinstance(node, dict):
            return {self.deeply(key): self.deeply(value) for key, value in node.items()}
        if isinstance(node, list | tuple):
            return [self.deeply(item) for item in node]
        return node

    def file(self, path: Path) -> None:
        """Rewrite a text file without secrets, if it has any."""
        if not path.is_file():
            return
        before = path.read_text(encoding="utf-8", errors="replace")
        after = self.text(before)
        if after != before:
            path.write_text(after, encoding="utf-8")
