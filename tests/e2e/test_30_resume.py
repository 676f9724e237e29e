"""Whatever is killed, running the same command again ends where one clean run ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from llmflow_installer.stages import PLAYED

from e2e.conftest import Journey
from e2e.leftovers import appeared, leftovers
from e2e.state import end_state

pytestmark = [pytest.mark.root, pytest.mark.timeout(2400)]
TASKS_INTO_A_STAGE = 3  # far enough to have begun something


@pytest.fixture(scope="module")
def rehearsed(journey: Journey) -> Journey:
    journey.rehearse()
    return journey


def stop_in(journey: Journey, title: str, sign: signal.Signals) -> subprocess.Popen[str]:
    """Start an install, send it `sign` once it is into the stage of that title, and return it ended."""
    command = journey.command("--json", "install", str(journey.rehearsed), "--bundle", str(journey.bundle))
    process = subprocess.Popen(
        command, env=journey.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True, start_new_session=True,
    )  # fmt: skip
    heard, advanced = [], 0
    with process:
        assert process.stderr is not None
        for line in process.stderr:
            heard.append(line)
            event = json.loads(line) if line.startswith("{") else {}
            advanced += event.get("event") == "advanced" and event.get("task") == title
            if advanced == TASKS_INTO_A_STAGE:
                process.send_signal(sign)
                process.wait(timeout=120)
                return process
    pytest.fail(f"the install never got into {title!r}: {''.join(heard)[-3000:]}")


@pytest.mark.parametrize("stage", PLAYED, ids=lambda stage: stage.id)
def test_killed_in_a_stage(rehearsed: Journey, stage: object) -> None:
    """The next case starts where this one was killed: resuming is what lets it get into its own stage."""
    process = stop_in(rehearsed, stage.title, signal.SIGKILL)  # type: ignore[attr-defined]  # a Stage
    assert process.returncode == -signal.SIGKILL


def test_ctrl_c_ends_all_it_started(rehearsed: Journey) -> None:
    process = stop_in(rehearsed, PLAYED[-1].title, signal.SIGINT)
    assert process.returncode == 130
    assert _alive_in_session(process.pid) == []


def test_the_end_state_is_that_of_one_clean_run(rehearsed: Journey) -> None:
    done = rehearsed.install()
    assert done.returncode == 0, done.stderr[-4000:]
    clean = json.loads((rehearsed.state / "clean.json").read_text())
    resumed = json.loads(json.dumps(end_state(rehearsed)))
    only_resumed = {kind: [one for one in resumed[kind] if one not in clean[kind]] for kind in clean}
    only_clean = {kind: [one for one in clean[kind] if one not in resumed[kind]] for kind in clean}
    assert only_resumed == only_clean == {kind: [] for kind in clean}


def test_nothing_left_while_it_was_killed(rehearsed: Journey) -> None:
    assert rehearsed.ledger() == {"attempts": [], "questions": []}


def test_a_rehearsal_killed_while_it_boots_is_cleared(rehearsed: Journey) -> None:
    rehearsed.down()
    before = leftovers()
    process = subprocess.Popen(
        rehearsed.command("rehearse", str(rehearsed.site), "--bundle", str(rehearsed.bundle)),
        env=rehearsed.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    node = rehearsed.state / "rehearsals/e2e/nodes/cp1/console.log"
    _await(node.exists)
    process.kill()
    process.wait(timeout=30)
    rehearsed.down()
    assert appeared(before) == {}


def _await(condition: object, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]  # a callable
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.01)


def _alive_in_session(session: int) -> list[int]:
    alive = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                same = os.getsid(int(entry.name)) == session
            except ProcessLookupError:
                continue
            if same:
                alive.append(int(entry.name))
    return alive
