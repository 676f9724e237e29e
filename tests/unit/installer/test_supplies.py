import hashlib
import json
from pathlib import Path

from llmflow_bundle import layout
from llmflow_bundle.bundle import Bundle
from llmflow_bundle.model import (
    ImageConfig,
    Lock,
    LockedImage,
    LockedOrgan,
    Root,
    RootFile,
    Target,
    Toolchain,
)
from llmflow_installer.supplies import OrganSupply, bundle_variables, supplies_of

PAUSE = "registry.k8s.io/pause:3.10.2"
DIGEST = "sha256:" + "b" * 64
TARGET = Target(os="debian-12", arch="amd64")


def bundle(path: Path) -> Bundle:
    index = {"manifests": [{"digest": DIGEST, "size": 1, "annotations": {layout.REF_NAME: PAUSE}}]}
    (path / layout.INDEX).write_text(json.dumps(index))
    (path / layout.ROOT).write_text("{}")
    file = RootFile(size=100, sha256="c" * 64)
    blobs = {layout.blob("d" * 64): file, layout.blob("e" * 64): file}
    root = Root(
        name="llmflow",
        version="0.1.0",
        profile="lab",
        target=TARGET,
        lock="a" * 64,
        files={layout.INDEX: file, "bin/kubeadm": file, **blobs},
    )
    image = LockedImage(ref=PAUSE, organ="kubernetes", layers=(), config=ImageConfig())
    organs = (
        LockedOrgan(name="kubernetes", version="v1.36.3", licence="Apache-2.0", why="x"),
        LockedOrgan(name="helm", version="v4.3.1", licence="Apache-2.0", why="x"),
    )
    lock = Lock(
        profile="lab",
        target=TARGET,
        intent="f" * 64,
        toolchain=Toolchain(go="go1.26.8"),
        organs=organs,
        sources=(),
        images=(image,),
    )
    return Bundle(path, root, lock, (image,))


def test_what_an_installer_needs_of_a_bundle(tmp_path: Path) -> None:
    supplies = supplies_of(bundle(tmp_path))
    assert supplies.images == {PAUSE: DIGEST}
    assert supplies.image_bytes == 200  # blobs only
    assert supplies.organs == {
        "kubernetes": OrganSupply("v1.36.3", (PAUSE,)),
        "helm": OrganSupply("v4.3.1", ()),
    }
    assert supplies.digest == hashlib.sha256(b"{}").hexdigest()
    assert supplies.playbooks == tmp_path / "playbooks"


def test_variables_are_plain_data(tmp_path: Path) -> None:
    variables = bundle_variables(supplies_of(bundle(tmp_path)))
    assert json.loads(json.dumps(variables)) == variables
    assert variables["organs"]["kubernetes"] == {"version": "v1.36.3", "images": [PAUSE]}
