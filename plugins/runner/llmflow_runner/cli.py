"""`llmflow plugin`: pack a plugin, check a package, call it."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from cryptography.hazmat.primitives.asymmetric import rsa
from llmflow_bundle.console import reporter
from llmflow_bundle.dirs import cache_dir, config_dir
from llmflow_bundle.errors import BundleError
from llmflow_bundle.report import Found, JsonLines, Noted

from llmflow_runner import actions, archive, declaration, scripts, sign, stage
from llmflow_runner import call as calling
from llmflow_runner import pack as packing
from llmflow_runner.daemon import Dify
from llmflow_runner.dify import Storage
from llmflow_runner.peers import Chat, Embeddings, Ranking, Server
from llmflow_runner.scripts import Script
from llmflow_runner.verdict import Verdict

app = typer.Typer(no_args_is_help=True, help="Pack, check and call Dify plugin packages.")

Package = Annotated[Path, typer.Argument(help="A .difypkg file.", exists=True, dir_okay=False)]
Callee = Annotated[Path, typer.Argument(help="A .difypkg file, or a plugin's folder.", exists=True)]
Key = Annotated[
    Path | None, typer.Option("--key", help="Trusted public key (PEM). [default: the one that packs here]")
]
Secret = typer.Option(exists=True, dir_okay=False)


SERVERS: Mapping[
    str, Callable[[Server], Dify]
] = {  # in the place of Dify's models, by what a plugin asks for
    "llm": Chat,
    "text_embedding": Embeddings,
    "rerank": Ranking,
}


class Kind(StrEnum):
    """Dify's types of models that can be called here."""

    LLM = "llm"
    TEXT_EMBEDDING = "text-embedding"
    RERANK = "rerank"


class InputType(StrEnum):
    """What texts are embedded as."""

    DOCUMENT = "document"
    QUERY = "query"


class Arch(StrEnum):
    """What a package is made for."""

    AMD64 = "amd64"
    ARM64 = "arm64"
    BOTH = "both"


@app.command()
def pack(
    plugin: Annotated[Path, typer.Argument(help="A plugin's folder.", exists=True, file_okay=False)],
    out: Annotated[Path, typer.Option(help="Where to write the package.")] = Path("build/plugins"),
    arch: Annotated[Arch, typer.Option(help="The processors that its wheels run on.")] = Arch.AMD64,
) -> None:
    """Make a signed package that installs without a network."""
    key = sign.signing_key(config_dir())
    arches = (Arch.AMD64.value, Arch.ARM64.value) if arch is Arch.BOTH else (arch.value,)
    typer.echo(packing.pack(plugin.resolve(), out, key, cache_dir(), reporter(), arches))


@app.command()
def check(
    package: Package,
    key: Key = None,
    run: Annotated[
        bool, typer.Option("--run/--no-run", help="Install and start it, and measure both.")
    ] = True,
) -> None:
    """Say everything that is wrong with a package, and what it holds and costs."""
    report = reporter()
    verdict = Verdict.of(package, _trusted(key), report, run=run)
    for finding in (f for f in verdict.findings if f.severity == "warn"):
        report(Found(finding))
    data = isinstance(report, JsonLines)  # `llmflow --json`
    for line in (json.dumps(verdict.data(), ensure_ascii=False),) if data else verdict.lines():
        typer.echo(line)
    if failed := [f for f in verdict.findings if f.severity == "fail"]:
        raise BundleError("PLUGIN-UNFIT", f"{package.name} is not fit to be installed", findings=failed)
    report(Noted(f"{package.name} is fit to be installed"))


@app.command()
def call(
    package: Callee,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            help="With --model: what to ask; or texts to embed; or a question and the passages to rank for it. "
            "Without: any action of Dify's protocol, such as invoke_tool, and its request as JSON, @FILE or -; "
            "nothing to be told which actions the package answers."
        ),
    ] = None,
    model: Annotated[str | None, typer.Option(help="The model's name on its server.")] = None,
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
    stream: Annotated[
        bool, typer.Option("--stream", help="Each message of an action as a line of JSON, as it comes.")
    ] = False,
    dify: Annotated[
        Path | None, typer.Option(help="Answers (YAML) to what the plugin asks of Dify.", exists=True)
    ] = None,
    llm: Annotated[
        str | None, typer.Option(help="OpenAI-compatible server in the place of Dify's language models.")
    ] = None,
    embedding: Annotated[str | None, typer.Option(help="The same in the place of its embedders.")] = None,
    rerank: Annotated[str | None, typer.Option(help="The same in the place of its rerankers.")] = None,
    storage: Annotated[
        Path | None, typer.Option(help="File that keeps what the plugin stores, from one call to the next.")
    ] = None,
) -> None:
    """Install a package with the network refused, start it as Dify would, and ask it."""
    words = words or []
    if model is None and not words:
        for action in actions.of(_kinds(package)):
            typer.echo(action)
        return
    if model is not None:
        form = _form(credentials, endpoint, api_key_file, ca_file)
        question = _request(kind, model, words, form, max_tokens, input_type)
        with _callee(package, key, fresh, timeout) as callee:
            _ask(callee, question, json_lines)
        return
    servers = {name: url for name, url in zip(SERVERS, (llm, embedding, rerank), strict=True) if url}
    secrets = (api_key_file, ca_file)  # of the servers where some are named, else of the plugin's form
    asked = _action(words), _form(credentials, endpoint, *((None, None) if servers else secrets))
    script = scripts.read(dify) if dify else None
    stand_in = _dify(script, {name: _server(url, *secrets, timeout) for name, url in servers.items()})
    with _callee(package, key, fresh, timeout) as callee:
        _invoke(callee, asked, stand_in, Storage(file=storage), stream)
    if script and script.unused:
        reporter()(Noted(f"{script.unused} answers of the script were not asked for"))


@contextmanager
def _callee(package: Path, key: Path | None, fresh: bool, timeout: float) -> Iterator[calling.Callee]:
    """The package; a plugin's folder is packed first, with the key of this machine."""
    if package.is_file():
        yield calling.Callee(package, _trusted(key), cache_dir(), fresh, timeout)
        return
    with tempfile.TemporaryDirectory(prefix="llmflow-plugin-") as folder:
        own = sign.signing_key(config_dir())
        made = packing.pack(package.resolve(), Path(folder), own, cache_dir(), reporter())
        yield calling.Callee(made, own.public_key(), cache_dir(), fresh, timeout)


def _ask(callee: calling.Callee, asked: calling.Request, json_lines: bool) -> None:
    """Ask a model, and print what it says as it comes."""
    raw = json_lines or not isinstance(asked, calling.Question)
    timing = calling.ask(
        callee.path,
        asked,
        callee.key,
        callee.cache,
        reporter(),
        fresh=callee.fresh,
        timeout=callee.timeout,
        on_chunk=lambda chunk: _print(_line(chunk) if raw else calling.text_of(chunk)),
    )
    if json_lines:
        _print(_line({"seconds": asdict(timing)}))
    elif not raw:
        _print("\n")


def _invoke(
    callee: calling.Callee,
    asked: tuple[tuple[str, Mapping[str, Any]], Mapping[str, str]],
    dify: Mapping[str, Dify],
    storage: Storage,
    stream: bool,
) -> None:
    """Ask for an action, and print its answer as one document, or each message as it comes."""
    (action, said), form = asked

    def show(message: Mapping[str, Any]) -> None:
        if stream:
            _print(_line(message))

    answer = calling.invoke(callee, action, said, form, dify, storage, reporter(), show)
    if not stream:
        _print(json.dumps(answer, ensure_ascii=False, indent=2) + "\n")


def _action(words: list[str]) -> tuple[str, Mapping[str, Any]]:
    """An action and its request."""
    action, *rest = words
    if action not in actions.ACTIONS:
        raise typer.BadParameter(f"there is no action {action}: {actions.near(action)}")
    if len(rest) > 1:
        raise typer.BadParameter("an action takes one request; put its JSON into quotes")
    return action, _json(rest[0] if rest else "{}")


def _kinds(package: Path) -> dict[str, tuple[str, ...]]:
    """The kinds of providers in a package, or in a plugin's folder."""
    if package.is_file():
        return declaration.manifest(archive.read(package).files).plugins.kinds()
    stage.require(package)
    return declaration.manifest({stage.MANIFEST: (package / stage.MANIFEST).read_bytes()}).plugins.kinds()


def _dify(script: Script | None, servers: Mapping[str, Server]) -> dict[str, Dify]:
    """What stands in for Dify, by kind: a script's answers first, then servers."""
    by_kind: dict[str, Dify] = {kind: SERVERS[kind](server) for kind, server in servers.items()}
    return by_kind | (dict.fromkeys(script.kinds, script) if script else {})


def _server(url: str, api_key: Path | None, ca: Path | None, timeout: float) -> Server:
    return Server(url, _content(api_key) or "", ca, timeout)


def _json(text: str) -> dict[str, Any]:
    """A request out of the command line, a file or standard input."""
    given = {"-": "what standard input says"}.get(text, text[:60])
    try:
        if text == "-":
            text = sys.stdin.read()
        elif text.startswith("@"):
            text = Path(text[1:]).read_text(encoding="utf-8")
        said = json.loads(text)
    except (OSError, ValueError) as exc:
        raise typer.BadParameter(f"{given} can't be read as JSON: {exc}") from exc
    if not isinstance(said, dict):
        raise typer.BadParameter(f'{given} is not a JSON object, such as {{"tool": "query"}}')
    return said


def _request(
    kind: Kind,
    model: str,
    texts: list[str],
    form: Mapping[str, str],
    max_tokens: int | None,
    input_type: InputType,
) -> calling.Request:
    """What the words on the command line ask a model of that kind."""
    if "endpoint_url" not in form:
        raise typer.BadParameter("give --endpoint, or endpoint_url in the file of --credentials")
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
    form: dict[str, str] = _json(f"@{credentials}") if credentials else {}
    named = {"endpoint_url": endpoint, "api_key": _content(api_key), "ca_certificate": _content(ca)}
    return form | {name: value for name, value in named.items() if value is not None}


def _content(path: Path | None) -> str | None:
    return path.read_text(encoding="utf-8").strip() if path else None


def _line(message: Mapping[str, Any]) -> str:
    return json.dumps(message, ensure_ascii=False) + "\n"


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
