"""fast-graphrag as a peer; see peer.py."""

import asyncio
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from fast_graphrag import GraphRAG, QueryParam
from fast_graphrag._llm._base import BaseEmbeddingService, BaseLLMService
from fast_graphrag._models import TEntityDescription, TQueryEntities
from fast_graphrag._types import TEntity, TGraph, TRelation

sys.path.insert(0, str(Path(__file__).resolve().parent))
from peer import Model, measure  # beside this file, which is run by itself
from quick_vectors import DIMENSIONS, vector


@dataclass
class Said(BaseLLMService):
    """The stand-in as fast-graphrag asks for answers: as objects of a class."""

    model: str = "stand-in"
    stand_in: Model = field(default_factory=Model)

    async def send_message(
        self, prompt: str, system_prompt: str | None = None, history_messages: Any = None,
        response_model: Any = None, **_: Any,
    ) -> tuple[Any, Any]:  # fmt: skip
        if response_model is TQueryEntities:
            return TQueryEntities(named=await self.stand_in.names(prompt), generic=[]), []
        if response_model is TEntityDescription:
            return TEntityDescription(description=" ".join(await self.stand_in.names(prompt))), []
        pairs = await self.stand_in.pairs(prompt)
        names = dict.fromkeys(name for pair in pairs for name in pair)
        entities = [TEntity(name.upper(), "ORGANIZATION", f"{name} is an organisation.") for name in names]
        relations = [TRelation(a.upper(), b.upper(), f"{a} works with {b}.") for a, b in pairs]
        return TGraph(entities=entities, relationships=relations), []


@dataclass
class Embedded(BaseEmbeddingService):
    """Vectors that cost next to nothing."""

    embedding_dim: int = DIMENSIONS
    model: str = "quick"

    async def encode(self, texts: list[str], model: str | None = None) -> Any:
        return np.array([vector(text) for text in texts], dtype=np.float32)


class Peer:
    """fast-graphrag with its default stores; the context that it would answer from."""

    def __init__(self, model: Model) -> None:
        self.model = model

    async def take(self, folder: Path, texts: list[str]) -> None:
        config = GraphRAG.Config(llm_service=Said(stand_in=self.model), embedding_service=Embedded())
        self.rag = GraphRAG(
            working_dir=str(folder), domain="Organisations", example_queries="", entity_types=["organization"],
            config=config,
        )  # fmt: skip
        await self.rag.async_insert(texts)

    async def ask(self, question: str) -> None:
        await self.rag.async_query(question, QueryParam(only_context=True))


async def main() -> None:
    model = Model()
    with tempfile.TemporaryDirectory() as folder:
        await measure(Peer(model), model, Path(folder))


asyncio.run(main())
