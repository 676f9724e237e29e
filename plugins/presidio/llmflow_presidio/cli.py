"""`llmflow presidio`: policies checked, texts looked through and masked, from the shell."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from llmflow_bundle.errors import Finding, WorkFailed

from llmflow_presidio import errors, policy
from llmflow_presidio.keys import Keys
from llmflow_presidio.moderate import Checker
from llmflow_presidio.policy import Point

app = typer.Typer(
    no_args_is_help=True, help="Find personal data, secrets and injected instructions; try policies."
)

IDS = {
    errors.BadPolicy: "PRESIDIO-POLICY",
    errors.BadRequest: "PRESIDIO-REQUEST",
    errors.NoSecret: "PRESIDIO-SECRET",
}

Files = Annotated[list[Path], typer.Argument(help="Text files; - is standard input.")]
Chosen = Annotated[
    str, typer.Option("--policy", metavar="FILE|NAME", help=f"A policy's file, or {', '.join(policy.NAMES)}.")
]
App = Annotated[str, typer.Option("--app", help="The id of an app whose part of the policy holds.")]
Tenant = Annotated[str, typer.Option("--tenant", envvar="LLMFLOW_TENANT", help="Whose data.")]
Output = Annotated[bool, typer.Option("--output", help="Treat it as an output of an app, not as an input.")]
SecretFile = Annotated[
    Path | None, typer.Option("--secret-file", help="The secret that hashes and tokens are made with.")
]


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A policy.", exists=True)],
    line: Annotated[bool, typer.Option("--line", help="Print it as the one line that a form takes.")] = False,
) -> None:
    """Check a policy, and name everything that is wrong with it."""
    with _told():
        text = _read(file)
        found = policy.parse(text)
        if line:
            typer.echo(base64.b64encode(text.encode()).decode())
        else:
            parts = f"{len(found.tenants)} tenants, {len(found.apps)} apps, {len(found.deny)} lists"
            typer.echo(f"{file}: revision {found.revision} is sound ({parts})")


@app.command()
def scan(files: Files, chosen: Chosen = "observe", app_id: App = "", tenant: Tenant = "") -> None:
    """List what is in texts as JSON lines: kind, place, rule; never the text."""
    with _told():
        checker = _checker(chosen, app_id, tenant, None)
        for file in files:
            for one in checker.look(_read(file), "input")[0]:
                told = {"file": str(file), "entity": one.entity, "start": one.start, "end": one.end}
                typer.echo(json.dumps({**told, "score": one.score, "rule": one.rule}))


@app.command()
def mask(
    file: Annotated[Path, typer.Argument(help="A text file; - is standard input.")],
    chosen: Chosen = "standard",
    app_id: App = "",
    tenant: Tenant = "",
    output: Output = False,
    secret_file: SecretFile = None,
) -> None:
    """Print a text after a policy. Tokens can't be turned back: what they stand for is not kept."""
    with _told():
        _, treated = _checker(chosen, app_id, tenant, secret_file).look(_read(file), _point(output))
        typer.echo(
            treated.text if treated.blocked is None else treated.blocked, nl=treated.blocked is not None
        )


@app.command("dry-run")
def dry_run(
    files: Files,
    chosen: Chosen = "standard",
    app_id: App = "",
    tenant: Tenant = "",
    output: Output = False,
    secret_file: SecretFile = None,
) -> None:
    """Count what a policy would do to texts: one line a file, as JSON, without any text."""
    with _told():
        checker = _checker(chosen, app_id, tenant, secret_file)
        for file in files:
            text = _read(file)
            _, treated = checker.look(text, _point(output))
            done = "block" if treated.blocked is not None else "change" if treated.changed else "pass"
            counts = {f"{entity}:{action}": n for (entity, action), n in sorted(treated.counts.items())}
            told = {"file": str(file), "outcome": done, "found": counts, "signs": len(text)}
            typer.echo(json.dumps(told, ensure_ascii=False))


def _checker(chosen: str, app_id: str, tenant: str, secret_file: Path | None) -> Checker:
    """The checker of a policy that is named or in a file."""
    if chosen not in policy.NAMES and not Path(chosen).exists():
        raise errors.BadRequest(
            f'There is no file "{chosen}", and no policy called so: {", ".join(policy.NAMES)}.'
        )
    text = chosen if chosen in policy.NAMES else _read(Path(chosen))
    found = policy.effective(text, app_id, tenant)
    secret = _read(secret_file).strip() if secret_file else ""
    if found.keyed and not secret:
        raise errors.NoSecret("The policy hashes or tokenises: give a secret with --secret-file.")
    return Checker(found, Keys(secret, tenant), None, app_id)


def _point(output: bool) -> Point:
    return "output" if output else "input"


def _read(path: Path) -> str:
    """A UTF-8 text, of a size that is checked at once."""
    try:
        data = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise errors.BadRequest(f'"{path}" is no UTF-8 text.') from error
    except OSError as error:
        raise errors.BadRequest(f'"{path}" can\'t be read: {error.strerror}.') from error


@contextmanager
def _told() -> Iterator[None]:
    """What goes wrong, as the command line tells it."""
    try:
        yield
    except errors.BadPolicy as error:
        findings = [Finding("PRESIDIO-POLICY", one.what, where=one.where) for one in error.problems]
        raise WorkFailed("PRESIDIO-POLICY", "The policy can't be used", findings=findings) from error
    except errors.PresidioError as error:
        raise WorkFailed(IDS.get(type(error), "PRESIDIO-REQUEST"), str(error)) from error
