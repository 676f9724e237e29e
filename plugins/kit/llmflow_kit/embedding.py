"""Texts and pictures as vectors: prefixes, limits, batches and checks, the same for every kind of server.

An empty or blank text has no meaning that a vector could hold: it is refused by its number, never sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from llmflow_kit import pictures, pooling, prefixes, tokens, vectors
from llmflow_kit.batches import plan, together
from llmflow_kit.endpoints import PATIENT, PROMPT
from llmflow_kit.faults import Fault, Rejected
from llmflow_kit.fitting import fitted
from llmflow_kit.http import NO_HEADERS
from llmflow_kit.pooling import (
    END,
    QUICK,
    REFUSE,
    TRUNCATIONS,
    Dialect,
    Engine,
    Line,
    Served,
    Texts,
    Vectors,
)
from llmflow_kit.settings import Form
from llmflow_kit.vectors import Vector

T = TypeVar("T")

LABELS: Mapping[str, str] = {  # as in the provider files of the plugins that embed; a test compares them
    "truncation": "Texts that are too long / 너무 긴 텍스트",
    "dimensions": "Dimensions / 차원 수",
    "normalize": "Unit length / 단위 길이",
    "query_prefix": "Query prefix / 질의 접두어",
    "passage_prefix": "Passage prefix / 문서 접두어",
}
NO_PREFIX = "none"
DIMENSIONS = re.compile(
    "dimension|matryoshka", re.IGNORECASE
)  # what servers say of a number that they don't give
MOST_DIMENSIONS = 65_536
IMAGES_TOGETHER = 16  # pictures in a request: they are large, and Infinity takes 32 at most


@dataclass(frozen=True)
class Style:
    """How a form wants texts embedded."""

    truncation: str = END
    dimensions: int = 0  # 0 for the model's own
    normalize: bool = True
    query_prefix: str | None = None  # None for the usual one of the model's family
    passage_prefix: str | None = None
    query_prompt: str = ""  # the name of a prompt that the server keeps, instead of a prefix
    passage_prompt: str = ""
    context_size: int = 0  # tokens; 0 for what the server says

    def prefix(self, model: str, *, query: bool) -> str:
        """What is put before each query, or each passage, for a model of this name."""
        written = self.query_prefix if query else self.passage_prefix
        if written is not None or self.query_prompt or self.passage_prompt:
            return written or ""
        usual = prefixes.of(model)
        return usual.query if query else usual.passage

    def prompt(self, *, query: bool) -> str:
        """The name of the server's own prompt for queries, or for passages, "" for none."""
        return self.query_prompt if query else self.passage_prompt


def style(form: Form) -> Style:
    """The fields of LABELS, and those of prompts where a form has them; bad ones are noted in `form`."""
    return Style(
        truncation=form.choice("truncation", TRUNCATIONS, default=END),
        dimensions=form.whole_number("dimensions", 1, MOST_DIMENSIONS, default=0),
        normalize=form.choice("normalize", ("on", "off"), default="on") == "on",
        query_prefix=_written(form.verbatim("query_prefix")),
        passage_prefix=_written(form.verbatim("passage_prefix")),
        query_prompt=form.text("query_prompt"),
        passage_prompt=form.text("passage_prompt"),
        context_size=form.whole_number("context_size", 1, 10_000_000, default=0),
    )


@dataclass(frozen=True)
class Embedded:
    """Vectors in the order of the texts; `counted` tells whether the tokens are the server's own count."""

    vectors: Sequence[Vector]
    tokens: int
    counted: bool


@dataclass(frozen=True)
class Embedder:
    """One model on the servers of an engine."""

    engine: Engine
    model: str
    style: Style = field(default_factory=Style)

    def embed(
        self, texts: Sequence[str], *, query: bool = False, headers: Mapping[str, str] = NO_HEADERS
    ) -> Embedded:
        """The vectors of queries, or of passages; raises a Fault. Queries do not wait behind passages."""
        if not texts:
            return Embedded([], 0, counted=True)
        job = self._job(query, headers)
        ready = job.ready(texts)
        batches = plan(pooling.sizes(ready), job.model.limits)
        answers = job.spread(lambda batch: job.embed(batch, ready), batches)
        return self._gathered(batches, answers, ready)

    def embed_mixed(
        self,
        parts: Sequence[tuple[str, str]],
        *,
        query: bool = False,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> Embedded:
        """The vectors of texts and pictures, each with "text" or "image" before it; raises a Fault."""
        words = [index for index, (kind, _) in enumerate(parts) if kind == "text"]
        images = [index for index, (kind, _) in enumerate(parts) if kind == "image"]
        uris = {index: pictures.data_uri(parts[index][1]) for index in images}
        said = self.embed([parts[index][1] for index in words], query=query, headers=headers)
        batches = [images[at : at + IMAGES_TOGETHER] for at in range(0, len(images), IMAGES_TOGETHER)]
        job = self._job(query, headers)
        answers = job.spread(lambda batch: job.embed_images([uris[i] for i in batch]), batches)
        mixed = [Vectors(said.vectors, said.tokens if said.counted else None), *answers]
        return self._gathered(
            [words, *batches], mixed, ["" if i in uris else t for i, (_, t) in enumerate(parts)]
        )

    def embed_sparse(
        self, texts: Sequence[str], *, query: bool = False, headers: Mapping[str, str] = NO_HEADERS
    ) -> list[Mapping[int, float]]:
        """The weights of each text by token; raises a Fault. Hybrid stores take them, Dify does not yet."""
        job = self._job(query, headers)
        ready = job.ready(texts)
        batches = plan(pooling.sizes(ready), job.model.limits)
        answers = job.spread(lambda batch: job.embed_sparse([ready[i] for i in batch]), batches)
        found = pooling.placed(batches, answers)
        return [found[index] for index in range(len(texts))]

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """The tokens of each text, counted by the server and remembered, estimated where it does not count."""
        return self.engine.counts.of(self.model, texts, self._count)

    def check(self) -> None:
        """Raise the Fault that keeps the model from embedding, after one short text at most."""
        self.engine.check(self.model, pooling.EMBEDDING)
        self.embed(["ping"], query=True)

    def dimensions(self) -> int:
        """The numbers in a vector of this model, found out by one where none was seen yet; raises a Fault."""
        if self.style.dimensions:
            return self.style.dimensions
        if self.model not in self.engine.dimensions:
            self.embed(["ping"], query=True)
        return self.engine.dimensions[self.model]

    def _count(self, texts: Sequence[str]) -> list[int]:
        job = replace(self._job(query=True, headers=NO_HEADERS), line=Line(self.engine.servers, QUICK))
        batches = plan(pooling.sizes(texts), job.model.limits)
        found = pooling.placed(
            batches, job.spread(lambda batch: job.count([texts[i] for i in batch]), batches)
        )
        return [found[index] for index in range(len(texts))]

    def _job(self, query: bool, headers: Mapping[str, str]) -> _Job:
        known = self.engine.known()
        line = Line(self.engine.servers, PROMPT if query else PATIENT, headers)
        return _Job(
            engine=self.engine,
            dialect=known.dialect,
            name=self.model,
            model=known.model(self.model),
            style=self.style,
            line=line,
            query=query,
        )

    def _gathered(
        self, batches: Sequence[Sequence[int]], answers: Sequence[Vectors], texts: Sequence[str]
    ) -> Embedded:
        by_number = pooling.placed(batches, [answer.vectors for answer in answers])
        found = vectors.checked(
            [by_number[index] for index in range(len(texts))],
            self.style.dimensions,
            unit=self.style.normalize,
        )
        if found and not self.style.dimensions:
            self.engine.dimensions[self.model] = len(found[0])
        counts = [answer.tokens for answer in answers]
        if None in counts:
            return Embedded(found, sum(map(tokens.estimate, texts)), counted=False)
        return Embedded(found, sum(filter(None, counts)), counted=True)


@dataclass(frozen=True)
class _Job:
    """One piece of work: texts as the model wants them, sent batch by batch."""

    engine: Engine
    dialect: Dialect
    name: str  # of the model, in the form
    model: Served
    style: Style
    line: Line
    query: bool

    def ready(self, texts: Sequence[str]) -> list[str]:
        """The texts as they are sent: of a length that is taken, with their prefix; raises Rejected."""
        prefix = self.style.prefix(self.name, query=self.query)
        return [
            prefix + self._fitted(text, f"Text {number} of {len(texts)}")
            for number, text in enumerate(texts, 1)
        ]

    def spread(self, send: Callable[[list[int]], T], batches: Sequence[list[int]]) -> list[T]:
        """What `send` makes of each batch, several at once; passages wait for their place, queries do not."""

        def in_place(batch: list[int]) -> T:
            with self.engine.window.place():
                return send(batch)

        with self.engine.changes_noticed(self.name):
            if self.query:
                return together(send, batches, pooling.PROMPT_AT_ONCE)
            return together(in_place, batches, self.engine.window.most)

    def embed(self, batch: Sequence[int], ready: Sequence[str]) -> Vectors:
        """The vectors of a batch; where a text of it is too long, the refusal says which."""
        request = self._request([ready[index] for index in batch])
        try:
            return self.dialect.embed(self.line, request)
        except Rejected as fault:
            if self.style.truncation == REFUSE:
                self._name_the_longest(batch, request.texts, len(ready), fault)
            if self.style.dimensions and DIMENSIONS.search(fault.text):
                raise Rejected(fault.text, field="dimensions") from fault
            raise

    def embed_images(self, images: Sequence[str]) -> Vectors:
        """The vectors of a batch of pictures."""
        return self.dialect.embed_images(self.line, self.model, images)

    def embed_sparse(self, texts: Sequence[str]) -> list[Mapping[int, float]]:
        """The weights of a batch of texts."""
        return self.dialect.embed_sparse(self.line, self._request(texts))

    def count(self, texts: Sequence[str]) -> list[int]:
        """The tokens of a batch of texts."""
        return self.dialect.count_tokens(self.line, self.model, texts)

    def _request(self, texts: Sequence[str]) -> Texts:
        return Texts(
            model=self.model,
            texts=texts,
            truncation=self.style.truncation,
            dimensions=self.style.dimensions,
            normalize=self.style.normalize,
            prompt=self.style.prompt(query=self.query),
        )

    def _fitted(self, text: str, name: str) -> str:
        if not text.strip():
            raise Rejected(f"{name} is empty or blank; there is nothing to embed.")
        within = self.style.context_size or self.model.context_size
        return fitted(text, name, self.model, self.style.truncation, within, field="truncation")

    def _name_the_longest(self, batch: Sequence[int], texts: Sequence[str], of: int, fault: Rejected) -> None:
        """Raise a refusal that tells which text is too long, if one is and the server counts tokens."""
        most = self.model.context_size
        try:
            counts = self.dialect.count_tokens(self.line, self.model, texts)
        except Fault:
            return
        for index, count in sorted(zip(batch, counts, strict=True)):
            if most and count > most:
                raise Rejected(
                    f"Text {index + 1} of {of} has {count} tokens; the model takes {most}.",
                    field="truncation",
                ) from fault


def _written(prefix: str) -> str | None:
    """A prefix as the form has it, None where it leaves the choice to the model's name."""
    if not prefix.strip():
        return None
    return "" if prefix.strip() == NO_PREFIX else prefix
