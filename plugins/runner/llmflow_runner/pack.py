"""Make a signed package out of a plugin's folder: same folder, same key, same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from llmflow_bundle.errors import BundleError
from llmflow_bundle.report import Reporter, task

from llmflow_runner import archive, declaration, sign, stage


def pack(plugin: Path, out: Path, key: rsa.RSAPrivateKey, cache: Path, report: Reporter) -> Path:
    """Write `out`/<author>-<name>-<version>.difypkg and return its path; raises BundleError.

    The signature's time is the manifest's created_at, so that packing again changes nothing.
    """
    with task(report, f"Packing {plugin.name}") as progress:
        files = stage.stage(plugin, cache, report)
        manifest = declaration.manifest(files)
        _fit(files)
        package = sign.signed(files, key, int(manifest.created_at.timestamp()))
        out.mkdir(parents=True, exist_ok=True)
        path = out / f"{manifest.author}-{manifest.name}-{manifest.version}.difypkg"
        partial = path.with_name(f"{path.name}.part")
        partial.write_bytes(archive.write(package.files, package.comment))
        partial.replace(path)
        progress.detail = f"{len(files)} files, {path.stat().st_size / 2**20:.1f} MiB"
    return path


def _fit(files: Mapping[str, bytes]) -> None:
    size = sum(map(len, files.values()))
    if size > archive.LIMIT:
        largest = sorted(files, key=lambda name: -len(files[name]))[:3]
        raise BundleError(
            "PLUGIN-TOO-LARGE",
            f"The package would unpack to {size >> 20} MiB; the daemon takes {archive.LIMIT >> 20} MiB",
            where=", ".join(largest),
            hint="move heavy libraries into the engine that the plugin talks to",
        )
