"""The lock agrees with its intent, states every fact, and names no registry."""

from __future__ import annotations

from pathlib import Path

import pytest
from llmflow_bundle import intent, lock
from llmflow_bundle.cache import Cache
from llmflow_bundle.dirs import INTENT
from llmflow_bundle.errors import Finding
from llmflow_bundle.fetch import context
from llmflow_bundle.model import HOST_PACKAGES, Intent, Lock
from llmflow_bundle.report import Recording

REPOSITORY = Path(__file__).parents[2]
# Spelt in pieces: the rule holds for this file too.
HOSTS = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("files", "pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("proxy", "golang", "org"),
        ("sum", "golang", "org"),
        ("repo", "maven", "apache", "org"),
        ("repo1", "maven", "org"),
        ("deb", "debian", "org"),
        ("security", "debian", "org"),
        ("static", "crates", "io"),
        ("index", "crates", "io"),
    )
]
PROFILES = sorted(
    path.name.removesuffix(".lock.yaml") for path in (REPOSITORY / lock.LOCKS).glob("*.lock.yaml")
)


@pytest.fixture(params=PROFILES)
def locked(request: pytest.FixtureRequest) -> Lock:
    return lock.read(lock.lock_path(REPOSITORY, request.param))


def test_every_profile_is_locked() -> None:
    found: list[Finding] = []
    asked = intent.read(REPOSITORY, INTENT, Intent, found)
    assert asked is not None, found
    assert sorted(asked.profiles) == PROFILES


def test_it_is_what_its_intent_gives(locked: Lock, tmp_path: Path) -> None:
    loaded = intent.load(REPOSITORY, locked.profile)
    lock.check_fresh(locked, loaded, context(REPOSITORY, locked, Cache(tmp_path), Recording()))
    assert locked.intent == loaded.digest({source.name: source.key for source in locked.sources})


def test_it_is_as_the_tool_writes_it(locked: Lock) -> None:
    assert lock.dump(locked) == lock.lock_path(REPOSITORY, locked.profile).read_text()


def test_every_artifact_states_its_facts(locked: Lock) -> None:
    owners = {organ.name for organ in locked.organs} | {intent.plugin_source(p) for p in locked.plugins}
    for source in locked.sources:
        assert source.artifacts or not source.reproducible, source.name
        for artifact in source.artifacts:
            assert artifact.size > 0, artifact
            assert artifact.licence not in ("", "not stated"), artifact
            assert set(artifact.needed_by) <= owners, artifact


def test_every_image_of_reproducible_sources_has_its_digest(locked: Lock) -> None:
    fixed = {source.name for source in locked.sources if source.reproducible}
    for image in locked.images:
        if lock.image_sources(image) <= fixed:
            assert image.digest, image.ref
            assert all(layer.digest for layer in image.layers), image.ref


def test_the_hosts_packages_are_complete_from_an_empty_disk(locked: Lock) -> None:
    names = {artifact.name for artifact in locked.source(HOST_PACKAGES).artifacts}
    assert names >= {
        "apt",
        "base-files",
        "dpkg",
        "libc6",
        "runc",
        "systemd-sysv",
        "openssh-server",
        "python3",
    }


@pytest.mark.parametrize("folder", ["offline-bundle", "playbooks", "requirements"])
def test_no_registry_is_named(folder: str) -> None:
    named = [
        f"{path.relative_to(REPOSITORY)}: {host}"
        for path in sorted((REPOSITORY / folder).rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
        for host in HOSTS
        if host.encode() in path.read_bytes()
    ]
    assert named == []
