import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
from llmflow_bundle.debian_repo import Deb, repository, write_repository
from llmflow_bundle.errors import BundleError
from support.bundle_packages import make_deb

pytestmark = pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg is not installed")
needs_apt = pytest.mark.skipif(shutil.which("apt-get") is None, reason="apt-get is not installed")


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


def apt(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    options = {
        "Dir::Etc": home / "etc",
        "Dir::State": home / "state",
        "Dir::State::status": home / "status",
        "Dir::Cache": home / "cache",
        "APT::Sandbox::User": "root",
        "APT::Architecture": "amd64",
    }
    command = ["apt-get", *(f"-o{name}={value}" for name, value in options.items()), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def home(debs: dict[str, Deb], tmp_path: Path) -> Path:
    write_repository(tmp_path / "apt", repository(debs, tmp_path / "config"))
    home = tmp_path / "home"
    for folder in ("etc/preferences.d", "etc/apt.conf.d", "state/lists/partial", "cache/archives/partial"):
        (home / folder).mkdir(parents=True)
    (home / "status").touch()
    source = f"deb [signed-by={tmp_path}/apt/llmflow.gpg] file:{tmp_path}/apt bookworm main\n"
    (home / "etc" / "sources.list").write_text(source)
    return home


@needs_apt
def test_apt_accepts_the_repository(home: Path) -> None:
    updated = apt(home, "update")
    assert (updated.returncode, updated.stderr) == (0, "")
    assert "Inst hello (1:2.0-1" in apt(home, "install", "-s", "hello").stdout


@needs_apt
def test_apt_refuses_a_changed_list(home: Path) -> None:
    packages = home.parent / "apt/dists/bookworm/main/binary-amd64/Packages"
    packages.write_bytes(packages.read_bytes().replace(b"a test", b"A test"))
    assert apt(home, "update").returncode != 0


@needs_apt
def test_apt_refuses_another_key(home: Path, debs: dict[str, Deb], tmp_path: Path) -> None:
    stranger = repository(debs, tmp_path / "stranger")
    (tmp_path / "apt" / "llmflow.gpg").write_bytes(stranger.indexes["llmflow.gpg"])
    assert "NO_PUBKEY" in apt(home, "update").stderr
