"""The main job, as an operator does it: rehearse, install, install again, ask, prove, end."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from e2e.conftest import NAME, Journey
from e2e.leftovers import appeared, leftovers
from e2e.state import end_state

pytestmark = [pytest.mark.root, pytest.mark.timeout(1800)]
STAGES = ["hosts", "registry", "cluster", "network", "organs", "verify"]


@pytest.fixture(scope="module")
def before() -> dict[str, list[str]]:
    return leftovers()


@pytest.fixture(scope="module")
def installed(journey: Journey, before: dict[str, list[str]]) -> dict[str, object]:
    journey.rehearse()
    done = journey.install()
    assert done.returncode == 0, done.stderr[-4000:]
    result: dict[str, object] = json.loads(done.stdout)
    return result


def test_every_stage_ran_and_the_platform_answered(installed: dict[str, object]) -> None:
    results = installed["results"]
    assert isinstance(results, list)
    assert [one["stage"] for one in results] == STAGES
    assert {one["outcome"] for one in results} == {"ran"}
    verified = installed["verified"]
    assert isinstance(verified, dict)
    assert verified["answer"]["answer"]


def test_a_second_install_changes_nothing(journey: Journey, installed: dict[str, object]) -> None:
    done = journey.install()
    assert done.returncode == 0, done.stderr[-4000:]
    result = json.loads(done.stdout)
    assert result["changed"] == 0
    assert [one["outcome"] for one in result["results"][:-1]] == ["done already"] * 5


def test_playing_every_stage_again_changes_nothing(journey: Journey, installed: dict[str, object]) -> None:
    done = journey.install("--force")
    assert done.returncode == 0, done.stderr[-4000:]
    result = json.loads(done.stdout)
    assert {one["stage"]: one["changed"] for one in result["results"]} == dict.fromkeys(STAGES, 0)


def test_the_packed_plugin_streams_the_scripted_answer(
    journey: Journey, installed: dict[str, object], tmp_path: Path
) -> None:
    secrets = json.loads((journey.state / "sites/e2e/secrets.json").read_text())
    (tmp_path / "key").write_text(secrets["vllm_api_key"])
    package = next((journey.bundle / "plugins").glob("llmflow-vllm-*.difypkg"))
    ca = next((journey.state / "sites/e2e/pki").glob("ca*.crt"))
    done = journey.llmflow(
        "plugin", "call", str(package), "안녕하세요", "--model", "scripted-qwen",
        "--endpoint", "https://10.79.0.2:30800/v1", "--api-key-file", str(tmp_path / "key"), "--ca-file", str(ca),
        "--key", str(journey.bundle / "plugins/plugin-signing.pub.pem"), "--max-tokens", "64",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "안녕하세요. 무엇을 도와드릴까요?"


def test_evidence_is_signed_and_says_that_nothing_left(
    journey: Journey, installed: dict[str, object], tmp_path: Path
) -> None:
    done = journey.llmflow(
        "verify", str(journey.rehearsed), "--bundle", str(journey.bundle), "--evidence", str(tmp_path)
    )
    assert done.returncode == 0, done.stderr
    evidence = json.loads((tmp_path / "evidence.json").read_text())
    assert evidence["egress"] == {"attempts": [], "questions": []}
    assert journey.ledger() == {"attempts": [], "questions": []}


def test_an_attempt_to_leave_is_counted_and_named(journey: Journey, clean_state: dict[str, object]) -> None:
    """The ledger's emptiness means something: what leaves is seen. Runs after the proof that nothing left."""
    journey.ssh(
        "getent hosts registry.example || true; timeout 1 bash -c 'echo > /dev/tcp/192.0.2.1/443' || true"
    )
    ledger = journey.ledger()
    assert [(a["destination"], a["port"]) for a in ledger["attempts"]] == [("192.0.2.1", 443)]  # type: ignore[index]
    assert {q["name"] for q in ledger["questions"]} == {"registry.example"}  # type: ignore[index]


@pytest.fixture(scope="module")
def clean_state(journey: Journey, installed: dict[str, object]) -> dict[str, object]:
    state = end_state(journey)
    (journey.state / "clean.json").write_text(json.dumps(state))
    return state


def test_another_host_key_is_refused(journey: Journey, installed: dict[str, object]) -> None:
    known = journey.rehearsed / "ssh/known_hosts"
    right = known.read_text()
    other = subprocess.run(
        ["ssh-keygen", "-y", "-f", str(journey.rehearsed / "ssh/id_ed25519")],
        check=True,
        capture_output=True,
        text=True,
    )
    try:
        known.write_text("10.79.0.2 " + " ".join(other.stdout.split()[:2]) + "\n")
        done = journey.install()
    finally:
        known.write_text(right)
    assert done.returncode == 5
    assert "key" in done.stderr


def test_down_leaves_nothing_behind(
    journey: Journey, before: dict[str, list[str]], clean_state: dict[str, object]
) -> None:
    journey.down()
    assert appeared(before) == {}


def test_a_host_that_does_not_answer_is_named(
    journey: Journey, installed: dict[str, object], tmp_path: Path
) -> None:
    site = tmp_path / "site"
    subprocess.run(["cp", "-a", str(journey.site), str(site)], check=True)
    (site / "ssh").mkdir(exist_ok=True)
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(site / "ssh/id_ed25519")], check=True
    )
    (site / "ssh/known_hosts").touch()
    for file in site.glob("*.yml"):  # nobody is at this address of our own loopback
        text = file.read_text().replace("10.79.0.", "127.79.0.")
        file.write_text(text.replace(f"name: {NAME}", f"name: {NAME}-away"))
    done = journey.llmflow("install", str(site), "--bundle", str(journey.bundle))
    assert done.returncode == 5, done.stderr
    assert "cp1" in done.stderr
