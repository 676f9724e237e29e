"""Ask a packaged model one question, as Dify would: verified, installed, started, called, stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from llmflow_bundle.errors import BundleError, VerifyFailed
from llmflow_bundle.report import Reporter

from llmflow_runner import archive, declaration, environment, sign
from llmflow_runner.daemon import Plugin, PluginError
from llmflow_runner.declaration import Manifest, ModelProvider


@dataclass(frozen=True)
class Question:
    """A question to a model, with the form that reaches it."""

    model: str
    text: str
    credentials: Mapping[str, str]
    max_tokens: int | None = None
    stream: bool = True


@dataclass(frozen=True)
class Timing:
    """Seconds: from launch to readiness, from asking to the first text, and to the end."""

    start: float
    first: float
    total: float


def ask(
    path: Path,
    question: Question,
    key: rsa.RSAPublicKey,
    cache: Path,
    report: Reporter,
    *,
    fresh: bool = False,
    timeout: float = 300.0,
    on_chunk: Callable[[Mapping[str, Any]], None],
) -> Timing:
    """Ask a package's language model and hand each chunk to `on_chunk` as it comes.

    Raises BundleError where the package is not to be trusted, VerifyFailed (PLUGIN-CALL-FAILED) where the
    model answers with an error or not at all.
    """
    package = trusted(path, key)
    provider = _provider(package.files)
    with environment.installed(package, cache, fresh, report) as place, Plugin(place) as plugin:
        begun = time.monotonic()
        first: float | None = None
        try:
            for chunk in plugin.ask(request(provider, question), timeout):
                if first is None and text_of(chunk):
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


def request(provider: str, question: Question) -> dict[str, Any]:
    """The daemon's request for one question to a language model."""
    limits = {} if question.max_tokens is None else {"max_tokens": question.max_tokens}
    return {
        "type": "model",
        "action": "invoke_llm",
        "user_id": "llmflow",
        "provider": provider,
        "model_type": "llm",
        "model": question.model,
        "credentials": dict(question.credentials),
        "prompt_messages": [{"role": "user", "content": question.text}],
        "model_parameters": {"temperature": 0.0, **limits},
        "stop": None,
        "tools": None,
        "stream": question.stream,
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
