"""Every plugin as it ships, by the same rules: packed twice alike, fit, installed from its own wheels with the network
refused on Python 3.12 in 20 seconds of a processor, and started until the daemon would say that it is ready.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from llmflow_bundle.dirs import cache_dir
from llmflow_bundle.report import Recording
from llmflow_runner import archive, materials, measure, pack, sign, supply, wheels
from llmflow_runner.verdict import Verdict

PLUGINS = Path(__file__).parents[2] / "plugins"
WANTED = (
    "manifest.yaml",
    "main.py",
    "requirements.in",
    "requirements.txt",
    "README.md",
    "_assets",
    "provider",
)
NO_PLUGINS = {"kit", "runner"}  # folders of shared code
FOLDERS = sorted(folder for folder in PLUGINS.iterdir() if folder.is_dir() and folder.name not in NO_PLUGINS)


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> rsa.RSAPrivateKey:
    return sign.signing_key(tmp_path_factory.mktemp("keys"))


@pytest.fixture(params=FOLDERS, ids=lambda folder: str(folder.name))
def plugin(request: pytest.FixtureRequest) -> Path:
    """A plugin's folder; one that is still being written is skipped."""
    folder: Path = request.param
    if missing := [name for name in WANTED if not (folder / name).exists()]:
        pytest.skip(f"{folder.name} is not complete yet: it has no {', '.join(missing)}")
    return folder


def test_it_is_fit_and_cheap(plugin: Path, key: rsa.RSAPrivateKey, tmp_path: Path) -> None:
    first = pack.pack(plugin, tmp_path / "first", key, cache_dir(), Recording())
    again = pack.pack(plugin, tmp_path / "again", key, cache_dir(), Recording())
    assert first.read_bytes() == again.read_bytes()

    verdict = Verdict.of(first, key.public_key(), Recording(), run=True)
    assert [finding for finding in verdict.findings if finding.severity == "fail"] == []
    assert verdict.cost is not None
    assert verdict.cost.install_cpu <= measure.INSTALL_LIMIT
    assert verdict.cost.ready > 0
    assert any(line.startswith("memory") for line in verdict.lines())


def test_its_bill_names_every_wheel_and_its_licence(
    plugin: Path, key: rsa.RSAPrivateKey, tmp_path: Path
) -> None:
    path = pack.pack(plugin, tmp_path, key, cache_dir(), Recording())
    files = archive.read(path).files
    carried = {name.removeprefix(supply.FOLDER) for name in files if name.startswith(supply.FOLDER)}
    bill = json.loads(files[materials.NAME])
    properties = [{one["name"]: one["value"] for one in part["properties"]} for part in bill["components"]]
    assert {one["llmflow:file"] for one in properties} == carried
    assert all(part["licenses"] for part in bill["components"])
    reached = {ref for one in bill["dependencies"] for ref in one.get("dependsOn", ())}
    assert reached == carried
    notices = path.with_name(path.name + pack.NOTICES).read_text(encoding="utf-8")
    assert all(f"{part['name']} {part['version']}: " in notices for part in bill["components"])


def test_its_lock_pins_every_wheel_by_its_digest(plugin: Path) -> None:
    locked = (plugin / "requirements.txt").read_text(encoding="utf-8")
    assert wheels.OPTIONS not in locked  # which packing adds
    assert all(pin.digests for pin in wheels.pins(locked))
