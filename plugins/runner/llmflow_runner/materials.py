"""A package's bill of materials: its wheels as CycloneDX 1.6 JSON, the same bytes from the same wheels."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence

from cyclonedx.contrib.license.exceptions import (
    InvalidLicenseExpressionException,
    InvalidSpdxLicenseException,
)
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense, LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from llmflow_bundle.errors import Finding
from llmflow_bundle.oci import compact_json
from packaging.utils import canonicalize_name

from llmflow_runner import contents, supply
from llmflow_runner.contents import Wheel
from llmflow_runner.declaration import Manifest

NAME = "sbom.cdx.json"
STATED_BY_NOBODY = "stated by nobody"
_NAMESPACE = uuid.UUID("0d1c1d7e-2b4a-5f0e-8f6e-5a1c0b9a7e42")


def render(files: Mapping[str, bytes], manifest: Manifest) -> bytes:
    """The bill of a package's wheels: name, version, digest, licence, and who requires it."""
    found, _ = supply.read(files)
    digests = {wheel.file: _digest(files, wheel) for wheel in found}
    seed = "\n".join(f"{file} {digest}" for file, digest in sorted(digests.items()))
    identity = f"{manifest.author}/{manifest.name}:{manifest.version}"
    bom = Bom(serial_number=uuid.uuid5(_NAMESPACE, f"{identity}\n{seed}"))
    plugin = Component(
        name=manifest.name,
        version=manifest.version,
        group=manifest.author,
        type=ComponentType.APPLICATION,
        bom_ref="plugin",
    )
    bom.metadata.component = plugin
    components = {wheel.file: _component(wheel, digests[wheel.file]) for wheel in found}
    for component in components.values():
        bom.components.add(component)
    bom.register_dependency(plugin, [components[w.file] for w in _of(found, _roots(files))])
    for wheel in found:
        below = {canonicalize_name(requirement.name) for requirement in wheel.requires}
        bom.register_dependency(components[wheel.file], [components[w.file] for w in _of(found, below)])
    document = json.loads(JsonV1Dot6(bom).output_as_string())
    document["metadata"].pop("timestamp", None)  # of writing, which says nothing about the content
    return compact_json(document) + b"\n"


def material_findings(files: Mapping[str, bytes]) -> Iterator[Finding]:
    """What is wrong with the bill that the package carries."""
    if NAME not in files:
        yield Finding("PLUGIN-SBOM", f"{NAME} is not in the package", where=NAME, hint=supply.PACK)
        return
    try:
        listed = {
            (one["name"], one["version"], one["hashes"][0]["content"])
            for one in json.loads(files[NAME])["components"]
        }
    except (ValueError, KeyError, TypeError, IndexError):
        yield Finding("PLUGIN-SBOM", f"{NAME} is no CycloneDX document", where=NAME, hint=supply.PACK)
        return
    there = {(wheel.name, str(wheel.version), _digest(files, wheel)) for wheel in supply.read(files)[0]}
    for name, version, _ in sorted(listed ^ there):
        what = f"{NAME} and {supply.FOLDER} differ about {name} {version}"
        yield Finding("PLUGIN-SBOM", what, where=NAME, hint=supply.PACK)


def licences(found: Sequence[Wheel]) -> dict[str, list[str]]:
    """The wheels under each licence, most first."""
    under: dict[str, list[str]] = defaultdict(list)
    for wheel in sorted(found, key=lambda wheel: wheel.name):
        under[wheel.licence or STATED_BY_NOBODY].append(f"{wheel.name} {wheel.version}")
    return dict(sorted(under.items(), key=lambda entry: (-len(entry[1]), entry[0])))


def notices(files: Mapping[str, bytes]) -> str:
    """The texts of all licences in the package's wheels, one after the other."""
    found, _ = supply.read(files)
    parts = []
    for wheel in sorted(found, key=lambda wheel: wheel.file):
        parts.append(f"{'=' * 80}\n{wheel.name} {wheel.version}: {wheel.licence or STATED_BY_NOBODY}\n")
        texts = contents.texts(files[supply.FOLDER + wheel.file], wheel)
        parts += [f"--- {name.partition('/')[2]}\n\n{text.rstrip()}\n" for name, text in texts.items()]
    return "\n".join(parts)


def _digest(files: Mapping[str, bytes], wheel: Wheel) -> str:
    return hashlib.sha256(files[supply.FOLDER + wheel.file]).hexdigest()


def _component(wheel: Wheel, digest: str) -> Component:
    properties = {"llmflow:file": wheel.file, "llmflow:licence-files": " ".join(wheel.licence_files)}
    return Component(
        name=wheel.name,
        version=str(wheel.version),
        type=ComponentType.LIBRARY,
        bom_ref=wheel.file,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)],
        licenses=[_licence(wheel.licence)] if wheel.licence else [],
        properties=[Property(name=name, value=value) for name, value in properties.items() if value],
    )


def _licence(text: str) -> DisjunctiveLicense | LicenseExpression:
    """As an SPDX id or expression where it is one, else by its name."""
    factory = LicenseFactory()
    for make in (factory.make_with_id, factory.make_with_expression):
        try:
            return make(text)
        except (InvalidSpdxLicenseException, InvalidLicenseExpressionException):
            continue
    return factory.make_with_name(text)


def _of(found: Sequence[Wheel], names: Container[str]) -> list[Wheel]:
    return [wheel for wheel in found if wheel.name in names]


def _roots(files: Mapping[str, bytes]) -> set[str]:
    return {canonicalize_name(requirement.name) for requirement in supply.roots(files)}
