"""A plugin's source folder, the kit, the wheels and their bill of materials, as the files of a package."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import llmflow_kit
from llmflow_bundle.errors import BundleError
from llmflow_bundle.report import Reporter
from ruamel.yaml import YAML

from llmflow_runner import declaration, materials, wheels

MANIFEST = "manifest.yaml"
REQUIREMENTS = "requirements.txt"
LEFT_OUT = {"tests", "__pycache__", "build", "cli.py", "pyproject.toml", "uv.lock"}
# cli.py: a plain package's commands for the shell, which has other libraries.
# pyproject.toml and uv.lock: where the daemon finds them it asks the addresses in the lock, wheels or not.


def stage(
    plugin: Path, cache: Path, report: Reporter, arches: Sequence[str] = (wheels.AMD64,)
) -> dict[str, bytes]:
    """The files of a package, sorted by name; raises BundleError for a folder that is no plugin."""
    require(plugin)
    locked = (plugin / REQUIREMENTS).read_text(encoding="utf-8")
    kit = Path(llmflow_kit.__file__).parent
    files = _files(plugin) | {f"{kit.name}/{name}": content for name, content in _files(kit).items()}
    files[REQUIREMENTS] = f"{wheels.OPTIONS}\n{locked}".encode()
    files[MANIFEST] = _made_for(files[MANIFEST], arches)
    for arch in arches:
        for wheel in wheels.gather(wheels.pins(locked), cache / "wheels", report, arch):
            files[f"wheels/{wheel.name}"] = wheel.read_bytes()
    files[materials.NAME] = materials.render(files, declaration.manifest(files))
    return dict(sorted(files.items()))


def require(folder: Path) -> None:
    """Raise BundleError (PLUGIN-NOT-A-PLUGIN) for a folder that is no plugin."""
    if not (folder / MANIFEST).is_file() or not (folder / REQUIREMENTS).is_file():
        raise BundleError(
            "PLUGIN-NOT-A-PLUGIN",
            "The folder is not a plugin",
            where=str(folder),
            hint=f"a plugin's folder holds {MANIFEST} and {REQUIREMENTS}",
        )


def _made_for(manifest: bytes, arches: Sequence[str]) -> bytes:
    """The manifest with the architectures whose wheels the package holds; unchanged where it says them already."""
    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, 4096
    said = yaml.load(io.BytesIO(manifest))
    meta = said.get("meta") if isinstance(said, dict) else None
    if not isinstance(meta, dict) or meta.get("arch") == list(arches):
        return manifest  # what is wrong with it is said where it is read
    meta["arch"] = list(arches)
    written = io.BytesIO()
    yaml.dump(said, written)
    return written.getvalue()


def _files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in paths
        if _belongs(path.relative_to(folder))
    }


def _belongs(relative: Path) -> bool:
    return not any(part in LEFT_OUT or part.startswith(".") for part in relative.parts)
