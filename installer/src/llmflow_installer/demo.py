"""`llmflow demo`: the main job on this one machine, from a bundle to an answered question.

It does what an operator would, by the same commands: rehearse, install, ask through the packed plugin, read the
egress ledger, write evidence. The hosts stay up afterwards to be looked at; `llmflow rehearse down` ends them.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from llmflow_bundle import layout
from llmflow_bundle.console import reporter
from llmflow_bundle.dirs import cache_dir, state_dir
from llmflow_bundle.errors import BundleError, VerifyFailed
from llmflow_bundle.report import Noted, Reporter
from llmflow_runner import call, sign

from llmflow_installer import rehearse
from llmflow_installer.certificates import site_pki
from llmflow_installer.install import install, verify_site
from llmflow_installer.secrets import site_secrets
from llmflow_installer.site import Site, load_site
from llmflow_installer.state import SiteState
from llmflow_installer.work import Installed, InstallOrder
from llmflow_installer.world import now, real_world

QUESTION = "폐쇄망에서 외부 통신 없이 동작하나요?"
SITES = {1: "single-node", 3: "three-node"}


@dataclass
class Clock:
    """Seconds of each step, in the order in which they were done."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step."""
        begun = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - begun


def demo(bundle: Path, nodes: int, question: str, clock: Clock, report: Reporter) -> Path:
    """Rehearse, install, ask and prove; return the directory of the evidence.

    Raises what the steps raise, and VerifyFailed (VERIFY-EGRESS) when anything tried to leave.
    """
    with clock.step("boot"):
        site_directory = rehearse.up(bundle / layout.INVENTORIES / SITES[nodes], bundle, None, report)
    order = InstallOrder(site_directory, bundle)
    with real_world() as world:
        installed = install(order, world, report)
    _take_times(clock, installed)
    site = load_site(site_directory)
    with clock.step("ask"):
        report(Noted(f"\n  {question}"))
        timing = _ask(site, bundle, question, report)
        report(
            Noted(
                f"  (first words after {timing.first * 1000:.0f} ms, all after {timing.total * 1000:.0f} ms)\n"
            )
        )
    with clock.step("evidence"), real_world() as world:
        evidence = state_dir() / "evidence" / f"{site.name}-{now():%Y%m%dT%H%M%SZ}"
        verify_site(order, world, report, evidence)
    _require_silence(site, evidence)
    return evidence


def _take_times(clock: Clock, installed: Installed) -> None:
    for result in installed.results:
        clock.seconds[result.stage] = result.seconds


def _ask(site: Site, bundle: Path, question: str, report: Reporter) -> call.Timing:
    """Ask through the packed plugin, as Dify would: the answer goes to stdout as it comes."""
    package = next(iter(sorted((bundle / layout.PLUGINS).glob("llmflow-vllm-*.difypkg"))), None)
    if package is None:
        raise BundleError(
            "BUNDLE-NO-PLUGIN", "the bundle holds no vLLM plugin", where=str(bundle / layout.PLUGINS),
            hint="name vllm under the profile's plugins in bundle.yaml and build again",
        )  # fmt: skip
    state = SiteState.of(state_dir(), site.name)
    form = {
        "endpoint_url": f"https://{site.first_control_plane.address}:{site.vllm.node_port}/v1",
        "api_key": site_secrets(state)["vllm_api_key"],
        "ca_certificate": site_pki(site, state, now()).ca.certificate.read_text(encoding="utf-8"),
    }
    asked = call.Question("scripted-qwen", question, form, max_tokens=128)
    trusted = sign.public_key(bundle / layout.PLUGINS / sign.PUBLIC)

    def show(chunk: Any) -> None:
        sys.stdout.write(call.text_of(chunk))
        sys.stdout.flush()

    timing = call.ask(package, asked, trusted, cache_dir(), report, on_chunk=show)
    sys.stdout.write("\n")
    sys.stdout.flush()
    return timing


def _require_silence(site: Site, evidence: Path) -> None:
    ledger = rehearse.read_ledger(site.name)
    if not ledger.empty:
        raise VerifyFailed(
            "VERIFY-EGRESS", f"{len(ledger.attempts)} destinations and {len(ledger.questions)} names were tried",
            where=str(evidence), hint=f"`llmflow rehearse ledger {site.directory}` lists them",
        )  # fmt: skip


app = typer.Typer(
    help="The main job on this one machine: from a bundle to an answered question, and nothing left it."
)


@app.callback(invoke_without_command=True)
def _demo(
    bundle: Annotated[Path, typer.Option(envvar="LLMFLOW_BUNDLE", help="the bundle's directory")],
    nodes: Annotated[int, typer.Option(help="hosts to rehearse: 1 or 3")] = 1,
    question: Annotated[str, typer.Option(help="what to ask")] = QUESTION,
    build_seconds: Annotated[float, typer.Option(hidden=True)] = 0.0,
) -> None:
    """Rehearse, install, ask, prove."""
    if nodes not in SITES:
        raise typer.BadParameter(
            f"{nodes} hosts have no example site; there is one for {' and '.join(map(str, SITES))}"
        )
    clock = Clock({"build": build_seconds} if build_seconds else {})
    evidence = demo(bundle, nodes, question, clock, reporter())
    ledger = rehearse.read_ledger(SITES[nodes])
    typer.echo(f"\negress    {len(ledger.attempts)} packets, {len(ledger.questions)} names")
    for name, seconds in clock.seconds.items():
        typer.echo(f"{name:<9} {seconds:7.1f} s")
    typer.echo(f"{'total':<9} {sum(clock.seconds.values()):7.1f} s")
    typer.echo(f"evidence  {evidence}")
    typer.echo("The hosts are still up. `make demo-down` ends them.")
    (evidence / "times.json").write_text(json.dumps(clock.seconds, indent=2) + "\n", encoding="utf-8")
