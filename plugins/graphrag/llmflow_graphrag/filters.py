"""Conditions on the metadata of documents, as Dify's external knowledge API names them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from llmflow_graphrag.errors import BadRequest
from llmflow_graphrag.scope import name

MOST_CONDITIONS = 20
LONGEST_VALUE = 1024

Test = Callable[[Any, Any], bool]


def _text(test: Callable[[str, str], bool]) -> Test:
    return lambda have, want: have is not None and test(str(have).casefold(), str(want).casefold())


def _number(test: Callable[[float, float], bool]) -> Test:
    def compare(have: Any, want: Any) -> bool:
        try:
            return test(float(have), float(want))
        except (TypeError, ValueError):
            return False

    return compare


def _ordered(test: Callable[[Any, Any], bool]) -> Test:
    """Dates as ISO texts in their order, or numbers."""
    by_number = _number(test)
    return lambda have, want: (
        test(have, want) if isinstance(have, str) and isinstance(want, str) else by_number(have, want)
    )


OPERATORS: Mapping[str, Test] = {
    "contains": _text(lambda have, want: want in have),
    "not contains": lambda have, want: have is None or str(want).casefold() not in str(have).casefold(),
    "start with": _text(str.startswith),
    "end with": _text(str.endswith),
    "is": _text(lambda have, want: have == want),
    "is not": lambda have, want: have is None or str(have).casefold() != str(want).casefold(),
    "in": lambda have, want: have is not None and str(have).casefold() in _several(want),
    "not in": lambda have, want: have is None or str(have).casefold() not in _several(want),
    "empty": lambda have, _: have is None or have == "",
    "not empty": lambda have, _: have is not None and have != "",
    "=": _number(lambda have, want: have == want),
    "≠": lambda have, want: have is None or not _number(lambda a, b: a == b)(have, want),
    ">": _number(lambda have, want: have > want),
    "<": _number(lambda have, want: have < want),
    "≥": _number(lambda have, want: have >= want),
    "≤": _number(lambda have, want: have <= want),
    "before": _ordered(lambda have, want: have < want),
    "after": _ordered(lambda have, want: have > want),
}
WITHOUT_VALUE = frozenset({"empty", "not empty"})


@dataclass(frozen=True)
class Condition:
    """One thing that must hold of a document."""

    name: str
    operator: str
    value: Any = None

    def holds(self, metadata: Mapping[str, Any]) -> bool:
        """Whether it does."""
        return OPERATORS[self.operator](metadata.get(self.name), self.value)


@dataclass(frozen=True)
class Filter:
    """Conditions, of which all must hold, or any."""

    conditions: tuple[Condition, ...]
    joined: Literal["and", "or"] = "and"

    def holds(self, metadata: Mapping[str, Any]) -> bool:
        """Whether a document with this metadata is wanted."""
        held = (condition.holds(metadata) for condition in self.conditions)
        return all(held) if self.joined == "and" else any(held)


def parse(given: Mapping[str, Any] | None) -> Filter | None:
    """The filter of a `metadata_condition`; None for one without conditions. Raises BadRequest for what it can't be."""
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise BadRequest("metadata_condition must be an object.")
    conditions, joined = given.get("conditions") or [], given.get("logical_operator") or "and"
    if joined not in ("and", "or") or not isinstance(conditions, list) or len(conditions) > MOST_CONDITIONS:
        raise BadRequest(f"metadata_condition takes and/or, and at most {MOST_CONDITIONS} conditions.")
    if not conditions:
        return None
    return Filter(tuple(_condition(one) for one in conditions), "or" if joined == "or" else "and")


def _condition(given: Any) -> Condition:
    if not isinstance(given, Mapping) or given.get("comparison_operator") not in OPERATORS:
        known = ", ".join(OPERATORS)
        raise BadRequest(f"A metadata condition needs a name and one of these operators: {known}.")
    operator, value = str(given["comparison_operator"]), given.get("value")
    names = given.get("name")
    if isinstance(names, Sequence) and not isinstance(names, str) and len(names) == 1:
        names = names[0]  # as Dify sends it
    if operator not in WITHOUT_VALUE and (value is None or len(str(value)) > LONGEST_VALUE):
        raise BadRequest(f"A metadata condition needs a value of at most {LONGEST_VALUE} characters.")
    return Condition(
        name(names, "metadata key") if isinstance(names, str) else name("", "metadata key"), operator, value
    )


def _several(want: Any) -> frozenset[str]:
    values = want.split(",") if isinstance(want, str) else want if isinstance(want, Sequence) else [want]
    return frozenset(str(value).strip().casefold() for value in values)
