"""Where LLMFlow keeps things on the machine it runs on: cache, state, configuration, and the repository."""

from __future__ import annotations

import os
from pathlib import Path

from llmflow_bundle.errors import BundleError

INTENT = Path("offline-bundle/bundle.yaml")


def _dir(own: str, xdg: str, fallback: str) -> Path:
    if chosen := os.environ.get(own):
        return Path(chosen)
    base = os.environ.get(xdg)
    return (Path(base) if base else Path.home() / fallback) / "llmflow"


def cache_dir() -> Path:
    """Where fetched and built bytes are kept; safe to delete whenever nothing runs."""
    return _dir("LLMFLOW_CACHE", "XDG_CACHE_HOME", ".cache")


def state_dir() -> Path:
    """Where runs, journals and the secrets of sites are kept."""
    return _dir("LLMFLOW_STATE", "XDG_STATE_HOME", ".local/state")


def config_dir() -> Path:
    """Where keys and trust are kept."""
    return _dir("LLMFLOW_CONFIG", "XDG_CONFIG_HOME", ".config")


def repository_root() -> Path:
    """The checkout that holds bundle.yaml: around the working directory, else the one this code is in.

    Raises BundleError (BUNDLE-INTENT-MISSING) where there is none, as inside a bundle.
    """
    for start in (Path.cwd(), Path(__file__).resolve().parent):
        for folder in (start, *start.parents):
            if (folder / INTENT).is_file():
                return folder
    raise BundleError(
        "BUNDLE-INTENT-MISSING",
        f"No {INTENT} in this directory or above it",
        where=str(Path.cwd()),
        hint="bundles are locked and built in a checkout of the repository: change into it",
    )
