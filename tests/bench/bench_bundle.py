"""How fast a bundle is verified beside `sha256sum`, and how fast a layer is built.

    python tests/bench/bench_bundle.py BUNDLE [ROUNDS]

Both checks read the same files in one run, taking turns, with as many processes as threads; prints JSON.
Rates are in MB (10^6 bytes) a second, memory is this process's peak in MiB.
"""

from __future__ import annotations

import io
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, cast

from llmflow_bundle.layout import BIN
from llmflow_bundle.oci import Entry, write_layer
from llmflow_bundle.report import Event
from llmflow_bundle.verify import verify_bundle

ROUNDS = 5


class _Null(io.RawIOBase):
    """Takes everything and keeps nothing."""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return len(data)


def _silent(event: Event) -> None:
    """Progress nobody looks at."""


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _sha256sum(bundle: Path) -> None:
    command = f"find . -type f -print0 | xargs -0 -P{os.cpu_count()} -n 100 sha256sum > /dev/null"
    subprocess.run(["sh", "-c", command], cwd=bundle, check=True)


def measure(bundle: Path, rounds: int = ROUNDS) -> dict[str, Any]:
    """Medians over the rounds: verifying, `sha256sum`, their ratio, and a layer of the host binaries."""
    root = verify_bundle(bundle, None, _silent)
    size = sum(file.size for file in root.files.values())
    turns = [
        (_seconds(lambda: verify_bundle(bundle, None, _silent)), _seconds(lambda: _sha256sum(bundle)))
        for _ in range(rounds)
    ]
    verify, stock = (statistics.median(column) for column in zip(*turns, strict=True))
    binaries = [Entry.file(path.name, path, 0o755) for path in (bundle / BIN).iterdir() if path.is_file()]
    packed = sum(entry.size for entry in binaries)
    null = cast(BinaryIO, _Null())
    layer = statistics.median(_seconds(lambda: write_layer(binaries, null, _silent)) for _ in range(rounds))
    return {
        "bundle_mb": round(size / 1e6),
        "files": len(root.files),
        "verify_mb_s": round(size / verify / 1e6),
        "sha256sum_mb_s": round(size / stock / 1e6),
        "verify_to_sha256sum": round(stock / verify, 2),
        "layer_mb_s": round(packed / layer / 1e6),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


if __name__ == "__main__":
    chosen = int(sys.argv[2]) if len(sys.argv) > 2 else ROUNDS
    sys.stdout.write(json.dumps(measure(Path(sys.argv[1]), chosen), indent=1) + "\n")
