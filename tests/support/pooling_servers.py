"""The cases of tests/cases/plugins/pooling.yaml at the servers that they are said of, and what must come of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from llmflow_kit.embedding import Embedder
from llmflow_kit.faults import Fault, describe
from llmflow_kit.http import HALF
from llmflow_kit.rerank import Reranker
from pydantic import BaseModel, ConfigDict
from ruamel.yaml import YAML

from support import fake_engines
from support.fake_engines import (
    CONTEXT,
    EMBEDDER,
    KEY,
    RERANKER,
    SHORT_DIMENSIONS,
    Behaviour,
    FakeEngine,
    Wire,
    logistic,
    logit,
    vector,
)
from support.fake_infinity import InfinityWire
from support.fake_pooling import PoolingWire
from support.fake_tei import TeiWire
from support.fake_vllm import unused_url

CASES = Path(__file__).parents[1] / "cases" / "plugins" / "pooling.yaml"
QUERY = "서울의 날씨 글"
HALF_A_CHARACTER = b'{"data": "' + "가".encode()[:2] + b'"}'

At = Literal["tei", "infinity", "vllm"]
Of = Literal["embed", "rerank"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Server(_Strict):
    """How the stand-in behaves."""

    down: bool = False
    status: int = 200
    headers: dict[str, str] = {}
    body: str | None = None
    half_a_character: bool = False
    change: str = ""
    delay: float = 0.0
    cut: bool = False
    huge: int = 0
    hang_up: int = 0
    refusals: int = -1


class Ask(_Strict):
    """What is asked, and with which form; the text is the second of three."""

    of: Of | None = None
    query: bool = False  # the texts are queries, which do not wait
    model: str = ""
    key: str = KEY
    timeout: str = "30"
    path: str = ""
    dimensions: str = ""
    truncation: str = ""
    context_size: str = ""
    text: str = "두 번째 글"
    text_of: int = 0  # instead, a text of so many letters
    words: int = 0  # instead, a text of so many words
    query_text: str = QUERY


class Expected(_Strict):
    """What must come of it; the right answer where there is no fault."""

    fault: str | None = None
    error: str | None = None
    says: str = ""
    silent_about: str | None = None
    field: str | None = None
    requests: int | None = None


class Case(_Strict):
    """One case by name."""

    name: str
    at: tuple[At, ...] = ("tei", "infinity", "vllm")
    server: Server = Server()
    ask: Ask = Ask()
    slow: bool = False  # tried at one server only where time counts
    expect: Expected


@dataclass(frozen=True)
class Trial:
    """A case at one kind of server, asked for one kind of work."""

    case: Case
    at: At
    of: Of

    @property
    def id(self) -> str:
        """The name of the test."""
        return f"{self.at}-{self.of}-{self.case.name}"

    @property
    def model(self) -> str:
        """The name of the model that is asked."""
        return self.case.ask.model or (EMBEDDER if self.of == "embed" else RERANKER)

    @property
    def texts(self) -> list[str]:
        """The texts to embed, or to rank."""
        ask = self.case.ask
        text = " ".join(f"단어{n}" for n in range(ask.words)) or "가" * ask.text_of or ask.text
        return ["서울의 날씨", text, "third text of all"]

    def form(self, url: str) -> dict[str, str]:
        """The Dify form that reaches the server."""
        ask = self.case.ask
        form = {"endpoint_url": url + ask.path, "api_key": ask.key, "timeout": ask.timeout}
        chosen = {name: getattr(ask, name) for name in ("dimensions", "truncation", "context_size")}
        chosen["document_truncation"] = chosen["truncation"]
        return form | {name: value for name, value in chosen.items() if value}

    def right_vectors(self) -> list[list[float]]:
        """The vectors of the texts as the model must see them."""
        return [vector(_seen(text, self.case.ask.truncation)) for text in self.texts]

    def right_ranks(self) -> list[tuple[int, float]]:
        """The documents as they must be ranked."""
        scores = [logistic(logit(self.case.ask.query_text, text)) for text in self.texts]
        return sorted(enumerate(scores), key=lambda row: -row[1])


def trials(*at: At, quick: bool = True) -> list[Trial]:
    """All cases at these servers, in the order of the file; slow ones only once where it shall be `quick`."""
    found: list[Trial] = []
    for case in _cases():
        kinds: Sequence[Of] = (case.ask.of,) if case.ask.of else ("embed", "rerank")
        tried = [Trial(case, where, of) for where in case.at for of in kinds]
        found += [trial for trial in (tried[:1] if case.slow and quick else tried) if trial.at in at]
    return found


@cache
def _cases() -> tuple[Case, ...]:
    rows = YAML(typ="safe", pure=True).load(CASES.read_text(encoding="utf-8"))
    return tuple(map(Case.model_validate, rows))


@contextmanager
def serving(trial: Trial) -> Iterator[FakeEngine]:
    """The case's server on loopback."""
    server = trial.case.server
    if server.down:
        yield FakeEngine(unused_url())
        return
    body = server.body.encode() if server.body is not None else None
    behaviour = Behaviour(
        status=server.status,
        headers=server.headers,
        body=HALF_A_CHARACTER if server.half_a_character else body,
        change=server.change,
        delay=server.delay,
        cut=server.cut,
        huge=server.huge,
        hang_up=server.hang_up,
        refusals=server.refusals,
    )
    with fake_engines.serving(wire(trial.at, trial.of), behaviour) as fake:
        yield fake


def hold(
    trial: Trial,
    embedder: Callable[[dict[str, str], str], Embedder],
    reranker: Callable[[dict[str, str], str], Reranker],
    labels: Mapping[str, str],
) -> None:
    """Run a trial with the models that a plugin makes of a form."""
    result: Any = None
    fault: Fault | None = None
    ask = trial.case.ask
    with serving(trial) as server:
        form = trial.form(server.url)
        model = embedder(form, trial.model) if trial.of == "embed" else reranker(form, trial.model)
        try:
            if isinstance(model, Embedder):
                result = model.embed(trial.texts, query=ask.query).vectors
            else:
                result = [(one.index, one.score) for one in model.rerank(ask.query_text, trial.texts)]
        except Fault as raised:
            fault = raised
        finally:
            model.engine.close()

    expected = trial.case.expect
    assert (type(fault).__name__ if fault else None) == expected.fault
    if fault:
        assert (fault.dify, fault.field) == (expected.error, expected.field)
    verify(trial, server, result, describe(fault, labels) if fault else "")


def wire(at: At, of: Of) -> Wire:
    """The stand-in of a kind of server, with a model for this work."""
    if at == "infinity":
        return InfinityWire()
    kind = "embedding" if of == "embed" else "reranker"
    return TeiWire(kind=kind) if at == "tei" else PoolingWire(kind=kind)


def verify(trial: Trial, server: FakeEngine, result: Any, said: str) -> None:
    """Hold what came against the case: vectors, (index, score) rows, or what the user is told."""
    expected = trial.case.expect
    if expected.fault:
        assert expected.says in said
        for secret in (KEY, trial.texts[0], trial.case.ask.text.strip() or KEY, "Traceback"):
            assert secret not in said
        assert expected.silent_about is None or expected.silent_about not in said
    elif trial.of == "rerank":
        rows = [(row[0], round(row[1], 6)) for row in result]
        assert rows == [(index, round(score, 6)) for index, score in trial.right_ranks()]
    elif trial.case.ask.text_of:
        assert [len(row) for row in result] == [SHORT_DIMENSIONS] * 3
    else:
        assert [[round(x, 6) for x in row] for row in result] == [
            [round(x, 6) for x in row] for row in trial.right_vectors()
        ]
    if expected.requests is not None:
        work = wire(trial.at, trial.of).work
        assert len([path for path in server.paths() if path in work]) == expected.requests


def _seen(text: str, truncation: str) -> str:
    """A text as it reaches the model: of characters that exist, cut."""
    words = HALF.sub("\ufffd", text).split(" ")
    fitting = CONTEXT - fake_engines.SPECIAL
    return " ".join(words[-fitting:] if truncation == "start" else words[:fitting])
