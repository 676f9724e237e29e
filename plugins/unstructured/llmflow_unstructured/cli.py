"""`llmflow parse`: documents in, Markdown, elements or chunks out, from the shell."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from llmflow_bundle.dirs import cache_dir
from llmflow_bundle.errors import Finding, WorkFailed
from llmflow_kit.connection import LABELS, connection
from llmflow_kit.faults import CA, ENDPOINT, KEY, Fault
from llmflow_kit.settings import Form
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from llmflow_unstructured import chunk, render
from llmflow_unstructured.api import Api
from llmflow_unstructured.cache import Cache
from llmflow_unstructured.chunk import Sizes
from llmflow_unstructured.engine import Document, Engine, Here
from llmflow_unstructured.errors import BadDocument
from llmflow_unstructured.limits import MEBI, Limits
from llmflow_unstructured.partition import Options
from llmflow_unstructured.render import Style
from llmflow_unstructured.threads import side_by_side

app = typer.Typer()  # a group without commands: what mounts it gives it its name


class Strategy(StrEnum):
    """How pages are read."""

    AUTO = "auto"
    FAST = "fast"
    OCR = "ocr"


@dataclass(frozen=True)
class Show:
    """In which form documents are written."""

    objects: bool
    sizes: Sizes | None
    pages: bool


@app.callback(invoke_without_command=True, context_settings={"allow_interspersed_args": True})
def parse(
    files: Annotated[list[Path], typer.Argument(help="Files, or folders of files.", exists=True)],
    as_json: Annotated[
        bool, typer.Option("--json", help="Elements: JSON lines, or with --out a JSON list for each.")
    ] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Markdown. [default]")] = False,
    size: Annotated[
        int | None,
        typer.Option("--chunk", metavar="SIZE", help="Chunks of at most SIZE characters, in the same form."),
    ] = None,
    overlap: Annotated[int, typer.Option(help="Characters that chunks share where a text is cut.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write to, a file for each. [default: stdout]")
    ] = None,
    strategy: Annotated[Strategy, typer.Option(help="How pages of PDF files are read.")] = Strategy.AUTO,
    languages: Annotated[str, typer.Option(help="What OCR reads, the main language first.")] = "kor+eng",
    pages: Annotated[bool, typer.Option("--pages", help="Mark in the Markdown where pages begin.")] = False,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Documents at the same time.")] = 2,
    seconds: Annotated[float, typer.Option(help="Limit for a document.")] = 600.0,
    memory: Annotated[int, typer.Option(help="Limit for a document in MiB.")] = 1024,
    api: Annotated[str, typer.Option(metavar="URL", help="An Unstructured API that reads instead.")] = "",
    api_key: Annotated[Path | None, typer.Option(help="File with its key.", exists=True)] = None,
    ca: Annotated[Path | None, typer.Option(help="File with its CA certificate (PEM).", exists=True)] = None,
) -> None:
    """Read documents of any office format; what can't be read is named, and stops nothing else."""
    if as_json and markdown:
        raise typer.BadParameter("choose --json or --markdown")
    sizes = _sizes(size, overlap)
    limits = Limits(size=1024 * MEBI, seconds=seconds, memory=memory * MEBI)
    reader = _remote(api, api_key, ca) if api else Here()
    engine = Engine(reader, limits, Cache(cache_dir() / "documents"))
    options = Options(strategy.value, tuple(languages.replace(",", "+").split("+")))
    show = Show(as_json or sizes is not None, sizes, pages)
    found, failures = list(_files(files)), []
    with _progress() as told, side_by_side(jobs) as pool:
        waiting = [(path, pool.submit(_read, engine, path, options, told(path))) for path in found]
        for path, future in waiting:
            document = future.result()
            failures += [
                Finding(_id(document), f"{f.where}: {f.why}", where=str(path)) for f in document.failures
            ]
            if document.elements:
                _write(document, out, show)
    if failures:
        raise WorkFailed(
            "PARSE-INCOMPLETE",
            f"not all of {len(found)} documents could be read",
            hint="mend or convert what is named, or raise the limit that it names, and run the same command again",
            findings=failures,
        )


def _id(document: Document) -> str:
    return "PARSE-PART" if document.elements else "PARSE-DOCUMENT"


def _sizes(size: int | None, overlap: int) -> Sizes | None:
    try:
        return Sizes(size, overlap=overlap, least=min(200, size)) if size is not None else None
    except BadDocument as error:
        raise typer.BadParameter(str(error)) from error


def _remote(url: str, key: Path | None, ca: Path | None) -> Api:
    given = {ENDPOINT: url, KEY: _content(key), CA: _content(ca)}
    form = Form(given, LABELS)
    try:
        there = connection(form, suffix="/general/v0/general")
        form.done()
    except Fault as fault:
        raise typer.BadParameter(fault.text) from fault
    return Api(there)


def _content(path: Path | None) -> str:
    return path.read_text(encoding="utf-8") if path else ""


def _files(given: list[Path]) -> Iterator[Path]:
    for path in given:
        if path.is_dir():
            yield from sorted(
                one for one in path.rglob("*") if one.is_file() and not one.name.startswith(".")
            )
        else:
            yield path


def _read(engine: Engine, path: Path, options: Options, told: Callable[[int, int], None]) -> Document:
    return engine.parse(path.read_bytes(), path.name, options, told)


def _objects(document: Document, sizes: Sizes | None) -> list[dict[str, Any]]:
    """A document's elements, or its chunks."""
    if sizes is None:
        return list(document.as_json())
    made = chunk.by_title(document.elements, sizes, filename=document.name)
    return list(chunk.as_json(made, filename=document.name, filetype=document.media))


def _write(document: Document, out: Path | None, show: Show) -> None:
    """To the shell as Markdown or lines of JSON; to a folder as Markdown or one JSON list."""
    if not show.objects:
        _to(render.markdown(document.elements, Style(show.pages)), out, f"{document.name}.md")
    elif out is None:
        for one in _objects(document, show.sizes):
            sys.stdout.write(json.dumps(one, ensure_ascii=False) + "\n")
    else:
        told = json.dumps(_objects(document, show.sizes), ensure_ascii=False, indent=1)
        _to(told, out, f"{document.name}.json")


def _to(text: str, out: Path | None, name: str) -> None:
    if out is None:
        sys.stdout.write(text)
        return
    out.mkdir(parents=True, exist_ok=True)
    (out / name).write_text(text, encoding="utf-8")


@contextmanager
def _progress() -> Iterator[Callable[[Path], Callable[[int, int], None]]]:
    """A bar for each document that takes a while, on a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(
        *columns, TimeElapsedColumn(), console=console, disable=not console.is_terminal, transient=True
    ) as bar:

        def of(path: Path) -> Callable[[int, int], None]:
            task = bar.add_task(path.name, total=None, visible=False)

            def told(done: int, total: int) -> None:
                bar.update(task, completed=done, total=total, visible=done < total)

            return told

        yield of
