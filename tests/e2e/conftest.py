"""Rehearsals for real: a bundle, nodes with no way out, the bundle's own installer. Needs root."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from ruamel.yaml import YAML

REPOSITORY = Path(__file__).resolve().parents[2]
NAME = "e2e"


@dataclass(frozen=True)
class Journey:
    """One bundle, one site, one place for state: what an operator has in hand."""

    bundle: Path
    site: Path
    state: Path

    @property
    def environment(self) -> dict[str, str]:
        """The operator's environment, with state of its own so that a demo on this machine is left alone."""
        return {**os.environ, "LLMFLOW_STATE": str(self.state), "LLMFLOW_PLUGIN_PYTHON": sys.executable}

    @property
    def rehearsed(self) -> Path:
        """The site directory that a rehearsal hands over."""
        return self.state / "rehearsals" / NAME / "site"

    def command(self, *arguments: str) -> list[str]:
        """The bundle's own `llmflow` with these arguments."""
        return [str(self.bundle / "llmflow"), *arguments]

    def llmflow(self, *arguments: str, timeout: float = 900) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return subprocess.run(
            self.command(*arguments), env=self.environment, capture_output=True, text=True, timeout=timeout,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def rehearse(self) -> None:
        """Boot the site's hosts."""
        done = self.llmflow("rehearse", str(self.site), "--bundle", str(self.bundle))
        assert done.returncode == 0, done.stderr

    def install(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Install the rehearsed site."""
        return self.llmflow("--json", "install", str(self.rehearsed), "--bundle", str(self.bundle), *options)

    def down(self) -> None:
        """End the rehearsal."""
        done = self.llmflow("rehearse", "down")
        assert done.returncode == 0, done.stderr

    def ledger(self) -> dict[str, list[object]]:
        """What tried to leave."""
        done = self.llmflow("rehearse", "ledger", str(self.site))
        assert done.returncode == 0, done.stderr
        content: dict[str, list[object]] = json.loads(done.stdout)
        return content

    def ssh(self, command: str, address: str = "10.79.0.2") -> str:
        """Run a command on a host; return what it prints."""
        keys = self.rehearsed / "ssh"
        done = subprocess.run(
            ["ssh", "-F", "none", "-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={keys}/known_hosts",
             "-i", str(keys / "id_ed25519"), f"root@{address}", command],
            capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout


def make_site(folder: Path, organs: Sequence[str] = ("vllm",)) -> Path:
    """A one-host site of the tests' own below `folder`, on addresses that no example uses, with these organs."""
    site = folder / "site"
    shutil.copytree(REPOSITORY / "inventories/single-node", site)
    for file in site.glob("*.yml"):
        text = file.read_text(encoding="utf-8").replace("10.77.0.", "10.79.0.").replace("single-node", NAME)
        file.write_text(text, encoding="utf-8")
    settings, yaml = site / "site.yml", YAML(typ="safe")
    content = yaml.load(settings)
    content["organs"] = {organ: content["organs"][organ] for organ in organs}
    yaml.dump(content, settings)
    return site


@pytest.fixture(scope="session")
def bundle() -> Path:
    """The lab bundle, built from the lock; everything expensive comes out of the cache."""
    out = REPOSITORY / "build/lab"
    subprocess.run(
        [sys.executable, "-m", "llmflow_installer", "bundle", "build", "lab", "--out", str(out)],
        check=True,
        cwd=REPOSITORY,
    )
    return out


@pytest.fixture(scope="session")
def journey(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journey]:
    """A small site, for what is done many times; whatever a test leaves running is ended."""
    with travelling(bundle, tmp_path_factory.mktemp("e2e"), ("vllm",)) as one:
        yield one


@contextmanager
def travelling(bundle: Path, folder: Path, organs: Sequence[str]) -> Iterator[Journey]:
    """A journey below `folder` to a one-host site with these organs; its hosts and the folder go at the end."""
    if os.geteuid() != 0:
        pytest.skip("rehearsals need root: run `sudo make test-e2e`")
    one = Journey(bundle, make_site(folder, organs), folder / "state")
    try:
        yield one
    finally:
        one.down()
        shutil.rmtree(folder)
