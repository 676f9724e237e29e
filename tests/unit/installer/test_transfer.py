"""Files that are sent arrive whole or not at all, and only those that are missing are sent."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest
from llmflow_bundle.model import RootFile
from llmflow_installer.transfer import Host, send


class HereHost(Host):
    """This machine, so that the real receiver runs without ssh, and on this Python, which is there at once."""

    def ssh(self, *command: str) -> list[str]:
        assert command[0] == "python3"
        return [sys.executable, *command[1:]]


HERE = HereHost("here", "root", Path("unused"), Path("unused"))


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    for name, content in {"bin/kubeadm": b"program", "apt/Packages": b"list", "llmflow.json": b"{}"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def described(bundle: Path) -> dict[str, RootFile]:
    files = [path for path in sorted(bundle.rglob("*")) if path.is_file()]
    return {
        str(path.relative_to(bundle)): RootFile(
            size=path.stat().st_size,
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            mode="0755" if path.parent.name == "bin" else None,
        )
        for path in files
    }


def test_what_is_missing_is_sent_once(bundle: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    files = described(bundle)
    assert send(bundle, files, HERE, str(there)) == 3
    assert (there / "bin/kubeadm").read_bytes() == b"program"
    assert (there / "bin/kubeadm").stat().st_mode & 0o777 == 0o755
    assert send(bundle, files, HERE, str(there)) == 0


def test_a_file_of_the_same_size_that_differs_is_sent_again(bundle: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    files = described(bundle)
    send(bundle, files, HERE, str(there))
    (there / "apt/Packages").write_bytes(b"tsil")
    assert send(bundle, files, HERE, str(there)) == 1
    assert (there / "apt/Packages").read_bytes() == b"list"


def test_an_altered_file_never_gets_its_name(bundle: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    files = described(bundle)
    (bundle / "bin/kubeadm").write_bytes(b"pr0gram")
    with pytest.raises(OSError, match=r"bin/kubeadm arrived altered"):
        send(bundle, files, HERE, str(there))
    assert not (there / "bin/kubeadm").exists()
    assert list(there.rglob(".*.partial")) == []


def test_what_a_dead_transfer_left_is_cleared(bundle: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    (there / ".kubeadm.999999999.partial").write_bytes(b"half")  # beyond any process id
    send(bundle, described(bundle), HERE, str(there))
    assert list(there.rglob(".*.partial")) == []
