"""Servers of embedding and rerank models, whatever they speak: what they serve, and a dialect for each kind of server.

A dialect turns one request into one HTTP request and its answer back; planning, limits, retries and checks are the
same for all, and are in `embedding` and `rerank`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Protocol, TypeVar

import httpx

from llmflow_kit import faults, tokens
from llmflow_kit.batches import Limits, Size, Window
from llmflow_kit.connection import Connection
from llmflow_kit.endpoints import PROMPT, Endpoints, Patience
from llmflow_kit.faults import Fault, NotServed, Rejected
from llmflow_kit.http import encoded
from llmflow_kit.vectors import Vector

T = TypeVar("T")

EMBEDDING, RERANK, IMAGES, SPARSE = "embedding", "rerank", "images", "sparse"  # what a model can
OTHER = "something else"
END, START, REFUSE = "end", "start", "refuse"  # where a text that is too long is cut, if at all
TRUNCATIONS = (END, START, REFUSE)

REMEMBERED = 300.0  # seconds for which servers are not asked again what they serve, unless one was lost
QUICK = Patience(seconds=10.0)  # Dify waits to show a form
FIRST_AT_ONCE, MOST_AT_ONCE = 4.0, 32  # requests with documents under way: at first, and at most
PROMPT_AT_ONCE = 8  # requests under way for one question, which somebody waits for
COUNTED = 10_000  # texts whose token counts are remembered


class Asker(Protocol):
    """Somebody who can be asked over HTTP: all servers, or one by itself."""

    def get(self, path: str) -> Any:
        """The JSON at `path`; raises a Fault."""

    def post(self, path: str, body: Any) -> Any:
        """The JSON that `path` answers to the JSON `body`; raises a Fault."""


@dataclass(frozen=True)
class Line:
    """All servers, asked with the patience and the headers of one piece of work."""

    servers: Endpoints
    patience: Patience = PROMPT
    headers: Mapping[str, str] = field(default_factory=dict)

    def get(self, path: str) -> Any:
        """The JSON at `path`; raises a Fault."""
        return self.servers.get(path, self.patience)

    def post(self, path: str, body: Any) -> Any:
        """The JSON that `path` answers to the JSON `body`; raises a Fault."""
        return self.servers.post(path, body, self.headers, self.patience)


@dataclass(frozen=True)
class Served:
    """A model that servers serve, as far as they say."""

    name: str
    aliases: frozenset[str] = frozenset()
    can: frozenset[str] = frozenset()  # empty where the server does not say
    context_size: int = 0  # tokens of one text, special tokens included; 0 where the server does not say
    limits: Limits = Limits(texts=32, tokens=16_384, bytes=1_000_000)  # noqa: RUF009 - frozen
    most_characters: int = 0  # of one text; 0 for no bound
    at_once: int = MOST_AT_ONCE  # requests that may be under way
    cuts: frozenset[str] = frozenset(TRUNCATIONS)  # which of TRUNCATIONS the server does by itself


@dataclass(frozen=True)
class Texts:
    """One request for the vectors of texts."""

    model: Served
    texts: Sequence[str]
    truncation: str = END
    dimensions: int = 0  # 0 for the model's own
    normalize: bool = True
    prompt: str = ""  # the name of a prompt that the server puts before each text


@dataclass(frozen=True)
class Pairs:
    """One request for the scores of documents against a query; each text or a list of OpenAI's content parts."""

    model: Served
    query: Any
    documents: Sequence[Any]
    truncation: str = END
    raw: bool = False  # logits, where the model has them, instead of probabilities


@dataclass(frozen=True)
class Vectors:
    """Vectors in the order of what was asked; `tokens` is None where the server does not count them."""

    vectors: Sequence[Vector]
    tokens: int | None


class Dialect(Protocol):
    """How one kind of server is asked. Every method raises a Fault; Rejected for what the kind cannot do."""

    def embed(self, ask: Asker, request: Texts) -> Vectors:
        """The vectors of a batch of texts."""

    def embed_images(self, ask: Asker, model: Served, images: Sequence[str]) -> Vectors:
        """The vectors of a batch of pictures, which are data URIs."""

    def takes_images(self, ask: Asker, model: Served, kind: str) -> bool:
        """Whether a model for `kind` takes pictures beside texts."""

    def embed_sparse(self, ask: Asker, request: Texts) -> list[Mapping[int, float]]:
        """The weights of a batch of texts by token."""

    def rerank(self, ask: Asker, request: Pairs) -> list[float]:
        """The scores of a batch of documents, in their order."""

    def count_tokens(self, ask: Asker, model: Served, texts: Sequence[str]) -> list[int]:
        """The tokens of each text as the model sees it."""


@dataclass(frozen=True)
class Known:
    """What was found at an address."""

    dialect: Dialect
    served: tuple[Served, ...]

    def model(self, name: str) -> Served:
        """The model of this name; raises NotServed."""
        for served in self.served:
            if name == served.name or name in served.aliases:
                return served
        raise NotServed(name, tuple(served.name for served in self.served))


class Counts:
    """Token counts of texts that were counted before; a text itself is not kept."""

    def __init__(self) -> None:
        self._counted: dict[bytes, int] = {}  # the oldest first

    def of(self, model: str, texts: Sequence[str], count: Callable[[list[str]], list[int]]) -> list[int]:
        """The tokens of each text by `count`, estimated where that raises a Fault."""
        keys = [blake2b(encoded([model, text]), digest_size=16).digest() for text in texts]
        found = {key: self._counted[key] for key in keys if key in self._counted}
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        try:
            found |= zip(missing, count(list(missing.values())), strict=True)
        except Fault:
            return [found.get(key) or tokens.estimate(text) for key, text in zip(keys, texts, strict=True)]
        self._counted |= found
        while len(self._counted) > COUNTED:
            del self._counted[next(iter(self._counted))]
        return [found[key] for key in keys]


class Engine:
    """The servers of one connection, what is known of them, and what is under way there; safe to share."""

    def __init__(
        self,
        connection: Connection,
        read: Callable[[Asker], Known],
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`read` finds out who is there, and what it serves."""
        self.window = Window(FIRST_AT_ONCE * len(connection.servers), MOST_AT_ONCE, sleep)
        self.servers = Endpoints(connection, transport, sleep=self.window.rest)
        self._read, self._clock = read, clock
        self._known: tuple[float, int, Known] | None = None
        self.counts = Counts()
        self.dimensions: dict[str, int] = {}  # of the models whose vectors were seen

    def known(self) -> Known:
        """What is served here, read anew where that is old or a server was lost; raises a Fault."""
        if self._known is not None:
            read_at, epoch, known = self._known
            if self._clock() - read_at < REMEMBERED and epoch == self.servers.epoch:
                return known
        return self.known_anew()

    def known_anew(self) -> Known:
        """What is served here now; raises a Fault."""
        epoch = self.servers.epoch
        known = self._read(Line(self.servers, QUICK))
        self.window.bound(min([MOST_AT_ONCE, *(served.at_once for served in known.served)]))
        self.dimensions.clear()
        self._known = (self._clock(), epoch, known)
        return known

    def takes_images(self, name: str, kind: str) -> bool:
        """Whether the model `name` takes pictures beside texts; raises a Fault."""
        known = self.known()
        return known.dialect.takes_images(Line(self.servers, QUICK), known.model(name), kind)

    def check(self, name: str, kind: str) -> None:
        """Raise the Fault that keeps any of the servers from serving the model `name` for `kind`."""
        for server in self.servers.each():
            model = self._read(server).model(name)
            if model.can and kind not in model.can:
                raise Rejected(
                    f'The model "{name}" at {server.server.url} is for {" and ".join(sorted(model.can))},'
                    f" not for {kind}: add it under that model type, or name another server.",
                    field=faults.ENDPOINT,
                )

    @contextmanager
    def changes_noticed(self, name: str) -> Iterator[None]:
        """Where a server refuses, read anew what it serves: it may be another one by now, which says so better."""
        try:
            yield
        except (NotServed, Rejected) as fault:
            raise self._gone(name) or fault from fault.__cause__

    def _gone(self, name: str) -> NotServed | None:
        """The fault that `name` is not served any more, with what is instead."""
        try:
            self.known_anew().model(name)
        except NotServed as fault:
            return fault
        except Fault:
            return None  # the refusal says more than a server that is down
        return None

    def close(self) -> None:
        """Close the connections."""
        self.servers.close()


def sizes(texts: Sequence[str]) -> list[Size]:
    """What each text costs in a request."""
    return [Size(tokens.estimate(text), tokens.size(text) + 1) for text in texts]


def placed(batches: Sequence[Sequence[int]], found: Sequence[Sequence[T]]) -> dict[int, T]:
    """What was answered to each text, by the text's number."""
    return {
        index: value
        for batch, answer in zip(batches, found, strict=True)
        for index, value in zip(batch, answer, strict=True)
    }
