"""Servers that speak Milvus's protocol, on loopback: milvus-lite's, and a real Milvus 2.3.5 standalone.

The real one is what the package index has of it, in an environment of its own under cache_dir()/integration, made from
requirements/milvus.txt. It keeps etcd, its log and its objects in the process and the folder that it is given.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from llmflow_bundle.dirs import cache_dir
from pymilvus import MilvusClient, MilvusException

from support.vllm_server import REPOSITORY, Missing, digest, free_port, run, stop

LOCK = REPOSITORY / "requirements" / "milvus.txt"
START_TIMEOUT = 180.0  # seconds
FOLDER, PORT = "FOLDER", "PORT"  # in a command, for a server's own
Kind = Literal["lite", "standalone"]

# The package's own starter has the server as a child, which outlives it when it is killed: this becomes the server. It
# would not take a port again that a killed server had, so that what was once found is kept.
BECOME = """
import os, sys, milvus
folder, port = sys.argv[1], int(sys.argv[2])
config = milvus.MilvusServerConfig(data_dir=folder, proxy_port=port)
if not os.path.exists(os.path.join(folder, "configs", "milvus.yaml")):
    config.resolve()
    milvus._initialize_data_files(folder)
binary = os.path.join(folder, "bin", "milvus")
web, held = config.resolve_port(port + 1)
held.close()
os.environ.update(DEPLOY_MODE="STANDALONE", METRICS_PORT=str(web), MILVUS_RUN_DIR=os.path.join(folder, "run"),
                  LD_LIBRARY_PATH=os.path.dirname(binary))
os.chdir(folder)
os.execv(binary, [binary, "run", "standalone"])
"""


@dataclass
class MilvusServer:
    """A server in a folder, which it keeps its data in between two starts."""

    command: Sequence[str]
    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        log = self.folder / "server.log"
        # a run that is killed leaves no server behind
        command = ["setpriv", "--pdeathsig", "KILL", *self.command]
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                [
                    {FOLDER: str(self.folder / "data"), PORT: str(self.port)}.get(word, word)
                    for word in command
                ],
                cwd=self.folder,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + START_TIMEOUT
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
                raise RuntimeError(f"Milvus did not start:\n{tail}")
            time.sleep(0.2)  # between two looks at the condition

    def kill(self) -> None:
        """End it as a power cut does."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Ask it to end."""
        if self.process is not None:
            stop(self.process)

    def _answers(self) -> bool:
        try:
            client = MilvusClient(self.address, timeout=2.0, dedicated=True)
        except (MilvusException, OSError):
            return False
        try:
            client.list_collections(timeout=5.0)
        except (MilvusException, OSError):
            return False
        finally:
            client.close()
        return True


@contextmanager
def real_milvus(kind: Kind) -> Iterator[MilvusServer]:
    """A running server until the block ends; raises Missing where that cannot be."""
    command = _lite() if kind == "lite" else _standalone()
    with tempfile.TemporaryDirectory(prefix="llmflow-milvus-", ignore_cleanup_errors=True) as folder:
        server = MilvusServer(command, Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.stop()


def _lite() -> list[str]:
    program = str(Path(sys.executable).with_name("milvus-lite"))
    return [program, "server", "--data-dir", FOLDER, "--host", "127.0.0.1", "--port", PORT]


def _standalone() -> list[str]:
    if shutil.which("setpriv") is None:
        raise Missing("A real Milvus needs setpriv on PATH")
    root = cache_dir() / "integration"
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes may come at once
        return [str(_environment(root / f"milvus-{digest(LOCK)}")), "-c", BECOME, FOLDER, PORT]


def _environment(venv: Path) -> Path:
    python = venv / "bin" / "python"
    if not (venv / "ready").is_file():
        shutil.rmtree(venv, ignore_errors=True)
        uv = str(Path(sys.executable).with_name("uv"))
        locked = ["--no-deps", "--require-hashes", "--requirement", str(LOCK)]
        try:
            run([uv, "venv", "--quiet", "--python", sys.executable, str(venv)])
            run([uv, "pip", "install", "--quiet", "--python", str(venv), *locked])
        except RuntimeError as error:
            raise Missing(f"A real Milvus can't be fetched: {error}") from error
        (venv / "ready").touch()
    return python
