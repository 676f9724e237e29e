"""What the installer keeps about a site on the control host, and the lock: one installer at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from llmflow_bundle.errors import SiteError


@dataclass(frozen=True)
class SiteState:
    """The directory of one site; made 0700 because it holds keys."""

    directory: Path

    @classmethod
    def of(cls, base: Path, site_name: str) -> SiteState:
        """The state of a site below `base` (dirs.state_dir()), made where it doesn't exist."""
        directory = base / "sites" / site_name
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        directory.chmod(0o700)
        return cls(directory)

    @property
    def journal(self) -> Path:
        """Which stage ran with which inputs, JSON lines."""
        return self.directory / "journal.jsonl"

    @property
    def secrets(self) -> Path:
        """The site's generated secrets, 0600."""
        return self.directory / "secrets.json"

    @property
    def pki(self) -> Path:
        """The site's own authority and server certificates."""
        return self.directory / "pki"

    def new_run(self, now: datetime) -> Path:
        """Make the directory of a run, named by its time in UTC."""
        stamp = now.strftime("%Y%m%dT%H%M%SZ")
        for number in range(1000):
            run = self.directory / "runs" / (stamp if number == 0 else f"{stamp}-{number}")
            try:
                run.mkdir(parents=True, mode=0o700)
            except FileExistsError:
                continue
            return run
        raise FileExistsError(run)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the site's lock; raises SiteError while another installer holds it.

        The kernel drops the lock when its process ends, however it ends, so none is ever left behind.
        """
        with (self.directory / "lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                file.seek(0)
                holder = file.read().strip() or "unknown"
                raise SiteError(
                    "SITE-LOCKED",
                    f"another installer works on this site (process {holder})",
                    where=str(self.directory / "lock"),
                    hint="wait until it has finished, or stop it with Ctrl-C where it runs",
                ) from exc
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            yield


def write_private(path: Path, text: str) -> None:
    """Write a 0600 file so that it is whole or absent, never half."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
