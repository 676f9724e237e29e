"""What a run tells while it works: pieces of the answer, and a tree of logs that a person can read."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Literal

SHOWN = 2000  # characters of a text in the trace


@dataclass(frozen=True)
class Log:
    """One line of the tree; it is told when it begins, and again, with the same id, when it is finished."""

    id: str
    parent: str
    label: str
    status: Literal["start", "success", "error"] = "start"
    data: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    began: float = 0.0
    seconds: float = 0.0
    tokens: int = 0
    price: Decimal = Decimal(0)
    currency: str = ""
    provider: str = ""


@dataclass(frozen=True)
class Text:
    """A piece of the answer."""

    text: str


def begun(
    label: str, parent: str, at: float, data: Mapping[str, Any] | None = None, provider: str = ""
) -> Log:
    """A line that begins."""
    return Log(str(uuid.uuid4()), parent, label, data=shown(data or {}), began=at, provider=provider)


def finished(log: Log, at: float, data: Mapping[str, Any] | None = None, error: str = "", **more: Any) -> Log:
    """A line that is finished, well or with an error."""
    status: Literal["success", "error"] = "error" if error else "success"
    kept = {**log.data, **shown(data or {})}
    return replace(log, status=status, error=error, seconds=max(0.0, at - log.began), data=kept, **more)


def shown(data: Mapping[str, Any]) -> dict[str, Any]:
    """What is shown of the data: long texts cut."""
    return {name: _shown(value) for name, value in data.items()}


def _shown(value: Any) -> Any:
    if isinstance(value, str) and len(value) > SHOWN:
        return f"{value[:SHOWN]}… ({len(value)})"
    return value
