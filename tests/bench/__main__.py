"""Run every benchmark and write docs/reference/benchmarks.md: `make bench`.

Ratios are measured side by side in one run; absolute figures are this machine's on that day.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs/reference/benchmarks.md"
BUNDLE = REPOSITORY / "build/lab"
SUITES = {
    "bundle": ["bench.bench_bundle", str(BUNDLE)],
    "install": ["bench.bench_install", str(BUNDLE)],
    "first token": ["bench.bench_first_token"],
    "streams": ["bench.bench_streams"],
    "memory": ["bench.bench_memory"],
    "embeddings": ["bench.bench_embeddings"],
}


def main() -> None:
    """Measure, then write the page; stop at the first benchmark that fails."""
    chosen = sys.argv[1:] or list(SUITES)
    figures = {name: _run(SUITES[name]) for name in chosen}
    if chosen == list(SUITES):
        PAGE.write_text(_page(figures), encoding="utf-8")
        sys.stderr.write(f"written: {PAGE.relative_to(REPOSITORY)}\n")
    sys.stdout.write(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")


def _run(command: list[str]) -> dict[str, Any]:
    sys.stderr.write(f"measuring {command[0]} …\n")
    tests = REPOSITORY / "tests"
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=tests,
        env={**os.environ, "PYTHONPATH": str(tests)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def _page(figures: dict[str, dict[str, Any]]) -> str:
    rows = [
        f"| {suite} | {name} | {value} |" for suite, found in figures.items() for name, value in _flat(found)
    ]
    return "\n".join([
        "# Benchmarks", "",
        "Written by `make bench`; don't edit. Ratios come from one run, side by side;"
        " seconds and rates are this machine's.", "",
        f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, {os.cpu_count()} cores, {_memory()} of memory,"
        f" Linux {platform.release().split('-')[0]}, {_processor()}.", "",
        "| suite | figure | value |", "|---|---|---|", *rows, "",
    ])  # fmt: skip


def _flat(found: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    flat: list[tuple[str, Any]] = []
    for name, value in found.items():
        flat += _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else [(f"{prefix}{name}", value)]
    return flat


def _memory() -> str:
    kib = int(Path("/proc/meminfo").read_text().split()[1])
    return f"{kib / 2**20:.0f} GiB"


def _processor() -> str:
    names = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    main()
