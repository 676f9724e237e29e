"""Servers that speak Milvus's protocol, on loopback: milvus-lite's, and a real Milvus 2.3.5 standalone.

The real one is what the package index has of it, in an environment of its own under cache_dir()/integration, made from
requirements/milvus.txt. It keeps etcd, its log and its objects in the process and the folder that it is given.
"""

from __future__ import annotations

import fcntl
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from llmflow_bundle.dirs import cache_dir
from pymilvus import MilvusClient, MilvusException

from support.store_server import StoreServer
from support.vllm_server import REPOSITORY, Missing, digest, run

LOCK = REPOSITORY / "requirements" / "milvus.txt"
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


@dataclass(kw_only=True)
class MilvusServer(StoreServer):
    """A Milvus, or milvus-lite's server, by the command that starts it."""

    title = "Milvus"
    command: Sequence[str]

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        own = {FOLDER: str(self.folder / "data"), PORT: str(self.port)}
        self.run([own.get(word, word) for word in self.command], self.folder)

    def answers(self) -> bool:
        """Whether it lists its collections."""
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
        server = MilvusServer(folder=Path(folder), command=command)
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
