"""What can be shown to an auditor: versions, digests, times, answers, the egress ledger; signed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from llmflow_bundle import minisign

from llmflow_installer import rehearse
from llmflow_installer.state import write_private
from llmflow_installer.work import Installed, Work

SECRET, PUBLIC = "evidence.key", "evidence.pub"


def write_evidence(directory: Path, work: Work, installed: Installed) -> Path:
    """Write evidence.json, its signature and the public key into `directory`; returns the first."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "evidence.json"
    path.write_text(
        json.dumps(evidence_of(work, installed), indent=2, sort_keys=True, ensure_ascii=False) + "\n",
        encoding="utf-8",
    )
    key = _key(work)
    (directory / "evidence.json.minisig").write_text(minisign.sign(path, key, f"site {work.site.name}"))
    (directory / PUBLIC).write_text(key.public.text())
    return path


def evidence_of(work: Work, installed: Installed) -> dict[str, Any]:
    """The content of evidence.json."""
    answer = installed.verified.answer if installed.verified else None
    return {
        "schema": 1,
        "time": work.world.now().isoformat(timespec="seconds"),
        "site": {
            "name": work.site.name,
            "hosts": [
                {"name": host.name, "address": str(host.address), "groups": list(host.groups)}
                for host in work.site.hosts
            ],
        },
        "bundle": {
            "name": work.supplies.name,
            "version": work.supplies.version,
            "profile": work.supplies.profile,
            "root_sha256": work.supplies.digest,
        },
        "organs": {name: organ.version for name, organ in work.supplies.organs.items()},
        "images": dict(work.supplies.images),
        "stages": _last_runs(work),
        "checks": list(installed.verified.checks) if installed.verified else [],
        "question": {"model": answer.model, "asked": answer.question, "answered": answer.answer}
        if answer
        else None,
        "egress": _egress(work),
    }


def _last_runs(work: Work) -> dict[str, dict[str, Any]]:
    """For each stage the last time it really ran."""
    finished = [entry for entry in work.journal.entries() if entry.kind == "finished"]
    return {
        entry.stage: {
            "time": entry.time,
            "seconds": entry.seconds,
            "ok": entry.ok,
            "changed": entry.changed,
            "inputs": entry.digest,
        }
        for entry in finished
    }


def _egress(work: Work) -> dict[str, Any] | None:
    """What tried to leave the network, where the site is a rehearsal; None where nobody counted."""
    if not rehearse.is_rehearsal(work.site.directory):
        return None
    return rehearse.read_ledger(work.site.name).as_dict()


def _key(work: Work) -> minisign.SecretKey:
    path = work.state.directory / SECRET
    if path.exists():
        return minisign.SecretKey.load(path)
    key = minisign.SecretKey.new()
    write_private(path, key.text())
    write_private(work.state.directory / PUBLIC, key.public.text())
    return key
