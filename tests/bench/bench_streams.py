"""Tokens a second, processor time and memory of a plugin with many streams at once, beside a bare client.

    python -m bench.bench_streams [ROUNDS]

All take turns in one run: against a real vLLM, where the engine should be what limits, and against a stand-in that
is faster than any client, where the client is. vLLM has one half of the cores and its clients the other, since an
engine that computes on processors would else be slowed by all that its clients compute. Prints JSON: medians over the
rounds, and ratios.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from support.fast_engine import fast_engine
from support.plugin_driver import forget_peak, use
from support.vllm_server import real_vllm

from bench import chat
from bench.providers import OURS, Contender, contenders, medians, taking_turns

ROUNDS = 5
STREAMS = 32
VLLM_TOKENS, STAND_IN_TOKENS = 256, 500  # of each answer
BARE = "bare_client"


def measure(rounds: int = ROUNDS) -> dict[str, Any]:
    """Both servers, one after the other."""
    engines, clients = halves()
    with (
        on(engines),
        real_vllm(at_once=STREAMS, endless=True) as vllm,
        on(clients),
        contenders("vllm") as plugins,
    ):
        real = _against(vllm.url, plugins, VLLM_TOKENS, "tokens", rounds)
    with contenders("vllm") as plugins, fast_engine() as engine:
        fast = _against(engine.url, plugins, STAND_IN_TOKENS, "marks", rounds)
    return {"streams": STREAMS, "rounds": rounds, "vllm": real, "stand_in": fast}


def halves() -> tuple[set[int], set[int]]:
    """The cores in two halves; both have the only one, where there is one."""
    cores = sorted(os.sched_getaffinity(0))
    middle = len(cores) // 2
    return set(cores[:middle] or cores), set(cores[middle:])


@contextmanager
def on(cores: set[int]) -> Iterator[None]:
    """Run on these cores, as does what is started in the block."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _against(
    url: str, plugins: Sequence[Contender], tokens: int, counted: str, rounds: int
) -> dict[str, Any]:
    """All ways to ask one server; tokens are counted in the texts where it marks them, else as it says."""
    ways: dict[str, Callable[[], dict[str, float]]] = {BARE: partial(_bare, url, tokens, counted)}
    for plugin in plugins:
        ways[plugin.name] = partial(_through, plugin, url, tokens, counted)
    taking_turns(1, ways)  # warms up
    found = {name: medians(rows) for name, rows in taking_turns(rounds, ways).items()}
    return {"tokens_an_answer": tokens, **found, **_ratios(found)}


def _bare(url: str, tokens: int, counted: str) -> dict[str, float]:
    found = chat.bare(url, tokens, STREAMS)
    figures = _figures(found[counted], tokens, found["seconds"], found["cpu_seconds"])
    return figures | {"peak_mib": found["peak_mib"]}


def _through(plugin: Contender, url: str, tokens: int, counted: str) -> dict[str, float]:
    forget_peak(plugin.driver.pid)
    before = use(plugin.driver.pid)
    found = plugin.driver.ask([chat.through(plugin, url, tokens)] * STREAMS, STREAMS)
    after = use(plugin.driver.pid)
    came, used = getattr(found, counted), after.cpu_seconds - before.cpu_seconds
    figures = _figures(came, tokens, found.seconds, used)
    return figures | {
        "peak_mib": after.peak_mib,
        "messages_a_token": found.messages / came,
        "harness_cpu_ms_per_1000": found.own_cpu_seconds / came * 1e6,
    }


def _figures(came: float, tokens: int, seconds: float, cpu_seconds: float) -> dict[str, float]:
    if came != STREAMS * tokens:
        raise RuntimeError(f"{STREAMS} answers of {tokens} tokens were asked for, and {came:.0f} tokens came")
    return {"tokens_s": came / seconds, "cpu_ms_per_1000": cpu_seconds / came * 1e6}


def _ratios(found: dict[str, dict[str, float]]) -> dict[str, float]:
    """Ours beside each other: of tokens a second more is better, of processor time less."""
    ratios = {}
    for name in filter(lambda name: name != OURS, found):
        ratios[f"tokens_s_to_{name}"] = round(found[OURS]["tokens_s"] / found[name]["tokens_s"], 3)
        ratios[f"cpu_to_{name}"] = round(found[OURS]["cpu_ms_per_1000"] / found[name]["cpu_ms_per_1000"], 3)
    return ratios


if __name__ == "__main__":
    chosen = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    sys.stdout.write(json.dumps(measure(chosen), indent=2) + "\n")
