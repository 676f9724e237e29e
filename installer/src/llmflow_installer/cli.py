"""The `llmflow` command: arguments, and the only place that turns errors into text and exit codes."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from llmflow_bundle import console, dirs
from llmflow_bundle.cli import use_packer
from llmflow_bundle.errors import Finding, LlmflowError
from llmflow_bundle.report import Terminal, amount, finding_lines

from llmflow_installer.install import install, verify_site
from llmflow_installer.work import Installed, InstallOrder
from llmflow_installer.world import real_world

OUR_BUG = 70
STOPPED = 130
SUB_APPS = {
    "bundle": "llmflow_bundle.cli",
    "plugin": "llmflow_runner.cli",
    "rehearse": "llmflow_installer.rehearse",
    "demo": "llmflow_installer.demo",
    "graphrag": "llmflow_graphrag.cli",
    "parse": "llmflow_unstructured.cli",
    "presidio": "llmflow_presidio.cli",
}

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A complete LLM platform on a closed network.",
)

SiteArgument = Annotated[Path, typer.Argument(metavar="SITE", help="Directory with hosts.yml and site.yml.")]
BundleOption = Annotated[
    Path, typer.Option("--bundle", metavar="DIR", envvar="LLMFLOW_BUNDLE", help="The bundle's directory.")
]
KeyOption = Annotated[
    Path | None,
    typer.Option(
        "--key", metavar="FILE", help="Public key that signed the bundle; default: the trusted one."
    ),
]


@dataclasses.dataclass
class _Switches:
    json: bool = False
    verbose: bool = False


_switches = _Switches()


@app.callback()
def switches(
    json_: Annotated[
        bool, typer.Option("--json", help="Results on stdout and events on stderr as JSON lines.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Show the traceback of an unexpected error.")
    ] = False,
) -> None:
    """Build a bundle, try it, install it, ask it."""
    _switches.json, _switches.verbose = json_, verbose
    console.use_json(json_)


@app.command("install")
def install_command(
    site: SiteArgument,
    bundle: BundleOption,
    key: KeyOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Look and plan; change nothing.")] = False,
    stage: Annotated[str | None, typer.Option("--stage", metavar="NAME", help="Only this stage.")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Run stages even where they are done already.")
    ] = False,
) -> None:
    """Install a site from a bundle; run it again to resume or to mend."""
    order = InstallOrder(site, bundle, key, dry_run, stage, force)
    with real_world() as world:
        _show(install(order, world, console.reporter()))


@app.command("plan")
def plan_command(site: SiteArgument, bundle: BundleOption, key: KeyOption = None) -> None:
    """Show what install would do; change nothing."""
    order = InstallOrder(site, bundle, key, dry_run=True)
    with real_world() as world:
        _show(install(order, world, console.reporter()))


@app.command("verify")
def verify_command(
    site: SiteArgument,
    bundle: BundleOption,
    key: KeyOption = None,
    evidence: Annotated[
        Path | None,
        typer.Option("--evidence", metavar="DIR", help="Write signed evidence into this directory."),
    ] = None,
) -> None:
    """Look whether an installed site is as it should be and answers."""
    order = InstallOrder(site, bundle, key)
    with real_world() as world:
        _show(verify_site(order, world, console.reporter(), evidence))


def _show(installed: Installed) -> None:
    """The result on stdout: a table for people, one JSON object for machines."""
    if _switches.json:
        sys.stdout.write(json.dumps(_as_data(installed), ensure_ascii=False) + "\n")
        return
    for result in installed.results:
        counts = f"changed={result.changed:<3} {result.seconds:7.1f} s" if result.outcome == "ran" else ""
        reason = f"  {result.reason}" if result.outcome == "would run" and result.reason else ""
        sys.stdout.write(f"{result.stage:<10} {result.outcome:<13} {counts}{reason}".rstrip() + "\n")
    if installed.verified and installed.verified.answer:
        sys.stdout.write(
            f"asked      {installed.verified.answer.question}\n"
            f"answered   {installed.verified.answer.answer}\n"
        )
    sys.stdout.write(f"total      changed={installed.changed}\n")


def _as_data(installed: Installed) -> dict[str, Any]:
    data = dataclasses.asdict(installed)
    return {**data, "run_directory": str(installed.run_directory), "changed": installed.changed}


def mount(parent: typer.Typer, name: str, module: str) -> None:
    """Mount another package's commands; where that package is not carried, say so when they are asked for."""
    try:
        sub_app = importlib.import_module(module).app
    except ModuleNotFoundError as exc:
        if exc.name is None or not module.startswith(exc.name):
            raise
        return
    parent.add_typer(sub_app, name=name)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit with the code that says who acts next (llmflow_bundle/errors.py)."""
    signal.signal(signal.SIGTERM, _as_ctrl_c)
    sys.exit(run(lambda: app(arguments, prog_name="llmflow", standalone_mode=True)))


def run(command: Callable[[], object]) -> int:
    """Run a command, tell a person how it ended, and return the exit code."""
    try:
        command()
    except LlmflowError as exc:
        _close()
        _tell(exc)
        return exc.exit_code
    except KeyboardInterrupt:
        return _stopped()
    except BrokenPipeError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # the reader left; don't complain at exit
        return 0
    except SystemExit as exc:
        if exc.code == STOPPED:  # what typer makes of Ctrl-C
            return _stopped()
        return exc.code if isinstance(exc.code, int) else int(exc.code is not None)
    except Exception:  # noqa: BLE001 - the last resort: whatever it is, it is our bug and gets a file
        _close()
        _confess()
        return OUR_BUG
    return 0


def _stopped() -> int:
    _close()
    sys.stderr.write("stopped; run the same command again to go on where it was\n")
    return STOPPED


def _tell(error: LlmflowError) -> None:
    if _switches.json:
        data = {
            "event": "error",
            "id": error.id,
            "what": error.what,
            "where": error.where,
            "hint": error.hint,
            "exit": error.exit_code,
        }
        data["findings"] = [dataclasses.asdict(finding) for finding in error.findings]
        sys.stderr.write(json.dumps(data, ensure_ascii=False) + "\n")
        return
    findings = [*error.findings, Finding(error.id, error.what, error.where, error.hint)]
    sys.stderr.write("".join(line + "\n" for finding in findings for line in finding_lines(finding)))


def _confess() -> None:
    """Keep the traceback in a file and name it."""
    folder = dirs.state_dir() / "crashes"
    path = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}.txt"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.write_text(traceback.format_exc(), encoding="utf-8")
    if _switches.verbose:
        traceback.print_exc()
    kind = sys.exc_info()[0]
    name = kind.__name__ if kind else "error"
    sys.stderr.write(
        f"error BUG: {name} that should not have happened\n"
        f"  where: {path} ({amount(path.stat().st_size, 'bytes')})\n"
        "  hint:  send that file to the makers; --verbose shows it\n"
    )


def _close() -> None:
    reporter = console.reporter()
    if isinstance(reporter, Terminal):
        reporter.close()


def _as_ctrl_c(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


for _name, _module in SUB_APPS.items():
    mount(app, _name, _module)


def _pack_plugins(*work: Any) -> list[Path]:
    from llmflow_runner.bundled import pack_plugins  # only a build needs it

    return pack_plugins(*work)


use_packer(_pack_plugins)
