"""What can go wrong, and who acts on it.

AgentError
+ BadRequest      the app's builder: a field of the form, its name in the text
+ ModelFailed     the model did not answer; `overflow` where it says that the prompt is too long
+ ToolFailed      a tool did not answer; the model is told, and may try another way
"""

from __future__ import annotations

from llmflow_agent.budget import Spent


class AgentError(Exception):
    """The base of all failures here; the text is for a user, without keys or prompts."""


class BadRequest(AgentError):
    """A field of the form, or what the form leads to, cannot be worked with."""


class ModelFailed(AgentError):
    """The model gave no answer."""

    spent: Spent | None = None  # what the run had used when it broke off, this call included

    def __init__(self, text: str, *, overflow: bool = False) -> None:
        super().__init__(text)
        self.overflow = overflow


class ToolFailed(AgentError):
    """A tool gave no result."""


class Stopped(Exception):
    """The caller wants the run to end; what was done stays in the checkpoint."""

    spent: Spent | None = None  # as above


class Ended(Exception):
    """A node can't go on; `reason` is one of state.REASONS."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
