"""`llmflow plugin`: what it refuses before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from llmflow_bundle.errors import BundleError, LlmflowError, PreflightFailed
from llmflow_runner import archive, call, environment, sign
from llmflow_runner.cli import app
from typer.testing import CliRunner

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keys and caches of this test alone."""
    for name in ("CONFIG", "CACHE", "STATE"):
        monkeypatch.setenv(f"LLMFLOW_{name}", str(tmp_path / name.lower()))
    return tmp_path


@pytest.fixture
def package(files: dict[str, bytes], key: rsa.RSAPrivateKey, tmp_path: Path) -> Path:
    signed = sign.signed(files, key, 1)
    path = tmp_path / "small.difypkg"
    path.write_bytes(archive.write(signed.files, signed.comment))
    return path


def run(*words: str) -> LlmflowError:
    result = CliRunner().invoke(app, list(words))
    assert isinstance(result.exception, LlmflowError), result.output
    return result.exception


def test_packing_what_is_no_plugin(tmp_path: Path) -> None:
    error = run("pack", str(tmp_path))
    assert (error.id, error.exit_code) == ("PLUGIN-NOT-A-PLUGIN", 3)


def test_checking_without_a_key(package: Path) -> None:
    assert run("check", str(package)).id == "PLUGIN-KEY"


def test_checking_an_unfit_package(package: Path, home: Path) -> None:
    sign.signing_key(home / "config")
    error = run("check", str(package))
    assert (error.id, error.exit_code) == ("PLUGIN-UNFIT", 3)
    assert [finding.id for finding in error.findings] == ["PLUGIN-SIGNATURE"]


def test_calling_a_package_of_a_stranger(package: Path, home: Path) -> None:
    sign.signing_key(home / "config")
    error = run("call", str(package), "안녕", "--endpoint", "http://127.0.0.1:1", "--model", "m")
    assert (error.id, error.exit_code) == ("PLUGIN-SIGNATURE", 3)


def test_calling_without_an_address(package: Path) -> None:
    result = CliRunner().invoke(app, ["call", str(package), "안녕", "--model", "m"])
    assert result.exit_code == 2
    assert "--endpoint" in result.output


def test_a_package_with_wheels_that_are_none_is_not_installed(
    package: Path, key: rsa.RSAPrivateKey, home: Path
) -> None:
    opened = call.trusted(package, key.public_key())
    with pytest.raises(BundleError) as error, environment.installed(opened, home, True, lambda _: None):
        raise AssertionError("it was installed")
    assert error.value.id == "PLUGIN-INSTALL-FAILED"


def test_no_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(environment.VARIABLE, "/nowhere/python3.12")
    with pytest.raises(PreflightFailed) as error:
        environment.interpreter()
    assert (error.value.id, error.value.exit_code) == ("PLUGIN-PYTHON-MISSING", 4)
