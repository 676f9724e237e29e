"""All that is said about a package: what is wrong with it, what it holds, under which licences, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from llmflow_bundle.errors import Finding, LlmflowError
from llmflow_bundle.report import Reporter, amount

from llmflow_runner import archive, check, declaration, materials, measure, supply
from llmflow_runner.archive import Package
from llmflow_runner.declaration import Manifest, Unfit
from llmflow_runner.measure import Cost


@dataclass(frozen=True)
class Verdict:
    """The findings about a package, and what a person wants to know beside them."""

    package: Package
    findings: tuple[Finding, ...]
    manifest: Manifest | None
    cost: Cost | None

    @classmethod
    def of(cls, path: Path, key: rsa.RSAPublicKey, report: Reporter, *, run: bool) -> Verdict:
        """Look through a package, and where it is `run` and to be trusted, install and start it.

        Raises BundleError only where it cannot be opened at all.
        """
        package = archive.read(path)
        found = [*check.findings(package, key)]
        try:
            manifest = declaration.load(package.files, check.MANIFEST, Manifest)
        except Unfit:  # which is among the findings
            return cls(package, tuple(found), None, None)
        cost = None
        trusted = not any(finding.id == "PLUGIN-SIGNATURE" for finding in found)
        if run and trusted and measure.here() in manifest.meta.arch:
            try:
                cost = measure.cost(package, report)
                found += measure.findings(cost, manifest)
            except LlmflowError as error:
                found.append(_failed(error))
        return cls(package, tuple(found), manifest, cost)

    def data(self) -> dict[str, Any]:
        """What it holds and costs, and what is wrong with it, for machines."""
        wheels, _ = supply.read(self.package.files)
        return {
            "bytes": sum(map(len, self.package.files.values())),
            "wheels": [
                {
                    "name": wheel.name,
                    "version": str(wheel.version),
                    "licence": wheel.licence,
                    "file": wheel.file,
                }
                for wheel in wheels
            ],
            "cost": asdict(self.cost) if self.cost else None,
            "findings": [asdict(finding) for finding in self.findings],
        }

    def lines(self) -> Iterator[str]:
        """What it holds and costs, for people to read."""
        wheels, _ = supply.read(self.package.files)
        size = sum(map(len, self.package.files.values()))
        carried = sum(len(self.package.files[supply.FOLDER + wheel.file]) for wheel in wheels)
        yield f"{'size':<10}{amount(size, 'bytes')} of {amount(archive.LIMIT, 'bytes')} unpacked"
        yield f"{'wheels':<10}{len(wheels)}, {amount(carried, 'bytes')}"
        for licence, names in materials.licences(wheels).items():
            yield f"{'licence':<10}{licence}: {', '.join(names)}"
        if self.cost and self.manifest:
            memory, allowed = (amount(n, "bytes") for n in (self.cost.memory, self.manifest.resource.memory))
            cost = self.cost
            yield f"{'installed':<10}in {cost.install:.1f} s ({cost.install_cpu:.1f} of a processor)"
            yield f"{'ready':<10}after {cost.ready:.1f} s ({cost.ready_cpu:.1f} of a processor)"
            yield f"{'imports':<10}{', '.join(f'{name} {s:.2f} s' for name, s in cost.imports.items())}"
            yield f"{'memory':<10}{memory} when ready, of {allowed}"
        elif self.manifest and measure.here() not in self.manifest.meta.arch:
            yield f"{'started':<10}not here: it is made for {', '.join(self.manifest.meta.arch)}"


def _failed(error: LlmflowError) -> Finding:
    """The finding that a failed installation or start is; raises what is about this machine instead."""
    if error.id not in measure.KINDS:
        raise error
    return Finding(error.id, error.what, error.where, error.hint)
