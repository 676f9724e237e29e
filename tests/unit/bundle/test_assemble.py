import dataclasses
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest
from llmflow_bundle import assemble as assembling
from llmflow_bundle import layout, minisign
from llmflow_bundle.bundle import open_bundle
from llmflow_bundle.cache import Cache
from llmflow_bundle.errors import BundleError
from llmflow_bundle.model import LockedBinary
from llmflow_bundle.report import Advanced, Noted, Recording, Started
from llmflow_bundle.verify import verify_bundle
from support.workshop import Workshop, make_workshop

DISKS = (Path("/dev/shm"), Path("/var/tmp"))  # noqa: S108 - on most machines two file systems


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_a_bundle_holds_everything_and_nothing_else(built: Path, workshop: Workshop) -> None:
    top = {path.name for path in built.iterdir()}
    assert top == {
        *("llmflow", "llmflow.json", "llmflow.json.minisig", "lock.yaml", "sbom.cdx.json"),
        *("oci-layout", "index.json", "blobs", "apt", "bin", "wheels", "models", "plugins"),
        *("installer", "playbooks", "inventories"),
    }
    assert (built / "models/weights/a.bin").read_bytes() == b"w" * 5000
    assert os.access(built / "bin/tool", os.X_OK)
    assert not list(built.rglob("*.pyc"))
    verify_bundle(built, workshop.key.public, Recording())


def test_big_files_are_linked_not_copied(built: Path, workshop: Workshop) -> None:
    weights = workshop.lock.source("model").artifacts[0]
    assert (built / "models/weights/a.bin").samefile(workshop.cache.blob(weights.sha256))
    tool = next(a for a in workshop.lock.source("tools").artifacts if a.file == "tool")
    assert (built / "bin/tool").samefile(workshop.cache.blob(tool.sha256))
    assert next(iter((built / "apt/pool").iterdir())).stat().st_nlink > 1


def test_the_same_lock_gives_the_same_bytes(
    built: Path, workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = make_workshop(tmp_path / "elsewhere")
    for name in ("bundle.key", "apt.key"):
        shutil.copy(Path(os.environ["LLMFLOW_CONFIG"]) / name, tmp_path / "elsewhere" / "config" / name)
    monkeypatch.setenv("LLMFLOW_CONFIG", str(tmp_path / "elsewhere" / "config"))
    again = dataclasses.replace(elsewhere, key=workshop.key).build(tmp_path / "again")
    assert files(again) == files(built)


class Seen(NamedTuple):
    inode: int
    changed: int


def states(folder: Path) -> dict[Path, Seen]:
    return {path: Seen((s := path.lstat()).st_ino, s.st_ctime_ns) for path in folder.rglob("*")}


def test_a_second_build_touches_nothing(bundle: Path, workshop: Workshop) -> None:
    before, report = states(bundle), Recording()
    workshop.build(bundle, report)
    assert states(bundle) == before
    assert any(isinstance(event, Noted) and "nothing to do" in event.text for event in report.events)
    assert not any(isinstance(event, Started) for event in report.events)


@pytest.mark.parametrize("damage", ["extra", "missing", "flip", "link"])
def test_a_damaged_bundle_is_mended(bundle: Path, workshop: Workshop, damage: str) -> None:
    good = files(bundle)
    match damage:
        case "extra":
            (bundle / "extra").write_text("x")
        case "missing":
            (bundle / "bin/tool").unlink()
        case "flip":
            (bundle / "playbooks/roles/main.yml").write_text("- hosts: al1\n")
        case "link":
            (bundle / "installer/runtime/lib64").unlink()
    workshop.build(bundle)
    assert files(bundle) == good
    verify_bundle(bundle, workshop.key.public, Recording())


def test_a_cache_altered_through_a_bundle_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMFLOW_CONFIG", str(tmp_path / "config"))
    workshop = make_workshop(tmp_path)
    bundle = workshop.build(tmp_path / "bundle")
    runtime = bundle / "installer/runtime/usr/bin/python3.11"
    layer = max((bundle / "blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    for path in (runtime, layer):
        content = path.read_bytes()
        path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    workshop.build(bundle)
    verify_bundle(bundle, workshop.key.public, Recording())


def test_an_interrupted_build_goes_on(built: Path, workshop: Workshop, tmp_path: Path) -> None:
    partial = tmp_path / f"bundle{assembling.PARTIAL}"
    shutil.copytree(built, partial, symlinks=True)
    (partial / layout.ROOT).unlink()
    (partial / "bin/tool").unlink()
    (partial / "bin/.tool.part").write_bytes(b"half")
    assert files(workshop.build(tmp_path / "bundle")) == files(built)
    assert not partial.exists()


def test_a_bundle_of_another_lock_takes_the_place(workshop: Workshop, tmp_path: Path) -> None:
    out = workshop.build(tmp_path / "bundle")
    fewer = workshop.lock.model_copy(update={"binaries": ()})
    dataclasses.replace(workshop, lock=fewer).build(out)
    assert not (out / "bin").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
    verify_bundle(out, workshop.key.public, Recording())


def test_two_things_at_one_path_are_refused(workshop: Workshop, tmp_path: Path) -> None:
    twice = LockedBinary.model_validate({"from": "tools/other", "to": "tool", "organ": "tools"})
    clash = workshop.lock.model_copy(update={"binaries": (*workshop.lock.binaries, twice)})
    with pytest.raises(BundleError) as caught:
        dataclasses.replace(workshop, lock=clash).build(tmp_path / "bundle")
    assert (caught.value.id, caught.value.where) == ("BUNDLE-CLASH", "bin/tool")


def test_what_was_not_fetched_is_named(workshop: Workshop, tmp_path: Path) -> None:
    with pytest.raises(BundleError) as caught:
        dataclasses.replace(workshop, cache=Cache(tmp_path / "empty")).build(tmp_path / "bundle")
    assert caught.value.id == "BUNDLE-NOT-FETCHED"
    assert not (tmp_path / "bundle").exists()


def test_an_image_that_came_out_differently_is_refused(workshop: Workshop, tmp_path: Path) -> None:
    image = workshop.lock.images[0].model_copy(update={"digest": "sha256:" + "0" * 64})
    other = workshop.lock.model_copy(update={"images": (image,)})
    with pytest.raises(BundleError) as caught:
        dataclasses.replace(workshop, lock=other).build(tmp_path / "bundle")
    assert caught.value.id == "BUNDLE-NOT-REPRODUCED"


def test_a_full_disk_is_named_before_anything_is_written(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmflow_bundle.contents.SPARE", 1 << 60)
    with pytest.raises(BundleError) as caught:
        workshop.build(tmp_path / "bundle")
    assert caught.value.id == "BUNDLE-DISK-FULL"
    assert files(tmp_path) == {}


def test_a_bundle_opens_with_its_images(built: Path, workshop: Workshop) -> None:
    opened = open_bundle(built, workshop.key.public)
    index = json.loads((built / "index.json").read_bytes())
    assert [image.digest for image in opened.images] == [index["manifests"][0]["digest"]]
    blobs = sum(path.stat().st_size for path in (built / "blobs/sha256").iterdir())
    assert opened.images[0].size == blobs
    assert opened.file("bin/tool") == built / "bin/tool"
    assert opened.file("playbooks") == built / "playbooks"
    with pytest.raises(BundleError, match="the bundle has no bin/absent"):
        opened.file("bin/absent")


def test_the_signature_names_bundle_and_lock(built: Path, workshop: Workshop) -> None:
    signature = (built / layout.SIGNATURE).read_text()
    comment = minisign.verify(built / layout.ROOT, signature, workshop.key.public)
    assert comment.startswith("llmflow-test ")


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_what_is_no_bundle_is_not_replaced(workshop: Workshop, tmp_path: Path, kind: str) -> None:
    out, precious = tmp_path / "out", tmp_path / "precious"
    match kind:
        case "folder":
            out.mkdir()
            (out / "thesis").write_text("x")
        case "file":
            out.write_text("x")
        case "link":
            precious.mkdir()
            out.symlink_to(precious)
    with pytest.raises(BundleError) as caught:
        workshop.build(out)
    assert caught.value.id == "BUNDLE-OUT-TAKEN"
    assert out.is_symlink() or out.is_file() or (out / "thesis").read_text() == "x"


def test_an_empty_folder_may_be_filled(workshop: Workshop, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    verify_bundle(workshop.build(tmp_path / "out"), workshop.key.public, Recording())


@pytest.mark.parametrize("after", [1, 5, 12, 25])
def test_a_build_that_is_stopped_anywhere_goes_on(
    built: Path, workshop: Workshop, tmp_path: Path, after: int
) -> None:
    left = after

    def stop(event: object) -> None:
        nonlocal left
        left -= isinstance(event, Advanced) and event.task == "Assembling the bundle"
        if left == 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        workshop.build(tmp_path / "bundle", stop)
    assert not (tmp_path / "bundle").exists()
    assert not (tmp_path / f"bundle{assembling.PARTIAL}" / layout.ROOT).exists()
    assert files(workshop.build(tmp_path / "bundle")) == files(built)


def test_another_disk_gets_copies(workshop: Workshop, built: Path) -> None:
    others = [disk for disk in DISKS if disk.is_dir() and disk.stat().st_dev != built.stat().st_dev]
    if not others:
        pytest.skip("no second file system at hand")
    with tempfile.TemporaryDirectory(dir=others[0]) as folder:
        copied = workshop.build(Path(folder) / "bundle")
        assert files(copied) == files(built)
        assert os.access(copied / "bin/tool", os.X_OK)
        before = states(copied)
        workshop.build(copied)
        assert states(copied) == before
