"""The installer and real Ansible on this machine: plays on `localhost`, so that no SSH server is needed."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from llmflow_bundle.errors import HostUnreachable, StageFailed
from llmflow_bundle.report import Advanced, Recording
from llmflow_installer.ansible import Counts, Job, RealAnsible
from llmflow_installer.processes import offspring
from llmflow_installer.site import Site, load_site
from llmflow_installer.ssh import Connections
from llmflow_installer.stages import Stage
from support.stand import copy_of

SECRET = "a-secret-that-nobody-may-see"
FIRST, SECOND, THIRD = (
    Stage(id_, f"{id_} done", f"stages/{id_}.yml") for id_ in ("first", "second", "third")
)
Make = Callable[..., Job]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return load_site(copy_of("three-node", tmp_path / "site"))


@pytest.fixture
def connections() -> Iterator[Connections]:
    connections = Connections()
    yield connections
    connections.close()
    assert not connections.directory.exists()


@pytest.fixture
def job(site: Site, tmp_path: Path) -> Make:
    """Write plays on localhost: stage id → tasks."""

    def make(**plays: list[dict[str, Any]]) -> Job:
        for name, tasks in plays.items():
            file = tmp_path / "playbooks/stages" / f"{name.replace('_check', '.check')}.yml"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(
                json.dumps([{"name": name, "hosts": "localhost", "become": False, "tasks": tasks}])
            )
        run = tmp_path / "run"
        run.mkdir(exist_ok=True)
        return Job(
            site,
            tmp_path / "playbooks",
            {"secrets": {"key": SECRET}, "site": {"name": "här"}},
            run,
            hidden=(SECRET,),
        )

    return make


def task(name: str, module: str, **arguments: Any) -> dict[str, Any]:
    extra: dict[str, Any] = {
        key: arguments.pop(key) for key in ("changed_when", "ignore_errors") if key in arguments
    }
    return {"name": name, module: arguments, **extra}


def everything_in(folder: Path) -> str:
    return "".join(file.read_text(errors="replace") for file in folder.rglob("*") if file.is_file())


def test_a_stage_counts_what_it_did(connections: Connections, job: Make, tmp_path: Path) -> None:
    report = Recording()
    work = job(first=[
        task("A file is written", "copy", dest=f"{tmp_path}/written", content="{{ site.name }}"),
        task("Nothing changes", "debug", msg="fine"),
        task("A failure is expected", "fail", msg="expected", ignore_errors=True),
    ])  # fmt: skip

    counts = RealAnsible(connections).run(work, FIRST, report)

    assert counts == Counts(ok=3, changed=1)
    assert (tmp_path / "written").read_text() == "här"
    assert "localhost: A file is written" in {
        event.item for event in report.events if isinstance(event, Advanced)
    }


def test_no_secret_is_kept_even_where_a_playbook_shows_it(connections: Connections, job: Make) -> None:
    work = job(first=[task("A secret is shown", "debug", msg="{{ secrets.key }}")])
    RealAnsible(connections).run(work, FIRST, Recording())
    kept = everything_in(work.run_directory)
    assert "A secret is shown" in kept
    assert SECRET not in kept
    assert not list(connections.directory.iterdir())


def test_a_failure_names_host_task_and_message_without_secrets(connections: Connections, job: Make) -> None:
    work = job(first=[task("The disk is large", "fail", msg="too small, says {{ secrets.key }}")])
    with pytest.raises(StageFailed) as caught:
        RealAnsible(connections).run(work, FIRST, Recording())
    assert caught.value.id == "STAGE-FAILED"
    assert (
        caught.value.what
        == "stage first failed on localhost in 'The disk is large': too small, says ********"
    )
    assert "too small" in Path(caught.value.where).read_text()


def test_a_broken_playbook_is_nobodys_host(connections: Connections, job: Make) -> None:
    work = job(first=[task("No such module", "no_such_module_anywhere")])
    with pytest.raises(StageFailed) as caught:
        RealAnsible(connections).run(work, FIRST, Recording())
    assert caught.value.id == "STAGE-BROKEN"
    assert "no_such_module_anywhere" in caught.value.what


def test_the_users_own_settings_do_not_count(
    connections: Connections, job: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = tmp_path / "own.cfg"
    own.write_text("[defaults]\nroles_path = /nowhere\nstdout_callback = no_such_callback\n")
    monkeypatch.setenv("ANSIBLE_CONFIG", str(own))
    monkeypatch.setenv("ANSIBLE_STDOUT_CALLBACK", "no_such_callback")
    monkeypatch.setenv("ANSIBLE_CHECK_MODE_MARKERS", "true")
    monkeypatch.setenv("OPERATORS_OWN_TOKEN", "operators-own-token")
    work = job(first=[task("Environment is shown", "command", argv=["env"])])
    assert RealAnsible(connections).run(work, FIRST, Recording()) == Counts(ok=1, changed=1)
    kept = everything_in(work.run_directory)
    assert "operators-own-token" not in kept
    assert "no_such_callback" not in kept


def test_checks_go_up_to_the_first_that_fails(connections: Connections, job: Make) -> None:
    yes, no = (
        task("It is there", "assert", that=["true"]),
        task("It is there", "assert", that=["false"], fail_msg="it is not"),
    )
    work = job(first_check=[yes], second_check=[no], third_check=[yes])
    checked = RealAnsible(connections).check(work, (FIRST, SECOND, THIRD), Recording())
    assert [(one.stage.id, one.done) for one in checked] == [("first", True), ("second", False)]
    assert checked[1].reason == "localhost: It is there: it is not"


def test_a_check_that_is_broken_is_not_taken_for_undone(connections: Connections, job: Make) -> None:
    work = job(first_check=[])
    (work.playbooks / FIRST.check).write_text("- hosts: [")
    with pytest.raises(StageFailed) as caught:
        RealAnsible(connections).check(work, (FIRST,), Recording())
    assert caught.value.id == "STAGE-BROKEN"


def test_ctrl_c_leaves_nothing_running(
    connections: Connections, job: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # a killed module can't take its own temporary files away
    started = tmp_path / "started"
    work = job(first=[task("Something long goes on", "shell", cmd=f"touch {started}; sleep 300")])

    def press() -> None:
        while not started.exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    before = set(offspring(os.getpid()))
    presser = threading.Thread(target=press)
    presser.start()
    with pytest.raises(KeyboardInterrupt):
        RealAnsible(connections).run(work, FIRST, Recording())
    presser.join()
    assert set(offspring(os.getpid())) <= before
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_host_that_does_not_answer_is_not_a_failed_stage(connections: Connections, tmp_path: Path) -> None:
    directory = copy_of("single-node", tmp_path / "unanswered")
    closed = "control_plane: {hosts: {cp1: {ansible_host: 127.0.0.1, ansible_port: 1}}}\n"
    (directory / "hosts.yml").write_text(closed)
    (directory / "site.yml").write_text("name: a\nnetwork: {hosts: 127.0.0.0/8, gateway: 127.0.0.254}\n")
    (tmp_path / "stages").mkdir()
    play = [{"name": "a", "hosts": "all", "tasks": [task("It is there", "ping")]}]
    (tmp_path / FIRST.check).write_text(json.dumps(play))
    work = Job(load_site(directory), tmp_path, {}, tmp_path / "run")
    with pytest.raises(HostUnreachable) as caught:
        RealAnsible(connections).check(work, (FIRST,), Recording())
    assert caught.value.what == "cp1 stopped answering in stage first"
