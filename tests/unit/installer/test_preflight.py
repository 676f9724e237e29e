import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from llmflow_installer.document import quantity
from llmflow_installer.facts import HostFacts, parse_facts
from llmflow_installer.preflight import RULES, disk_needs, preflight
from llmflow_installer.site import Site, load_site
from ruamel.yaml import YAML
from support.stand import copy_of, some_supplies, sound_facts

CASES = Path(__file__).resolve().parents[2] / "cases/preflight"
KEYS = {"why", "site", "image_gib", "organs", "facts", "findings"}
GIB = 1 << 30


@cache
def load(file: Path) -> dict[str, Any]:
    case: dict[str, Any] = YAML(typ="safe").load(file)
    return case


CASE_FILES = sorted(CASES.glob("*.yaml"))


def facts_of(site: Site, changed: dict[str, dict[str, Any]]) -> list[HostFacts]:
    assert changed.keys() <= {host.name for host in site.hosts}
    facts = []
    for host in site.hosts:
        printed = sound_facts(host.name) | changed.get(host.name, {})
        assert printed.keys() == sound_facts(host.name).keys(), "a case changes a fact that does not exist"
        facts.append(parse_facts(host.name, json.dumps(printed), 1000.0, 1000.2))
    return facts


@pytest.mark.parametrize("file", CASE_FILES, ids=lambda file: file.stem)
def test_case(file: Path, tmp_path: Path) -> None:
    """A case is how site and hosts differ from sound ones, and the findings that follow."""
    case = load(file)
    assert case.keys() <= KEYS
    assert case["why"]
    directory = copy_of("three-node", tmp_path / "site")
    yaml = YAML(typ="safe")
    yaml.dump(yaml.load(directory / "site.yml") | case.get("site", {}), directory / "site.yml")
    site = load_site(directory)
    supplies = some_supplies(tmp_path, int(case.get("image_gib", 2) * GIB))

    if "organs" in case:
        supplies = replace(supplies, organs={name: supplies.organs[name] for name in case["organs"]})

    findings = preflight(site, supplies, facts_of(site, case.get("facts", {})))

    seen = [(one.id, one.where.removeprefix("host "), one.severity) for one in findings]
    assert seen == [
        (wanted["id"], wanted.get("host", "the site"), wanted.get("severity", "fail"))
        for wanted in case["findings"]
    ]
    for finding, wanted in zip(findings, case["findings"], strict=True):
        assert wanted["says"] in f"{finding.what} {finding.hint}"
        assert finding.hint


def test_every_rule_has_a_case() -> None:
    shown = {finding["id"] for file in CASE_FILES for finding in load(file)["findings"]}
    assert shown == {rule.id for rule in RULES}


def test_a_host_without_python_is_not_blamed_for_more(site: Site, tmp_path: Path) -> None:
    facts = [parse_facts(site.hosts[0].name, "no-python3\n", 0.0, 0.0), *facts_of(site, {})[1:]]
    assert [finding.id for finding in preflight(site, some_supplies(tmp_path), facts)] == ["PREFLIGHT-PYTHON"]


def test_disk_needs_follow_the_bundle(site: Site, tmp_path: Path) -> None:
    small, large = (some_supplies(tmp_path, size * GIB) for size in (1, 10))
    host, fact = site.hosts[0], facts_of(site, {})[0]
    grown = {
        path: disk_needs(site, large, host, fact)[path] - size
        for path, size in disk_needs(site, small, host, fact).items()
    }
    assert grown["/var/lib/llmflow"] == 9 * GIB
    assert grown["/var/lib/containerd"] == 27 * GIB
    assert grown["/var/lib/etcd"] == 0


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("8Gi", 8 * GIB),
        ("512Mi", 512 << 20),
        ("1.5Gi", 3 * GIB // 2),
        ("1000", 1000),
        ("64Ki", 65536),
        ("500m", 0),
        ("1Ti", 1024 * GIB),
    ],
)
def test_quantities(text: str, size: int) -> None:
    assert quantity(text) == size
