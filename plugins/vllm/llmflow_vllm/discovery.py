"""What vLLM servers say of themselves, and what they are found to do when asked: read once, kept until they change.

A server names its models, their context and their LoRA adapters (`/v1/models`) and its version. Whether it was
started for tool calling, and whether a model takes pictures, it says only when asked for them: then by a refusal.
"""

from __future__ import annotations

import base64
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from llmflow_kit import faults
from llmflow_kit.endpoints import Endpoints, Patience
from llmflow_kit.faults import Fault, Garbled, NotServed, Rejected

from llmflow_vllm.settings import Settings

REMEMBERED = 300.0  # seconds for which a server is not asked again, unless it was lost in between
QUICK = Patience(rounds=0, seconds=10.0)  # Dify waits to show a form
UNKNOWN_SIZE = 4096  # tokens, until the server can be asked: small enough not to overflow any model in use
PIXELS = (  # a PNG of 32 × 32 white pixels: smaller ones are refused by some models for their size
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAACAAAAAgAQAAAABbAUdZAAAAD0lEQVR42mP4DwQMg5cAANrpf4Em8vpjAAAAAElFTkSuQmCC"
)
SILENCE = base64.b64encode(  # a WAV of a quarter of a second: 16 000 samples a second of one byte each
    b"RIFF" + struct.pack("<I4s4sIHHIIHH4sI", 4036, b"WAVE", b"fmt ", 16, 1, 1, 16_000, 16_000, 1, 8, b"data", 4000)
    + b"\x80" * 4000
).decode()  # fmt: skip
PARTS: Mapping[str, Any] = {  # what a model is shown to see whether it takes the like
    "vision": {"type": "image_url", "image_url": {"url": PIXELS}},
    "audio": {"type": "input_audio", "input_audio": {"data": SILENCE, "format": "wav"}},
}
MEDIA: Mapping[str, frozenset[str]] = {  # the form's choices as Dify's features; "auto" tries PARTS out
    "none": frozenset(),
    "images": frozenset({"vision"}),
    "images-video": frozenset({"vision", "video"}),
    "audio": frozenset({"audio"}),
    "all": frozenset({"vision", "video", "audio"}),
}
TOOLS = {
    "messages": [{"role": "user", "content": "1"}],
    "tools": [
        {"type": "function", "function": {"name": "noop", "parameters": {"type": "object", "properties": {}}}}
    ],
    "tool_choice": "auto",
}


@dataclass(frozen=True)
class Served:
    """A model that a server lists; `size` is its context in tokens, 0 where the server does not say."""

    name: str
    size: int = 0
    parent: str = ""  # of a LoRA adapter: the model that it changes


@dataclass(frozen=True)
class Model:
    """What is known of one model."""

    name: str
    context_size: int = UNKNOWN_SIZE  # tokens
    adapters: tuple[str, ...] = ()  # LoRA adapters that change it
    tools: bool = True
    media: frozenset[str] = frozenset()  # Dify's features: vision, video, audio


@dataclass
class Discovery:
    """Reads servers and remembers what it read; safe to share between requests."""

    settings: Settings
    servers: Endpoints
    clock: Callable[[], float] = time.monotonic
    _models: dict[str, tuple[float, int, Model]] = field(default_factory=dict)

    def served(self) -> tuple[Served, ...]:
        """The models that a server lists; raises a Fault."""
        body = self.servers.get("/v1/models", QUICK)
        rows = body.get("data") if isinstance(body, dict) else None
        if not isinstance(rows, list):
            raise Garbled("The server's list of models makes no sense.", field=faults.ENDPOINT)
        return tuple(_served(row) for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str))

    def version(self) -> str:
        """The server's version, "" where it does not say (a gateway may let only /v1 through)."""
        try:
            body = self.servers.get("/version", QUICK)
        except Fault:
            return ""
        version = body.get("version") if isinstance(body, dict) else None
        return version if isinstance(version, str) else ""

    def model(self, name: str) -> Model:
        """What is known of a model, read anew where it is old or the server was lost; never raises a Fault.

        While no server answers, the last that was read, or a careful guess: Dify must be able to show the model.
        """
        read_at, epoch, known = self._models.get(name, (float("-inf"), -1, self._guess(name)))
        if self.clock() - read_at < REMEMBERED and epoch == self.servers.epoch:
            return known
        asked_at = self.servers.epoch  # a server that is lost while it is asked is asked again
        try:
            found = self._read(name)
        except Fault:
            return known
        self._models[name] = (self.clock(), asked_at, found)
        return found

    def require(self, name: str) -> None:
        """Raise the Fault that stands against what the form says of a model: tools, images."""
        if self.settings.tools == "on" and not self._accepts(name, TOOLS):
            raise Rejected("The server is not started for tool calling.", field="tool_calling")
        for kind in MEDIA.get(self.settings.media, frozenset()) & set(PARTS):
            if not self._accepts(name, _shown(kind)):
                raise Rejected(f"The model does not take this input: {kind}.", field="media")

    def _read(self, name: str) -> Model:
        listed = {row.name: row for row in self.served()}
        if name not in listed:
            raise NotServed(name, tuple(listed))
        of = listed[name]
        size = self.settings.context_size or of.size or (listed[of.parent].size if of.parent in listed else 0)
        return Model(
            name=name,
            context_size=size or UNKNOWN_SIZE,
            adapters=tuple(row.name for row in listed.values() if row.parent == name),
            tools=self._takes_tools(name),
            media=self._media(name),
        )

    def _guess(self, name: str) -> Model:
        return Model(
            name=name,
            context_size=self.settings.context_size or UNKNOWN_SIZE,
            tools=self.settings.chat and self.settings.tools != "off",
            media=MEDIA.get(self.settings.media, frozenset()),
        )

    def _takes_tools(self, name: str) -> bool:
        """As the form says, else as the server does."""
        if self.settings.tools != "auto" or not self.settings.chat:
            return self.settings.tools == "on" and self.settings.chat
        return self._accepts(name, TOOLS)

    def _media(self, name: str) -> frozenset[str]:
        """As the form says, else what the model takes when it is shown it."""
        if self.settings.media != "auto" or not self.settings.chat:
            return MEDIA.get(self.settings.media, frozenset())
        return frozenset(kind for kind in PARTS if self._accepts(name, _shown(kind)))

    def _accepts(self, name: str, ask: Mapping[str, Any]) -> bool:
        """Whether the server accepts such a request, for an answer of one token; a failure is no acceptance."""
        try:
            self.servers.post("/v1/chat/completions", {"model": name, "max_tokens": 1, **ask}, patience=QUICK)
        except Fault:
            return False
        return True


def _shown(kind: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [PARTS[kind]]}]}


def _served(row: dict[str, Any]) -> Served:
    size, parent = row.get("max_model_len"), row.get("parent")
    return Served(
        name=row["id"],
        size=size if isinstance(size, int) and size > 0 else 0,
        parent=parent if isinstance(parent, str) else "",
    )
