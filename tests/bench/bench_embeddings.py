"""Texts a second that a plugin embeds, asked as Dify's indexing asks: batches as large as the model's schema allows.

    python -m bench.bench_embeddings [ROUNDS]

Korean and English texts of mixed length, the same in every run, against a real Infinity and against a stand-in that
computes nothing. All plugins take turns in one run. Prints JSON: medians over the rounds, and ratios.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections.abc import Sequence
from functools import partial
from itertools import batched
from typing import Any

from support import infinity_server
from support.fake_vllm import KEY, MODEL
from support.fast_engine import fast_engine
from support.plugin_driver import use

from bench.providers import OURS, Contender, contenders, medians, taking_turns

ROUNDS = 3
TEXTS, SEED = 2000, 20
AT_ONCE = 10  # Dify indexes a document with so many workers
LENGTHS = ((3, 12), (20, 60), (60, 160))  # words of a heading, of a paragraph, of a page
KOREAN = "폐쇄망 설치 문서 모델 서버 번들 서명 검증 노드 저장소 플러그인 임베딩 질의 응답 색인 검색 그래프"
ENGLISH = (
    "closed network install document model server bundle signature check node registry plugin index query"
)
VECTOR = re.compile(rb"\d\s*\]")  # the end of each vector of an answer


def measure(rounds: int = ROUNDS) -> dict[str, Any]:
    """Both servers, one after the other."""
    with contenders("embeddings") as plugins:
        with infinity_server.real_infinity("/v1") as infinity:
            real = _against(infinity.url, infinity_server.EMBEDDER, plugins, rounds)
        with fast_engine() as engine:
            fast = _against(engine.url, MODEL, plugins, rounds)
    return {"texts": TEXTS, "at_once": AT_ONCE, "rounds": rounds, "infinity": real, "stand_in": fast}


def texts() -> list[str]:
    """Headings, paragraphs and pages, half of them Korean; the same ones each time."""
    chance = random.Random(SEED)
    made = []
    for number in range(TEXTS):
        words = (KOREAN if number % 2 else ENGLISH).split()
        made.append(" ".join(chance.choices(words, k=chance.randint(*chance.choice(LENGTHS)))))
    return made


def _against(url: str, model: str, plugins: Sequence[Contender], rounds: int) -> dict[str, Any]:
    ways = {plugin.name: partial(_embed, plugin, _requests(plugin, url, model)) for plugin in plugins}
    taking_turns(1, ways)  # warms up
    found = {name: medians(rows) for name, rows in taking_turns(rounds, ways).items()}
    ratios = {
        f"texts_s_to_{name}": round(found[OURS]["texts_s"] / found[name]["texts_s"], 2)
        for name in found
        if name != OURS
    }
    return {**found, **ratios}


def _requests(plugin: Contender, url: str, model: str) -> list[dict[str, Any]]:
    """The calls by which Dify has all texts embedded."""
    about = {
        "type": "model",
        "user_id": "llmflow",
        "provider": plugin.provider,
        "model_type": "text-embedding",
        "model": model,
        "credentials": plugin.form(url, KEY),
    }
    schema = plugin.driver.answer(about | {"action": "get_ai_model_schemas"})["model_schema"]
    share = min(int(schema["model_properties"]["max_chunks"]), TEXTS // AT_ONCE)
    asked = about | {"action": "invoke_text_embedding", "input_type": "document"}
    return [asked | {"texts": batch} for batch in batched(texts(), share)]


def _embed(plugin: Contender, requests: list[dict[str, Any]]) -> dict[str, float]:
    before = use(plugin.driver.pid)
    found = plugin.driver.ask(requests, AT_ONCE, counting=_vectors)
    after = use(plugin.driver.pid)
    if found.units != TEXTS:
        raise RuntimeError(f"{TEXTS} texts were sent, and {found.units} vectors came")
    return {
        "texts_s": TEXTS / found.seconds,
        "calls": len(requests),
        "cpu_ms_per_1000": (after.cpu_seconds - before.cpu_seconds) / TEXTS * 1e6,
        "mib": after.mib,
    }


def _vectors(whole: bytes) -> int:
    return len(VECTOR.findall(whole))


if __name__ == "__main__":
    chosen = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    sys.stdout.write(json.dumps(measure(chosen), indent=2) + "\n")
