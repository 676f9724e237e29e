"""`llmflow parse` from the shell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from llmflow_bundle.errors import WorkFailed
from llmflow_unstructured import cli
from llmflow_unstructured.cli import app
from support.made_hwpx import Hwpx
from support.made_office import zipped
from typer.testing import CliRunner

PROSE = "이 규정은 폐쇄망 운영의 절차를 정하는 것을 목적으로 한다."


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cli, "cache_dir", lambda: tmp_path / "cache")
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "규정.hwpx").write_bytes(Hwpx().paragraph(PROSE).table([["가", "나"], ["1", "2"]]).content())
    (documents / "b.zip").write_bytes(zipped({"a.md": b"# x\n\n" + PROSE.encode() * 3, "bad": bytes(64)}))
    (documents / ".hidden").write_bytes(b"x")
    return documents


def test_markdown_elements_and_chunks(folder: Path, tmp_path: Path) -> None:
    shell = CliRunner()
    said = shell.invoke(app, [str(folder / "규정.hwpx")])
    assert (said.exit_code, said.stdout) == (0, f"{PROSE}\n\n| 가 | 나 |\n| --- | --- |\n| 1 | 2 |\n")
    lines = shell.invoke(app, [str(folder / "규정.hwpx"), "--json"]).stdout.splitlines()
    assert [json.loads(line)["type"] for line in lines] == ["NarrativeText", "Table"]
    out = tmp_path / "out"
    failed = shell.invoke(app, [str(folder), "--chunk", "60", "--out", str(out)])
    assert isinstance(failed.exception, WorkFailed)
    assert [(one.id, one.where) for one in failed.exception.findings] == [
        ("PARSE-PART", str(folder / "b.zip"))
    ]
    assert sorted(path.name for path in out.iterdir()) == ["b.zip.json", "규정.hwpx.json"]
    chunks = json.loads((out / "b.zip.json").read_text())
    assert len(chunks) > 1
    assert {chunk["metadata"]["inside"] for chunk in chunks} == {"a.md"}


@pytest.mark.parametrize(
    "wrong",
    [
        ["--json", "--markdown"],
        ["--chunk", "3"],
        ["--api", "nowhere"],
        ["--strategy", "magic"],
        ["--jobs", "0"],
    ],
)
def test_what_can_not_be_asked(folder: Path, wrong: list[str]) -> None:
    assert CliRunner().invoke(app, [str(folder), *wrong]).exit_code == 2
