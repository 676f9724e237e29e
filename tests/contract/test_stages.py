"""The table of stages, the playbooks and the playbooks' README say the same."""

from pathlib import Path
from typing import Any

import pytest
from llmflow_installer.stages import PLAYED, STAGES, Stage
from ruamel.yaml import YAML

PLAYBOOKS = Path(__file__).resolve().parents[2] / "playbooks"


def load(relative: str) -> Any:
    return YAML(typ="safe").load((PLAYBOOKS / relative).read_text(encoding="utf-8"))


def test_every_stage_has_its_files_and_no_file_is_left_over() -> None:
    wanted = {name for stage in PLAYED for name in (stage.playbook, stage.check)}
    assert {f"stages/{path.name}" for path in (PLAYBOOKS / "stages").glob("*.yml")} == wanted


def test_site_yml_imports_the_stages_in_order() -> None:
    imported = [
        play.get("ansible.builtin.import_playbook") or play.get("import_playbook")
        for play in load("site.yml")
    ]
    assert imported == [stage.playbook for stage in PLAYED]


def test_the_readme_lists_the_stages_in_order() -> None:
    rows = [
        line.split("|")[1].strip()
        for line in (PLAYBOOKS / "README.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| ")
    ]
    ids = [stage.id for stage in STAGES]
    assert [row for row in rows if row in ids] == ids


@pytest.mark.parametrize("stage", PLAYED, ids=lambda stage: stage.id)
def test_plays_say_what_they_are_for_and_where(stage: Stage) -> None:
    for file in (stage.playbook, stage.check):
        for play in load(file):
            assert play.get("name"), f"{file}: a play without a name"
            assert play.get("hosts"), f"{file}: a play without hosts"


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.id)
def test_needs_come_before(stage: Stage) -> None:
    before = [other.id for other in STAGES[: STAGES.index(stage)]]
    assert set(stage.needs) <= set(before)
