"""What the engine knows of a language model: messages and tools go in, text and calls come out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, Protocol

Role = Literal["system", "user", "assistant", "tool"]
Watch = Callable[[str], None]  # hears each piece of text as it comes; what it raises ends the call


@dataclass(frozen=True)
class Call:
    """A tool that the model wants to use, with the arguments as the model wrote them."""

    id: str
    name: str
    arguments: str
    ref: str = ""  # what its result is cited by: r1, r2…


@dataclass(frozen=True)
class Message:
    """One message of a conversation; a tool's names the call that it answers."""

    role: Role
    content: str
    calls: tuple[Call, ...] = ()
    call_id: str = ""
    name: str = ""
    stays: bool = False  # however long the conversation becomes


@dataclass(frozen=True)
class ToolSpec:
    """What a model is told of a tool; `parameters` is a JSON schema of an object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Usage:
    """What a call cost, as the model's provider counts."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    price: Decimal = Decimal(0)
    currency: str = "USD"


@dataclass(frozen=True)
class Said:
    """What the model said in one call."""

    text: str
    calls: tuple[Call, ...] = ()
    usage: Usage = Usage()


class Model(Protocol):
    """A language model."""

    @property
    def name(self) -> str:
        """What the trace calls it."""
        ...

    @property
    def native_tools(self) -> bool:
        """Whether tools are passed beside the messages; else they are described in the prompt."""
        ...

    @property
    def context(self) -> int:
        """How many tokens it takes in, the answer included; 0 where that is not known."""
        ...

    def say(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSpec],
        watch: Watch,
        schema: Mapping[str, Any] | None = None,
    ) -> Said:
        """Ask once; `schema` is what a model that can be held to one is held to. Raises ModelFailed, and what `watch`
        raises."""
        ...
