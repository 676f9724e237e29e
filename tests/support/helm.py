"""The helm that charts are rendered with: the one the bundle carries."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from llmflow_bundle import lock
from llmflow_bundle.cache import Cache
from llmflow_bundle.dirs import cache_dir
from ruamel.yaml import YAML

REPOSITORY = Path(__file__).parents[2]
CHOSEN = "LLMFLOW_TEST_HELM"


class Missing(Exception):
    """There is no helm on this machine."""


class Refused(Exception):
    """Helm does not render this, and says why."""


def find(scratch: Path) -> Path:
    """$LLMFLOW_TEST_HELM, else the one built for a bundle, else the one on PATH; raises Missing."""
    if chosen := os.environ.get(CHOSEN):
        return Path(chosen)
    if built := _built(scratch):
        return built
    if on_path := shutil.which("helm"):
        return Path(on_path)
    raise Missing(f"no helm: build a bundle, or name one in ${CHOSEN}")


def _built(scratch: Path) -> Path | None:
    path = lock.lock_path(REPOSITORY, "lab")
    if not path.is_file():
        return None
    wanted = [a for a in lock.read(path).source("helm").artifacts if a.file == "helm"]
    cache = Cache(cache_dir())
    if not wanted or not cache.has(wanted[0].sha256, wanted[0].size):
        return None
    helm = scratch / "helm"
    shutil.copy(cache.blob(wanted[0].sha256), helm)
    helm.chmod(0o755)
    return helm


def render(helm: Path, chart: Path, values: str, release: str) -> list[dict[str, Any]]:
    """The chart's objects with YAML `values`, in the namespace of organs; raises Refused."""
    command = [str(helm), "template", release, str(chart), "--namespace=llmflow", "--values=-"]
    done = subprocess.run(command, input=values, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(done.stderr)
    return [found for found in YAML(typ="safe").load_all(done.stdout) if found]
