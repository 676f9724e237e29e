"""The pictures of forms in the plugins' READMEs show the forms that Dify shows."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

REPOSITORY = Path(__file__).parents[2]
PROVIDERS = sorted(REPOSITORY.glob("plugins/*/provider/*.yaml"))
MOST_FIELDS = 32  # what Dify's daemon takes where it checks a declaration
LONGEST_DEFAULT = 255
NAMES = {"TEI (Text Embeddings Inference)", "Infinity"}  # the same in every language


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda path: path.stem)
def test_pictures_are_drawn_from_the_form(provider: Path) -> None:
    command = [sys.executable, "docs/form.py", "--check", str(provider.parents[1])]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda path: path.stem)
def test_fields_speak_english_and_korean(provider: Path) -> None:
    form = YAML(typ="safe", pure=True).load(provider.read_text(encoding="utf-8"))
    for fields in _forms(form, provider.parents[1]):
        assert len(fields) <= MOST_FIELDS
        _bilingual(fields)


def _forms(form: dict[str, Any], plugin: Path) -> Iterator[list[dict[str, Any]]]:
    """The fields of each form of a provider."""
    if "credentials_for_provider" in form:
        yield list(form["credentials_for_provider"].values())
    elif "strategies" in form:
        for name in form["strategies"]:
            yield YAML(typ="safe", pure=True).load((plugin / name).read_text(encoding="utf-8"))["parameters"]
    else:
        yield form["model_credential_schema"]["credential_form_schemas"]


def _bilingual(fields: list[dict[str, Any]]) -> None:
    for field in fields:
        options = [option["label"]["en_US"] for option in field.get("options", ())]
        for text in {field["label"]["en_US"], *options} - NAMES:
            assert " / " in text, text
            assert any("가" <= letter <= "힣" for letter in text), text
        assert len(str(field.get("default", ""))) <= LONGEST_DEFAULT


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda path: path.stem)
def test_both_readmes_show_the_form(provider: Path) -> None:
    plugin = provider.parents[1]
    for page in (plugin / "README.md", plugin / "readme" / "README_ko_KR.md"):
        assert "_assets/form-" in page.read_text(encoding="utf-8"), page
