"""The bill of materials: the lock as CycloneDX 1.6 JSON, the same bytes from the same lock."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from urllib.parse import quote

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6

from llmflow_bundle.model import GoSource, Lock, LockedArtifact, LockedSource, MavenSource
from llmflow_bundle.oci import compact_json

_NAMESPACE = uuid.UUID("6f1c9d1e-6f43-5a1c-9c0b-0a3f6f0e8f55")


def render(lock: Lock, lock_sha256: str) -> bytes:
    """The lock's bill of materials; components are its artifacts, properties name source, users and bytes."""
    bom = Bom(serial_number=uuid.uuid5(_NAMESPACE, lock_sha256))
    bom.metadata.component = Component(
        name=f"llmflow-{lock.profile}",
        version=lock_sha256[:12],
        type=ComponentType.PLATFORM,
        bom_ref="bundle",
    )
    for component in _components(lock):
        bom.components.add(component)
    bom.register_dependency(bom.metadata.component, bom.components)
    document = json.loads(JsonV1Dot6(bom).output_as_string())
    # The library stamps the time of writing, which says nothing about the content.
    document["metadata"].pop("timestamp", None)
    return compact_json(document) + b"\n"


def _components(lock: Lock) -> Iterator[Component]:
    seen: set[str] = set()
    for source in lock.sources:
        for artifact in source.artifacts:
            reference = f"{source.name}/{artifact.file}"
            if reference not in seen:
                seen.add(reference)
                yield _component(source, artifact, reference)


def _component(source: LockedSource, artifact: LockedArtifact, reference: str) -> Component:
    properties = {
        "llmflow:source": source.name,
        "llmflow:file": artifact.file,
        "llmflow:size": str(artifact.size),
        "llmflow:needed-by": " ".join(artifact.needed_by),
        "llmflow:purl": _purl(source, artifact),
    }
    return Component(
        name=artifact.name,
        version=artifact.version or None,
        type=ComponentType.FILE if source.kind in ("file", "built") else ComponentType.LIBRARY,
        bom_ref=reference,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=artifact.sha256)],
        licenses=[DisjunctiveLicense(name=artifact.licence)] if artifact.licence else [],
        properties=[Property(name=name, value=value) for name, value in properties.items() if value],
    )


def _purl(source: LockedSource, artifact: LockedArtifact) -> str:
    version = quote(artifact.version, safe="")
    match source.spec:
        case GoSource():
            return f"pkg:golang/{source.spec.module}@{quote(source.spec.version, safe='')}"
        case MavenSource():
            return f"pkg:maven/{artifact.name.replace(':', '/', 1)}@{version}"
        case _ if source.kind == "pypi":
            return f"pkg:pypi/{artifact.name}@{version}"
        case _ if source.kind == "deb":
            return f"pkg:deb/debian/{artifact.name}@{version}"
        case _:
            return ""
