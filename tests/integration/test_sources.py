"""Each kind of source locks and fetches one tiny real thing with this machine's own clients."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from llmflow_bundle import sources
from llmflow_bundle.cache import Cache
from llmflow_bundle.errors import BundleError
from llmflow_bundle.model import (
    BuiltSource,
    DebSource,
    FileSource,
    GoSource,
    LockedArtifact,
    LockedSource,
    MavenSource,
    PypiSource,
    Source,
    Target,
    Toolchain,
)
from llmflow_bundle.report import Recording
from llmflow_bundle.sources.base import Context, find_tool


@pytest.fixture
def ctx(tmp_path: Path) -> Context:
    organ = tmp_path / "organ"
    organ.mkdir()
    (organ / "requirements.in").write_text("idna\n")
    (organ / "note.txt").write_text("hello\n")
    return Context(
        cache=Cache(tmp_path / "cache"),
        repository=tmp_path,
        organ_dir=organ,
        locks=tmp_path / "locks",
        target=Target(os="debian-12", arch="amd64"),
        toolchain=Toolchain(go="go1.26.8"),
        report=Recording(),
    )


def resolve(spec: Source, ctx: Context) -> LockedSource:
    """The source as the lock would hold it."""
    needed = [tool for tool in sources.tools(spec) if find_tool(tool) is None]
    if needed:
        pytest.skip(f"{', '.join(needed)} not installed")
    found = sources.of(spec.kind).resolve(spec, ctx)
    artifacts = tuple(
        LockedArtifact(name=d.name, version=d.version, file=d.file, sha256=d.sha256, size=d.size,
                       licence=d.licence, via=d.via, needed_by=("test",))
        for d in found.artifacts
    )  # fmt: skip
    return LockedSource(
        organ="test", spec=spec, key=found.key, toolchain=found.toolchain, artifacts=artifacts
    )


def fetch_again(locked: LockedSource, ctx: Context) -> Cache:
    """Fetch into an empty cache; every blob must be the locked one."""
    cache = Cache(ctx.cache.root.parent / "other-cache")
    fetched: list[str] = []
    context = replace(ctx, cache=cache, advance=lambda _n, item: fetched.append(item))
    sources.of(locked.kind).fetch(locked, context)
    assert all(cache.has(a.sha256, a.size) for a in locked.artifacts)
    assert not list((cache.root / "tmp").iterdir())
    return cache


def test_maven(ctx: Context) -> None:
    spec = MavenSource(kind="maven", name="tiny", coordinates=("org.slf4j:slf4j-simple:2.0.16",))
    locked = resolve(spec, ctx)
    assert [(a.name, a.version, a.via) for a in locked.artifacts] == [
        ("org.slf4j:slf4j-api", "2.0.16", "org.slf4j:slf4j-simple"),
        ("org.slf4j:slf4j-simple", "2.0.16", ""),
    ]
    assert all(a.licence != "not stated" for a in locked.artifacts)
    fetch_again(locked, ctx)


def test_maven_says_which_coordinate_is_not_there(ctx: Context) -> None:
    spec = MavenSource(kind="maven", name="tiny", coordinates=("org.slf4j:slf4j-simple:0.0.0",))
    with pytest.raises(BundleError, match="slf4j-simple") as caught:
        resolve(spec, ctx)
    assert caught.value.id == "BUNDLE-CLIENT"
    assert "://" not in caught.value.what


def test_pypi(ctx: Context) -> None:
    locked = resolve(PypiSource(kind="pypi", name="tiny", requirements="requirements.in"), ctx)
    (wheel,) = locked.artifacts
    assert wheel.name == "idna"
    assert wheel.licence == "BSD-3-Clause"
    assert "http" not in (ctx.locks / "pypi" / "tiny.txt").read_text()
    fetch_again(locked, ctx)


def test_deb(ctx: Context) -> None:
    locked = resolve(DebSource(kind="deb", name="tiny", packages=("netbase",)), ctx)
    assert {a.name for a in locked.artifacts} >= {"netbase"}
    fetch_again(locked, ctx)


def test_deb_whose_version_is_not_served_any_more(ctx: Context) -> None:
    locked = resolve(DebSource(kind="deb", name="tiny", packages=("netbase",)), ctx)
    (artifact,) = (a for a in locked.artifacts if a.name == "netbase")
    gone = artifact.model_copy(update={"version": "0.1", "sha256": "0" * 64})
    with pytest.raises(BundleError) as caught:
        fetch_again(locked.model_copy(update={"artifacts": (gone,)}), ctx)
    assert caught.value.id == "BUNDLE-GONE"
    assert artifact.version in caught.value.findings[0].what


def test_go_is_bit_for_bit_the_same(ctx: Context) -> None:
    spec = GoSource(
        kind="go", name="tiny", module="rsc.io/2fa", version="v1.2.0", commands=(".",), licence="BSD-3-Clause"
    )
    locked = resolve(spec, ctx)
    assert [a.file for a in locked.artifacts] == ["2fa"]
    cache = fetch_again(locked, ctx)
    assert [o.executable for o in cache.outputs(locked)] == [True]


def test_built_refuses_other_bytes(ctx: Context) -> None:
    known: dict[str, LockedSource] = {}
    context = replace(ctx, known=known)
    known["note"] = resolve(
        FileSource(kind="file", name="note", path="note.txt", licence="Apache-2.0"), context
    )
    spec = BuiltSource(
        kind="built",
        name="copy",
        command=("cp", "in.txt", "out.txt"),
        inputs={"in.txt": "note/note.txt"},
        outputs=("out.txt",),
        reproducible=True,
        licence="Apache-2.0",
    )
    locked = resolve(spec, context)
    altered = locked.artifacts[0].model_copy(update={"sha256": "0" * 64})
    with pytest.raises(BundleError, match=r"out\.txt") as caught:
        sources.of("built").fetch(locked.model_copy(update={"artifacts": (altered,)}), context)
    assert caught.value.id == "BUNDLE-NOT-REPRODUCED"
