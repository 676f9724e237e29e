"""Words that a policy denies: literal ones, found in one walk however many there are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from llmflow_presidio.finding import Finding

ENTITY = "DENIED"
_END = ""  # where a term ends
Tree: TypeAlias = "dict[str, Tree]"


@dataclass(frozen=True)
class Denied:
    """Finds a list's terms; capitals make no difference, and a Latin term is found as a word only."""

    name: str
    terms: tuple[str, ...]

    def find(self, text: str) -> Iterator[Finding]:
        """The terms, the longest where several begin."""
        for match in self._pattern.finditer(text):
            yield Finding(match.start(), match.end(), ENTITY, 1.0, self.name)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(pattern(self.terms), re.IGNORECASE)


def pattern(terms: Sequence[str]) -> str:
    """One pattern that shares beginnings: each place costs what its longest term has signs, however many terms."""
    root: Tree = {}
    for term in terms:
        node = root
        for sign in term.lower():
            node = node.setdefault(sign, {})
        node[_END] = {}
    return _branch(root, "")


def _branch(node: Tree, before: str) -> str:
    """The pattern of all that may follow what has been read."""
    longer = [re.escape(sign) + _branch(below, sign) for sign, below in sorted(node.items()) if sign != _END]
    if not before:
        longer = [("(?<![A-Za-z0-9])" if re.match("[A-Za-z0-9]", one) else "") + one for one in longer]
    here = "(?![A-Za-z0-9])" if re.match("[A-Za-z0-9]", before) else ""
    if _END not in node:
        return longer[0] if len(longer) == 1 else f"(?:{'|'.join(longer)})"
    return f"(?:{'|'.join([*longer, here])})" if longer else here
