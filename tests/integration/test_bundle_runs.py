"""The lab bundle, built from its lock, used as operators do: moved, read-only, in an empty environment."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from llmflow_bundle.bundle import open_bundle
from llmflow_bundle.dirs import config_dir
from llmflow_bundle.report import Recording
from llmflow_bundle.verify import verify_bundle

PLAYBOOK = """
- hosts: localhost
  connection: local
  gather_facts: false
  vars: {ansible_python_interpreter: "{{ ansible_playbook_python }}"}
  tasks:
    - setup: {gather_subset: [min]}
    - debug: {msg: "ran under {{ ansible_facts.python.executable }}"}
"""


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("go") is None:
        pytest.skip("go is not installed: the lab bundle can't be built here")
    out = tmp_path_factory.mktemp("lab") / "bundle"
    command = [sys.executable, "-m", "llmflow_installer", "bundle", "build", "lab", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture
def moved(lab: Path, tmp_path: Path) -> Path:
    """The bundle elsewhere, below a name with a space; the files are the same ones."""
    subprocess.run(["cp", "-al", lab, tmp_path / "a disk"], check=True)
    return tmp_path / "a disk"


def states(folder: Path) -> dict[Path, tuple[int, int]]:
    return {path: ((s := path.lstat()).st_ino, s.st_ctime_ns) for path in folder.rglob("*")}


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.timeout(3600)
def test_the_launcher_needs_nothing_and_leaves_nothing(moved: Path) -> None:
    before = states(moved)
    done = run(moved / "llmflow", "--help")
    assert "install" in done.stdout, done.stderr
    key = config_dir() / "bundle.pub"
    verified = run(moved / "llmflow", "bundle", "verify", moved, LLMFLOW_BUNDLE_KEY=str(key))
    assert verified.returncode == 0, verified.stderr
    assert states(moved) == before


def test_the_launcher_works_through_a_link(moved: Path, tmp_path: Path) -> None:
    (tmp_path / "llmflow").symlink_to(moved / "llmflow")
    assert "install" in run(tmp_path / "llmflow", "--help", PATH="/usr/bin:/bin").stdout


def test_ansible_runs_under_the_bundles_own_python(moved: Path, tmp_path: Path) -> None:
    before = states(moved)
    (tmp_path / "play.yml").write_text(PLAYBOOK)
    command = (moved / "installer/bin/ansible-playbook", "-i", "localhost,", tmp_path / "play.yml")
    done = run(*command, HOME=str(tmp_path), LC_ALL="C.UTF-8")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"ran under {moved}/installer/runtime/usr/bin/python3" in done.stdout
    assert states(moved) == before


def test_ansible_runner_finds_the_bundles_ansible(moved: Path, tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "play.yml").write_text(PLAYBOOK)
    program = (
        "import ansible_runner; done = ansible_runner.run("
        f"private_data_dir={str(tmp_path)!r}, playbook='play.yml', inventory='localhost,', quiet=True); "
        "print(done.status, [e['event'] for e in done.events][-1])"
    )
    python = moved / "installer/runtime/usr/bin/python3"
    path = f"{moved}/installer/bin:/usr/bin:/bin"
    done = run(python, "-c", program, PATH=path, HOME=str(tmp_path), LC_ALL="C.UTF-8")
    assert done.stdout.split() == ["successful", "playbook_on_stats"], done.stdout + done.stderr


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_medium_without_exec_is_named(lab: Path, tmp_path: Path) -> None:
    medium = tmp_path / "medium"
    medium.mkdir()
    subprocess.run(["mount", "--bind", lab, medium], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro,noexec", medium], check=True)
        done = run("/bin/sh", medium / "llmflow", "--help")
    finally:
        subprocess.run(["umount", medium], check=True)
    assert done.returncode == 3
    assert "BUNDLE-NOEXEC" in done.stderr


@pytest.mark.skipif(shutil.which("minisign") is None, reason="minisign is not installed")
def test_stock_minisign_accepts_the_root(lab: Path) -> None:
    done = run(
        "minisign", "-Vm", lab / "llmflow.json", "-p", config_dir() / "bundle.pub", PATH=os.environ["PATH"]
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not installed")
def test_skopeo_reads_every_image(lab: Path) -> None:
    for image in open_bundle(lab).images:
        command = ["skopeo", "inspect", f"oci:{lab}:{image.ref}"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert json.loads(done.stdout)["Digest"] == image.digest


def test_every_byte_is_as_signed(lab: Path) -> None:
    verify_bundle(lab, None, Recording())
