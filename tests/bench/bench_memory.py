"""Memory of a plugin: with many streams at once, and over many calls.

    python -m bench.bench_memory [CALLS]

Against the stand-in of fast_engine.py, its tokens paced so that all streams are under way together. Prints JSON; MiB.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from support.fast_engine import fast_engine
from support.plugin_driver import forget_peak, use

from bench import chat
from bench.providers import Contender, contenders

CALLS, WARM_UP, PARTS = 10_000, 1_000, 5
STREAMS, TOKENS, INTERVAL = 64, 250, 0.02  # five seconds of 64 answers side by side
SHORT, AT_ONCE = 5, 32  # tokens of each of the many calls, and how many are under way


def measure(calls: int = CALLS) -> dict[str, Any]:
    """Every plugin, one after the other."""
    with contenders("vllm") as plugins:
        return {plugin.name: _memory(plugin, calls) for plugin in plugins}


def _memory(plugin: Contender, calls: int) -> dict[str, Any]:
    pid = plugin.driver.pid
    started = use(pid).mib
    with fast_engine(INTERVAL) as engine:
        plugin.driver.ask([chat.through(plugin, engine.url, SHORT)] * STREAMS, STREAMS)
        forget_peak(pid)
        plugin.driver.ask([chat.through(plugin, engine.url, TOKENS)] * STREAMS, STREAMS)
        peak = use(pid).peak_mib
    with fast_engine() as engine:
        request = chat.through(plugin, engine.url, SHORT)
        plugin.driver.ask([request] * WARM_UP, AT_ONCE)
        course = [use(pid).mib]
        for _ in range(PARTS):
            plugin.driver.ask([request] * (calls // PARTS), AT_ONCE)
            course.append(use(pid).mib)
    return {
        "started_mib": round(started, 1),
        "peak_at_64_streams_mib": round(peak, 1),
        f"after_{WARM_UP}_calls_mib": round(course[0], 1),
        f"after_{calls}_more_mib": round(course[-1], 1),
        "on_the_way_mib": [round(mib, 1) for mib in course[1:-1]],
        "growth_mib": round(course[-1] - course[0], 1),
    }


if __name__ == "__main__":
    chosen = int(sys.argv[1]) if len(sys.argv) > 1 else CALLS
    sys.stdout.write(json.dumps(measure(chosen), indent=2) + "\n")
