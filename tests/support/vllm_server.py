"""A real vLLM on loopback with the scripted model of playbooks/organs/vllm.

Its environment is installed from the organ's own lock, its model made by the organ's own recipe, once, under
cache_dir()/integration. $LLMFLOW_TEST_VLLM_PYTHON names an interpreter that has vLLM.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from llmflow_bundle.dirs import cache_dir

REPOSITORY = Path(__file__).parents[2]
LOCK = REPOSITORY / "offline-bundle" / "locks" / "pypi" / "vllm.txt"
ORGAN = REPOSITORY / "playbooks" / "organs" / "vllm"
MODEL_RECIPE, CUDA_RECIPE, IDENTITY = (
    ORGAN / "model" / "build.py",
    ORGAN / "cpu" / "absent.py",
    ORGAN / "identity",
)
LINKER = Path(
    "/usr/bin/x86_64-linux-gnu-ld"
)  # the recipe that stands in for CUDA's libraries asks for binutils
READY_PYTHON = "LLMFLOW_TEST_VLLM_PYTHON"
PYTHON = "python3.11"
KEY, MODEL, SIZE, ADAPTER = "test-key", "scripted-qwen", 1024, "formal"
START_TIMEOUT = 300.0  # seconds: importing torch from a cold disk is most of it
STOP_TIMEOUT = 30.0  # seconds
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "CUDA_VISIBLE_DEVICES": "",
}


GENERATING = (  # the options of a server that generates text
    "--dtype", "bfloat16", "--enforce-eager",
    "--enable-auto-tool-choice", "--tool-call-parser", "hermes",
    "--structured-outputs-config", '{"backend": "xgrammar", "disable_any_whitespace": true}',
)  # fmt: skip


class Missing(Exception):
    """What this machine lacks for a real vLLM."""


@dataclass(frozen=True)
class Served:
    """A running vLLM."""

    url: str
    key: str = KEY
    model: str = MODEL


@contextmanager
def real_vllm(
    at_once: int = 8, endless: bool = False, telling: bool = False, size: int = SIZE
) -> Iterator[Served]:
    """Serve on a free loopback port until the block ends; raises Missing where that cannot be.

    It works on `at_once` requests at any time; `endless` answers go on to the request's `max_tokens`; `telling`
    servers measure each request, take priorities and have the LoRA adapter ADAPTER. A context of more than SIZE tokens
    is for answers that a request forces word by word: nothing was taught so far into a text.
    """
    python, model = prepared()
    with tempfile.TemporaryDirectory(prefix="llmflow-vllm-") as scratch:
        model = _endless(model, Path(scratch) / MODEL) if endless else model
        options = [*GENERATING, "--max-model-len", str(size), "--max-num-seqs", str(at_once)]
        if telling:
            options += _telling(python, model, Path(scratch) / ADAPTER)
        with _running(python, model, MODEL, options, Path(scratch)) as served:
            yield served


@contextmanager
def real_pooling(model: Path, name: str) -> Iterator[Served]:
    """Serve an embedding or rerank model until the block ends; raises Missing where that cannot be."""
    python, _ = prepared()
    with tempfile.TemporaryDirectory(prefix="llmflow-vllm-") as scratch:
        options = ["--runner", "pooling", "--enforce-eager", "--max-num-seqs", "32"]
        with _running(python, model, name, options, Path(scratch)) as served:
            yield served


@contextmanager
def _running(python: Path, model: Path, name: str, options: Sequence[str], scratch: Path) -> Iterator[Served]:
    port, log = free_port(), scratch / "vllm.log"
    process = _start(python, model, name, port, options, scratch, log)
    try:
        wait_until_healthy(process, f"http://127.0.0.1:{port}/health", log)
        yield Served(f"http://127.0.0.1:{port}", model=name)
    finally:
        stop(process)


def _start(
    python: Path, model: Path, name: str, port: int, options: Sequence[str], scratch: Path, log: Path
) -> subprocess.Popen[bytes]:
    command = [
        "setpriv", "--pdeathsig", "TERM",  # a run that is killed leaves no server behind
        python, "-c", "from vllm.entrypoints.cli.main import main; main()", "serve", model,
        "--served-model-name", name, "--host", "127.0.0.1", "--port", str(port), "--api-key", KEY, *options,
    ]  # fmt: skip
    env = {**os.environ, **OFFLINE, "VLLM_CACHE_ROOT": str(scratch / "cache")}
    with log.open("wb") as file:
        return subprocess.Popen(
            [str(word) for word in command], cwd=scratch, env=env, stdout=file, stderr=subprocess.STDOUT
        )


def wait_until_healthy(process: subprocess.Popen[bytes], health: str, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    with httpx.Client(trust_env=False) as client:
        while not _healthy(client, health):
            if process.poll() is not None or time.monotonic() > deadline:
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
                raise RuntimeError(f"The server did not start:\n{tail}")
            time.sleep(0.1)  # between two looks at the condition


def _healthy(client: httpx.Client, health: str) -> bool:
    try:
        return client.get(health).status_code == 200
    except httpx.TransportError:
        return False


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the server to end, which ends its engine as well."""
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def prepared() -> tuple[Path, Path]:
    """An interpreter that has vLLM, and the model; made where they are not in the cache yet."""
    root = cache_dir() / "integration"
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes may come at once
        ready = os.environ.get(READY_PYTHON)
        venv = root / f"vllm-{digest(LOCK, CUDA_RECIPE, IDENTITY)}"
        python = Path(ready) if ready else environment(venv, LOCK)
        return python, _model(root / f"{MODEL}-{digest(LOCK, MODEL_RECIPE.parent)}", python)


def environment(venv: Path, lock: Path) -> Path:
    """An interpreter with an organ's locked wheels, and stand-ins for the CUDA libraries that torch asks for."""
    python = venv / "bin" / "python"
    if (venv / "ready").is_file():
        return python
    interpreter = shutil.which(PYTHON)
    if interpreter is None or not LINKER.is_file():
        raise Missing(f"The engine needs {PYTHON} on PATH and {LINKER}")
    shutil.rmtree(venv, ignore_errors=True)
    uv = str(Path(sys.executable).with_name("uv"))
    run([uv, "venv", "--quiet", "--python", interpreter, str(venv)])
    locked = ["--no-deps", "--require-hashes", "--requirement", str(lock)]
    run([uv, "pip", "install", "--quiet", "--python", str(venv), *locked])
    packages = next((venv / "lib").iterdir()) / "site-packages"
    run([sys.executable, str(CUDA_RECIPE), str(packages), "/", str(venv / "absent")])
    for library in (venv / "absent").iterdir():
        library.replace(packages / "torch" / "lib" / library.name)
    if lock == LOCK:
        shutil.copytree(IDENTITY, packages / "vllm-0.32.0+cpu.dist-info")
    (venv / "ready").touch()
    return python


def _model(kept: Path, python: Path) -> Path:
    """The scripted model, made by the organ's recipe."""
    if not kept.is_dir():
        with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".model-") as scratch:
            made = Path(scratch) / MODEL
            run([str(python), str(MODEL_RECIPE), str(made)])
            made.rename(kept)
    return kept


def _telling(python: Path, model: Path, adapter: Path) -> list[str]:
    """Options of a server that says more of itself, with an adapter made for it."""
    run([str(python), str(Path(__file__).with_name("lora_adapter.py")), str(model), str(adapter)])
    lora = ["--enable-lora", "--max-lora-rank", "8", "--lora-modules", f"{ADAPTER}={adapter}"]
    says = ["--enable-per-request-metrics", "--enable-request-id-headers", "--enable-prompt-tokens-details"]
    return [*lora, *says, "--scheduling-policy", "priority"]


def _endless(model: Path, copy: Path) -> Path:
    """The model with a token for its end that it was never taught to say."""
    shutil.copytree(model, copy)
    for name, key, end in (
        ("tokenizer_config.json", "eos_token", "<think>"),
        ("config.json", "eos_token_id", 5),
        ("generation_config.json", "eos_token_id", 5),
    ):
        path = copy / name
        path.write_text(json.dumps(json.loads(path.read_text()) | {key: end}))
    return copy


def digest(*inputs: Path) -> str:
    """A name for what is made of these files and folders."""
    files = [path for given in inputs for path in (sorted(given.rglob("*")) if given.is_dir() else [given])]
    digests = (hashlib.sha256(path.read_bytes()).digest() for path in files if path.is_file())
    return hashlib.sha256(b"".join(digests)).hexdigest()[:16]


def run(command: list[str]) -> None:
    done = subprocess.run(command, env={**os.environ, **OFFLINE}, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command[:3])} failed:\n{done.stderr[-2000:]}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
