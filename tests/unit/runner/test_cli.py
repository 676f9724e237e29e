"""`llmflow plugin`: what it refuses before anything runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from llmflow_bundle.errors import BundleError, LlmflowError, PreflightFailed
from llmflow_bundle.report import Recording
from llmflow_runner import archive, call, declaration, environment, measure, sign
from llmflow_runner.cli import app
from llmflow_runner.measure import Cost
from llmflow_runner.verdict import Verdict
from typer.testing import CliRunner

Small = Callable[[str], dict[str, bytes]]

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keys and caches of this test alone."""
    for name in ("CONFIG", "CACHE", "STATE"):
        monkeypatch.setenv(f"LLMFLOW_{name}", str(tmp_path / name.lower()))
    return tmp_path


@pytest.fixture
def signer(home: Path) -> None:
    """The key that packs and checks here; making one of the real size takes a second."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    (home / "config").mkdir()
    for name, content in (
        (
            sign.PRIVATE,
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            ),
        ),
        (
            sign.PUBLIC,
            key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1),
        ),
    ):
        (home / "config" / name).write_bytes(content)


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


def test_packing_what_is_no_plugin(tmp_path: Path, signer: None) -> None:
    error = run("pack", str(tmp_path))
    assert (error.id, error.exit_code) == ("PLUGIN-NOT-A-PLUGIN", 3)


def test_checking_without_a_key(package: Path) -> None:
    assert run("check", str(package)).id == "PLUGIN-KEY"


def test_checking_an_unfit_package(package: Path, signer: None) -> None:
    error = run("check", str(package))
    assert (error.id, error.exit_code) == ("PLUGIN-UNFIT", 3)
    assert [finding.id for finding in error.findings] == ["PLUGIN-SIGNATURE"]


def test_checking_says_what_a_package_holds(package: Path, key: rsa.RSAPrivateKey, home: Path) -> None:
    trusted = home / "key.pem"
    trusted.write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1)
    )
    result = CliRunner().invoke(app, ["check", str(package), "--key", str(trusted), "--no-run"])
    assert result.exit_code == 0
    assert "licence   MIT: thing 1.0" in result.stdout
    assert "wheels    1" in result.stdout
    said = Verdict.of(package, key.public_key(), Recording(), run=False).data()
    assert (said["wheels"][0]["licence"], said["cost"], said["findings"]) == ("MIT", None, [])


def test_checking_starts_a_package(package: Path, key: rsa.RSAPrivateKey, home: Path) -> None:
    """The wheel of this one is none, which only shows where it is installed."""
    verdict = Verdict.of(package, key.public_key(), Recording(), run=True)
    assert [finding.id for finding in verdict.findings] == ["PLUGIN-INSTALL-FAILED"]
    assert verdict.cost is None


@pytest.mark.parametrize(
    ("cost", "ids"),
    [
        (Cost(99.0, 1.0, 1.0, 1.0, 1 << 20), []),
        (Cost(1.0, 1.0, 1.0, 1.0, (1 << 20) + 1), ["PLUGIN-MEMORY"]),
        (Cost(21.0, 21.0, 1.0, 1.0, 1), ["PLUGIN-SLOW"]),
        (Cost(1.0, 1.0, 99.0, 10.0, 1), []),
        (Cost(1.0, 1.0, 11.0, 11.0, 1, {"torch": 9.0}), ["PLUGIN-SLOW"]),
    ],
)
def test_what_costs_too_much(cost: Cost, ids: list[str], files: dict[str, bytes]) -> None:
    assert [finding.id for finding in measure.findings(cost, declaration.manifest(files))] == ids


def test_calling_a_package_of_a_stranger(package: Path, signer: None) -> None:
    error = run("call", str(package), "안녕", "--endpoint", "http://127.0.0.1:1", "--model", "m")
    assert (error.id, error.exit_code) == ("PLUGIN-SIGNATURE", 3)


def test_calling_without_an_address(package: Path) -> None:
    result = CliRunner().invoke(app, ["call", str(package), "안녕", "--model", "m"])
    assert result.exit_code == 2
    assert "--endpoint" in result.output


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["안녕", "하세요"], "one question"),
        (["번들은 어떻게 검증하나요?", "--type", "rerank"], "at least one passage"),
        (["안녕", "--type", "moderation"], "text-embedding"),
    ],
)
def test_calling_with_texts_that_the_kind_does_not_take(package: Path, words: list[str], says: str) -> None:
    arguments = ["call", str(package), *words, "--model", "m", "--endpoint", "http://127.0.0.1:1"]
    result = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}).invoke(app, arguments)
    assert result.exit_code == 2
    assert says in result.output


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["look"], "there are validate_tool_credentials, invoke_tool,"),
        (["invoke_toll"], "did you mean invoke_tool?"),
        (["invoke_tool", "{}", "{}"], "one request"),
        (["invoke_tool", "{"], "read as JSON"),
        (["invoke_tool", "[]"], "a JSON object"),
        (["invoke_tool", "@/nowhere.json"], "read as JSON"),
    ],
)
def test_actions_that_can_not_be_asked_for(package: Path, words: list[str], says: str) -> None:
    runner = CliRunner(env={"COLUMNS": "400", "NO_COLOR": "1", "TERM": "dumb"})
    result = runner.invoke(app, ["call", str(package), *words])
    assert result.exit_code == 2
    assert says in result.output


@pytest.mark.parametrize(
    ("kind", "first", "count"),
    [
        ("model", "validate_provider_credentials", 16),
        ("tools", "validate_tool_credentials", 8),
        ("agent", "invoke_agent_strategy", 1),
        ("datasource", "get_authorization_url", 9),
        ("trigger", "fetch_parameter_options", 10),
    ],
)
def test_calling_for_nothing_says_what_a_package_answers(
    kind: str, first: str, count: int, small_package: Small, home: Path
) -> None:
    files = small_package(kind)
    packed = home / "small.difypkg"
    packed.write_bytes(archive.write(files, b""))
    for name in ("manifest.yaml", "requirements.txt"):
        (home / name).write_bytes(files[name])
    said = [CliRunner().invoke(app, ["call", str(at)]).output.splitlines() for at in (packed, home)]
    assert (said[0][0], len(said[0])) == (first, count)
    assert said[0] == said[1]


def test_calling_a_folder_that_is_no_plugin(home: Path) -> None:
    assert run("call", str(home)).id == "PLUGIN-NOT-A-PLUGIN"


def test_what_a_package_has_not_is_said_before_it_is_installed(
    package: Path, key: rsa.RSAPrivateKey, home: Path
) -> None:
    own = home / "own.pem"
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1)
    own.write_bytes(pem)
    error = run("call", str(package), "invoke_tool", "{}", "--key", str(own))
    assert (error.id, error.exit_code) == ("PLUGIN-NO-PROVIDER", 3)
    assert not [*(home / "cache").glob("plugin-envs/*")]


def test_calling_with_a_script_that_is_none(package: Path, home: Path) -> None:
    path = home / "answers.yaml"
    path.write_text("to: llm", encoding="utf-8")
    error = run("call", str(package), "invoke_llm", "--dify", str(path))
    assert (error.id, error.exit_code) == ("PLUGIN-SCRIPT", 2)


def test_a_request_is_what_the_daemon_sends() -> None:
    form = {"endpoint_url": "http://127.0.0.1:1"}
    sent = {"type": "model", "user_id": "llmflow", "provider": "p", "model": "m", "credentials": form}
    assert call.request("p", call.Texts("m", ("가", "나"), form, "query")) == {
        **sent,
        "action": "invoke_text_embedding",
        "model_type": "text-embedding",
        "texts": ["가", "나"],
        "input_type": "query",
    }
    assert call.request("p", call.Passages("m", "가?", ("나", "다"), form)) == {
        **sent,
        "action": "invoke_rerank",
        "model_type": "rerank",
        "query": "가?",
        "docs": ["나", "다"],
        "score_threshold": None,
        "top_n": 2,
    }


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
