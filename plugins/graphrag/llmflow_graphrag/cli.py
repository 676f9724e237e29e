"""`llmflow graphrag`: documents in, answers out, from the shell."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from llmflow_bundle.errors import Finding, WorkFailed
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from llmflow_graphrag import documents, errors
from llmflow_graphrag.documents import Document
from llmflow_graphrag.engine import Engine, open_engine
from llmflow_graphrag.filters import parse
from llmflow_graphrag.ingest import Ingested
from llmflow_graphrag.model import DocumentRow
from llmflow_graphrag.retrieval.answer import Answer, Question, citation
from llmflow_graphrag.scope import EVERYONE, Scope
from llmflow_graphrag.settings import load

app = typer.Typer(no_args_is_help=True, help="Take documents into a knowledge graph, and ask it.")

LARGEST = 100_000_000  # bytes of a file
READABLE = {".txt": "text", ".md": "markdown", ".markdown": "markdown", ".json": "elements"}
IDS = {
    errors.BadDocument: "GRAPHRAG-DOCUMENT",
    errors.BadRequest: "GRAPHRAG-REQUEST",
    errors.NotFound: "GRAPHRAG-NOT-FOUND",
    errors.Busy: "GRAPHRAG-BUSY",
    errors.Incompatible: "GRAPHRAG-INCOMPATIBLE",
    errors.StoreDown: "GRAPHRAG-STORE",
    errors.ModelFailed: "GRAPHRAG-MODEL",
}

Config = Annotated[
    Path,
    typer.Option("--config", metavar="FILE", envvar="LLMFLOW_GRAPHRAG", help="Settings: stores and models."),
]
Tenant = Annotated[str, typer.Option("--tenant", envvar="LLMFLOW_TENANT", help="Whose data.")]
Workspace = Annotated[str, typer.Option("--workspace", "-w", help="Which of the tenant's collections.")]
Access = Annotated[
    list[str] | None,
    typer.Option("--access", "-a", help=f"An access label that you hold; repeatable. [default: {EVERYONE}]"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Results as JSON lines.")]


class Mode(StrEnum):
    """How a question is answered."""

    AUTO = "auto"
    LOCAL = "local"
    GLOBAL = "global"
    PATH = "path"
    NAIVE = "naive"


class Form(StrEnum):
    """Formats of an export."""

    GRAPHML = "graphml"
    CYPHER = "cypher"


@app.command()
def ingest(
    files: Annotated[
        list[Path],
        typer.Argument(help="Files or folders: .txt, .md, .json (elements of Unstructured).", exists=True),
    ],
    config: Config,
    tenant: Tenant = "default",
    workspace: Workspace = "default",
    access: Access = None,
    metadata: Annotated[
        list[str] | None, typer.Option("--meta", metavar="KEY=VALUE", help="Metadata of all these documents.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take documents in; those that have not changed cost nothing, and an interrupted run goes on where it was."""
    with _opened(config, tenant, workspace, access) as (engine, scope):
        named = list(_files(files))
        paths = {name: path for path, name in named}
        failed: list[Finding] = []

        def documents() -> Iterator[Document]:
            for path, name in named:
                try:
                    yield _document(path, name, scope, metadata or [])
                except errors.GraphragError as error:
                    failed.append(_finding(path, error))
                    step()

        with _progress("documents", len(named)) as step:
            for done in engine.take_all(scope, documents()):
                if isinstance(done, Ingested):
                    _say(done, as_json)
                elif isinstance(done.error, (errors.StoreDown, errors.Incompatible)):
                    raise done.error
                else:
                    failed.append(_finding(paths[done.document], done.error))
                step()
        if failed:
            raise WorkFailed(
                "GRAPHRAG-INCOMPLETE",
                f"{len(failed)} of {len(named)} documents were not taken in",
                hint="mend what is named, and run the same command again: the others are not repeated",
                findings=failed,
            )


@app.command()
def query(
    question: Annotated[str, typer.Argument(help="What to ask.")],
    config: Config,
    tenant: Tenant = "default",
    workspace: Workspace = "default",
    access: Access = None,
    mode: Annotated[Mode, typer.Option(help="How it is answered.")] = Mode.AUTO,
    limit: Annotated[int, typer.Option("--limit", "-k", help="Passages.")] = 5,
    where: Annotated[str, typer.Option("--where", help="A metadata_condition as JSON.")] = "",
    seconds: Annotated[float, typer.Option(help="What is ready then is the answer.")] = 10.0,
    decompose: Annotated[
        bool, typer.Option("--decompose", help="Let the language model split the question first: one call.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Ask, and see the passages that answer, and why they are there."""
    with _opened(config, tenant, workspace, access) as (engine, scope):
        wanted = parse(_json(where)) if where else None
        asked = Question(
            question, mode.value, limit=limit, filter=wanted, seconds=seconds, decompose=decompose
        )
        answer = engine.ask(scope, asked)
        if as_json:
            typer.echo(json.dumps(answer.as_json(), ensure_ascii=False))
        else:
            _print(answer)


@app.command()
def show(
    entity: Annotated[str, typer.Argument(help="The name of an entity.")],
    config: Config,
    out: Annotated[Path, typer.Option("--out", help="Where to write the page.")] = Path("entity.html"),
    tenant: Tenant = "default",
    workspace: Workspace = "default",
    access: Access = None,
) -> None:
    """Write an entity and what is around it as an HTML page that works offline."""
    with _opened(config, tenant, workspace, access) as (engine, scope):
        _write(out, [engine.page(scope, entity)])


@app.command("list")
def list_(
    config: Config,
    tenant: Tenant = "default",
    workspace: Workspace = "default",
    access: Access = None,
    as_json: AsJson = False,
) -> None:
    """List documents and their states."""
    with _opened(config, tenant, workspace, access) as (engine, scope):
        for row in engine.documents(scope):
            _list(row, as_json)


@app.command()
def delete(
    ids: Annotated[list[str], typer.Argument(help="Ids of documents.")],
    config: Config,
    tenant: Tenant = "default",
    workspace: Workspace = "default",
    access: Access = None,
) -> None:
    """Take documents out, with all that only they said."""
    with _opened(config, tenant, workspace, access) as (engine, scope):
        for one in ids:
            typer.echo(f"{one}: {engine.remove(scope, one)} chunks removed")


@app.command()
def topics(
    config: Config,
    tenant: Tenant = "default",
    workspace: Workspace = "default",
    access: Access = None,
    summarise: Annotated[
        bool, typer.Option("--summarise", help="Let the language model write summaries.")
    ] = False,
) -> None:
    """Find the topics that global questions are answered from; only what changed is summarised anew."""
    with _opened(config, tenant, workspace, access) as (engine, scope):
        done = engine.refresh_topics(scope, summarise=summarise)
        typer.echo(
            f"{done.communities} topics, {done.renewed} of them new, {done.meter.calls} calls of a model"
        )


@app.command()
def alias(
    first: str,
    second: str,
    config: Config,
    tenant: Tenant = "default",
    workspace: Workspace = "default",
    undo: Annotated[bool, typer.Option("--undo", help="Take it back.")] = False,
) -> None:
    """Declare two names to stand for one thing."""
    with _opened(config, tenant, workspace) as (engine, scope):
        change = engine.unalias if undo else engine.alias
        change(scope, first, second)


@app.command()
def export(
    config: Config,
    out: Annotated[Path, typer.Option("--out", help="Where to write it.")],
    form: Annotated[Form, typer.Option("--format", help="Which format.")] = Form.GRAPHML,
    tenant: Tenant = "default",
    workspace: Workspace = "default",
    access: Access = None,
) -> None:
    """Write the graph for other tools."""
    with _opened(config, tenant, workspace, access) as (engine, scope):
        _write(out, engine.export(scope, form.value))


@app.command()
def check(
    config: Config,
    tenant: Tenant = "default",
    workspace: Workspace = "default",
    access: Access = None,
    mend: Annotated[bool, typer.Option("--mend", help="Make the stores agree.")] = False,
) -> None:
    """Compare the two stores, and with --mend make them agree."""
    with _opened(config, tenant, workspace, access) as (engine, scope):
        found = engine.check(scope, mend=mend)
        typer.echo(
            f"{found.chunks} chunks, {found.vectors} vectors: {len(found.missing)} without a vector, "
            f"{len(found.orphans)} vectors without a chunk, {len(found.misplaced)} misplaced, {found.mended} mended"
        )
        for name in found.interrupted:
            typer.echo(f"interrupted: {name}")
        left = found.beyond or found.interrupted if mend else not found.sound
        if left:
            raise WorkFailed(
                "GRAPHRAG-DISAGREE",
                "the stores don't agree" if not mend else "not everything could be mended",
                hint="run it with --mend and all access labels; take interrupted documents in again, or delete them",
            )


@contextmanager
def _opened(
    config: Path, tenant: str, workspace: str, access: list[str] | None = None
) -> Iterator[tuple[Engine, Scope]]:
    """The engine and whose data it is asked for; its errors become those of the command line."""
    try:
        engine = open_engine(load(config))
        try:
            yield engine, Scope(tenant, workspace, frozenset(access or [EVERYONE]))
        finally:
            engine.close()
    except errors.GraphragError as error:
        raise WorkFailed(IDS.get(type(error), "GRAPHRAG-REQUEST"), str(error)) from error


def _files(given: list[Path]) -> Iterator[tuple[Path, str]]:
    """Readable files with the ids that their documents get: the path below the folder that was named."""
    for path in given:
        if path.is_dir():
            inside = sorted(
                file for file in path.rglob("*") if file.is_file() and file.suffix.lower() in READABLE
            )
            yield from ((file, file.relative_to(path).as_posix()) for file in inside)
        else:
            yield path, path.name


def _document(path: Path, name: str, scope: Scope, metadata: list[str]) -> Document:
    if path.stat().st_size > LARGEST:
        raise errors.BadDocument(f'The document "{name}" is larger than {LARGEST // 1_000_000} MB: split it.')
    kind = READABLE.get(path.suffix.lower())
    if kind is None:
        raise errors.BadDocument(f'"{name}" is none of {", ".join(READABLE)}: parse it first.')
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise errors.BadDocument(f'The document "{name}" is not UTF-8 text.') from error
    pairs = [one.partition("=") for one in metadata]
    given: dict[str, str | int | float | bool] = {key: value for key, _, value in pairs}
    labels = sorted(scope.access)
    if kind == "elements":
        return documents.from_elements(name, _json(text), access=labels, metadata=given)
    make = documents.from_markdown if kind == "markdown" else documents.from_text
    return make(name, text, access=labels, metadata=given)


def _finding(path: Path, error: errors.GraphragError) -> Finding:
    return Finding(IDS[type(error)], str(error), where=str(path))


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise errors.BadRequest("What should be JSON is not.") from error


@contextmanager
def _progress(what: str, total: int) -> Iterator[Any]:
    """A bar on a terminal; nothing elsewhere, where each document's line is progress enough."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)


def _say(done: Ingested, as_json: bool) -> None:
    if as_json:
        told = {"document": done.document, "state": done.state, "chunks": done.chunks, "added": done.added}
        asked = {
            "kept": done.kept,
            "removed": done.removed,
            "llm_calls": done.meter.calls,
            "texts": done.meter.texts,
        }
        typer.echo(json.dumps(told | asked, ensure_ascii=False))
    else:
        typer.echo(
            f"{done.document}: {done.state}, {done.chunks} chunks ({done.added} added, {done.removed} removed)"
        )


def _list(row: DocumentRow, as_json: bool) -> None:
    header = row.header
    if as_json:
        told = {"id": header.id, "title": header.title, "state": row.state, "chunks": row.chunks}
        more = {"access": sorted(header.access), "metadata": dict(header.metadata), "problem": row.problem}
        typer.echo(json.dumps(told | more, ensure_ascii=False))
    else:
        problem = f"  {row.problem}" if row.problem else ""
        typer.echo(f"{row.state:9} {row.chunks:6} {header.id}{problem}")


def _print(answer: Answer) -> None:
    for step in answer.path:
        typer.echo(f"{step.subject} — {step.relation} → {step.object}")
    for topic in answer.topics:
        typer.echo(f"* {topic.title}: {topic.summary}")
    for number, passage in enumerate(answer.passages, 1):
        row = passage.row
        typer.echo(f"[{number}] {passage.score:.2f} {citation(row)} ({row.document}, {row.start}–{row.end})")
        typer.echo("    " + " ".join(row.text.split())[:300])
        for path in passage.paths[:1]:
            typer.echo("    ← " + "; ".join(f"{s.subject} — {s.relation} → {s.object}" for s in path))
    if answer.missing:
        typer.echo(f"not ready in time: {', '.join(answer.missing)}", err=True)
    sys.stderr.write(
        f"{answer.milliseconds.get('total', 0):.0f} ms, {answer.llm_calls} calls of a language model\n"
    )


def _write(out: Path, pieces: Any) -> None:
    """A file that is there whole or not at all."""
    draft = out.with_name(f".{out.name}.part")
    try:
        with draft.open("w", encoding="utf-8") as file:
            file.writelines(pieces)
        draft.replace(out)
    finally:
        draft.unlink(missing_ok=True)
    typer.echo(str(out))
