"""Packing: the same bytes for the same folder, for the processors that are asked for, whole and not too large."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from llmflow_bundle.errors import BundleError
from llmflow_bundle.report import Recording
from llmflow_runner import archive, check, declaration, pack, sign
from llmflow_runner.declaration import Manifest

MakeWheel = Callable[..., bytes]
MADE_BY_PACKING = ("wheels/", "llmflow_kit/", "sbom.cdx.json")


@pytest.fixture
def cache(tmp_path: Path, make_wheel: MakeWheel) -> Path:
    """Holds the wheels that small plugins lock, for every processor, so that nothing is fetched."""
    path = tmp_path / "cache"
    (path / "wheels").mkdir(parents=True)
    (path / "wheels" / "thing-1.0-py3-none-any.whl").write_bytes(make_wheel())
    return path


@pytest.fixture
def plugin(files: dict[str, bytes], folder: Path) -> Path:
    """The folder that the small package would be packed from, with what is not packed beside it."""
    for name, content in files.items():
        if not name.startswith(MADE_BY_PACKING):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
    locked = (folder / "requirements.txt").read_text(encoding="utf-8")
    (folder / "requirements.txt").write_text(locked.partition("\n")[2], encoding="utf-8")
    for name in ("tests/test_x.py", "uv.lock", ".hidden/x", "__pycache__/x.pyc"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return folder


def packed(plugin: Path, out: Path, key: rsa.RSAPrivateKey, cache: Path, *arches: str) -> Path:
    return pack.pack(plugin, out, key, cache, Recording(), arches or ("amd64",))


def test_what_is_packed_is_fit_and_the_same_again(
    plugin: Path, cache: Path, key: rsa.RSAPrivateKey, tmp_path: Path
) -> None:
    first = packed(plugin, tmp_path / "a", key, cache)
    again = packed(plugin, tmp_path / "b", key, cache)
    assert first.name == "llmflow-small-0.1.0.difypkg"
    assert first.read_bytes() == again.read_bytes()
    assert check.check(first, key.public_key()) == []
    assert not {"uv.lock", "tests/test_x.py", ".hidden/x"} & set(archive.read(first).files)
    notices = (tmp_path / "a" / f"{first.name}.licences.txt").read_text(encoding="utf-8")
    assert "thing 1.0: MIT" in notices


@pytest.mark.parametrize(
    ("arches", "name"),
    [
        (("arm64",), "llmflow-small-0.1.0-arm64.difypkg"),
        (("amd64", "arm64"), "llmflow-small-0.1.0-amd64-arm64.difypkg"),
    ],
)
def test_other_processors(
    arches: tuple[str, ...], name: str, plugin: Path, cache: Path, key: rsa.RSAPrivateKey, tmp_path: Path
) -> None:
    path = packed(plugin, tmp_path, key, cache, *arches)
    files = archive.read(path).files
    assert path.name == name
    assert declaration.load(files, "manifest.yaml", Manifest).meta.arch == arches
    assert b'version: "3.12"' in files["manifest.yaml"]
    assert check.check(path, key.public_key()) == []


def test_a_wheel_that_nothing_needs_is_not_packed(
    plugin: Path, cache: Path, key: rsa.RSAPrivateKey, tmp_path: Path, make_wheel: MakeWheel
) -> None:
    wheel = make_wheel("left", "2.0")
    (cache / "wheels" / "left-2.0-py3-none-any.whl").write_bytes(wheel)
    with (plugin / "requirements.txt").open("a", encoding="utf-8") as locked:
        locked.write(f"left==2.0 --hash=sha256:{hashlib.sha256(wheel).hexdigest()}\n")
    with pytest.raises(BundleError) as error:
        packed(plugin, tmp_path, key, cache)
    assert error.value.id == "PLUGIN-REQUIREMENTS"
    assert ["left-2.0-py3-none-any.whl is carried for nothing" in f.what for f in error.value.findings] == [
        True
    ]
    assert not list(tmp_path.glob("*.difypkg*"))


def test_a_package_that_is_too_large_names_its_largest_files(
    plugin: Path, cache: Path, key: rsa.RSAPrivateKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "LIMIT", 5000)
    (plugin / "large.bin").write_bytes(bytes(200_000))
    with pytest.raises(BundleError) as error:
        packed(plugin, tmp_path, key, cache)
    assert error.value.id == "PLUGIN-TOO-LARGE"
    assert error.value.findings[0].what == " 195.3 KiB  large.bin"


def test_what_was_written_is_read_back_and_verified(
    plugin: Path, cache: Path, key: rsa.RSAPrivateKey, tmp_path: Path
) -> None:
    path = packed(plugin, tmp_path, key, cache)
    assert sign.verified(archive.read(path), key.public_key())
    assert [file.name for file in tmp_path.glob("*.part")] == []
