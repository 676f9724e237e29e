"""The only module that runs Ansible: one process a stage through ansible-runner, its events turned into ours.

Ansible is a separate program (its licence stays apart); ansible-runner keeps each run's artifacts, which is
what a support archive needs. Nothing of the user's own Ansible configuration counts.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_runner import Runner, RunnerConfig  # type: ignore[import-untyped]  # it ships no types
from llmflow_bundle.errors import Finding, HostUnreachable, StageFailed
from llmflow_bundle.report import Reporter, Task, task

from llmflow_installer.inventory import GROUPS
from llmflow_installer.processes import end_all, offspring
from llmflow_installer.redact import Redactor
from llmflow_installer.site import Site
from llmflow_installer.ssh import Connections
from llmflow_installer.stages import Stage

FORKS = 32  # hosts worked on at once; each costs one process on the control host
POLL = 1  # seconds between looks whether Ctrl-C was pressed
KEPT = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "PYTHONPATH",
    "LD_LIBRARY_PATH",
    "LLMFLOW_PYTHON",
)  # of our environment


@dataclass(frozen=True)
class Counts:
    """What a stage did: tasks that were fine, tasks that changed something, over all hosts."""

    ok: int = 0
    changed: int = 0


@dataclass(frozen=True)
class Checked:
    """What a stage's check play found; `reason` says what is not yet so, "" where the stage is done."""

    stage: Stage
    done: bool
    reason: str = ""


@dataclass(frozen=True)
class Job:
    """What the plays of one run work with: site, the bundle's playbooks, variables, where artifacts go.

    `hidden` are the secret values that must not appear in any artifact.
    """

    site: Site
    playbooks: Path
    variables: Mapping[str, Any]
    run_directory: Path
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True)
class TaskFailure:
    """A task that failed on a host, or a host that did not answer it."""

    host: str
    task: str
    message: str
    unreachable: bool = False


@dataclass
class _Watched:
    """What the events of one Ansible process have said so far."""

    redact: Redactor
    progress: Task
    playbooks: list[str] = field(default_factory=list)
    failures: list[TaskFailure] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)
    complaint: str = ""

    def __call__(self, event: dict[str, Any]) -> bool:
        """Take one ansible-runner event, strip it of secrets in place, and keep what matters."""
        cleaned = self.redact.deeply(event)
        event.clear()
        event.update(cleaned)
        kind, data = event.get("event", ""), event.get("event_data") or {}
        if kind == "playbook_on_start":
            self.playbooks.append(str(data.get("playbook", "")))
        elif kind == "playbook_on_stats":
            self.counts = Counts(*(sum((data.get(name) or {}).values()) for name in ("ok", "changed")))
        elif kind == "runner_on_start":
            self.progress.advance(0, f"{data.get('host', '')}: {data.get('task', '')}")
        elif kind.startswith("runner_on_"):
            self._result(kind, data)
        elif kind in ("error", "verbose"):
            self._printed(event.get("stdout", "").strip())
        return True

    def _printed(self, line: str) -> None:
        """Keep the first line that Ansible itself calls an error, else the last that it printed."""
        if line and not self.complaint.startswith(_ERROR):
            self.complaint = line

    def _result(self, kind: str, data: Mapping[str, Any]) -> None:
        host, name = str(data.get("host", "")), str(data.get("task", ""))
        self.progress.advance(1, f"{host}: {name}")
        if kind == "runner_on_unreachable" or (kind == "runner_on_failed" and not data.get("ignore_errors")):
            message = message_of(data.get("res") or {})
            self.failures.append(
                TaskFailure(host, name, message, unreachable=kind == "runner_on_unreachable")
            )


class RealAnsible:
    """Runs stage and check plays on the hosts of a site."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def run(self, job: Job, stage: Stage, report: Reporter) -> Counts:
        """Play a stage; raises StageFailed or HostUnreachable."""
        with task(report, stage.title) as progress:
            artifacts = job.run_directory / "ansible" / stage.id
            code, watched = self._play(job, stage.id, [stage.playbook], artifacts, progress)
            raise_for(stage, code, watched.failures, watched.complaint, artifacts)
            progress.detail = f"{watched.counts.changed} changed"
        return watched.counts

    def check(self, job: Job, stages: Sequence[Stage], report: Reporter) -> tuple[Checked, ...]:
        """Play check plays in order up to the first that fails; raises HostUnreachable, StageFailed."""
        name = stages[0].id if len(stages) == 1 else f"{stages[0].id}-to-{stages[-1].id}"
        with task(report, "What is done already") as progress:
            artifacts = free_name(job.run_directory / "ansible", f"check-{name}")
            code, watched = self._play(job, "check", [stage.check for stage in stages], artifacts, progress)
            results = tuple(_checked(stages, job.playbooks, code, watched, artifacts))
            progress.detail = "; ".join(_in_words(results))
        return results

    def _play(
        self, job: Job, stage_id: str, playbooks: Sequence[str], artifacts: Path, progress: Task
    ) -> tuple[int, _Watched]:
        watched = _Watched(Redactor(job.hidden), progress)
        with self._private_directory(job, stage_id) as private, _stoppable() as stop:
            config = RunnerConfig(
                private_data_dir=str(private), artifact_dir=str(artifacts.parent), ident=artifacts.name,
                playbook=playbooks[0],
                settings={"pexpect_timeout": POLL}, quiet=True, suppress_env_files=True,
                envvars={"ANSIBLE_CALLBACK_PLUGINS": "", "ANSIBLE_STDOUT_CALLBACK": ""},
            )  # fmt: skip
            config.prepare()
            config.cwd = str(job.playbooks)
            config.env = self._environment(job, private, config.env)
            config.command = [
                str(private / "ansible-playbook"), "--inventory", str(private / "inventory.json"),
                "--extra-vars", f"@{private / 'variables.json'}",
                *(str(job.playbooks / playbook) for playbook in playbooks),
            ]  # fmt: skip
            runner = Runner(config, cancel_callback=stop, event_handler=watched)
            runner.run()
            watched.redact.file(artifacts / "stdout")
            if stop.pressed:
                end_all(stop.started)
                raise KeyboardInterrupt
            return int(runner.rc or 0), watched

    @contextmanager
    def _private_directory(self, job: Job, stage_id: str) -> Iterator[Path]:
        """A 0700 directory with inventory, variables and launcher, gone when the process has ended."""
        private = Path(tempfile.mkdtemp(prefix="play-", dir=self._connections.directory))
        try:
            variables = {**job.variables, "llmflow_stage": stage_id, "llmflow_run": str(job.run_directory)}
            _write(private / "variables.json", json.dumps(variables, ensure_ascii=False), 0o600)
            _write(private / "inventory.json", json.dumps(inventory(job.site)), 0o600)
            _write(private / "ansible.cfg", "[defaults]\n", 0o600)
            _write(
                private / "ansible-playbook",
                _LAUNCHER.format(python=shlex.quote(os.environ.get("LLMFLOW_PYTHON") or sys.executable)),
                0o700,
            )
            yield private
        finally:
            shutil.rmtree(private, ignore_errors=True)

    def _environment(self, job: Job, private: Path, prepared: Mapping[str, str]) -> dict[str, str]:
        """KEPT of our environment, what ansible-runner added, and every setting said aloud."""
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        added = {name: value for name, value in prepared.items() if os.environ.get(name) != value}
        settings = {
            "ANSIBLE_CONFIG": str(private / "ansible.cfg"),
            "ANSIBLE_HOME": str(private / "home"),
            "ANSIBLE_LOCAL_TEMP": str(private / "local"),
            "ANSIBLE_ROLES_PATH": str(job.playbooks / "roles"),
            "ANSIBLE_COLLECTIONS_PATH": str(job.playbooks / "collections"),
            "ANSIBLE_FILTER_PLUGINS": str(job.playbooks / "filter_plugins"),
            "ANSIBLE_LIBRARY": str(job.playbooks / "library"),
            "ANSIBLE_SSH_ARGS": self._connections.arguments(job.site),
            "ANSIBLE_SSH_RETRIES": "2",
            "ANSIBLE_TIMEOUT": "20",
            "ANSIBLE_PIPELINING": "True",
            "ANSIBLE_HOST_KEY_CHECKING": "True",
            "ANSIBLE_FORKS": str(FORKS),
            "ANSIBLE_GATHERING": "explicit",
            "ANSIBLE_ANY_ERRORS_FATAL": "True",
            "ANSIBLE_NOCOLOR": "True",
            "ANSIBLE_NOCOWS": "True",
            "ANSIBLE_DEPRECATION_WARNINGS": "False",
            "ANSIBLE_LOCALHOST_WARNING": "False",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False",
            "ANSIBLE_INJECT_FACT_VARS": "False",
            "ANSIBLE_BECOME": str(job.site.ssh.user != "root"),
        }
        locale = {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
        return kept | added | settings | locale


_ERROR = "[ERROR]: "
# An installer that is killed takes its play along.
_LAUNCHER = """#!/bin/sh
exec setpriv --pdeathsig KILL {python} -m ansible playbook "$@"
"""


def inventory(site: Site) -> dict[str, Any]:
    """The inventory that plays see (playbooks/README.md): the site's groups and the derived ones."""
    groups = {group: [host.name for host in site.in_group(group)] for group in GROUPS}
    lone_gpu = [host.name for host in site.hosts if host.groups == ("gpu",)]
    groups["workers"] += [name for name in lone_gpu if name not in groups["workers"]]
    groups["first_control_plane"] = [site.first_control_plane.name]
    groups["registry"] = [site.registry.host]
    common = {
        "ansible_user": site.ssh.user,
        "ansible_ssh_private_key_file": str(site.ssh.private_key),
        "ansible_python_interpreter": "/usr/bin/python3",
    }
    hosts = {
        host.name: {"ansible_host": str(host.address), "ansible_port": host.port, **common}
        for host in site.hosts
    }
    children = {group: {"hosts": dict.fromkeys(names, None)} for group, names in groups.items()}
    return {"all": {"hosts": hosts, "children": children}}


def message_of(result: Mapping[str, Any]) -> str:
    """What an operator wants of a task's result: its message, and the last line it printed."""
    if failed := [
        item for item in result.get("results") or [] if isinstance(item, Mapping) and item.get("failed")
    ]:
        return message_of(failed[0])
    message = " ".join(str(result.get("msg") or "").split())
    printed = (
        str(result.get("stderr") or result.get("module_stderr") or result.get("stdout") or "")
        .strip()
        .splitlines()
    )
    parts = [part for part in (message, printed[-1].strip() if printed else "") if part]
    return (": ".join(dict.fromkeys(parts)) or "no message")[:600]


def raise_for(
    stage: Stage, code: int, failures: Sequence[TaskFailure], complaint: str, artifacts: Path
) -> None:
    """Turn what went wrong in a stage into one error; nothing went wrong: return."""
    if unreachable := [failure for failure in failures if failure.unreachable]:
        findings = [
            Finding(
                "HOST-UNREACHABLE",
                f"{failure.host} stopped answering: {failure.message}",
                f"task {failure.task!r}",
            )
            for failure in unreachable
        ]
        hosts = ", ".join(sorted({failure.host for failure in unreachable}))
        raise HostUnreachable(
            "HOST-UNREACHABLE",
            f"{hosts} stopped answering in stage {stage.id}",
            where=str(artifacts),
            hint="bring it back, then run the same command again",
            findings=findings,
        )
    if code == 0:
        return
    if not failures:
        said = complaint.removeprefix(_ERROR) or "no message"
        what = f"stage {stage.id} ended with code {code} before any task failed: {said}"
        raise StageFailed(
            "STAGE-BROKEN",
            what,
            where=str(artifacts / "stdout"),
            hint="the playbook itself is at fault: send the run's directory to whoever made the bundle",
        )
    first, *others = failures
    findings = [
        Finding("STAGE-FAILED", f"{failure.host}: {failure.message}", f"task {failure.task!r}")
        for failure in others
    ]
    raise StageFailed(
        "STAGE-FAILED", f"stage {stage.id} failed on {first.host} in {first.task!r}: {first.message}",
        where=str(artifacts / "stdout"),
        hint="mend the cause and run the same command again; finished stages are skipped", findings=findings,
    )  # fmt: skip


def _checked(
    stages: Sequence[Stage], playbooks: Path, code: int, watched: _Watched, artifacts: Path
) -> Iterator[Checked]:
    """Stages before the last play that began are done; that one is, if the process ended well."""
    unreachable = [failure for failure in watched.failures if failure.unreachable]
    reached = [stage for stage in stages if str(playbooks / stage.check) in watched.playbooks]
    if unreachable or not reached or (code != 0 and not watched.failures):
        raise_for(
            reached[-1] if reached else stages[0], code or 1, watched.failures, watched.complaint, artifacts
        )
    for stage in reached[:-1] if code else reached:
        yield Checked(stage, done=True)
    if code:
        failure = watched.failures[0]
        yield Checked(reached[-1], done=False, reason=f"{failure.host}: {failure.task}: {failure.message}")


def _in_words(results: Sequence[Checked]) -> Iterator[str]:
    if done := ", ".join(checked.stage.id for checked in results if checked.done):
        yield done
    for undone in (checked for checked in results if not checked.done):
        yield f"not {undone.stage.id} ({undone.reason})"


def free_name(folder: Path, name: str) -> Path:
    """A path in `folder` that doesn't exist yet: `name`, `name-2`, …"""
    path, number = folder / name, 1
    while path.exists():
        number += 1
        path = folder / f"{name}-{number}"
    return path


class _Stop:
    """Asked by ansible-runner whether to stop; remembers which processes there were when it said yes."""

    def __init__(self) -> None:
        self.pressed = False
        self.started: list[tuple[int, str]] = []

    def __call__(self) -> bool:
        # Ansible's workers leave its process group, so ansible-runner's kill does not reach them.
        if self.pressed and not self.started:
            self.started = offspring(os.getpid())
        return self.pressed


@contextmanager
def _stoppable() -> Iterator[_Stop]:
    """Turn Ctrl-C and SIGTERM into a request to stop; given back to their former handlers afterwards."""
    stop = _Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def press(_number: int, _frame: object) -> None:
        stop.pressed = True

    former: dict[int, Any] = {
        number: signal.signal(number, press) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stop
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _write(path: Path, text: str, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
