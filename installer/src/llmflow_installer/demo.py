"""`llmflow demo`: the main job on this one machine, from a bundle to an answered question.

It does what an operator would, by the same commands: rehearse, install, ask, embed and rank through the packed
plugins, parse twenty documents, take them into the stores and ask an agent about them, read the egress ledger, write
evidence. The hosts stay up afterwards to be looked at; `llmflow rehearse down` ends them.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from llmflow_bundle import layout
from llmflow_bundle.console import reporter
from llmflow_bundle.dirs import state_dir
from llmflow_bundle.errors import VerifyFailed
from llmflow_bundle.report import Noted, Reporter
from llmflow_runner import call

from llmflow_installer import documents, rehearse
from llmflow_installer.desk import Desk
from llmflow_installer.engines import ENGINES
from llmflow_installer.install import install, verify_site
from llmflow_installer.site import Site, load_site
from llmflow_installer.stores import STORES
from llmflow_installer.verify import PASSAGES, QUERY, SENTENCES, closest, cosine
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
    desk = Desk(site, bundle, report)
    with clock.step("ask"):
        _answer(desk, question)
        for engine in (ENGINES[organ] for organ in site.organs if organ in ENGINES):
            if engine.does("embed"):
                _embed(desk, engine.organ)
            if engine.does("rerank"):
                _rerank(desk, engine.organ)
    if {"vllm", "infinity", "unstructured", *STORES} <= set(site.organs):
        with clock.step("documents"):
            documents.show(desk, _say)
    with clock.step("evidence"), real_world() as world:
        evidence = state_dir() / "evidence" / f"{site.name}-{now():%Y%m%dT%H%M%SZ}"
        verify_site(order, world, report, evidence)
    _require_silence(site, evidence)
    return evidence


def _take_times(clock: Clock, installed: Installed) -> None:
    for result in installed.results:
        clock.seconds[result.stage] = result.seconds


def _answer(desk: Desk, question: str) -> None:
    """Ask the language model: the answer goes to stdout as it comes."""

    def show(chunk: Mapping[str, Any]) -> None:
        sys.stdout.write(call.text_of(chunk))
        sys.stdout.flush()

    desk.report(Noted(f"\n  {question}"))
    model = ENGINES["vllm"].model("answer")
    timing = desk.ask("vllm", lambda form: call.Question(model, question, form, max_tokens=128), show)
    _say("")
    took = f"first words after {timing.first * 1000:.0f} ms, all after {timing.total * 1000:.0f} ms"
    desk.report(Noted(f"  ({took})\n"))


def _embed(desk: Desk, organ: str) -> None:
    """Embed a few sentences and say which two mean the same."""
    results: list[Mapping[str, Any]] = []
    model = ENGINES[organ].model("embed")
    timing = desk.ask(organ, lambda form: call.Texts(model, SENTENCES, form), results.append)
    vectors = results[0]["embeddings"]
    first, second = closest(vectors)
    _say(f"{cosine(vectors[first], vectors[second]):.2f}  {SENTENCES[first]} ~ {SENTENCES[second]}")
    what = f"{len(vectors)} sentences, vectors of {len(vectors[0])} by {ENGINES[organ].title}"
    desk.report(Noted(f"  ({what}, {timing.total * 1000:.0f} ms)\n"))


def _rerank(desk: Desk, organ: str) -> None:
    """Rank a few passages for a question, the best first."""
    results: list[Mapping[str, Any]] = []
    model = ENGINES[organ].model("rerank")
    desk.report(Noted(f"  {QUERY}"))
    timing = desk.ask(organ, lambda form: call.Passages(model, QUERY, PASSAGES, form), results.append)
    for one in sorted(results[0]["docs"], key=lambda one: float(one["score"]), reverse=True):
        _say(f"{one['score']:.2f}  {one['text']}")
    desk.report(Noted(f"  (ranked by {ENGINES[organ].title}, {timing.total * 1000:.0f} ms)\n"))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


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
