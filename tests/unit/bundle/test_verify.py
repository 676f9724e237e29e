import json
import os
import platform
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from llmflow_bundle import layout, minisign
from llmflow_bundle.bundle import open_bundle, trusted_key
from llmflow_bundle.errors import BundleError
from llmflow_bundle.minisign import SecretKey
from llmflow_bundle.report import Advanced, Recording, Started
from llmflow_bundle.verify import leads_out, verify_bundle
from support.workshop import Workshop


@pytest.fixture(scope="module")
def sound(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with no link into the cache; whoever damages it mends it."""
    folder = tmp_path_factory.mktemp("sound")
    shutil.copytree(workshop.build(folder / "built"), folder / "copied", symlinks=True)
    return folder / "copied"


@pytest.fixture
def copied(sound: Path, tmp_path: Path) -> Path:
    """A copy of the bundle, free to be damaged."""
    return Path(shutil.copytree(sound, tmp_path / "copied", symlinks=True))


def findings(bundle: Path, workshop: Workshop) -> set[tuple[str, str]]:
    with pytest.raises(BundleError) as caught:
        verify_bundle(bundle, workshop.key.public, Recording())
    assert caught.value.id == "BUNDLE-ALTERED"
    return {(finding.id, finding.where) for finding in caught.value.findings}


def flip(path: Path, place: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 0x20
    path.write_bytes(content)


def test_a_sound_bundle_passes_and_is_read_once(copied: Path, workshop: Workshop) -> None:
    report = Recording()
    root = verify_bundle(copied, workshop.key.public, report)
    total = sum(file.size for file in root.files.values())
    assert [e.total for e in report.events if isinstance(e, Started)] == [total]
    assert [e.done for e in report.events if isinstance(e, Advanced)][-1] == total


Damage = Callable[[Path], int | None]
LIB64 = "installer/runtime/lib64"


def instead(name: str, *, link: str | None = None, file: str | None = None) -> Damage:
    """Put a link or a file in place of what the bundle has there."""

    def do(bundle: Path) -> None:
        (bundle / name).unlink()
        if link is not None:
            (bundle / name).symlink_to(link)
        if file is not None:
            (bundle / name).write_text(file)

    return do


def move_a_folder_out(bundle: Path) -> None:
    (bundle / "bin").rename(bundle.parent / "bin")
    (bundle / "bin").symlink_to(bundle.parent / "bin")


DAMAGES: dict[str, tuple[Damage, set[tuple[str, str]]]] = {
    "flipped byte": (lambda b: flip(b / "models/weights/a.bin", 4000), {("ALTERED", "models/weights/a.bin")}),
    "truncated": (lambda b: os.truncate(b / "bin/tool", 10), {("ALTERED", "bin/tool")}),
    "longer": (lambda b: os.truncate(b / "bin/tool", 99_999), {("ALTERED", "bin/tool")}),
    "missing": (instead("bin/tool"), {("MISSING", "bin/tool")}),
    "extra": (lambda b: (b / "bin/more").write_text(""), {("EXTRA", "bin/more")}),
    "hidden extra": (lambda b: (b / ".x").write_text(""), {("EXTRA", ".x")}),
    "extra link": (lambda b: (b / "bin/more").symlink_to("tool"), {("EXTRA", "bin/more")}),
    "extra pipe": (lambda b: os.mkfifo(b / "bin/more"), {("EXTRA", "bin/more")}),
    "executable": (lambda b: (b / "lock.yaml").chmod(0o755), {("MODE", "lock.yaml")}),
    "not executable": (lambda b: (b / "llmflow").chmod(0o644), {("MODE", "llmflow")}),
    "setuid": (lambda b: (b / "bin/tool").chmod(0o4755), {("MODE", "bin/tool")}),
    "writable by all": (lambda b: (b / "bin/tool").chmod(0o777), {("MODE", "bin/tool")}),
    "link for a file": (instead("bin/tool", link="/bin/sh"), {("ALTERED", "bin/tool")}),
    "link elsewhere": (instead(LIB64, link="/usr/lib64"), {("LINK", LIB64)}),
    "missing link": (instead(LIB64), {("MISSING", LIB64)}),
    "file for a link": (instead(LIB64, file="usr/lib64"), {("LINK", LIB64)}),
    "folder moved out": (move_a_folder_out, {("EXTRA", "bin"), ("MISSING", "bin/tool")}),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_named(copied: Path, workshop: Workshop, damage: str) -> None:
    do, expected = DAMAGES[damage]
    do(copied)
    assert findings(copied, workshop) == {(f"BUNDLE-{id_}", where) for id_, where in expected}


def test_all_damage_is_named_at_once(copied: Path, workshop: Workshop) -> None:
    flip(copied / "models/weights/a.bin")
    (copied / "bin/tool").unlink()
    (copied / "extra").write_text("x")
    (copied / "llmflow").chmod(0o600)
    assert findings(copied, workshop) == {
        ("BUNDLE-ALTERED", "models/weights/a.bin"),
        ("BUNDLE-MISSING", "bin/tool"),
        ("BUNDLE-EXTRA", "extra"),
        ("BUNDLE-MODE", "llmflow"),
    }


def test_a_read_only_copy_passes(copied: Path, workshop: Workshop) -> None:
    for path in copied.rglob("*"):
        if path.is_file() and not path.is_symlink():
            path.chmod(0o555 if path.stat().st_mode & 0o100 else 0o444)
    verify_bundle(copied, workshop.key.public, Recording())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_flipped_byte_is_found_and_named(sound: Path, workshop: Workshop, data: st.DataObject) -> None:
    paths = sorted(p for p in sound.rglob("*") if p.is_file() and not p.is_symlink() and p.stat().st_size)
    path = data.draw(st.sampled_from(paths))
    content = path.read_bytes()
    first = content.index(b"\n") if path.name == layout.SIGNATURE else 0  # its first line is signed by nobody
    place = data.draw(st.integers(first, len(content) - 1))
    mask = data.draw(st.integers(1, 255))
    path.write_bytes(content[:place] + bytes([content[place] ^ mask]) + content[place + 1 :])
    try:
        with pytest.raises(BundleError) as caught:
            verify_bundle(sound, workshop.key.public, Recording())
    finally:
        path.write_bytes(content)
    name = path.relative_to(sound).as_posix()
    if name in (layout.ROOT, layout.SIGNATURE):
        assert layout.ROOT in caught.value.where
    else:
        assert [(f.id, f.where) for f in caught.value.findings] == [("BUNDLE-ALTERED", name)]


# --- signature, key, schema, architecture ---


def refusal(bundle: Path, key: minisign.PublicKey) -> str:
    """The one id that both opening and verifying give."""
    ids = set()
    for check in (lambda: open_bundle(bundle, key), lambda: verify_bundle(bundle, key, Recording())):
        with pytest.raises(BundleError) as caught:
            check()
        ids.add(caught.value.id)
    (only,) = ids
    return only


def resign(bundle: Path, workshop: Workshop, change: Callable[[dict], object]) -> None:  # type: ignore[type-arg] # JSON
    root = json.loads((bundle / layout.ROOT).read_bytes())
    change(root)
    (bundle / layout.ROOT).write_text(json.dumps(root))
    (bundle / layout.SIGNATURE).write_text(minisign.sign(bundle / layout.ROOT, workshop.key, "x"))


def test_a_folder_that_is_no_bundle(tmp_path: Path, workshop: Workshop) -> None:
    assert refusal(tmp_path, workshop.key.public) == "BUNDLE-NOT-FOUND"


def test_an_unsigned_bundle_is_refused(copied: Path, workshop: Workshop) -> None:
    (copied / layout.SIGNATURE).unlink()
    assert refusal(copied, workshop.key.public) == "BUNDLE-SIGNATURE-MISSING"


def test_a_changed_root_is_refused(copied: Path, workshop: Workshop) -> None:
    flip(copied / layout.ROOT, 5)
    assert refusal(copied, workshop.key.public) == "BUNDLE-SIGNATURE-WRONG"


def test_a_signature_that_is_no_text_is_refused(copied: Path, workshop: Workshop) -> None:
    (copied / layout.SIGNATURE).write_bytes(b"\xff\xfe\x00" * 100)
    assert refusal(copied, workshop.key.public) == "BUNDLE-SIGNATURE-UNREADABLE"


def test_an_unknown_key_is_refused(copied: Path) -> None:
    assert refusal(copied, SecretKey.new().public) == "BUNDLE-KEY-UNKNOWN"


def test_a_newer_format_is_refused(copied: Path, workshop: Workshop) -> None:
    resign(copied, workshop, lambda root: root.update(schema=2, something="new"))
    assert refusal(copied, workshop.key.public) == "BUNDLE-SCHEMA"


def test_another_architecture_is_refused(copied: Path, workshop: Workshop) -> None:
    resign(copied, workshop, lambda root: root["target"].update(arch="riscv64"))
    assert refusal(copied, workshop.key.public) == "BUNDLE-ARCHITECTURE"


def test_a_machine_of_another_architecture_refuses(
    copied: Path, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert refusal(copied, workshop.key.public) == "BUNDLE-ARCHITECTURE"


def test_a_malformed_root_is_refused(copied: Path, workshop: Workshop) -> None:
    resign(copied, workshop, lambda root: root.update(unknown=1))
    assert refusal(copied, workshop.key.public) == "BUNDLE-ROOT-UNREADABLE"


def test_a_signed_link_that_leads_out_is_refused(copied: Path, workshop: Workshop) -> None:
    (copied / "out").symlink_to("../etc")
    resign(copied, workshop, lambda root: root["links"].update(out="../etc"))
    assert findings(copied, workshop) == {("BUNDLE-LINK", "out")}


@pytest.mark.parametrize(
    ("name", "target", "out"),
    [("a/b", "../c", False), ("a/b", "../../c", True), ("a", "/etc", True), ("a", "b/../../c", True)],
)
def test_where_links_lead(name: str, target: str, out: bool) -> None:
    assert leads_out(name, target) is out


def test_an_altered_lock_is_not_used(copied: Path, workshop: Workshop) -> None:
    flip(copied / layout.LOCK, 20)
    with pytest.raises(BundleError) as caught:
        open_bundle(copied, workshop.key.public)
    assert caught.value.id == "BUNDLE-ALTERED"


def test_the_trusted_key_comes_from_the_environment_or_the_configuration(
    tmp_path: Path, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LLMFLOW_BUNDLE_KEY", raising=False)
    monkeypatch.setenv("LLMFLOW_CONFIG", str(tmp_path))
    with pytest.raises(BundleError) as caught:
        trusted_key()
    assert caught.value.id == "BUNDLE-KEY-MISSING"
    (tmp_path / "trusted.pub").write_text(workshop.key.public.text())
    assert trusted_key() == workshop.key.public
    other = SecretKey.new().public
    (tmp_path / "other.pub").write_text(other.text())
    monkeypatch.setenv("LLMFLOW_BUNDLE_KEY", str(tmp_path / "other.pub"))
    assert trusted_key() == other
