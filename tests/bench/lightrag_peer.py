"""LightRAG as a peer, run by its own interpreter: JSON in, one line of JSON out. Its model and vectors are stand-ins.

The model answers an extraction with the capitalised names of the text, in LightRAG's own form, and a question with its
names as keywords: what a good model would do, at no cost but the delay that is asked for.
"""

import asyncio
import json
import re
import statistics
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from lightrag import LightRAG, QueryParam
from lightrag.utils import EmbeddingFunc, Tokenizer

sys.path.insert(0, str(Path(__file__).resolve().parent))
from quick_vectors import DIMENSIONS, vector  # beside this file, which is run by itself

NAMES = re.compile(r"[A-Z][a-z]+\d* [A-Z][a-z]+")


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


class Model:
    """Counts its calls."""

    def __init__(self) -> None:
        self.calls, self.delay = 0, 0.0

    async def __call__(self, prompt: str, system_prompt: str | None = None, **_: Any) -> str:
        self.calls += 1
        if self.delay:
            await asyncio.sleep(self.delay)
        names = list(dict.fromkeys(NAMES.findall(str(prompt))))[:6]
        if "high_level_keywords" in f"{prompt}{system_prompt}":
            return json.dumps({"high_level_keywords": names[:2], "low_level_keywords": names})
        lines = [f"entity<|#|>{name}<|#|>organization<|#|>{name} is an organisation." for name in names]
        lines += [
            f"relation<|#|>{a}<|#|>{b}<|#|>works with<|#|>{a} works with {b}." for a, b in pairwise(names)
        ]
        return "\n".join([*lines, "<|COMPLETE|>"])


async def embed(texts: list[str], **_: Any) -> Any:
    return np.array([vector(text) for text in texts], dtype=np.float32)


async def main() -> None:
    work = json.loads(sys.stdin.read())
    model = Model()
    with tempfile.TemporaryDirectory() as folder:
        rag = LightRAG(
            working_dir=folder,
            llm_model_func=model,
            embedding_func=EmbeddingFunc(embedding_dim=DIMENSIONS, max_token_size=8192, func=embed),
            tokenizer=Tokenizer("words", Words()),
            enable_llm_cache=False,
        )
        await rag.initialize_storages()
        texts = [f"{title}\n{text}" for title, text in work["passages"]]
        began = time.perf_counter()
        await rag.ainsert(texts, ids=[f"doc-{n}" for n in range(len(texts))])
        taken, calls = time.perf_counter() - began, model.calls
        times: dict[str, float] = {}
        asked = model.calls = 0
        for delay in work["delays"]:
            model.delay = delay
            took: list[float] = []
            for question in work["questions"]:
                began = time.perf_counter()
                await rag.aquery_data(
                    question, QueryParam(mode="mix", top_k=20, chunk_top_k=5, enable_rerank=False)
                )
                took.append((time.perf_counter() - began) * 1000)
                asked += 1
            times[str(delay)] = round(statistics.median(took), 1)
        await rag.finalize_storages()
    found = {"chunks_s": len(texts) / taken, "calls_a_chunk": round(calls / len(texts), 2)}
    sys.stdout.write(
        json.dumps({**found, "query_ms": times, "calls_a_question": round(model.calls / asked, 2)}) + "\n"
    )


asyncio.run(main())
