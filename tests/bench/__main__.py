"""Run the benchmarks and write docs/reference/benchmarks.md: `make bench`.

    python tests/bench [SUITE …]     # only these; the rows of the others stay as they are

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
    "graphrag": ["bench.bench_graphrag"],
    "documents": ["bench.bench_unstructured"],
    "moderation": ["bench.bench_presidio"],
    "agent": ["bench.bench_langgraph"],
}


def main() -> None:
    """Measure, then write the page; stop at the first benchmark that fails."""
    figures = {name: _run(SUITES[name]) for name in sys.argv[1:] or SUITES}
    PAGE.write_text(page(figures, PAGE.read_text(encoding="utf-8")), encoding="utf-8")
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


def page(figures: dict[str, dict[str, Any]], before: str) -> str:
    """The page with these figures, and with the rows of other suites as they stood on the page `before`."""
    today = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}"
    rows = {suite: _rows(suite, found, today) for suite, found in figures.items()}
    kept = {
        suite: [line for line in before.splitlines() if line.startswith(f"| {suite} |")] for suite in SUITES
    }
    return "\n".join([
        "# Benchmarks", "",
        "Written by `make bench`; don't edit. The ratios of a suite come from one run, side by side;"
        " seconds and rates are those of the machine and the day.", "",
        f"{os.cpu_count()} cores, {_memory()} of memory, Linux {platform.release().split('-')[0]}, {_processor()}.", "",
        "| suite | figure | value | measured |", "|---|---|---|---|",
        *(row for suite in SUITES for row in rows.get(suite, kept[suite])), "",
    ])  # fmt: skip


def _rows(suite: str, found: dict[str, Any], day: str) -> list[str]:
    return [f"| {suite} | {name} | {value} | {day} |" for name, value in _flat(found)]


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
