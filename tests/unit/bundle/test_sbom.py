import json

from llmflow_bundle import sbom
from support.workshop import Workshop


def test_every_artifact_is_a_component(workshop: Workshop) -> None:
    document = json.loads(sbom.render(workshop.lock, "a" * 64))
    artifacts = {a.sha256 for source in workshop.lock.sources for a in source.artifacts}
    hashes = {component["hashes"][0]["content"] for component in document["components"]}
    assert hashes == artifacts
    assert document["specVersion"] == "1.6"


def test_the_same_lock_gives_the_same_bytes(workshop: Workshop) -> None:
    first = sbom.render(workshop.lock, "a" * 64)
    assert sbom.render(workshop.lock, "a" * 64) == first
    assert sbom.render(workshop.lock, "b" * 64) != first
    assert b"timestamp" not in first
