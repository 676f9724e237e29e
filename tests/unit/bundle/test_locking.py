"""What the lock holds, when it is stale, and that it is one text for one intent."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from llmflow_bundle import lock
from llmflow_bundle.errors import BundleError
from llmflow_bundle.fetch import fetch
from llmflow_bundle.model import Lock
from llmflow_bundle.sources.base import run
from llmflow_bundle.why import why
from support.house import House


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_one_intent_gives_one_text(house: House, tmp_path: Path) -> None:
    first = lock.dump(house.lock())
    assert first == lock.dump(House(tmp_path / "other").lock())
    path = tmp_path / "lab.lock.yaml"
    assert lock.write(house.lock(), path)
    assert not lock.write(house.lock(), path)
    assert lock.read(path) == house.lock()


def test_every_artifact_has_its_facts(house: House) -> None:
    made = house.lock()
    artifacts = {a.file: a for source in made.sources for a in source.artifacts}
    assert sorted(artifacts) == ["a", "b", "joined"]
    assert artifacts["joined"].needed_by == ("alpha", "beta")
    assert artifacts["joined"].size == len("hello world\n")
    assert made.source("noise").artifacts == ()


def test_an_unchanged_source_is_kept_and_a_changed_one_resolved(house: House) -> None:
    before = house.lock()
    house.write("playbooks/organs/alpha/words/a", "goodbye ")
    after = house.lock(before)
    assert after.source("joined").key != before.source("joined").key
    assert after.source("noise").key != before.source("noise").key
    assert after.intent != before.intent


def stale(house: House, made: Lock) -> list[str]:
    with pytest.raises(BundleError) as caught:
        lock.check_fresh(made, house.load(), house.context())
    assert caught.value.id == "BUNDLE-LOCK-STALE"
    return [f.what for f in caught.value.findings]


@pytest.mark.parametrize(
    ("organ", "old", "new", "what"),
    [
        ("alpha", "version: v1\nwhy", "version: v2\nwhy", ["alpha: alpha has another version"]),
        (
            "alpha",
            "alpha:v1",
            "alpha:v2",
            [
                "alpha: images has no registry.example/alpha:v1 any more",
                "alpha: images has registry.example/alpha:v2, which is not locked",
            ],
        ),
        (
            "alpha",
            "entrypoint: [/joined]",
            "entrypoint: [/joint]",
            ["alpha: registry.example/alpha:v1 has another config"],
        ),
        ("beta", "mkdir model", "mkdir -p model", ["beta: source noise has another command"]),
        (
            "beta",
            "to: noise",
            "to: loud",
            ["beta: models has no noise any more", "beta: models has loud, which is not locked"],
        ),
    ],
)
def test_a_stale_lock_says_which_organ_and_field(
    house: House, organ: str, old: str, new: str, what: list[str]
) -> None:
    made = house.lock()
    lock.check_fresh(made, house.load(), house.context())
    house.edit(f"playbooks/organs/{organ}/organ.yaml", old, new)
    found = stale(house, made)
    assert sorted(found) == sorted(what)


def test_a_changed_file_makes_the_lock_stale(house: House) -> None:
    made = house.lock()
    house.write("playbooks/organs/alpha/words/b", "there\n")
    assert "alpha: files or inputs of source words have changed" in stale(house, made)


def test_an_unknown_name_to_update(house: House) -> None:
    with pytest.raises(BundleError) as caught:
        house.lock(update=("gamma",))
    assert (caught.value.id, "joined" in caught.value.hint) == ("BUNDLE-UPDATE", True)


def test_a_missing_tool_says_who_needs_it(house: House) -> None:
    house.edit("playbooks/organs/beta/organ.yaml", "[sh, -c", "[no-such-tool, -c")
    with pytest.raises(BundleError) as caught:
        house.lock()
    assert (caught.value.id, caught.value.where) == ("BUNDLE-TOOL-MISSING", "needed by source noise")


def test_a_lock_that_is_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "lab.lock.yaml"
    with pytest.raises(BundleError) as caught:
        lock.read(path)
    assert caught.value.id == "BUNDLE-LOCK-MISSING"
    for text in ("a: [", "{}", "- 1", "schema: 2"):
        path.write_text(text)
        with pytest.raises(BundleError) as caught:
            lock.read(path)
        assert caught.value.id == "BUNDLE-LOCK-UNREADABLE"


def test_fetching_twice_does_nothing_the_second_time(house: House) -> None:
    made = house.lock()
    fetch(made, house.root, house.cache, house.report)
    assert [o.file for o in house.cache.outputs(made.source("noise"))] == ["model/weights"]
    before = {
        p: p.stat().st_mtime_ns for p in house.cache.root.rglob("*") if p.is_file() and "locks" not in p.parts
    }
    fetch(made, house.root, house.cache, house.report)
    assert before == {
        p: p.stat().st_mtime_ns for p in house.cache.root.rglob("*") if p.is_file() and "locks" not in p.parts
    }


def test_a_recipe_that_fails_is_quoted(house: House) -> None:
    house.edit(
        "playbooks/organs/beta/organ.yaml",
        "mkdir model;",
        "echo 'error: no luck at http://u:p@h/x' >&2; exit 3;",
    )
    with pytest.raises(BundleError, match=r"no luck at \(address\)") as caught:
        fetch(house.lock(), house.root, house.cache, house.report)
    assert caught.value.id == "BUNDLE-CLIENT"


def test_too_little_space_is_told_before_anything_starts(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = house.lock()
    for source in made.sources:
        for artifact in source.artifacts:
            house.cache.blob(artifact.sha256).unlink()
    monkeypatch.setattr(house.cache, "free", lambda: 3)
    with pytest.raises(BundleError) as caught:
        fetch(made, house.root, house.cache, house.report)
    assert caught.value.id == "BUNDLE-DISK-FULL"


def test_why_tells_organ_and_use(house: House) -> None:
    made = house.lock()
    lines = why(made, "joined/joined")
    assert "  needed by alpha, beta, in source joined (built)" in lines
    assert "  → bin/joined" in lines
    assert "  → image registry.example/alpha:v1" in lines
    assert "  → source noise, built from it" in lines
    assert why(made, f"sha256:{made.source('joined').artifacts[0].sha256}")[0].startswith(
        "joined v1 (Apache-2.0)"
    )
    assert why(made, "alpha")[0].startswith("organ alpha v1")
    assert why(made, "registry.example/alpha:v1")[1] == "  needed by organ alpha"
    with pytest.raises(BundleError, match="no join") as caught:
        why(made, "join")
    assert "joined" in caught.value.hint


RECIPE = """\
      - {kind: file, name: one, path: one/note.txt, licence: Apache-2.0}
      - kind: built
        name: mixed
        command: [./words/run, mixed]
        env: {PYTHONPATH: words}
        inputs: {words: words, words/run: script, note: one}
        outputs: [mixed]
        reproducible: true
        licence: Apache-2.0
      - {kind: file, name: script, path: script/run.sh, licence: Apache-2.0}
    binaries"""


def test_a_recipe_sees_only_its_inputs_laid_over_each_other(house: House) -> None:
    house.write("playbooks/organs/alpha/one/note.txt", "a note\n")
    script = "#!/bin/sh\nmkdir $1; cp note $1/note; echo $PYTHONPATH > $1/env; ls > $1/seen\n"
    house.write("playbooks/organs/alpha/script/run.sh", script)
    (house.root / "playbooks/organs/alpha/script/run.sh").chmod(0o755)
    house.edit("playbooks/organs/alpha/organ.yaml", "    binaries", RECIPE)
    made = house.lock()
    text = {a.file: house.cache.blob(a.sha256).read_text() for a in made.source("mixed").artifacts}
    assert text == {"mixed/note": "a note\n", "mixed/env": "words\n", "mixed/seen": "mixed\nnote\nwords\n"}


def test_the_first_failure_ends_the_clients_of_the_other_lanes(tmp_path: Path) -> None:
    started = threading.Event()

    def slow() -> None:
        command = ["sh", "-c", "echo started >&2; sleep 600"]
        run(command, source="slow", cwd=tmp_path, on_line=lambda _line: started.set())

    def fail() -> None:
        started.wait()
        raise BundleError("BUNDLE-TEST", "no luck")

    never = list[str]()
    with pytest.raises(BundleError, match="no luck"):
        lock.run_lanes([[slow, lambda: never.append("next step")], [fail]])
    assert never == []
