"""Make a signed package out of a plugin's folder: same folder, same key, same bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from llmflow_bundle.errors import BundleError, Finding
from llmflow_bundle.report import Reporter, amount, task

from llmflow_runner import archive, declaration, materials, sign, stage, supply, wheels

LARGEST = 10  # files that are named where a package is too large
NOTICES = ".licences.txt"  # beside the package, after its name


def pack(
    plugin: Path,
    out: Path,
    key: rsa.RSAPrivateKey,
    cache: Path,
    report: Reporter,
    arches: Sequence[str] = (wheels.AMD64,),
) -> Path:
    """Write `out`/<author>-<name>-<version>.difypkg and return its path; raises BundleError.

    The signature's time is the manifest's created_at, so that packing again changes nothing. Beside the package goes
    a file with the texts of all licences in its wheels.
    """
    with task(report, f"Packing {plugin.name}") as progress:
        files = stage.stage(plugin, cache, report, arches)
        manifest = declaration.manifest(files)
        _whole(files, arches)
        _fit(files)
        package = sign.signed(files, key, int(manifest.created_at.timestamp()))
        out.mkdir(parents=True, exist_ok=True)
        path = out / f"{manifest.author}-{manifest.name}-{manifest.version}{_suffix(arches)}.difypkg"
        partial = path.with_name(f"{path.name}.part")
        partial.write_bytes(archive.write(package.files, package.comment))
        _proven(partial, key.public_key())
        partial.replace(path)
        path.with_name(path.name + NOTICES).write_text(materials.notices(files), encoding="utf-8")
        progress.detail = f"{len(files)} files, {amount(path.stat().st_size, 'bytes')}"
    return path


def _suffix(arches: Sequence[str]) -> str:
    """What tells packages for other architectures apart; most sites have but x86-64."""
    return "" if tuple(arches) == (wheels.AMD64,) else "-" + "-".join(arches)


def _whole(files: Mapping[str, bytes], arches: Sequence[str]) -> None:
    """Refuse a package that could not be installed, or carries what nothing needs."""
    if wrong := [*supply.closure_findings(files, arches)]:
        raise BundleError(
            "PLUGIN-REQUIREMENTS",
            f"{supply.ASKED} and {supply.LOCKED} do not agree",
            hint=supply.LOCK,
            findings=wrong,
        )


def _fit(files: Mapping[str, bytes]) -> None:
    size = sum(map(len, files.values()))
    if size <= archive.LIMIT:
        return
    largest = sorted(files, key=lambda name: -len(files[name]))[:LARGEST]
    raise BundleError(
        "PLUGIN-TOO-LARGE",
        f"The package would unpack to {amount(size, 'bytes')}; the daemon takes {amount(archive.LIMIT, 'bytes')}",
        hint="move heavy libraries into the engine that the plugin talks to, or pack each architecture by itself",
        findings=[
            Finding("PLUGIN-TOO-LARGE", f"{amount(len(files[name]), 'bytes'):>10}  {name}", severity="warn")
            for name in largest
        ],
    )


def _proven(path: Path, key: rsa.RSAPublicKey) -> None:
    """Read back what was written, as whoever installs it does."""
    if not sign.verified(archive.read(path), key):
        raise BundleError("PLUGIN-SIGNATURE", "What was written is not what was signed", where=str(path))
