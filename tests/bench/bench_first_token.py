"""What a plugin adds to the time to the first token of the same request sent straight to the server.

    python -m bench.bench_first_token [ROUNDS]

All ways take turns in one run, against a real vLLM and against a stand-in that answers at once, where nothing but
the client is measured. Straight is a bare socket whose connection is open already. Prints JSON; milliseconds.
"""

from __future__ import annotations

import json
import re
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from support.bare_client import Stream
from support.fast_engine import fast_engine
from support.vllm_server import real_vllm

from bench import chat
from bench.providers import Contender, contenders, taking_turns

ROUNDS, WARM_UP = 400, 20
LONGEST = 8  # tokens of an answer
TEXT = re.compile(rb'"content":"[^"]')


def measure(rounds: int = ROUNDS) -> dict[str, Any]:
    """Both servers, one after the other."""
    with contenders("vllm") as plugins:
        with real_vllm() as vllm:
            real = _against(vllm.url, plugins, rounds)
        with fast_engine() as engine:
            fast = _against(engine.url, plugins, rounds)
    return {"rounds": rounds, "vllm": real, "stand_in": fast}


def _against(url: str, plugins: Sequence[Contender], rounds: int) -> dict[str, Any]:
    stream = Stream(chat.address(url), chat.straight(url, LONGEST))
    ways: dict[str, Callable[[], float]] = {"straight": partial(_straight, stream)}
    for plugin in plugins:
        ways[plugin.name] = partial(plugin.driver.first_text, chat.through(plugin, url, LONGEST))
    taking_turns(WARM_UP, ways)
    seconds = taking_turns(rounds, ways)
    stream.socket.close()
    found = {f"{name}_ms": _times(seconds[name]) for name in ways}
    return found | {
        f"added_by_{one.name}_ms": _added(seconds["straight"], seconds[one.name]) for one in plugins
    }


def _straight(stream: Stream) -> float:
    """Seconds to the first text."""
    first = 0.0
    begun = time.perf_counter()
    stream.ask()
    while not stream.whole:
        if TEXT.search(stream.read()) and not first:
            first = time.perf_counter() - begun
    return first


def _added(straight: Sequence[float], through: Sequence[float]) -> dict[str, float]:
    """The differences of neighbours, whose 99th percentile also holds the server's own, and of the percentiles."""
    neighbours = _times([b - a for a, b in zip(straight, through, strict=True)])
    ours, bare = _times(through), _times(straight)
    return neighbours | {f"{name}_difference": round(ours[name] - bare[name], 2) for name in ours}


def _times(seconds: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=100)
    return {"p50": round(cuts[49] * 1000, 2), "p99": round(cuts[98] * 1000, 2)}


if __name__ == "__main__":
    chosen = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    sys.stdout.write(json.dumps(measure(chosen), indent=2) + "\n")
