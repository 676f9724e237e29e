import hashlib
import shutil
from pathlib import Path

import pytest
from llmflow_bundle.debian_repo import Deb, repository
from llmflow_bundle.errors import BundleError
from support.bundle_packages import make_deb

pytestmark = pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg is not installed")


@pytest.fixture
def debs(tmp_path: Path) -> dict[str, Deb]:
    made = {}
    for name in ("hello", "a-last"):
        path = make_deb(tmp_path / f"{name}.deb", name, [(f"./usr/bin/{name}", b"x", 0o755)])
        made[path.name] = Deb(path, hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size)
    return made


def test_packages_are_listed_by_name_with_digest_and_path(debs: dict[str, Deb], tmp_path: Path) -> None:
    made = repository(debs, tmp_path / "config")
    listed = made.indexes["dists/bookworm/main/binary-amd64/Packages"].decode()
    assert sorted(made.pool) == ["pool/a-last_2.0-1_amd64.deb", "pool/hello_2.0-1_amd64.deb"]
    assert listed.startswith("Package: a-last\n")
    assert listed.endswith(f"SHA256: {debs['hello.deb'].sha256}\n\n")
    assert "Filename: pool/hello_2.0-1_amd64.deb\n" in listed


def test_the_same_packages_and_key_give_the_same_bytes(debs: dict[str, Deb], tmp_path: Path) -> None:
    first = repository(debs, tmp_path / "config")
    backwards = dict(reversed(debs.items()))
    assert repository(backwards, tmp_path / "config").indexes == first.indexes
    assert repository(debs, tmp_path / "other").indexes["llmflow.gpg"] != first.indexes["llmflow.gpg"]


def test_the_key_is_kept_to_its_owner(debs: dict[str, Deb], tmp_path: Path) -> None:
    repository(debs, tmp_path / "config")
    assert (tmp_path / "config" / "apt.key").stat().st_mode & 0o777 == 0o600


def test_a_broken_key_is_named(debs: dict[str, Deb], tmp_path: Path) -> None:
    (tmp_path / "apt.key").write_text("no key")
    with pytest.raises(BundleError) as caught:
        repository(debs, tmp_path)
    assert caught.value.id == "BUNDLE-APT-KEY"
