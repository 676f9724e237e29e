import json
from pathlib import Path

import pytest
import typer
from llmflow_bundle import errors
from llmflow_bundle.errors import Finding, LlmflowError
from llmflow_installer import cli


@pytest.fixture(autouse=True)
def _own_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LLMFLOW_STATE", str(tmp_path / "state"))


def raising(error: BaseException) -> int:
    def command() -> None:
        raise error

    return cli.run(command)


def main(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert isinstance(caught.value.code, int)
    return caught.value.code


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("SiteError", 2),
        ("BundleError", 3),
        ("PreflightFailed", 4),
        ("HostUnreachable", 5),
        ("StageFailed", 6),
        ("VerifyFailed", 7),
    ],
)
def test_exit_codes_say_who_acts_next(kind: str, code: int) -> None:
    assert raising(getattr(errors, kind)("ID", "what")) == code


def test_every_error_has_an_exit_code_of_its_own() -> None:
    kinds = LlmflowError.__subclasses__()
    assert len({kind.exit_code for kind in kinds}) == len(kinds)


def test_an_error_is_what_where_hint_with_every_finding(capsys: pytest.CaptureFixture[str]) -> None:
    findings = [
        Finding("SITE-VALUE", "a is wrong", "site.yml:1:1", "mend a"),
        Finding("SITE-VALUE", "b is wrong"),
    ]
    raising(errors.SiteError("SITE-INVALID", "2 mistakes", where="here", hint="mend them", findings=findings))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "error SITE-VALUE: a is wrong",
        "  where: site.yml:1:1",
        "  hint:  mend a",
        "error SITE-VALUE: b is wrong",
        "error SITE-INVALID: 2 mistakes",
        "  where: here",
        "  hint:  mend them",
    ]


def test_ctrl_c_is_one_calm_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert raising(KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == "stopped; run the same command again to go on where it was\n"


def test_our_bug_leaves_its_traceback_in_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert raising(KeyError("oops")) == 70
    err = capsys.readouterr().err
    (file,) = (tmp_path / "state/crashes").iterdir()
    assert str(file) in err
    assert "Traceback" not in err
    assert "KeyError: 'oops'" in file.read_text()


@pytest.mark.parametrize(
    "arguments", [[], ["--help"], ["install", "--help"], ["plan", "--help"], ["verify", "--help"]]
)
def test_help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(*arguments) in (0, 2)
    assert "Usage: llmflow" in "".join(capsys.readouterr())


def test_a_misspelt_command_is_the_operators(capsys: pytest.CaptureFixture[str]) -> None:
    assert main("instal") == 2
    assert "install" in capsys.readouterr().err


def test_errors_are_json_where_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main("--json", "install", str(tmp_path), "--bundle", str(tmp_path)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    error = json.loads(err.splitlines()[-1])
    assert (error["event"], error["id"], error["exit"]) == ("error", "SITE-NOT-FOUND", 2)


def test_a_command_whose_package_is_not_carried_is_left_out() -> None:
    app = typer.Typer()
    cli.mount(app, "away", "llmflow_away.cli")
    assert app.registered_groups == []
