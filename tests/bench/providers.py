"""The plugins that are measured: ours, packed and installed as it ships, and others by their folders.

$LLMFLOW_BENCH_PEERS names folders, parted by colons: each an unpacked model plugin that works with servers of
OpenAI's API, its interpreter in `.venv`. They run beside ours in the same rounds, under the same load.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmflow_bundle.dirs import cache_dir
from llmflow_bundle.report import Recording
from llmflow_runner import archive, environment, pack, sign
from llmflow_runner.environment import Installed
from ruamel.yaml import YAML
from support.plugin_driver import Driver, driver

PLUGINS = Path(__file__).parents[2] / "plugins"
PEERS = "LLMFLOW_BENCH_PEERS"
OURS = "plugin"
PEER_FORM = {"mode": "chat", "context_size": "32768", "max_chunks": "32"}  # what such forms ask for besides


@dataclass(frozen=True)
class Contender:
    """A running plugin, and how to address a server with it."""

    name: str
    provider: str
    form: Callable[[str, str], dict[str, str]]
    driver: Driver


@contextmanager
def contenders(ours: str) -> Iterator[list[Contender]]:
    """Our plugin of that name and every peer, all running until the block ends."""
    with ExitStack() as running:
        place = running.enter_context(_installed(PLUGINS / ours))
        found = [Contender(OURS, ours, _our_form, running.enter_context(driver(place)))]
        for folder in filter(None, os.environ.get(PEERS, "").split(":")):
            place = Installed(Path(folder), Path(folder) / ".venv" / "bin" / "python")
            manifest = _yaml(place.folder / "manifest.yaml")
            provider = _yaml(place.folder / manifest["plugins"]["models"][0])["provider"]
            name = f"{manifest['name']} {manifest['version']}"
            found.append(Contender(name, provider, _peer_form, running.enter_context(driver(place))))
        yield found


def taking_turns(rounds: int, ways: Mapping[str, Callable[[], Any]]) -> dict[str, list[Any]]:
    """Every way once a round, another one first each time, so that no order favours one; what each returned."""
    names = list(ways)
    found: dict[str, list[Any]] = {name: [] for name in names}
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            found[name].append(ways[name]())
    return found


def medians(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The median of each figure over the rounds."""
    return {name: round(statistics.median(row[name] for row in rows), 3) for name in rows[0]}


def _our_form(url: str, key: str) -> dict[str, str]:
    return {"endpoint_url": url, "api_key": key}


def _peer_form(url: str, key: str) -> dict[str, str]:
    return {**PEER_FORM, "endpoint_url": f"{url}/v1", "server_url": url, "api_key": key}


@contextmanager
def _installed(plugin: Path) -> Iterator[Installed]:
    with tempfile.TemporaryDirectory() as scratch:
        path = pack.pack(plugin, Path(scratch), sign.signing_key(Path(scratch)), cache_dir(), Recording())
        with environment.installed(archive.read(path), Path(scratch), False, Recording()) as place:
            yield place


def _yaml(path: Path) -> Any:
    return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
