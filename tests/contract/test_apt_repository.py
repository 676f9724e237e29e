"""Debian's apt takes the bundle's package repository as it is, and no other."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
from llmflow_bundle.debian_repo import Deb, repository, write_repository
from support.bundle_packages import make_deb

pytestmark = pytest.mark.skipif(
    shutil.which("gpg") is None or shutil.which("apt-get") is None, reason="gpg or apt-get is not installed"
)


@pytest.fixture
def debs(tmp_path: Path) -> dict[str, Deb]:
    made = {}
    for name in ("hello", "a-last"):
        path = make_deb(tmp_path / f"{name}.deb", name, [(f"./usr/bin/{name}", b"x", 0o755)])
        made[path.name] = Deb(path, hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size)
    return made


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


def test_apt_accepts_the_repository(home: Path) -> None:
    updated = apt(home, "update")
    assert (updated.returncode, updated.stderr) == (0, "")
    assert "Inst hello (1:2.0-1" in apt(home, "install", "-s", "hello").stdout


def test_apt_refuses_a_changed_list(home: Path) -> None:
    packages = home.parent / "apt/dists/bookworm/main/binary-amd64/Packages"
    packages.write_bytes(packages.read_bytes().replace(b"a test", b"A test"))
    assert apt(home, "update").returncode != 0


def test_apt_refuses_another_key(home: Path, debs: dict[str, Deb], tmp_path: Path) -> None:
    stranger = repository(debs, tmp_path / "stranger")
    (tmp_path / "apt" / "llmflow.gpg").write_bytes(stranger.indexes["llmflow.gpg"])
    assert "NO_PUBKEY" in apt(home, "update").stderr
