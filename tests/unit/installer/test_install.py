import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from llmflow_bundle import minisign
from llmflow_bundle.errors import HostUnreachable, PreflightFailed, SiteError, StageFailed, VerifyFailed
from llmflow_bundle.report import Found
from llmflow_installer.facts import UnansweredError
from llmflow_installer.install import install, verify_site
from llmflow_installer.journal import Journal
from llmflow_installer.stages import PLAYED, STAGES
from llmflow_installer.state import SiteState
from llmflow_installer.stores import STORES
from llmflow_installer.work import Installed
from support.stand import Stand, working_platform

ALL = [stage.id for stage in PLAYED]


def run(stand: Stand, **order: Any) -> Installed:
    return install(replace(stand.order, **order), stand.world, stand.report)


def outcomes(installed: Installed) -> dict[str, str]:
    return {result.stage: result.outcome for result in installed.results}


def test_bare_hosts_become_a_platform_that_answers(stand: Stand) -> None:
    installed = run(stand)

    assert stand.ansible.played == ALL
    assert list(outcomes(installed)) == [stage.id for stage in STAGES]
    assert set(outcomes(installed).values()) == {"ran"}
    assert installed.changed == len(ALL)
    assert installed.verified is not None
    assert installed.verified.answer is not None
    assert installed.verified.answer.answer == "서울입니다."


def test_a_second_run_changes_nothing(stand: Stand) -> None:
    run(stand)
    stand.ansible.played.clear()
    stand.ansible.asked.clear()

    installed = run(stand)

    assert stand.ansible.played == []
    assert stand.ansible.asked == ALL  # every stage is asked once
    assert installed.changed == 0
    assert outcomes(installed) == dict.fromkeys(ALL, "done already") | {"verify": "ran"}


def test_a_failing_stage_stops_the_install_and_the_next_run_goes_on_there(stand: Stand) -> None:
    stand.ansible.failing["cluster"] = StageFailed("STAGE-FAILED", "kubeadm said no")
    with pytest.raises(StageFailed, match="kubeadm said no"):
        run(stand)
    assert stand.ansible.played == ["hosts", "registry", "cluster"]

    stand.ansible.failing.clear()
    stand.ansible.played.clear()
    run(stand)
    assert stand.ansible.played == ["cluster", "network", "organs"]


def test_resuming_needs_no_memory(stand: Stand) -> None:
    run(stand)
    SiteState.of(stand.state, "three-node").journal.unlink()
    assert run(stand).changed == 0


def test_a_stage_runs_again_when_its_inputs_have_changed(stand: Stand) -> None:
    run(stand)
    stand.ansible.played.clear()
    file = stand.order.site_directory / "site.yml"
    file.write_text(file.read_text().replace("kv_cache_gib: 1 ", "kv_cache_gib: 2 "))

    installed = run(stand)

    assert stand.ansible.played == ["organs"]
    assert installed.results[-2].reason == "its inputs have changed since it last ran"


def test_one_stage_alone(stand: Stand) -> None:
    stand.ansible.done = {"hosts", "registry"}
    installed = run(stand, only="cluster")
    assert stand.ansible.played == ["cluster"]
    assert outcomes(installed) == {"cluster": "ran"}


def test_one_stage_alone_needs_those_before_it(stand: Stand) -> None:
    with pytest.raises(StageFailed) as caught:
        run(stand, only="cluster")
    assert caught.value.id == "STAGE-NEEDS"
    assert stand.ansible.played == []


def test_an_unknown_stage_is_refused_before_anything_else(stand: Stand) -> None:
    with pytest.raises(SiteError) as caught:
        run(stand, only="clutser")
    assert caught.value.hint == "did you mean 'cluster'?"
    assert not stand.state.exists()


def test_force_plays_without_asking(stand: Stand) -> None:
    stand.ansible.done = set(ALL)
    run(stand, force=True)
    assert stand.ansible.asked == []
    assert stand.ansible.played == ALL


def test_a_dry_run_changes_nothing_and_says_what_it_would_do(stand: Stand) -> None:
    stand.ansible.done = {"hosts"}
    installed = run(stand, dry_run=True)
    assert stand.ansible.played == []
    assert outcomes(installed) == {"hosts": "done already"} | dict.fromkeys([*ALL[1:], "verify"], "would run")
    assert installed.results[1].reason == "not there yet"


def test_preflight_stops_the_install_with_every_finding(stand: Stand) -> None:
    stand.hosts.facts = {"cp1": {"os": "fedora"}, "worker2": {"arch": "aarch64"}}
    with pytest.raises(PreflightFailed) as caught:
        run(stand)
    assert [(finding.id, finding.where) for finding in caught.value.findings] == [
        ("PREFLIGHT-OS", "host cp1"),
        ("PREFLIGHT-ARCH", "host worker2"),
    ]
    assert stand.ansible.asked == stand.ansible.played == []


def test_warnings_are_shown_and_do_not_stop(stand: Stand) -> None:
    stand.hosts.facts = {"cp1": {"swap": 1 << 30}}
    run(stand)
    assert [event.finding.id for event in stand.report.events if isinstance(event, Found)] == [
        "PREFLIGHT-SWAP"
    ]


def test_unreachable_hosts_are_all_named(stand: Stand) -> None:
    for name in ("cp1", "worker1"):
        stand.hosts.errors[name] = UnansweredError("HOST-SILENT", f"{name} does not answer", "look")
    with pytest.raises(HostUnreachable) as caught:
        run(stand)
    assert [finding.what for finding in caught.value.findings] == [
        "cp1 does not answer",
        "worker1 does not answer",
    ]


def test_two_installers_do_not_work_on_one_site(stand: Stand) -> None:
    with SiteState.of(stand.state, "three-node").locked(), pytest.raises(SiteError) as caught:
        run(stand)
    assert caught.value.id == "SITE-LOCKED"


def test_the_journal_tells_the_story(stand: Stand) -> None:
    stand.ansible.done = {"hosts"}
    stand.ansible.failing["cluster"] = StageFailed("STAGE-FAILED", "no")
    with pytest.raises(StageFailed):
        run(stand)
    entries = Journal(SiteState.of(stand.state, "three-node").journal).entries()
    assert [(entry.stage, entry.kind) for entry in entries] == [
        ("hosts", "checked"),
        ("registry", "started"),
        ("registry", "finished"),
        ("cluster", "started"),
        ("cluster", "failed"),
    ]
    assert entries[2].changed == 1
    assert entries[2].digest == entries[1].digest


def test_each_run_keeps_its_events(stand: Stand) -> None:
    installed = run(stand)
    lines = (installed.run_directory / "events.jsonl").read_text().splitlines()
    assert {json.loads(line)["event"] for line in lines} >= {"started", "finished"}


def test_playbooks_get_what_their_readme_promises(stand: Stand) -> None:
    run(stand)
    variables = stand.ansible.jobs[0].variables
    assert variables["site"]["cluster"]["endpoint"] == "10.78.0.2:6443"
    assert variables["site"]["hosts"][1] == {
        "name": "worker1",
        "address": "10.78.0.3",
        "groups": ["workers"],
        "pod_cidr": "10.245.1.0/24",
    }
    assert variables["bundle"]["organs"]["kubernetes"]["version"] == "v1.36.3"
    keys = {
        "vllm_api_key",
        "vllm_embedding_api_key",
        "vllm_rerank_api_key",
        "infinity_api_key",
        "unstructured_api_key",
    }
    keys |= {"neo4j_password", "milvus_password"}
    assert set(variables["secrets"]) == {*keys, "kubeadm_token", "kubeadm_certificate_key"}
    assert set(stand.ansible.jobs[0].hidden) > set(variables["secrets"].values())
    assert any("PRIVATE KEY" in hidden for hidden in stand.ansible.jobs[0].hidden)
    assert set(variables["pki"]) == {
        "ca",
        "registry",
        "vllm",
        "vllm-embedding",
        "vllm-rerank",
        "infinity",
        "unstructured",
        *STORES,
    }
    assert variables["site"]["organs"]["infinity"] == {
        "replicas": 1,
        "node_port": 30803,
        "cpu": "250m",
        "memory": "2Gi",
        "cpu_request": "125m",
        "threads": 1,
    }
    assert variables["site"]["organs"]["neo4j"] == {
        "replicas": 1,
        "node_port": 30687,
        "cpu": "250m",
        "memory": "2Gi",
        "cpu_request": "125m",
        "threads": 1,
        "host": "worker1",
        "data": "/var/lib/llmflow-neo4j",
        "storage": "10Gi",
        "heap_mib": 819,
        "page_cache_mib": 409,
    }
    json.dumps(variables)


def test_what_is_missing_at_the_end_is_named(stand: Stand) -> None:
    def platform(request: httpx.Request) -> httpx.Response:
        broken = request.url.path == "/v1/models" and request.url.port == 30800
        return httpx.Response(503) if broken else working_platform(request)

    stand.platform = platform
    with pytest.raises(VerifyFailed) as caught:
        run(stand)
    assert [finding.id for finding in caught.value.findings] == ["VERIFY-OPEN", "VERIFY-ANSWER"]


def test_verify_changes_nothing(stand: Stand) -> None:
    run(stand)
    stand.ansible.played.clear()
    installed = verify_site(stand.order, stand.world, stand.report)
    assert stand.ansible.played == []
    assert installed.verified is not None


def test_verify_names_the_stage_that_is_not_as_it_should_be(stand: Stand) -> None:
    run(stand)
    stand.ansible.done.remove("network")
    with pytest.raises(StageFailed) as caught:
        verify_site(stand.order, stand.world, stand.report)
    assert caught.value.id == "STAGE-UNDONE"
    assert "network" in caught.value.what


def test_evidence_is_signed_and_tells_what_was_seen(stand: Stand, tmp_path: Path) -> None:
    run(stand)
    verify_site(stand.order, stand.world, stand.report, tmp_path / "evidence")

    file = tmp_path / "evidence/evidence.json"
    key = minisign.PublicKey.load(tmp_path / "evidence/evidence.pub")
    signature = tmp_path / "evidence/evidence.json.minisig"
    assert minisign.verify(file, signature.read_text(), key) == "site three-node"
    seen = json.loads(file.read_text())
    assert seen["question"]["answered"] == "서울입니다."
    assert seen["bundle"]["root_sha256"] == "d" * 64
    assert list(seen["stages"]) == sorted([*ALL, "verify"])
    assert seen["stages"]["cluster"]["changed"] == 1
    assert seen["egress"] is None  # nobody counts on a site that is not a rehearsal
    secrets = json.loads(SiteState.of(stand.state, "three-node").secrets.read_text())
    assert not any(secret in file.read_text() for secret in secrets.values())


def test_evidence_of_one_site_has_one_key(stand: Stand, tmp_path: Path) -> None:
    run(stand)
    for name in ("one", "two"):
        verify_site(stand.order, stand.world, stand.report, tmp_path / name)
    assert (tmp_path / "one/evidence.pub").read_text() == (tmp_path / "two/evidence.pub").read_text()
