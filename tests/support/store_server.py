"""What the real stores of tests have in common: a process in a folder, which can be killed and started again."""

from __future__ import annotations

import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from support.vllm_server import free_port, stop

START_TIMEOUT = 180.0  # seconds


@dataclass(kw_only=True)
class StoreServer(ABC):
    """A server in a folder, which it keeps its data in between two starts."""

    title: ClassVar[str]
    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def kill(self) -> None:
        """End it as a power cut does."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Ask it to end."""
        if self.process is not None:
            stop(self.process)

    def run(self, command: Sequence[object], folder: Path) -> None:
        """Start it with a command in a folder, and wait until it answers."""
        log = self.folder / "server.log"
        bound = [
            "setpriv",
            "--pdeathsig",
            "KILL",
            *map(str, command),
        ]  # a run that is killed leaves no server behind
        with log.open("ab") as file:
            self.process = subprocess.Popen(bound, cwd=folder, stdout=file, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + START_TIMEOUT
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
                raise RuntimeError(f"{self.title} did not start:\n{tail}")
            time.sleep(0.2)  # between two looks at the condition

    @abstractmethod
    def answers(self) -> bool:
        """Whether it does."""
