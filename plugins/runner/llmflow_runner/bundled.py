"""Pack the plugins of a bundle's profile out of the wheels that its lock names."""

from __future__ import annotations

import os
from pathlib import Path

from llmflow_bundle.cache import Cache, sha256_of
from llmflow_bundle.dirs import config_dir
from llmflow_bundle.intent import PLUGINS, plugin_source
from llmflow_bundle.model import Lock
from llmflow_bundle.report import Reporter

from llmflow_runner.pack import pack
from llmflow_runner.sign import PUBLIC, signing_key


def pack_plugins(lock: Lock, repository: Path, cache: Cache, report: Reporter) -> list[Path]:
    """Make each plugin's signed .difypkg in the cache's plugins/; return their paths and that of the public key."""
    folder = cache.root / "plugins"
    folder.mkdir(exist_ok=True)
    packages = [_pack(plugin, lock, repository, cache, folder, report) for plugin in lock.plugins]
    return [*packages, config_dir() / PUBLIC] if packages else []


def _pack(plugin: str, lock: Lock, repository: Path, cache: Cache, folder: Path, report: Reporter) -> Path:
    with cache.lock(f"plugin-{plugin}", report), cache.workdir(plugin) as work:
        wheels = work / "wheels"
        wheels.mkdir()
        for output in cache.outputs(lock.source(plugin_source(plugin))):
            os.link(cache.blob(output.sha256), wheels / output.file)
        made = pack(repository / PLUGINS / plugin, work / "out", signing_key(config_dir()), work, report)
        kept = folder / sha256_of(made) / made.name  # never written to again: bundles link to it
        if not kept.is_file():
            kept.parent.mkdir(exist_ok=True)
            made.replace(kept)
    return kept
