import io
import tarfile
from pathlib import Path
from types import MappingProxyType

import pytest
import zstandard
from llmflow_bundle import images
from llmflow_bundle.cache import Output
from llmflow_bundle.errors import BundleError
from llmflow_bundle.images import Supply
from llmflow_bundle.model import Lock, LockedLayer, Target, Toolchain
from llmflow_bundle.oci import LayerStore
from llmflow_bundle.report import Recording
from llmflow_bundle.sources.base import Context
from support.workshop import Workshop


@pytest.fixture
def store(tmp_path: Path) -> LayerStore:
    return LayerStore(tmp_path / "layers")


def tar_of(workshop: Workshop, store: LayerStore, *steps: object) -> dict[str, tarfile.TarInfo]:
    layer = LockedLayer.model_validate({"steps": steps})
    built = images.build_layer(layer, Supply.of(workshop.lock, workshop.cache), store, "test", Recording())
    plain = zstandard.ZstdDecompressor().stream_reader(store.path(built.blob).read_bytes()).read()
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        return {member.name: member for member in tar if not member.isdir()}


def test_one_output_goes_to_its_path(workshop: Workshop, store: LayerStore) -> None:
    found = tar_of(workshop, store, {"from": "tools/tool", "to": "/usr/bin/tool", "mode": "0750"})
    assert {name: member.mode for name, member in found.items()} == {"usr/bin/tool": 0o750}


def test_a_whole_source_goes_below_its_path(workshop: Workshop, store: LayerStore) -> None:
    found = tar_of(workshop, store, {"from": "tools", "to": "/opt"})
    assert {name: member.mode for name, member in found.items()} == {"opt/other": 0o755, "opt/tool": 0o755}


def test_a_folder_output_loses_its_own_name(workshop: Workshop, store: LayerStore) -> None:
    assert list(tar_of(workshop, store, {"from": "model/weights", "to": "/"})) == ["a.bin"]
    assert list(tar_of(workshop, store, {"from": "model", "to": "/m"})) == ["m/weights/a.bin"]


def test_trees_are_unpacked_and_filtered(workshop: Workshop, store: LayerStore) -> None:
    found = tar_of(
        workshop,
        store,
        {"from": "host-packages", "to": "/", "include": ["usr/bin/*"]},
        {"from": "runtime", "to": "/site", "exclude": ["*/tests", "*.dist-info"]},
    )
    assert list(found) == ["site/pkg/__init__.py", "usr/bin/python3.11"]


def test_packages_are_chosen_by_name(workshop: Workshop, store: LayerStore) -> None:
    assert tar_of(workshop, store, {"from": "runtime", "to": "/", "packages": ["run*"]})
    assert not tar_of(workshop, store, {"from": "runtime", "to": "/", "packages": ["other"]})
    assert not tar_of(workshop, store, {"from": "runtime", "to": "/", "except_packages": ["runtime"]})


def test_two_parts_of_one_tree_share_its_links(workshop: Workshop, store: LayerStore) -> None:
    step = {"from": "host-packages", "to": "/", "include": ["lib64", "bin"]}
    assert tar_of(workshop, store, step, step)["lib64"].linkname == "usr/lib64"


def test_what_does_not_exist_is_named(workshop: Workshop, store: LayerStore) -> None:
    for reference in ("absent", "tools/absent"):
        with pytest.raises(BundleError, match=f"There is no {reference}"):
            tar_of(workshop, store, {"from": reference, "to": "/"})


def test_a_layer_is_known_by_its_input(workshop: Workshop, tmp_path: Path) -> None:
    supply = Supply.of(workshop.lock, workshop.cache)

    def key(*steps: object) -> str:
        return images.layer_plan(LockedLayer.model_validate({"steps": steps}), supply, tmp_path).key

    one = {"from": "tools/tool", "to": "/tool"}
    assert key(one) == key(dict(one))
    others = [{**one, "to": "/t"}, {**one, "mode": "0700"}, {**one, "from": "tools/other"}]
    assert len({key(one), *map(key, others)}) == 4


def context(workshop: Workshop) -> Context:
    here = workshop.repository
    return Context(
        cache=workshop.cache,
        repository=here,
        organ_dir=here,
        locks=here,
        target=Target(os="debian-12", arch="amd64"),
        toolchain=Toolchain(go="go1.26.8"),
        report=Recording(),
        known=MappingProxyType({}),
    )


def test_digests_are_those_of_the_build(workshop: Workshop) -> None:
    counted = images.with_digests(workshop.lock, context(workshop)).images[0]
    supply, store = Supply.of(workshop.lock, workshop.cache), images.store(workshop.cache)
    built = images.build_image(counted, supply, store, Recording())
    assert counted.digest == built.manifest.digest
    assert [layer.digest for layer in counted.layers] == [layer.diff_id for layer in built.layers]
    assert counted.size == sum(blob.size for blob in built.blobs())


def test_what_cannot_be_reproduced_stays_open(workshop: Workshop) -> None:
    spec = {
        "kind": "built",
        "name": "tools",
        "command": ["true"],
        "outputs": ["tool"],
        "reproducible": False,
        "why_not": "a test",
        "licence": "MIT",
    }
    document = workshop.lock.model_dump(mode="json", by_alias=True)
    document["sources"][0].update(spec=spec, artifacts=[], key="e" * 64)
    stored = {a.file: a for a in workshop.lock.source("tools").artifacts}
    outputs = [Output("tool", stored["tool"].sha256, stored["tool"].size, executable=True)]
    workshop.cache.remember("e" * 64, outputs)
    counted = images.with_digests(Lock.model_validate(document), context(workshop)).images[0]
    assert (counted.digest, counted.size) == ("", 0)
    assert [bool(layer.digest) for layer in counted.layers] == [False, True]
