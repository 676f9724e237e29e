"""The story of an install: from bare hosts to the first answered question."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from llmflow_bundle.errors import Finding, LlmflowError, PreflightFailed, StageFailed
from llmflow_bundle.report import Found, Noted, Reporter, as_json, tee

from llmflow_installer.ansible import Checked, Job
from llmflow_installer.certificates import site_pki
from llmflow_installer.evidence import write_evidence
from llmflow_installer.facts import probe_hosts
from llmflow_installer.journal import Entry, Journal
from llmflow_installer.plan import Plan, Step, make_plan, site_variables
from llmflow_installer.preflight import preflight
from llmflow_installer.secrets import site_secrets
from llmflow_installer.site import Site, load_site
from llmflow_installer.stages import PLAYED, named
from llmflow_installer.state import SiteState
from llmflow_installer.supplies import bundle_variables
from llmflow_installer.verify import Verified, verify
from llmflow_installer.work import Installed, InstallOrder, StageResult, Work
from llmflow_installer.world import World


def install(order: InstallOrder, world: World, report: Reporter) -> Installed:
    """From bare hosts to the first answered question. Safe to run again: what is done already is left alone.

    Raises SiteError, BundleError, HostUnreachable, PreflightFailed, StageFailed or VerifyFailed.
    """
    with work_on(order, world, report) as (work, report):
        facts = probe_hosts(work.site, world.probe, report)
        judge(preflight(work.site, work.supplies, facts), work.site, report)
        plan = make_plan(work.job.variables, work.journal.digests(), only=order.only, force=order.force)
        require(plan, work, report)
        if order.dry_run:
            return _installed(work, _outlook(plan, work, report))
        results, verified = _carry_out(plan, work, report)
        return _installed(work, results, verified)


@contextmanager
def work_on(order: InstallOrder, world: World, report: Reporter) -> Iterator[tuple[Work, Reporter]]:
    """Open site and bundle, hold the site's lock, begin a run whose events are also kept in its directory."""
    if order.only is not None:
        named(order.only)
    site = load_site(order.site_directory)
    supplies = world.bundle(order.bundle_directory, order.key)
    state = SiteState.of(world.state, site.name)
    with state.locked():
        secrets, pki = site_secrets(state), site_pki(site, state, world.now())
        variables = {
            "site": site_variables(site),
            "bundle": bundle_variables(supplies),
            "secrets": secrets,
            "pki": pki.variables(),
            "llmflow_state": str(state.directory),
        }
        run = state.new_run(world.now())
        job = Job(site, supplies.playbooks, variables, run, hidden=(*secrets.values(), *pki.private_keys()))
        with (run / "events.jsonl").open("a", encoding="utf-8") as events:

            def keep(event: Any) -> None:
                events.write(as_json(event) + "\n")
                events.flush()

            both = tee(report, keep)
            for finding in site.warnings:
                both(Found(finding))
            yield Work(site, supplies, state, Journal(state.journal), pki, secrets, job, world), both


def judge(findings: Sequence[Finding], site: Site, report: Reporter) -> None:
    """Show warnings; raise PreflightFailed with all that must be mended."""
    for finding in findings:
        if finding.severity == "warn":
            report(Found(finding))
    if failures := [finding for finding in findings if finding.severity == "fail"]:
        hint = "nothing was changed on any host; mend what is named and run the same command again"
        what = f"{len(failures)} thing{'s' if len(failures) > 1 else ''} to mend before the install can begin"
        raise PreflightFailed(
            "PREFLIGHT-FAILED", what, where=f"site {site.name}", hint=hint, findings=failures
        )


def require(plan: Plan, work: Work, report: Reporter) -> None:
    """Make sure that the stages which the plan leaves out, but needs, are done; raises StageFailed."""
    if not plan.required:
        return
    checked = work.world.ansible.check(work.job, plan.required, report)
    for missing in (one for one in checked if not one.done):
        stage = plan.steps[0].stage.id
        what = f"stage {stage} needs stage {missing.stage.id}, which is not done: {missing.reason}"
        raise StageFailed("STAGE-NEEDS", what, where="--stage", hint="run install without --stage")


def _carry_out(plan: Plan, work: Work, report: Reporter) -> tuple[tuple[StageResult, ...], Verified | None]:
    """Go through the steps: ask what is done already, as far ahead as can be; play what is not.

    After a stage that changed something the others are played without asking: what they stand on is new, and a play
    that finds nothing to do takes hardly longer than its check.
    """
    results: list[StageResult] = []
    known: dict[str, Checked] = {}
    waiting = [step for step in plan.steps if step.stage.playbook]
    changed = False
    for position, step in enumerate(waiting):
        if not (changed or step.forced or step.stage.id in known):
            ahead = list(_unforced(waiting[position:]))
            known |= {
                checked.stage.id: checked
                for checked in work.world.ansible.check(work.job, [one.stage for one in ahead], report)
            }
        results.append(_do(step, known.get(step.stage.id), work, report))
        changed = changed or results[-1].changed > 0
        if results[-1].outcome == "ran":
            known.clear()
    verified = None
    if any(step.stage.id == "verify" for step in plan.steps):
        result, verified = _verify(work, report)
        results.append(result)
    return tuple(results), verified


def _unforced(steps: Sequence[Step]) -> Iterator[Step]:
    for step in steps:
        if step.forced:
            return
        yield step


def _do(step: Step, checked: Checked | None, work: Work, report: Reporter) -> StageResult:
    stage = step.stage
    if checked is not None and checked.done:
        _record(work, step, "checked")
        report(Noted(f"✓ {stage.title}: already done"))
        return StageResult(stage.id, "done already")
    reason = step.why or (checked.reason if checked else "")
    _record(work, step, "started", detail=reason)
    began = work.world.now()
    try:
        counts = work.world.ansible.run(work.job, stage, report)
    except LlmflowError as exc:
        _record(work, step, "failed", seconds=_since(began, work), detail=exc.what)
        raise
    seconds = _since(began, work)
    _record(work, step, "finished", seconds=seconds, ok=counts.ok, changed=counts.changed)
    return StageResult(stage.id, "ran", seconds, counts.ok, counts.changed, reason)


def _verify(work: Work, report: Reporter) -> tuple[StageResult, Verified]:
    began = work.world.now()
    step = make_plan(work.job.variables, {}, only="verify").steps[0]
    verified = verify(work.site, work.pki, work.secrets, work.world.ways, report)
    seconds = _since(began, work)
    _record(work, step, "finished", seconds=seconds, ok=len(verified.checks))
    return StageResult("verify", "ran", seconds, ok=len(verified.checks)), verified


def _outlook(plan: Plan, work: Work, report: Reporter) -> tuple[StageResult, ...]:
    """What the steps would do, as far as it can be told without doing anything."""
    asked = [step.stage for step in _unforced([step for step in plan.steps if step.stage.playbook])]
    known = (
        {checked.stage.id: checked for checked in work.world.ansible.check(work.job, asked, report)}
        if asked
        else {}
    )
    results = []
    for step in plan.steps:
        checked = known.get(step.stage.id)
        if checked is not None and checked.done:
            results.append(StageResult(step.stage.id, "done already"))
        else:
            results.append(
                StageResult(
                    step.stage.id, "would run", reason=step.why or (checked.reason if checked else "")
                )
            )
    return tuple(results)


def _record(work: Work, step: Step, kind: Any, **more: Any) -> None:
    entry = Entry(
        work.world.now().isoformat(timespec="seconds"),
        step.stage.id,
        kind,
        step.digest,
        work.job.run_directory.name,
    )
    work.journal.record(replace(entry, **more))


def _since(began: datetime, work: Work) -> float:
    return round((work.world.now() - began).total_seconds(), 3)


def _installed(work: Work, results: tuple[StageResult, ...], verified: Verified | None = None) -> Installed:
    bundle = f"{work.supplies.name} {work.supplies.version}"
    return Installed(work.site.name, bundle, work.job.run_directory, results, verified)


def verify_site(
    order: InstallOrder, world: World, report: Reporter, evidence: Path | None = None
) -> Installed:
    """Look at a site without changing it: every check play must pass and the platform must answer.

    What was seen is written into the directory `evidence`, signed, if one is given. Raises StageFailed
    (STAGE-UNDONE) for a stage that is not as it should be, VerifyFailed for a missing ability.
    """
    with work_on(order, world, report) as (work, report):
        checked = world.ansible.check(work.job, PLAYED, report)
        for undone in (one for one in checked if not one.done):
            what = f"stage {undone.stage.id} is not as it should be: {undone.reason}"
            raise StageFailed(
                "STAGE-UNDONE",
                what,
                where=f"site {work.site.name}",
                hint="run install again: it mends this stage and those after it",
            )
        result, verified = _verify(work, report)
        results = (*(StageResult(one.stage.id, "done already") for one in checked), result)
        installed = _installed(work, results, verified)
        if evidence is not None:
            report(Noted(f"Evidence written to {write_evidence(evidence, work, installed)}"))
        return installed
