"""Mistakes in bundle.yaml and organ.yaml are all found at once, each with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from llmflow_bundle.errors import BundleError
from llmflow_bundle.model import Directory
from support.house import House


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


ALPHA = "playbooks/organs/alpha/organ.yaml"


def findings(house: House) -> list[tuple[str, str]]:
    with pytest.raises(BundleError) as caught:
        house.load()
    assert caught.value.id == "BUNDLE-INTENT"
    return [(f.where, f.what) for f in caught.value.findings]


def test_a_house_in_order_loads(house: House) -> None:
    loaded = house.load()
    assert [organ.name for organ in loaded.organs] == ["alpha", "beta"]
    assert [d.source.name for d in loaded.sources()] == ["words", "joined", "noise"]


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("why: the first letter", "wy: the first letter", 3, "wy: there is no such key"),
        ("path: words,", "pfad: words,", 8, "supply.packages.sources.0.pfad: there is no such key"),
        (
            "reproducible: true",
            "reproducible: false",
            9,
            "supply.packages.sources.1: reproducible: false needs why_not",
        ),
        ("mode: 0755", "mode: 0799", 20, "supply.packages.images.0.layers.0.0.mode"),
        ("kind: file", "kind: fiel", 8, "supply.packages.sources.0"),
        ("version: v1\nwhy", "version: [\nwhy", 4, "not YAML"),
        ("version: v1\nwhy", "version: v1\nversion: v2\nwhy", 3, "not YAML"),
    ],
)
def test_a_mistake_is_named_with_its_line(house: House, old: str, new: str, line: int, what: str) -> None:
    house.edit(ALPHA, old, new)
    found = findings(house)
    assert any(where == f"{ALPHA}:{line}" and what in text for where, text in found), found


def test_mistakes_in_several_files_come_together(house: House) -> None:
    house.edit(ALPHA, "why: the", "wy: the")
    house.edit("playbooks/organs/beta/organ.yaml", "why: the", "wy: the")
    assert len({where.partition(":")[0] for where, _ in findings(house)}) == 2


@pytest.mark.parametrize(
    ("path", "old", "new", "what"),
    [
        (
            "beta",
            "joined: joined/joined",
            "joined: nowhere/joined",
            "no organ of the profile has a source nowhere",
        ),
        ("beta", "name: noise", "name: words", "source words is already a source of alpha"),
        ("beta", "name: beta", "name: gamma", "name is gamma, but the folder is beta"),
        (
            "beta",
            "inputs: {joined: joined/joined}",
            "inputs: {a: noise}",
            "source noise is built from itself",
        ),
        (
            "beta",
            "licence: Apache-2.0\nsupply",
            "licence: Apache-2.0\nchart: charts/one\nsupply",
            "playbooks/charts/one is not there",
        ),
        ("alpha", "path: words,", "path: wrods,", "wrods is not there"),
    ],
)
def test_what_one_file_cannot_know(house: House, path: str, old: str, new: str, what: str) -> None:
    house.edit(f"playbooks/organs/{path}/organ.yaml", old, new)
    assert any(what in text for _, text in findings(house))


def test_an_organ_that_is_not_there(house: House) -> None:
    house.edit("offline-bundle/bundle.yaml", "[alpha, beta]", "[alpha, beta, gamma]")
    assert findings(house) == [
        ("playbooks/organs/gamma/organ.yaml", "playbooks/organs/gamma/organ.yaml is not there")
    ]


def test_a_profile_that_is_not_there_names_those_that_are(house: House) -> None:
    house.edit("offline-bundle/bundle.yaml", "  lab:", "  labor:")
    with pytest.raises(BundleError) as caught:
        house.load()
    assert (caught.value.id, "labor" in caught.value.hint) == ("BUNDLE-PROFILE", True)


SHARED = """\
    layers:
      words: [{from: words, to: /words}]
    images:
"""
USED = """\
    images:
      - {ref: "registry.example/beta:v1", layers: [[{layer: words}], [{layer: words}, {directory: /data}]]}
    models:"""


def test_images_of_all_organs_share_a_layer_by_name(house: House) -> None:
    house.edit(ALPHA, "    images:\n", SHARED)
    house.edit("playbooks/organs/beta/organ.yaml", "    models:", USED)
    alpha, beta = house.load().organs
    words = alpha.supply.packages.layers["words"]
    assert beta.supply.packages.images[0].layers == (words, (*words, Directory(directory="/data")))


def test_a_layer_that_nobody_has_and_one_that_two_have(house: House) -> None:
    house.edit("playbooks/organs/beta/organ.yaml", "    models:", USED)
    assert findings(house) == [
        (
            "playbooks/organs/beta/organ.yaml",
            "an image names the layer words, which no organ of the profile has",
        )
    ]
    house.edit(ALPHA, "    images:\n", SHARED)
    house.edit("playbooks/organs/beta/organ.yaml", "    images:\n", SHARED)
    assert [what for _, what in findings(house)] == ["layer words is already in alpha"]
