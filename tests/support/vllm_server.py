"""A real vLLM on loopback with the scripted model of playbooks/organs/vllm.

Its environment is installed from the organ's own lock, its model made by the organ's own recipe, once, under
cache_dir()/integration. $LLMFLOW_TEST_VLLM_PYTHON names an interpreter that has vLLM.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
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
KEY, MODEL, SIZE = "test-key", "scripted-qwen", 1024
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


class Missing(Exception):
    """What this machine lacks for a real vLLM."""


@dataclass(frozen=True)
class Served:
    """A running vLLM."""

    url: str
    key: str = KEY
    model: str = MODEL


@contextmanager
def real_vllm() -> Iterator[Served]:
    """Serve on a free loopback port until the block ends; raises Missing where that cannot be."""
    python, model = _prepared()
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="llmflow-vllm-") as scratch:
        log = Path(scratch) / "vllm.log"
        process = _start(python, model, port, Path(scratch), log)
        try:
            _wait(process, f"http://127.0.0.1:{port}/health", log)
            yield Served(f"http://127.0.0.1:{port}")
        finally:
            _stop(process)


def _start(python: Path, model: Path, port: int, scratch: Path, log: Path) -> subprocess.Popen[bytes]:
    command = [
        "setpriv", "--pdeathsig", "TERM",  # a run that is killed leaves no server behind
        python, "-c", "from vllm.entrypoints.cli.main import main; main()", "serve", model,
        "--served-model-name", MODEL, "--host", "127.0.0.1", "--port", str(port), "--api-key", KEY,
        "--max-model-len", str(SIZE), "--dtype", "bfloat16", "--enforce-eager", "--max-num-seqs", "8",
        "--enable-auto-tool-choice", "--tool-call-parser", "hermes",
        "--structured-outputs-config", '{"backend": "xgrammar", "disable_any_whitespace": true}',
    ]  # fmt: skip
    env = {**os.environ, **OFFLINE, "VLLM_CACHE_ROOT": str(scratch / "cache")}
    with log.open("wb") as file:
        return subprocess.Popen(
            [str(word) for word in command], cwd=scratch, env=env, stdout=file, stderr=subprocess.STDOUT
        )


def _wait(process: subprocess.Popen[bytes], health: str, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    with httpx.Client(trust_env=False) as client:
        while not _healthy(client, health):
            if process.poll() is not None or time.monotonic() > deadline:
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
                raise RuntimeError(f"vLLM did not start:\n{tail}")
            time.sleep(0.1)  # between two looks at the condition


def _healthy(client: httpx.Client, health: str) -> bool:
    try:
        return client.get(health).status_code == 200
    except httpx.TransportError:
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the server to end, which ends its engine as well."""
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _prepared() -> tuple[Path, Path]:
    """An interpreter that has vLLM, and the model; made where they are not in the cache yet."""
    root = cache_dir() / "integration"
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes may come at once
        ready = os.environ.get(READY_PYTHON)
        venv = root / f"vllm-{_digest(LOCK, CUDA_RECIPE, IDENTITY)}"
        python = Path(ready) if ready else _environment(venv)
        return python, _model(root / f"{MODEL}-{_digest(LOCK, MODEL_RECIPE.parent)}", python)


def _environment(venv: Path) -> Path:
    """The organ's locked wheels, with its own stand-ins for CUDA's libraries and for vLLM's name."""
    python = venv / "bin" / "python"
    if (venv / "ready").is_file():
        return python
    interpreter = shutil.which(PYTHON)
    if interpreter is None or not LINKER.is_file():
        raise Missing(f"vLLM needs {PYTHON} on PATH and {LINKER}")
    shutil.rmtree(venv, ignore_errors=True)
    uv = str(Path(sys.executable).with_name("uv"))
    _run([uv, "venv", "--quiet", "--python", interpreter, str(venv)])
    locked = ["--no-deps", "--require-hashes", "--requirement", str(LOCK)]
    _run([uv, "pip", "install", "--quiet", "--python", str(venv), *locked])
    packages = next((venv / "lib").iterdir()) / "site-packages"
    _run([sys.executable, str(CUDA_RECIPE), str(packages), "/", str(venv / "absent")])
    for library in (venv / "absent").iterdir():
        library.replace(packages / "torch" / "lib" / library.name)
    shutil.copytree(IDENTITY, packages / "vllm-0.32.0+cpu.dist-info")
    (venv / "ready").touch()
    return python


def _model(kept: Path, python: Path) -> Path:
    """The scripted model, made by the organ's recipe."""
    if not kept.is_dir():
        with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".model-") as scratch:
            made = Path(scratch) / MODEL
            _run([str(python), str(MODEL_RECIPE), str(made)])
            made.rename(kept)
    return kept


def _digest(*inputs: Path) -> str:
    """A name for what is made of these files and folders."""
    files = [path for given in inputs for path in (sorted(given.rglob("*")) if given.is_dir() else [given])]
    digests = (hashlib.sha256(path.read_bytes()).digest() for path in files if path.is_file())
    return hashlib.sha256(b"".join(digests)).hexdigest()[:16]


def _run(command: list[str]) -> None:
    done = subprocess.run(command, env={**os.environ, **OFFLINE}, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command[:3])} failed:\n{done.stderr[-2000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
