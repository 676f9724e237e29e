"""LightRAG (`lightrag-hku`) as a peer; see peer.py."""

import asyncio
import json
import re
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
from lightrag import LightRAG, QueryParam
from lightrag.utils import EmbeddingFunc, Tokenizer

sys.path.insert(0, str(Path(__file__).resolve().parent))
from peer import Model, measure  # beside this file, which is run by itself
from quick_vectors import DIMENSIONS, vector


class Words:
    """Words as tokens: the usual tokenizer is fetched from the internet."""

    def __init__(self) -> None:
        self.known: dict[str, int] = {}
        self.words: list[str] = []

    def encode(self, text: str) -> list[int]:
        numbers = []
        for word in re.findall(r"\s*\S+", text):
            if word not in self.known:
                self.known[word] = len(self.words)
                self.words.append(word)
            numbers.append(self.known[word])
        return numbers

    def decode(self, numbers: list[int]) -> str:
        return "".join(self.words[number] for number in numbers)


class Peer:
    """LightRAG with its default stores and mode `mix`."""

    def __init__(self, model: Model) -> None:
        self.model = model

    async def take(self, folder: Path, texts: list[str]) -> None:
        self.rag = LightRAG(
            working_dir=str(folder),
            llm_model_func=said_by(self.model),
            embedding_func=EmbeddingFunc(embedding_dim=DIMENSIONS, max_token_size=8192, func=embed),
            tokenizer=Tokenizer("words", Words()),
            enable_llm_cache=False,
        )
        await self.rag.initialize_storages()
        await self.rag.ainsert(texts, ids=[f"doc-{number}" for number in range(len(texts))])

    async def ask(self, question: str) -> None:
        await self.rag.aquery_data(
            question, QueryParam(mode="mix", top_k=20, chunk_top_k=5, enable_rerank=False)
        )


def said_by(model: Model) -> Callable[..., Awaitable[str]]:
    """A function, not a method: LightRAG copies what it is given, and a method's object with it."""

    async def say(prompt: str, system_prompt: str | None = None, **_: Any) -> str:
        if "high_level_keywords" in f"{prompt}{system_prompt}":
            names = await model.names(str(prompt))
            return json.dumps({"high_level_keywords": names[:2], "low_level_keywords": names})
        pairs = await model.pairs(str(prompt))
        names = list(dict.fromkeys(name for pair in pairs for name in pair))
        lines = [f"entity<|#|>{name}<|#|>organization<|#|>{name} is an organisation." for name in names]
        lines += [f"relation<|#|>{a}<|#|>{b}<|#|>works with<|#|>{a} works with {b}." for a, b in pairs]
        return "\n".join([*lines, "<|COMPLETE|>"])

    return say


async def embed(texts: list[str], **_: Any) -> Any:
    return np.array([vector(text) for text in texts], dtype=np.float32)


async def main() -> None:
    model = Model()
    peer = Peer(model)
    with tempfile.TemporaryDirectory() as folder:
        await measure(peer, model, Path(folder))
        await peer.rag.finalize_storages()


asyncio.run(main())
