"""Thousands of damaged and malicious documents, each in a process of its own: none crashes, hangs or takes more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from llmflow_unstructured import sandbox
from llmflow_unstructured.limits import MEBI, Limits
from support import hostile_documents, hostile_reader
from support.children import children
from support.hostile_reader import HOW

ROOT = Path(__file__).resolve().parents[2]
COUNT, SEED, SAMPLE = 5000, 7, 100
SECONDS, MEMORY = 20, 512 * MEBI
BOUNDS = Limits(size=64 * MEBI, unpacked=256 * MEBI, members=2_000, seconds=float(SECONDS), memory=MEMORY)


def read_all(workers: int) -> list[dict[str, Any]]:
    """How each document ended, read by so many processes side by side."""
    paths = (ROOT / "tests", ROOT / "plugins/unstructured", ROOT / "plugins/kit")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "support.hostile_reader", str(SEED), str(COUNT)]
    started = [
        subprocess.Popen(
            [*command, str(number), str(workers), str(MEMORY), str(SECONDS)],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(workers)
    ]
    results = []
    for process in started:
        said, _ = process.communicate()
        assert process.returncode == 0
        results += [json.loads(line) for line in said.splitlines()]
    return results


def test_spoiled_documents_crash_nothing_and_stay_within_their_bounds() -> None:
    results = read_all(os.cpu_count() or 1)
    assert len(results) == COUNT
    assert [one for one in results if one["late"] or one["status"] != 0] == []
    assert max(one["memory"] for one in results) <= MEMORY
    assert all("end" in one["told"] or "error" in one["told"] for one in results)
    read = [one for one in results if "element" in one["told"]]
    refused = [one for one in results if "error" in one["told"]]
    assert len(read) > COUNT // 4  # most damage leaves something to read: else the test would test nothing
    assert len(refused) > COUNT // 20


@pytest.mark.parametrize("name", hostile_documents.BOMBS)
def test_bombs_end_within_the_bounds(name: str) -> None:
    with ProcessPoolExecutor(1, get_context("spawn")) as alone:  # whose only child is the reader
        why, memory = alone.submit(hostile_reader.bomb, name, BOUNDS).result()
    assert "reader ended with" not in why
    assert memory <= MEMORY


def test_the_sandbox_reads_the_same_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = children(os.getpid())  # servers that other tests started may be among them
    begun = sandbox.read(hostile_documents.sound()["a.zip"], "a.zip", HOW, BOUNDS)
    next(begun)
    begun.close()  # type: ignore[attr-defined]
    for name, data in hostile_documents.spoiled(SAMPLE, SEED):
        _, why = hostile_reader.read_by_sandbox(name, data, BOUNDS)
        assert "reader ended with" not in why
    assert list(tmp_path.iterdir()) == []
    assert children(os.getpid()) == before
