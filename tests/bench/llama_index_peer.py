"""LlamaIndex's PropertyGraphIndex (`llama-index-core`) as a peer; see peer.py."""

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

from llama_index.core import Document, PropertyGraphIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.indices.property_graph import SimpleLLMPathExtractor
from llama_index.core.llms import CompletionResponse, CustomLLM, LLMMetadata

sys.path.insert(0, str(Path(__file__).resolve().parent))
from peer import Model, measure  # beside this file, which is run by itself
from quick_vectors import vector


class Said(CustomLLM):
    """The stand-in: triples for a text, keywords for a question."""

    stand_in: Any

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata()

    def complete(self, prompt: str, formatted: bool = False, **_: Any) -> CompletionResponse:
        return asyncio.run(self.acomplete(prompt))

    def stream_complete(self, prompt: str, formatted: bool = False, **_: Any) -> Any:
        raise NotImplementedError

    async def acomplete(self, prompt: str, formatted: bool = False, **_: Any) -> CompletionResponse:
        if "KEYWORDS:" in prompt:
            return CompletionResponse(text="^".join(await self.stand_in.names(prompt)))
        pairs = await self.stand_in.pairs(prompt.rpartition("Text:")[2])
        return CompletionResponse(text="\n".join(f"({a}, works with, {b})" for a, b in pairs))


class Embedded(BaseEmbedding):
    """Vectors that cost next to nothing."""

    def _get_text_embedding(self, text: str) -> list[float]:
        found: list[float] = vector(text)
        return found

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


class Peer:
    """LlamaIndex with its default stores, and its two default ways into the graph: synonyms and vectors."""

    def __init__(self, model: Model) -> None:
        self.model = model

    async def take(self, folder: Path, texts: list[str]) -> None:
        said, embedded = Said(stand_in=self.model), Embedded()
        self.index = await asyncio.to_thread(
            PropertyGraphIndex.from_documents,
            [Document(text=text, id_=f"doc-{number}") for number, text in enumerate(texts)],
            llm=said,
            embed_model=embedded,
            kg_extractors=[SimpleLLMPathExtractor(llm=said)],
        )
        self.retriever = self.index.as_retriever()

    async def ask(self, question: str) -> None:
        await self.retriever.aretrieve(question)


async def main() -> None:
    model = Model()
    with tempfile.TemporaryDirectory() as folder:
        await measure(Peer(model), model, Path(folder))


asyncio.run(main())
