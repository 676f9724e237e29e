"""Does the platform do what it is for? Asked over the network from this machine, as a user would."""

from __future__ import annotations

import json
import math
import secrets as random
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import httpx
from llmflow_bundle.errors import Finding, VerifyFailed
from llmflow_bundle.report import Reporter, task

from llmflow_installer import bolt
from llmflow_installer.certificates import Pki
from llmflow_installer.engines import ENGINES, Engine, Model
from llmflow_installer.inventory import Host
from llmflow_installer.site import Site
from llmflow_installer.stores import STORES, Store

QUESTION = "LLMFlow가 무엇인가요?"
SENTENCES = (
    "The bundle is signed.",
    "번들에는 서명이 있다.",
    "What is for lunch?",
    "점심 메뉴가 무엇인가요?",
    "A signature protects the bundle.",
)
ALIKE = (0, 4)  # the two that mean the same in the language of the small model
QUERY = "번들은 어떻게 검증하나요?"
PASSAGES = (
    "The registry serves the images straight from the blobs of the bundle.",
    "번들을 열기 전에 루트 서명을 확인하고, 모든 파일의 크기와 SHA-256 값을 비교한다.",
    "Today the canteen serves bibimbap and cold noodles from half past eleven.",
)
RIGHT = 1  # the passage that answers the query
SCAN = Path(__file__).parent / "handbook" / "scan.png"
SCANNED = "이 문장은 그림으로만 있어서 글자를 알아보는 프로그램만 읽을 수 있습니다."
ANSWER_LIMIT = 20_000  # characters kept of a stream; a model that never stops must not fill the memory

WRITTEN = 42
WRITE_AND_READ = (
    f"CREATE (probe:LlmflowProbe {{number: {WRITTEN}}}) "
    "WITH probe, probe.number AS number DELETE probe RETURN number"
)
MILVUS_PROBE = (
    "/usr/bin/python3.11",
    "-m",
    "llmflow_milvus",
    "probe",
)  # of its image: the client is there already

Http = Callable[[Path], AbstractContextManager[httpx.Client]]
Dial = Callable[[str, int, Path], AbstractContextManager[socket.socket]]
Inside = Callable[[Site, str, Sequence[str]], "subprocess.CompletedProcess[str]"]


@dataclass(frozen=True)
class Ways:
    """How the platform is reached: `http` and `dial` trust the authority in a file and nobody else.

    `dial` opens a TLS connection to an address and a port, `inside` runs a command in the pod of a store.
    """

    http: Http
    dial: Dial
    inside: Inside


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
    """A client's view of one engine."""

    engine: Engine
    client: httpx.Client
    port: int
    key: str

    def base(self, host: Host) -> str:
        return f"https://{host.address}:{self.port}"

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def json(self, url: str, body: Mapping[str, object]) -> Any:
        """What the engine answers to `body`."""
        response = self.client.post(url, json=body, headers=self.bearer)
        _ok(response)
        return response.json()


class _WrongError(Exception):
    """A check did not get what it wanted."""


_MISSING = (
    _WrongError,
    bolt.BoltError,
    httpx.HTTPError,
    OSError,
    subprocess.SubprocessError,
    ValueError,
    LookupError,
    TypeError,
)


def verify(site: Site, pki: Pki, secrets: Mapping[str, str], ways: Ways, report: Reporter) -> Verified:
    """Ask the registry, every engine and every store; raises VerifyFailed with every ability that is missing."""
    findings: list[Finding] = []
    done: list[str] = []
    answers: list[Answer] = []
    with ways.http(pki.ca.certificate) as client, task(report, "Questions are answered") as progress:
        checks = (
            *_registry_checks(site, client),
            *_engines_checks(site, client, secrets, answers),
            *_stores_checks(site, pki, secrets, ways),
        )
        for check in checks:
            try:
                check.ask()
            except _MISSING as exc:
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


@dataclass(frozen=True)
class _Check:
    """An ability: the id of its page, what it is, what to do if it is missing, and how it is asked for."""

    id: str
    title: str
    hint: str
    ask: Callable[[], None]


def _registry_checks(site: Site, client: httpx.Client) -> Iterator[_Check]:
    registry = f"https://{site.registry.endpoint}/v2/"
    service = f"journalctl -u llmflow-registry on {site.registry.host}"
    yield _Check(
        "VERIFY-REGISTRY",
        f"the registry answers at {registry}",
        service,
        partial(_get_ok, client, registry),
    )


def _engines_checks(
    site: Site, client: httpx.Client, secrets: Mapping[str, str], answers: list[Answer]
) -> Iterator[_Check]:
    for organ, served in site.organs.items():
        if engine := ENGINES.get(organ):
            ask = _Ask(engine, client, served.node_port, secrets[engine.secret])
            yield from _engine_checks(site, ask, answers)


def _engine_checks(site: Site, ask: _Ask, answers: list[Answer]) -> Iterator[_Check]:
    title, organ = ask.engine.title, ask.engine.organ
    logs = _logs(f"deploy/{organ}")
    for host in site.hosts:
        health = partial(_get_ok, ask.client, f"{ask.base(host)}{ask.engine.health}")
        yield _Check("VERIFY-HEALTH", f"{title} is healthy through {host.name}", logs, health)
    first = ask.base(site.first_control_plane)
    base = f"{first}/v1"
    yield _Check(
        "VERIFY-OPEN",
        f"{title} refuses whoever has no key",
        f"the key did not reach {organ}: run install --stage organs --force",
        partial(_turned_away, ask.client, ask.engine.method, f"{first}{ask.engine.guarded}"),
    )
    for model in ask.engine.models:
        match model.ability:
            case "answer":
                yield _Check(
                    "VERIFY-ANSWER",
                    f"{title} answers a question in Korean",
                    logs,
                    lambda: answers.append(_question(ask, base)),
                )
            case "embed":
                what = f"{title} embeds what means the same close together"
                yield _Check("VERIFY-EMBEDDING", what, logs, partial(_embedding, ask, base, model))
            case "rerank":
                what = f"{title} ranks the right passage first"
                yield _Check("VERIFY-RANKING", what, logs, partial(_ranking, ask, base, model))
            case "read":
                what = f"{title} reads a scanned page in Korean"
                yield _Check("VERIFY-READING", what, logs, partial(_reading, ask, first))


def _logs(workload: str) -> str:
    return (
        "on the first control plane: export KUBECONFIG=/etc/kubernetes/admin.conf; "
        f"kubectl -n llmflow get pods,events; kubectl -n llmflow logs {workload}"
    )


def _stores_checks(site: Site, pki: Pki, secrets: Mapping[str, str], ways: Ways) -> Iterator[_Check]:
    for organ, served in site.organs.items():
        if store := STORES.get(organ):
            logs = _logs(f"statefulset/{organ}")
            for host in site.hosts:
                knock = partial(_knock, ways, str(host.address), served.node_port, pki.ca.certificate)
                yield _Check("VERIFY-HEALTH", f"{store.title} is reached through {host.name}", logs, knock)
            address = str(site.first_control_plane.address)
            door = _Door(store, ways, address, served.node_port, pki.ca.certificate)
            match store.protocol:
                case "bolt":
                    yield from _bolt_checks(door, secrets[store.secret], logs)
                case "milvus":
                    what = f"{store.title} keeps and finds vectors, and refuses a wrong password"
                    yield _Check("VERIFY-VECTORS", what, logs, partial(_vectors, site, organ, ways))


@dataclass(frozen=True)
class _Door:
    """Where a store is asked, and the authority that its certificate must be of."""

    store: Store
    ways: Ways
    address: str
    port: int
    ca: Path

    def rows(self, password: str, query: str) -> list[list[Any]]:
        """What a query returns to the store's user."""
        with self.ways.dial(self.address, self.port, self.ca) as line:
            return bolt.ask(line, self.store.user, password, query)


def _bolt_checks(door: _Door, password: str, logs: str) -> Iterator[_Check]:
    """The right password first: after three wrong ones in a row Neo4j takes none for a while."""
    title, organ = door.store.title, door.store.organ
    what = f"{title} writes and reads with the site's password"
    yield _Check("VERIFY-GRAPH", what, logs, partial(_graph, door, password))
    yield _Check(
        "VERIFY-OPEN",
        f"{title} refuses a wrong password",
        f"the password did not reach {organ}: run install --stage organs --force",
        partial(_refused, door),
    )


def _refused(door: _Door) -> None:
    try:
        door.rows(random.token_urlsafe(), "RETURN 1")
    except bolt.BoltError as exc:
        if not exc.code.startswith("Neo.ClientError.Security."):
            raise
    else:
        raise _WrongError("it takes any password")


def _graph(door: _Door, password: str) -> None:
    if (rows := door.rows(password, WRITE_AND_READ)) != [[WRITTEN]]:
        raise _WrongError(f"it returns {rows!r}")


def _vectors(site: Site, organ: str, ways: Ways) -> None:
    done = ways.inside(site, organ, MILVUS_PROBE)
    if done.returncode != 0:
        said = [
            line.strip() for line in (*done.stdout.splitlines(), *done.stderr.splitlines()) if line.strip()
        ]
        raise _WrongError(said[-1] if said else f"the probe ends with {done.returncode}")


def _knock(ways: Ways, address: str, port: int, ca: Path) -> None:
    with ways.dial(address, port, ca):
        pass


def _get_ok(client: httpx.Client, url: str) -> None:
    _ok(client.get(url))


def _turned_away(client: httpx.Client, method: str, url: str) -> None:
    _refuses(client.request(method, url))


def _ok(response: httpx.Response) -> None:
    if response.status_code != httpx.codes.OK:
        raise _WrongError(f"HTTP {response.status_code}")


def _refuses(response: httpx.Response) -> None:
    if response.status_code not in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise _WrongError(f"HTTP {response.status_code} without a key")


def _question(ask: _Ask, base: str) -> Answer:
    listed = ask.client.get(f"{base}/models", headers=ask.bearer)
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
    with ask.client.stream("POST", f"{base}/chat/completions", json=body, headers=ask.bearer) as response:
        _ok(response)
        answer = "".join(_pieces(response.iter_lines())).strip()
    if not answer:
        raise _WrongError("the answer is empty")
    return Answer(models[0], QUESTION, answer)


def _embedding(ask: _Ask, base: str, model: Model) -> None:
    answer = ask.json(f"{base}/embeddings", {"model": model.name, "input": list(SENTENCES)})
    vectors = [item["embedding"] for item in sorted(answer["data"], key=lambda item: item["index"])]
    lengths = {len(vector) for vector in vectors}
    if len(vectors) != len(SENTENCES) or lengths != {model.dimensions}:
        told = f"{len(vectors)} vectors of {', '.join(map(str, sorted(lengths))) or 'no'} dimensions"
        raise _WrongError(f"{told}, not {len(SENTENCES)} of {model.dimensions}")
    if (pair := closest(vectors)) != ALIKE:
        first, second = (SENTENCES[place] for place in pair)
        raise _WrongError(f"it takes {first!r} and {second!r} for the closest")


def closest(vectors: Sequence[Sequence[float]]) -> tuple[int, int]:
    """Places of the two vectors with the smallest angle between them."""
    return max(combinations(range(len(vectors)), 2), key=lambda pair: cosine(*(vectors[i] for i in pair)))


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """Cosine of the angle between two vectors; 0 where one has no direction."""
    lengths = math.hypot(*one) * math.hypot(*other)
    return sum(a * b for a, b in zip(one, other, strict=True)) / lengths if lengths else 0.0


def _ranking(ask: _Ask, base: str, model: Model) -> None:
    body = {"model": model.name, "query": QUERY, "documents": list(PASSAGES)}
    results = ask.json(f"{base}/rerank", body)["results"]
    first = max(results, key=lambda result: float(result["relevance_score"]))["index"]
    if first != RIGHT:
        raise _WrongError(f"it puts {PASSAGES[first]!r} first")


def _reading(ask: _Ask, base: str) -> None:
    """A picture of a sentence, which only what recognises Korean letters can read."""
    response = ask.client.post(
        f"{base}{ask.engine.guarded}",
        files={"files": (SCAN.name, SCAN.read_bytes(), "image/png")},
        data={"strategy": "ocr_only"},
        headers={"unstructured-api-key": ask.key},
    )
    _ok(response)
    text = "".join(str(element["text"]) for element in response.json())
    if "".join(SCANNED.split()) not in "".join(text.split()):
        raise _WrongError(f"it reads {len(text)} characters, and not what is written there")


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
