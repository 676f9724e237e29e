"""The organs that serve models over HTTPS with a key, as data: what the installer needs to know to ask them.

Most speak OpenAI's API; Unstructured, whose models read documents, its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Ability = Literal["answer", "embed", "rerank", "read"]


@dataclass(frozen=True)
class Model:
    """A model that an engine serves, what it does, and the length of a vector that it makes."""

    name: str
    ability: Ability
    dimensions: int = 0


@dataclass(frozen=True)
class Engine:
    """An organ that serves models: its name, what people call it, its models, the plugin that knows it.

    `base` is where its API begins, `health` a path that everybody may ask, `guarded` one that wants the key,
    asked by `method`.
    """

    organ: str
    title: str
    models: tuple[Model, ...]
    plugin: str
    base: str = "/v1"
    health: str = "/health"
    guarded: str = "/v1/models"
    method: str = "GET"

    @property
    def secret(self) -> str:
        """Name of its key among the site's secrets."""
        return f"{self.organ.replace('-', '_')}_api_key"

    def does(self, ability: Ability) -> bool:
        """Whether one of its models does this."""
        return any(model.ability == ability for model in self.models)

    def model(self, ability: Ability) -> str:
        """Name of the model that does this; StopIteration where none does."""
        return next(model.name for model in self.models if model.ability == ability)


WRITER = Model("scripted-qwen", "answer")
EMBEDDER = Model("all-MiniLM-L6-v2", "embed", dimensions=384)
RERANKER = Model("scripted-reranker", "rerank")
READER = Model("tesseract", "read")

ENGINES = {
    engine.organ: engine
    for engine in (
        Engine("vllm", "vLLM", (WRITER,), "vllm"),
        Engine("vllm-embedding", "vLLM for embeddings", (EMBEDDER,), "vllm"),
        Engine("vllm-rerank", "vLLM for reranking", (RERANKER,), "vllm"),
        Engine("infinity", "Infinity", (EMBEDDER, RERANKER), "embeddings"),
        Engine(
            "unstructured", "Unstructured", (READER,), "unstructured",
            base="", health="/healthcheck", guarded="/general/v0/general", method="POST",
        ),
    )
}  # fmt: skip
