"""What every peer's bench does: passages in, questions asked, one line of JSON out. Standard library only.

A peer's file is run by that peer's interpreter. Its model is a stand-in that answers what a good model would: the
capitalised names of a text, as the peer's own prompt wants them, at no cost but the delay that is asked for.
"""

from __future__ import annotations

import asyncio
import json
import re
import statistics
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Protocol

NAMES = re.compile(r"[A-Z][a-z]+\d* [A-Z][a-z]+")
MOST_NAMES = 6


class Model:
    """The stand-in: counts its calls, takes its time, and knows names."""

    calls, delay = 0, 0.0

    async def names(self, text: str) -> list[str]:
        """The names in a text, after one call."""
        self.calls += 1
        if self.delay:
            await asyncio.sleep(self.delay)
        return list(dict.fromkeys(NAMES.findall(text)))[:MOST_NAMES]

    async def pairs(self, text: str) -> list[tuple[str, str]]:
        """Names that stand beside each other in a text, after one call."""
        return list(pairwise(await self.names(text)))


class Peer(Protocol):
    """An engine with its own stores in a folder."""

    async def take(self, folder: Path, texts: list[str]) -> None:
        """Take all texts in."""
        ...

    async def ask(self, question: str) -> None:
        """Find what its graph mode would give a model to answer from."""
        ...


async def measure(peer: Peer, model: Model, folder: Path) -> None:
    """Read the work from stdin, do it, and say how long it took."""
    work = json.loads(sys.stdin.read())
    texts = [f"{title}\n{text}" for title, text in work["passages"]]
    began = time.perf_counter()
    await peer.take(folder, texts)
    taken, calls = time.perf_counter() - began, model.calls
    times: dict[str, float] = {}
    asked = model.calls = 0
    for delay in work["delays"]:
        model.delay = delay
        took: list[float] = []
        for question in work["questions"]:
            began = time.perf_counter()
            await peer.ask(question)
            took.append((time.perf_counter() - began) * 1000)
            asked += 1
        times[str(delay)] = round(statistics.median(took), 1)
    found = {
        "chunks_s": round(len(texts) / taken, 1),
        "llm_calls_a_chunk": round(calls / len(texts), 2),
        "llm_calls_a_question": round(model.calls / asked, 2),
        "query_ms": times,
    }
    sys.stdout.write(json.dumps(found) + "\n")
