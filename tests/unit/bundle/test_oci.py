import dataclasses
import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from llmflow_bundle import oci
from llmflow_bundle.errors import BundleError
from llmflow_bundle.layout import REF_NAME
from llmflow_bundle.oci import Entry, ImageConfig, LayerPlan, LayerStore
from llmflow_bundle.report import Advanced, Recording


def written(entries: list[Entry]) -> tuple[oci.Layer, bytes]:
    file = io.BytesIO()
    return oci.write_layer(entries, file, Recording()), file.getvalue()


def members(blob: bytes) -> dict[str, tarfile.TarInfo]:
    plain = zstandard.ZstdDecompressor().stream_reader(blob).read()
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        return {member.name: member for member in tar}


def test_digests_are_those_of_what_was_written() -> None:
    layer, blob = written([Entry.data("a/b", b"content", 0o755)])
    plain = zstandard.ZstdDecompressor().stream_reader(blob).read()
    assert layer.blob.digest == f"sha256:{hashlib.sha256(blob).hexdigest()}"
    assert layer.diff_id == f"sha256:{hashlib.sha256(plain).hexdigest()}"
    assert (layer.blob.size, layer.tar_size) == (len(blob), len(plain))


def test_a_layer_says_nothing_of_its_builder() -> None:
    entries = [Entry.data("a/b", b"x", 0o755), Entry.link("a/c", "b"), Entry.folder("d", 0o700, (5, 6))]
    found = members(written(entries)[1])
    assert list(found) == ["a", "a/b", "a/c", "d"]
    assert {(m.mtime, m.uname, m.gname) for m in found.values()} == {(0, "", "")}
    assert (found["a"].mode, found["a/b"].mode, found["d"].mode) == (0o755, 0o755, 0o700)
    assert (found["a/b"].uid, found["d"].uid, found["d"].gid) == (0, 5, 6)
    assert found["a/c"].linkname == "b"


def test_pax_headers_appear_only_where_needed() -> None:
    assert not members(written([Entry.data("short", b"")])[1])["short"].pax_headers
    long = "/".join(["n" * 60] * 5)
    assert members(written([Entry.data(long, b"")])[1])[long].pax_headers
    assert "한글" in members(written([Entry.data("한글", b"")])[1])


names = st.text("abc", min_size=1, max_size=3)
contents = st.dictionaries(names, st.binary(max_size=2000), max_size=6)


@given(contents, st.randoms())
def test_the_order_of_entries_does_not_matter(files: dict[str, bytes], random: object) -> None:
    entries = [Entry.data(name, content) for name, content in files.items()]
    shuffled = sorted(entries, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert written(entries)[1] == written(shuffled)[1]


def test_the_number_of_workers_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"".join(hashlib.sha256(bytes([n % 251, n // 251])).digest() * 20 for n in range(40_000))
    digests = set()
    for workers in (1, 2, 3, 7):
        monkeypatch.setattr(oci, "_THREADS", workers)
        digests.add(written([Entry.data("big", content)])[0].blob.digest)
    assert len(digests) == 1


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "", "."])
def test_paths_that_lead_out_are_refused(path: str) -> None:
    with pytest.raises(BundleError) as caught:
        written([Entry.data(path, b"")])
    assert caught.value.id == "BUNDLE-LAYER-PATH"


@pytest.mark.parametrize(
    "entries",
    [
        [Entry.data("a", b"1"), Entry.data("a", b"2")],
        [Entry.data("a", b"1"), Entry.data("a/b", b"2")],
        [Entry.link("a", "/etc"), Entry.data("a/b", b"2")],
        [Entry.folder("a"), Entry.link("a", "/etc")],
    ],
)
def test_two_things_at_one_path_are_refused(entries: list[Entry]) -> None:
    with pytest.raises(BundleError) as caught:
        written(entries)
    assert caught.value.id == "BUNDLE-LAYER-CLASH"


def test_a_source_that_is_too_short_is_an_error() -> None:
    short = dataclasses.replace(Entry.data("a", b"12"), size=3)
    with pytest.raises(OSError, match="unexpected end of data"):
        written([short])


def test_progress_is_in_bytes() -> None:
    report = Recording()
    oci.write_layer([Entry.data("a", b"12"), Entry.data("b", b"345")], io.BytesIO(), report)
    done = [event.done for event in report.events if isinstance(event, Advanced)]
    assert done == [2, 5]


def test_a_layer_is_built_once(tmp_path: Path) -> None:
    store = LayerStore(tmp_path)
    opened = []

    def entries() -> list[Entry]:
        opened.append(1)
        return [Entry.data("a", b"1")]

    first = store.layer(LayerPlan("k", entries), Recording())
    assert LayerStore(tmp_path).layer(LayerPlan("k", entries), Recording()) == first
    assert len(opened) == 1


@pytest.mark.parametrize("touch", ["flip", "truncate", "remove"])
def test_a_damaged_layer_is_built_again(tmp_path: Path, touch: str) -> None:
    store = LayerStore(tmp_path)
    plan = LayerPlan("k", lambda: [Entry.data("a", b"1" * 1000)])
    layer = store.layer(plan, Recording())
    path = store.path(layer.blob)
    sound = path.read_bytes()
    match touch:
        case "flip":
            path.write_bytes(bytes([sound[0] ^ 1]) + sound[1:])
        case "truncate":
            path.write_bytes(sound[:-1])
        case "remove":
            path.unlink()
    assert store.layer(plan, Recording()) == layer
    assert path.read_bytes() == sound


def test_a_build_that_stops_leaves_no_layer(tmp_path: Path) -> None:
    def entries() -> list[Entry]:
        raise KeyboardInterrupt

    store = LayerStore(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        store.layer(LayerPlan("k", entries), Recording())
    assert store.find("k") is None
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_an_image_is_its_config_and_layers(tmp_path: Path) -> None:
    store = LayerStore(tmp_path / "store")
    layer = store.layer(LayerPlan("k", lambda: [Entry.data("a", b"1")]), Recording())
    config = ImageConfig(["/a"], ["-v"], {"B": "2", "A": "1"}, "65532:65532", "/w")
    image = store.image("example.org/a:1", [layer, layer], config)
    assert json.loads(store.path(image.config).read_bytes()) == {
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "Cmd": ["-v"],
            "Entrypoint": ["/a"],
            "Env": ["A=1", "B=2"],
            "User": "65532:65532",
            "WorkingDir": "/w",
        },
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id] * 2},
    }


def test_a_layout_links_its_blobs(tmp_path: Path) -> None:
    store = LayerStore(tmp_path / "store")
    layer = store.layer(LayerPlan("k", lambda: [Entry.data("a", b"1")]), Recording())
    images = [store.image(f"example.org/{name}:1", [layer], ImageConfig(["/" + name])) for name in "ba"]
    oci.write_layout(tmp_path / "layout", images, store)
    index = json.loads((tmp_path / "layout" / "index.json").read_bytes())
    assert [m["annotations"][REF_NAME] for m in index["manifests"]] == [
        "example.org/a:1",
        "example.org/b:1",
    ]
    blob = tmp_path / "layout" / "blobs" / "sha256" / layer.blob.hex
    assert blob.samefile(store.path(layer.blob))


def test_a_file_is_linked_once_and_copied_for_another_mode(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "x" / "target"
    source.write_bytes(b"content")
    source.chmod(0o644)
    assert oci.link_or_copy(source, target)
    assert not oci.link_or_copy(source, target)
    assert target.samefile(source)
    assert oci.link_or_copy(source, target, 0o755)
    assert not target.samefile(source)
    assert (target.read_bytes(), os.access(target, os.X_OK)) == (b"content", True)
    assert not oci.link_or_copy(source, target, 0o755)
