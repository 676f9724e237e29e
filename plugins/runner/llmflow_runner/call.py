"""Ask a packaged plugin, as Dify would: verified, installed, started, called, stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cryptography.hazmat.primitives.asymmetric import rsa
from llmflow_bundle.errors import BundleError, VerifyFailed
from llmflow_bundle.report import Reporter

from llmflow_runner import actions, archive, declaration, environment, sign
from llmflow_runner.daemon import Dify, Plugin, PluginError
from llmflow_runner.declaration import Manifest, ModelProvider
from llmflow_runner.dify import Permitted, Routed, Storage


class Request(Protocol):
    """What a model is asked."""

    @property
    def model(self) -> str:
        """The model's name on its server."""

    @property
    def credentials(self) -> Mapping[str, str]:
        """The form that reaches the server."""

    def fields(self) -> dict[str, Any]:
        """What the daemon's request has beside model and form: action, model type and what is asked."""


@dataclass(frozen=True)
class Question:
    """A question to a language model."""

    model: str
    text: str
    credentials: Mapping[str, str]
    max_tokens: int | None = None
    stream: bool = True

    def fields(self) -> dict[str, Any]:
        """One user's message, answered by the likeliest words."""
        limits = {} if self.max_tokens is None else {"max_tokens": self.max_tokens}
        return {
            "action": "invoke_llm",
            "model_type": "llm",
            "prompt_messages": [{"role": "user", "content": self.text}],
            "model_parameters": {"temperature": 0.0, **limits},
            "stop": None,
            "tools": None,
            "stream": self.stream,
        }


@dataclass(frozen=True)
class Texts:
    """Texts to be embedded: documents to be found, or queries to find them by."""

    model: str
    texts: tuple[str, ...]
    credentials: Mapping[str, str]
    input_type: str = "document"

    def fields(self) -> dict[str, Any]:
        """All texts in one request."""
        return {
            "action": "invoke_text_embedding",
            "model_type": "text-embedding",
            "texts": list(self.texts),
            "input_type": self.input_type,
        }


@dataclass(frozen=True)
class Passages:
    """Passages to be ranked by how well they answer a query."""

    model: str
    query: str
    passages: tuple[str, ...]
    credentials: Mapping[str, str]

    def fields(self) -> dict[str, Any]:
        """Every passage is wanted back, whatever its score."""
        return {
            "action": "invoke_rerank",
            "model_type": "rerank",
            "query": self.query,
            "docs": list(self.passages),
            "score_threshold": None,
            "top_n": len(self.passages),
        }


@dataclass(frozen=True)
class Timing:
    """Seconds: from launch to readiness, from asking to the first text or result, and to the end."""

    start: float
    first: float
    total: float


Listener = Callable[[Mapping[str, Any]], None]  # of what a plugin says, as it comes


@dataclass(frozen=True)
class Callee:
    """A package to call: where it is, whose signature it must carry, and how it is installed."""

    path: Path
    key: rsa.RSAPublicKey
    cache: Path
    fresh: bool = False
    timeout: float = 300.0  # longest silence, in seconds

    def opened(self) -> archive.Package:
        """The package, its signature checked."""
        return trusted(self.path, self.key)

    @contextmanager
    def running(self, package: archive.Package, report: Reporter) -> Iterator[Plugin]:
        """The package, installed and started."""
        with environment.installed(package, self.cache, self.fresh, report) as place, Plugin(place) as plugin:
            yield plugin


def ask(
    path: Path,
    asked: Request,
    key: rsa.RSAPublicKey,
    cache: Path,
    report: Reporter,
    *,
    fresh: bool = False,
    timeout: float = 300.0,
    on_chunk: Listener,
) -> Timing:
    """Ask a package's model and hand each chunk to `on_chunk` as it comes; all but language models send one.

    Raises BundleError where the package is not to be trusted, VerifyFailed (PLUGIN-CALL-FAILED) where the
    model answers with an error or not at all.
    """
    callee = Callee(path, key, cache, fresh, timeout)
    package = callee.opened()
    provider = _provider(package.files)
    with callee.running(package, report) as plugin:
        begun = time.monotonic()
        first: float | None = None
        for chunk in _said(plugin.ask(request(provider, asked), timeout)):
            if first is None and ("delta" not in chunk or text_of(chunk)):
                first = time.monotonic() - begun
            on_chunk(chunk)
        total = time.monotonic() - begun
        return Timing(plugin.started, total if first is None else first, total)


def invoke(
    callee: Callee,
    action: str,
    said: Mapping[str, Any],
    form: Mapping[str, Any],
    dify: Mapping[str, Dify],
    storage: Storage,
    report: Reporter,
    on_message: Listener,
) -> Any:
    """Ask any action of a package, hand on each message as it comes, and return the answer as one document.

    What the plugin asks back goes to `dify`, by kind, as far as the manifest permits it. Raises what `ask` raises.
    """
    package = callee.opened()
    resource = declaration.manifest(package.files).resource
    asked = actions.request(action, said, form, package.files)
    storage.limit = resource.storage
    stand_in = Permitted(resource, Routed({"storage": storage, **dify}))
    with callee.running(package, report) as plugin:
        messages = []
        for message in _said(plugin.ask(asked, callee.timeout, dify=stand_in)):
            messages.append(message)
            on_message(message)
        return actions.together(action, messages)


def trusted(path: Path, key: rsa.RSAPublicKey) -> archive.Package:
    """The package, its signature checked before any of it is used; raises BundleError (PLUGIN-SIGNATURE)."""
    package = archive.read(path)
    if not sign.verified(package, key):
        raise BundleError(
            "PLUGIN-SIGNATURE",
            f"{path.name} is not signed by the trusted key, or was altered since",
            where=str(path),
            hint="name the public key of whoever packed it with --key",
        )
    return package


def request(provider: str, asked: Request) -> dict[str, Any]:
    """The daemon's request."""
    return {
        "type": "model",
        "user_id": "llmflow",
        "provider": provider,
        "model": asked.model,
        "credentials": dict(asked.credentials),
        **asked.fields(),
    }


def text_of(chunk: Mapping[str, Any]) -> str:
    """The text of one chunk of a language model's answer."""
    return str(chunk["delta"]["message"]["content"] or "")


def _said(messages: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """What a plugin says; its error as ours."""
    try:
        yield from messages
    except PluginError as error:
        raise VerifyFailed("PLUGIN-CALL-FAILED", error.text, where=f"Dify sees {error.kind}") from error


def _provider(files: Mapping[str, bytes]) -> str:
    manifest: Manifest = declaration.manifest(files)
    if not manifest.plugins.models:
        raise BundleError("PLUGIN-NOT-A-MODEL", "The package holds no model to call", where=manifest.name)
    try:
        return declaration.load(files, manifest.plugins.models[0], ModelProvider).provider
    except declaration.Unfit as unfit:
        raise BundleError(
            "PLUGIN-DECLARATION", "The model provider cannot be used", findings=unfit.findings
        ) from unfit
