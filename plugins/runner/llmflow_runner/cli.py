"""`llmflow plugin`: pack a plugin, check a package, call it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from cryptography.hazmat.primitives.asymmetric import rsa
from llmflow_bundle.console import reporter
from llmflow_bundle.dirs import cache_dir, config_dir
from llmflow_bundle.errors import BundleError
from llmflow_bundle.report import Found, Noted

from llmflow_runner import call as calling
from llmflow_runner import check as checking
from llmflow_runner import pack as packing
from llmflow_runner import sign

app = typer.Typer(no_args_is_help=True, help="Pack, check and call Dify plugin packages.")

Package = Annotated[Path, typer.Argument(help="A .difypkg file.", exists=True, dir_okay=False)]
Key = Annotated[
    Path | None, typer.Option("--key", help="Trusted public key (PEM). [default: the one that packs here]")
]
Secret = typer.Option(exists=True, dir_okay=False)


class Kind(StrEnum):
    """Dify's types of models that can be called here."""

    LLM = "llm"
    TEXT_EMBEDDING = "text-embedding"
    RERANK = "rerank"


class InputType(StrEnum):
    """What texts are embedded as."""

    DOCUMENT = "document"
    QUERY = "query"


@app.command()
def pack(
    plugin: Annotated[Path, typer.Argument(help="A plugin's folder.", exists=True, file_okay=False)],
    out: Annotated[Path, typer.Option(help="Where to write the package.")] = Path("build/plugins"),
) -> None:
    """Make a signed package that installs without a network."""
    key = sign.signing_key(config_dir())
    typer.echo(packing.pack(plugin.resolve(), out, key, cache_dir(), reporter()))


@app.command()
def check(package: Package, key: Key = None) -> None:
    """Say everything that is wrong with a package."""
    found = checking.check(package, _trusted(key))
    report = reporter()
    for finding in (f for f in found if f.severity == "warn"):
        report(Found(finding))
    if failed := [f for f in found if f.severity == "fail"]:
        raise BundleError("PLUGIN-UNFIT", f"{package.name} is not fit to be installed", findings=failed)
    report(Noted(f"{package.name} is fit to be installed"))


@app.command()
def call(
    package: Package,
    texts: Annotated[
        list[str],
        typer.Argument(help="What to ask; or texts to embed; or a question and the passages to rank for it."),
    ],
    model: Annotated[str, typer.Option(help="The model's name on its server.")],
    kind: Annotated[
        Kind, typer.Option("--type", help="What the model is: it answers, embeds texts or ranks passages.")
    ] = Kind.LLM,
    endpoint: Annotated[str | None, typer.Option(help="The server's address.")] = None,
    api_key_file: Annotated[Path | None, Secret] = None,
    ca_file: Annotated[Path | None, Secret] = None,
    credentials: Annotated[Path | None, Secret] = None,
    key: Key = None,
    max_tokens: Annotated[int | None, typer.Option(help="Longest answer.")] = None,
    input_type: Annotated[
        InputType, typer.Option(help="What texts to embed are: documents, or queries to find them by.")
    ] = InputType.DOCUMENT,
    timeout: Annotated[float, typer.Option(help="Longest silence in seconds.")] = 300.0,
    fresh: Annotated[bool, typer.Option("--fresh", help="Install anew into an empty directory.")] = False,
    json_lines: Annotated[
        bool,
        typer.Option("--json", help="Raw chunks and timings as JSON lines; vectors and ranks always are."),
    ] = False,
) -> None:
    """Install a package with the network refused, start it as Dify would, and ask it."""
    form = _form(credentials, endpoint, api_key_file, ca_file)
    asked = _request(kind, model, texts, form, max_tokens, input_type)
    raw = json_lines or kind is not Kind.LLM

    def show(chunk: Mapping[str, Any]) -> None:
        sys.stdout.write(json.dumps(chunk, ensure_ascii=False) + "\n" if raw else calling.text_of(chunk))
        sys.stdout.flush()

    timing = calling.ask(
        package, asked, _trusted(key), cache_dir(), reporter(), fresh=fresh, timeout=timeout, on_chunk=show
    )
    if json_lines:
        typer.echo(json.dumps({"seconds": asdict(timing)}))
    elif not raw:
        typer.echo("")


def _request(
    kind: Kind,
    model: str,
    texts: list[str],
    form: Mapping[str, str],
    max_tokens: int | None,
    input_type: InputType,
) -> calling.Request:
    """What the words on the command line ask a model of that kind."""
    match kind:
        case Kind.LLM if len(texts) == 1:
            return calling.Question(model, texts[0], form, max_tokens)
        case Kind.LLM:
            raise typer.BadParameter("a language model is asked one question; put it into quotes")
        case Kind.TEXT_EMBEDDING:
            return calling.Texts(model, tuple(texts), form, input_type.value)
        case Kind.RERANK if len(texts) > 1:
            return calling.Passages(model, texts[0], tuple(texts[1:]), form)
        case Kind.RERANK:
            raise typer.BadParameter("give a question and at least one passage")


def _trusted(key: Path | None) -> rsa.RSAPublicKey:
    return sign.public_key(key or config_dir() / sign.PUBLIC)


def _form(
    credentials: Path | None, endpoint: str | None, api_key: Path | None, ca: Path | None
) -> dict[str, str]:
    """The form's fields; secrets come out of files, since a command line is everybody's to read."""
    form: dict[str, str] = json.loads(credentials.read_text(encoding="utf-8")) if credentials else {}
    named = {"endpoint_url": endpoint, "api_key": _content(api_key), "ca_certificate": _content(ca)}
    form |= {name: value for name, value in named.items() if value is not None}
    if "endpoint_url" not in form:
        raise typer.BadParameter("give --endpoint, or endpoint_url in the file of --credentials")
    return form


def _content(path: Path | None) -> str | None:
    return path.read_text(encoding="utf-8").strip() if path else None
