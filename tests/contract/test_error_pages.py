"""Every error id that the sources can raise has a heading in the reference, and no heading is orphaned."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = (
    "offline-bundle/src",
    "installer/src",
    "plugins/runner",
    "plugins/kit",
    "plugins/graphrag/llmflow_graphrag",
    "plugins/unstructured/llmflow_unstructured",
    "plugins/presidio/llmflow_presidio",
)
PAGES = ROOT / "docs/reference/errors"
ID = re.compile(r"^[A-Z]+(-[A-Z0-9]+)+$")
FAMILIES = (
    "SITE",
    "BUNDLE",
    "LOCK",
    "PREFLIGHT",
    "MACHINE",
    "HOST",
    "STAGE",
    "VERIFY",
    "PLUGIN",
    "REHEARSE",
    "GRAPHRAG",
    "PARSE",
    "PRESIDIO",
)


def ids_in(source: Path) -> Iterator[str]:
    """String constants of one of the families' form; errors are always named by a whole literal."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and ID.match(text) and text.split("-")[0] in FAMILIES:
            yield text


def used() -> dict[str, str]:
    files = [file for folder in SOURCES for file in sorted((ROOT / folder).rglob("*.py"))]
    return {id_: str(file.relative_to(ROOT)) for file in files for id_ in ids_in(file)}


def described() -> list[str]:
    lines = [
        line for page in sorted(PAGES.glob("*.md")) for line in page.read_text(encoding="utf-8").splitlines()
    ]
    return [line.removeprefix("## ").strip() for line in lines if line.startswith("## ")]


def test_every_id_has_a_page() -> None:
    missing = {id_: file for id_, file in used().items() if id_ not in described()}
    assert not missing, f"add a `## ID` paragraph to a page in {PAGES.relative_to(ROOT)}: {missing}"


def test_every_page_has_an_id() -> None:
    orphans = sorted(set(described()) - set(used()))
    assert not orphans, "no source raises these any more"


def test_no_id_is_described_twice() -> None:
    pages = described()
    assert sorted(set(pages)) == sorted(pages)
