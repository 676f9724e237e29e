"""What does not change in a run: the form, the question, and the world outside."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from llmflow_agent.budget import Limits
from llmflow_agent.model import Message, Model
from llmflow_agent.texts import Texts
from llmflow_agent.tools import Tool


@dataclass(frozen=True)
class Role:
    """Who works for a supervisor."""

    name: str
    description: str = ""
    instruction: str = ""
    tools: tuple[str, ...] | None = None  # None: all of them


@dataclass(frozen=True)
class Run:
    """One run, whatever its attempts: a checkpoint holds none of this."""

    pattern: str
    question: str
    instruction: str
    history: tuple[Message, ...]
    model: Model
    tools: Mapping[str, Tool]
    limits: Limits
    texts: Texts
    fence: str  # the key that tools don't know
    root: str  # the first line of the trace
    critic: bool = False
    roles: tuple[Role, ...] = ()
    plan_steps: int = 6
    stop: Callable[[], bool] = lambda: False
    clock: Callable[[], float] = time.monotonic
    began: float = 0.0
    carried: float = 0.0  # seconds of earlier attempts at the same run
