from pathlib import Path
from typing import Any

import pytest
from llmflow_bundle.errors import StageFailed
from llmflow_installer.ansible import TaskFailure, inventory, message_of, raise_for
from llmflow_installer.site import load_site
from llmflow_installer.stages import STAGES
from support.stand import copy_of


def test_the_inventory_has_the_derived_groups(tmp_path: Path) -> None:
    directory = copy_of("three-node", tmp_path / "site")
    with (directory / "hosts.yml").open("a") as file:
        file.write("    gpu: {hosts: {worker2: , gpu1: {ansible_host: 10.78.0.5, ansible_port: 2222}}}\n")
    content = inventory(load_site(directory))["all"]
    groups = {name: list(group["hosts"]) for name, group in content["children"].items()}
    assert groups == {
        "control_plane": ["cp1"],
        "workers": ["worker1", "worker2", "gpu1"],
        "gpu": ["worker2", "gpu1"],
        "first_control_plane": ["cp1"],
        "registry": ["cp1"],
    }
    assert content["hosts"]["gpu1"]["ansible_port"] == 2222


@pytest.mark.parametrize(
    ("result", "message"),
    [
        pytest.param({"msg": "no  room\nleft"}, "no room left", id="message"),
        pytest.param(
            {"msg": "non-zero return code", "stderr": "a\nkubeadm: no\n"},
            "non-zero return code: kubeadm: no",
            id="command",
        ),
        pytest.param(
            {"msg": "MODULE FAILURE", "module_stderr": "Traceback\nKeyError: 1"},
            "MODULE FAILURE: KeyError: 1",
            id="module",
        ),
        pytest.param({"msg": "same", "stderr": "same"}, "same", id="said-twice"),
        pytest.param(
            {"msg": "All items", "results": [{"failed": False, "msg": "a"}, {"failed": True, "msg": "b"}]},
            "b",
            id="loop",
        ),
        pytest.param({"censored": "hidden"}, "no message", id="no-log"),
        pytest.param({"msg": "x" * 5000}, "x" * 600, id="long"),
    ],
)
def test_what_an_operator_wants_of_a_result(result: dict[str, Any], message: str) -> None:
    assert message_of(result) == message


def test_failures_on_several_hosts_are_all_said(tmp_path: Path) -> None:
    failures = [TaskFailure(f"w{number}", "A file is written", "disk full") for number in (1, 2, 3)]
    with pytest.raises(StageFailed) as caught:
        raise_for(STAGES[0], 2, failures, "", tmp_path)
    assert caught.value.what.startswith("stage hosts failed on w1")
    assert [finding.what for finding in caught.value.findings] == ["w2: disk full", "w3: disk full"]
