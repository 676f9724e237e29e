import json
import subprocess
import sys
from importlib import resources

import pytest
from llmflow_bundle.errors import HostUnreachable, PreflightFailed
from llmflow_bundle.report import Recording
from llmflow_installer.facts import UnansweredError, parse_facts, probe_hosts, refused
from llmflow_installer.site import Site
from support.stand import FakeHosts, sound_facts

CHANGED = "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nHost key verification failed.\n"
UNKNOWN = "No ED25519 host key is known for 10.78.0.2 and you have requested strict checking.\n"


def test_the_script_runs_here_and_prints_what_is_parsed() -> None:
    script = resources.files("llmflow_installer").joinpath("probe_script.py").read_text(encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-", "/srv/elsewhere"], input=script, capture_output=True, text=True, check=True
    )
    facts = parse_facts("here", run.stdout, 0.0, 0.0)
    assert json.loads(run.stdout).keys() == sound_facts("here").keys()
    assert facts.memory > 0
    assert facts.spaces is not None
    assert facts.spaces["/srv/elsewhere"].free > 0
    assert facts.clock_skew > 1e9  # the two looks at our own clock were said to be at the epoch


def test_facts_come_in_the_order_of_the_inventory(site: Site) -> None:
    facts = probe_hosts(site, FakeHosts(), Recording())
    assert [fact.name for fact in facts] == ["cp1", "worker1", "worker2"]


def test_the_clock_is_known_to_half_the_round_trip() -> None:
    facts = parse_facts("a", json.dumps(sound_facts("a") | {"time": 1007.0}), 1000.0, 1004.0)
    assert (facts.clock_skew, facts.clock_error) == (5.0, 2.0)


def test_chatter_before_the_answer_does_no_harm() -> None:
    assert parse_facts("a", "Welcome!\n" + json.dumps(sound_facts("a")) + "\n", 0, 1).os == "debian"


@pytest.mark.parametrize("printed", ["", "Welcome!", "{}", json.dumps(sound_facts("a")) + "\nbye"])
def test_another_answer_is_refused(printed: str) -> None:
    with pytest.raises(UnansweredError) as caught:
        parse_facts("a", printed, 0, 1)
    assert caught.value.id == "HOST-PROBE"


@pytest.mark.parametrize(
    ("stderr", "id_", "hint"),
    [
        pytest.param(CHANGED, "HOST-KEY-CHANGED", "ssh-keygen -R '10.78.0.2' -f", id="another-key"),
        pytest.param(
            UNKNOWN,
            "HOST-KEY-UNKNOWN",
            "ssh-keyscan",
            id="unknown-key",
        ),
        pytest.param(
            "root@10.78.0.2: Permission denied (publickey).",
            "HOST-PERMISSION",
            "authorized_keys",
            id="refused",
        ),
        pytest.param("sudo: a password is required", "HOST-SUDO", "without a password", id="sudo"),
        pytest.param(
            "ssh: connect to host 10.78.0.2 port 22: No route to host",
            "HOST-SILENT",
            "check power",
            id="silent",
        ),
        pytest.param("", "HOST-SILENT", "check power", id="nothing"),
    ],
)
def test_why_ssh_gave_up(stderr: str, id_: str, hint: str, site: Site) -> None:
    error = refused(site, site.hosts[0], stderr)
    assert error.id == id_
    assert hint in error.hint


def test_only_probes_that_fail_are_a_matter_of_preflight(site: Site) -> None:
    broken, silent = (UnansweredError(id_, "no", "") for id_ in ("HOST-PROBE", "HOST-SILENT"))
    with pytest.raises(PreflightFailed):
        probe_hosts(site, FakeHosts(errors={"cp1": broken}), Recording())
    with pytest.raises(HostUnreachable):
        probe_hosts(site, FakeHosts(errors={"cp1": broken, "worker1": silent}), Recording())
