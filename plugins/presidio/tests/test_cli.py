"""`llmflow presidio` as somebody in a hurry uses it: the right answer, or words that say what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from llmflow_bundle.errors import WorkFailed
from llmflow_presidio.cli import app
from typer.testing import CliRunner, Result

TEXT = "홍길동 과장의 번호는 010-1234-5678입니다."
TOKENISES = "{format: 1, revision: r1, entities: {PERSON: tokenise}}"


def test_a_text_is_looked_through_counted_and_masked(tmp_path: Path) -> None:
    file = _file(tmp_path, "text.txt", TEXT)
    found = [json.loads(line) for line in _run("scan", file).stdout.splitlines()]
    assert [(one["entity"], TEXT[one["start"] : one["end"]]) for one in found] == [
        ("PERSON", "홍길동"),
        ("PHONE_NUMBER", "010-1234-5678"),
    ]
    counted = json.loads(_run("dry-run", file).stdout)
    assert (counted["outcome"], counted["found"]) == ("change", {"PERSON:replace": 1, "PHONE_NUMBER:mask": 1})
    assert _run("mask", file).stdout == "<이름> 과장의 번호는 ***-****-5678입니다."


def test_a_policy_s_line_is_the_policy(tmp_path: Path) -> None:
    file = _file(tmp_path, "policy.yaml", TOKENISES)
    line = _run("check", file, "--line").stdout.strip()
    again = _file(tmp_path, "line.txt", line)
    assert "revision r1 is sound" in _run("check", again).stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["scan", "missing.txt"], "No such file"),
        (["scan", "."], "Is a directory"),
        (["scan", "binary"], "no UTF-8 text"),
        (["mask", "text.txt", "--policy", "strct"], "standard, strict, observe"),
        (["mask", "text.txt", "--policy", "tokenises.yaml"], "--secret-file"),
        (["mask", "text.txt", "--policy", "tokenises.yaml", "--secret-file", "text.txt"], "16"),
        (["check", "wrong.yaml"], "is KR_RRN meant?"),
        (["check", "wrong.yaml"], "there is no such key"),
    ],
    ids=lambda words: "-".join(words) if isinstance(words, list) else None,
)
def test_what_is_wrong_is_said(
    words: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _file(tmp_path, "text.txt", "짧은 글")
    _file(tmp_path, "tokenises.yaml", TOKENISES)
    _file(tmp_path, "wrong.yaml", "{format: 1, revision: r1, entities: {KR_RNN: block}, mod: dry-run}")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    failed = _run(*words).exception
    assert isinstance(failed, WorkFailed)
    assert says in "\n".join([str(failed), *(one.what for one in failed.findings)])


def _run(*words: object) -> Result:
    return CliRunner().invoke(app, [*map(str, words)])


def _file(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path
