"""Does the platform do what it is for? Asked over the network from this machine, as a user would."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
from llmflow_bundle.errors import Finding, VerifyFailed
from llmflow_bundle.report import Reporter, task

from llmflow_installer.certificates import Pki
from llmflow_installer.inventory import Host
from llmflow_installer.site import Site

QUESTION = "LLMFlow가 무엇인가요?"
ANSWER_LIMIT = 20_000  # characters kept of a stream; a model that never stops must not fill the memory

Http = Callable[[Path], AbstractContextManager[httpx.Client]]


@dataclass(frozen=True)
class Answer:
    """What was asked of which model and what came back."""

    model: str
    question: str
    answer: str


@dataclass(frozen=True)
class Verified:
    """What was looked at, and the answer that the platform gave if it has an organ that answers."""

    checks: tuple[str, ...]
    answer: Answer | None


@dataclass(frozen=True)
class _Ask:
    """The clients' view of the platform."""

    site: Site
    client: httpx.Client
    key: str

    def base(self, host: Host) -> str:
        return f"https://{host.address}:{self.site.vllm.node_port}"

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}


class _WrongError(Exception):
    """A check did not get what it wanted."""


def verify(site: Site, pki: Pki, secrets: Mapping[str, str], http: Http, report: Reporter) -> Verified:
    """Ask the registry and vLLM; raises VerifyFailed with every ability that is missing."""
    findings: list[Finding] = []
    done: list[str] = []
    answers: list[Answer] = []
    with http(pki.ca.certificate) as client, task(report, "Questions are answered") as progress:
        ask = _Ask(site, client, secrets["vllm_api_key"])
        for check in _checks(ask, answers):
            try:
                check.ask()
            except (_WrongError, httpx.HTTPError, json.JSONDecodeError) as exc:
                findings.append(Finding(check.id, f"{check.title}: {_said(exc)}", hint=check.hint))
            else:
                done.append(check.title)
            progress.advance(1, check.title)
        if answers:
            progress.detail = f"{answers[0].model} says {answers[0].answer[:60]!r}"
        if findings:
            what = f"{len(findings)} of {len(findings) + len(done)} checks failed: {findings[0].what}"
            raise VerifyFailed(
                "VERIFY-FAILED",
                what,
                where=f"site {site.name}",
                hint="mend what is named, then run `llmflow verify`",
                findings=findings,
            )
    return Verified(tuple(done), answers[0] if answers else None)


_LOGS = (
    "on the first control plane: export KUBECONFIG=/etc/kubernetes/admin.conf; "
    "kubectl -n llmflow get pods,events; kubectl -n llmflow logs deploy/vllm"
)
_KEYLESS = "the key did not reach vLLM: run install --stage organs --force"


@dataclass(frozen=True)
class _Check:
    """An ability: the id of its page, what it is, what to do if it is missing, and how it is asked for."""

    id: str
    title: str
    hint: str
    ask: Callable[[], None]


def _checks(ask: _Ask, answers: list[Answer]) -> Iterator[_Check]:
    registry = f"https://{ask.site.registry.endpoint}/v2/"
    service = f"journalctl -u llmflow-registry on {ask.site.registry.host}"
    yield _Check(
        "VERIFY-REGISTRY",
        f"the registry answers at {registry}",
        service,
        partial(_get_ok, ask.client, registry),
    )
    if "vllm" in ask.site.organs:
        yield from _vllm_checks(ask, answers)


def _vllm_checks(ask: _Ask, answers: list[Answer]) -> Iterator[_Check]:
    for host in ask.site.hosts:
        health = partial(_get_ok, ask.client, f"{ask.base(host)}/health")
        yield _Check("VERIFY-VLLM-HEALTH", f"vLLM is healthy through {host.name}", _LOGS, health)
    base = ask.base(ask.site.first_control_plane)
    yield _Check(
        "VERIFY-VLLM-OPEN",
        "vLLM refuses whoever has no key",
        _KEYLESS,
        partial(_get_refused, ask.client, f"{base}/v1/models"),
    )
    yield _Check(
        "VERIFY-VLLM-ANSWER",
        "vLLM answers a question in Korean",
        _LOGS,
        lambda: answers.append(_question(ask, base)),
    )


def _get_ok(client: httpx.Client, url: str) -> None:
    _ok(client.get(url))


def _get_refused(client: httpx.Client, url: str) -> None:
    _refuses(client.get(url))


def _ok(response: httpx.Response) -> None:
    if response.status_code != httpx.codes.OK:
        raise _WrongError(f"HTTP {response.status_code}")


def _refuses(response: httpx.Response) -> None:
    if response.status_code not in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise _WrongError(f"HTTP {response.status_code} without a key")


def _question(ask: _Ask, base: str) -> Answer:
    listed = ask.client.get(f"{base}/v1/models", headers=ask.bearer)
    _ok(listed)
    models = [str(model.get("id")) for model in listed.json().get("data", [])]
    if not models:
        raise _WrongError("it serves no model")
    body = {
        "model": models[0],
        "messages": [{"role": "user", "content": QUESTION}],
        "stream": True,
        "max_tokens": 64,
        "temperature": 0,
    }
    with ask.client.stream("POST", f"{base}/v1/chat/completions", json=body, headers=ask.bearer) as response:
        _ok(response)
        answer = "".join(_pieces(response.iter_lines())).strip()
    if not answer:
        raise _WrongError("the answer is empty")
    return Answer(models[0], QUESTION, answer)


def _pieces(lines: Iterator[str]) -> Iterator[str]:
    """The text of each server-sent event, up to `[DONE]`."""
    size = 0
    for line in lines:
        data = line.removeprefix("data:").strip()
        if not line.startswith("data:") or data == "[DONE]":
            continue
        for choice in json.loads(data).get("choices", []):
            text = (choice.get("delta") or {}).get("content") or ""
            size += len(text)
            if size > ANSWER_LIMIT:
                raise _WrongError(f"the answer is longer than {ANSWER_LIMIT} characters")
            yield text


def _said(exc: Exception) -> str:
    return str(exc) or type(exc).__name__
