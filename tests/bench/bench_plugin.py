"""What the packaged plugin adds to the time to the first token of the same request sent straight to vLLM.

    python tests/bench/bench_plugin.py [ROUNDS]

Both ways take turns in one run against one real vLLM; prints JSON, times in milliseconds.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))

from llmflow_bundle.dirs import cache_dir
from llmflow_bundle.report import Recording
from llmflow_runner import archive, call, environment, pack, sign
from llmflow_runner.daemon import Plugin
from support.vllm_server import Served, real_vllm

ROUNDS, WARM_UP = 100, 10
QUESTION, LONGEST = "안녕하세요", 8
PLUGIN = Path(__file__).parents[2] / "plugins" / "vllm"


def measure(rounds: int = ROUNDS) -> dict[str, Any]:
    """Medians and 90th percentiles of both ways, their difference and ratio."""
    with tempfile.TemporaryDirectory() as scratch, real_vllm() as vllm:
        package = pack.pack(PLUGIN, Path(scratch), sign.signing_key(Path(scratch)), cache_dir(), Recording())
        opened = archive.read(package)
        with (
            environment.installed(opened, Path(scratch), False, Recording()) as place,
            Plugin(place) as plugin,
            httpx.Client(base_url=vllm.url, trust_env=False) as client,
        ):
            straight, through = _take_turns(
                rounds, lambda: _straight(client, vllm), lambda: _through(plugin, vllm)
            )
    return _summary(straight, through)


def _take_turns(
    rounds: int, straight: Callable[[], float], through: Callable[[], float]
) -> tuple[list[float], list[float]]:
    """Both ways after one another, the first of each round changing; the warm-up does not count."""
    pairs = []
    for turn in range(WARM_UP + rounds):
        pairs.append((straight(), through()) if turn % 2 else (through(), straight())[::-1])
    kept = pairs[WARM_UP:]
    return [pair[0] for pair in kept], [pair[1] for pair in kept]


def _straight(client: httpx.Client, vllm: Served) -> float:
    """Seconds to the first text of a plain streamed request on a connection that is open already."""
    body = {
        "model": vllm.model,
        "messages": [{"role": "user", "content": QUESTION}],
        "temperature": 0.0,
        "max_tokens": LONGEST,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    first = 0.0
    begun = time.perf_counter()
    with client.stream(
        "POST", "/v1/chat/completions", json=body, headers={"authorization": f"Bearer {vllm.key}"}
    ) as response:
        for line in response.iter_lines():
            if not first and line.startswith("data: {"):
                choices = json.loads(line[6:])["choices"]
                if choices and choices[0]["delta"].get("content"):
                    first = time.perf_counter() - begun
    return first


def _through(plugin: Plugin, vllm: Served) -> float:
    """Seconds to the first text of the same question asked of the plugin's process."""
    form = {"endpoint_url": vllm.url, "api_key": vllm.key}
    request = call.request("vllm", call.Question(vllm.model, QUESTION, form, LONGEST))
    first = 0.0
    begun = time.perf_counter()
    for chunk in plugin.ask(request):
        if not first and call.text_of(chunk):
            first = time.perf_counter() - begun
    return first


def _summary(straight: list[float], through: list[float]) -> dict[str, Any]:
    added = [b - a for a, b in zip(straight, through, strict=True)]
    medians = statistics.median(straight), statistics.median(through)
    return {
        "name": "plugin: time to the first token",
        "rounds": len(straight),
        "straight_ms": _times(straight),
        "plugin_ms": _times(through),
        "added_ms": _times(added),
        "difference_of_medians_ms": _ms(medians[1] - medians[0]),
        "ratio_of_medians": round(medians[1] / medians[0], 3),
    }


def _times(seconds: list[float]) -> dict[str, float]:
    return {"p50": _ms(statistics.median(seconds)), "p90": _ms(statistics.quantiles(seconds, n=10)[-1])}


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS), indent=2) + "\n")
