"""Ask a packaged model, as Dify would: verified, installed, started, called, stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cryptography.hazmat.primitives.asymmetric import rsa
from llmflow_bundle.errors import BundleError, VerifyFailed
from llmflow_bundle.report import Reporter

from llmflow_runner import archive, declaration, environment, sign
from llmflow_runner.daemon import Plugin, PluginError
from llmflow_runner.declaration import Manifest, ModelProvider


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


def ask(
    path: Path,
    asked: Request,
    key: rsa.RSAPublicKey,
    cache: Path,
    report: Reporter,
    *,
    fresh: bool = False,
    timeout: float = 300.0,
    on_chunk: Callable[[Mapping[str, Any]], None],
) -> Timing:
    """Ask a package's model and hand each chunk to `on_chunk` as it comes; all but language models send one.

    Raises BundleError where the package is not to be trusted, VerifyFailed (PLUGIN-CALL-FAILED) where the
    model answers with an error or not at all.
    """
    package = trusted(path, key)
    provider = _provider(package.files)
    with environment.installed(package, cache, fresh, report) as place, Plugin(place) as plugin:
        begun = time.monotonic()
        first: float | None = None
        try:
            for chunk in plugin.ask(request(provider, asked), timeout):
                if first is None and ("delta" not in chunk or text_of(chunk)):
                    first = time.monotonic() - begun
                on_chunk(chunk)
        except PluginError as error:
            raise VerifyFailed("PLUGIN-CALL-FAILED", error.text, where=f"Dify sees {error.kind}") from error
        total = time.monotonic() - begun
        return Timing(plugin.started, total if first is None else first, total)


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
