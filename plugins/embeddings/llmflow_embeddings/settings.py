"""The form of provider/embeddings.yaml as one frozen object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from llmflow_kit import connection, embedding, rerank
from llmflow_kit.connection import Connection
from llmflow_kit.embedding import Embedder, Style
from llmflow_kit.pooling import Engine
from llmflow_kit.rerank import Ranking, Reranker
from llmflow_kit.settings import Form, remembered

from llmflow_embeddings import detect

LABELS: Mapping[str, str] = {  # as in provider/embeddings.yaml; a test compares them
    **connection.LABELS,
    detect.FIELD: "Server / 서버 종류",
    "context_size": "Context size in tokens / 컨텍스트 길이 (토큰)",
    **embedding.LABELS,
    "query_prompt": "Query prompt name (TEI) / 질의 프롬프트 이름 (TEI)",
    "passage_prompt": "Passage prompt name (TEI) / 문서 프롬프트 이름 (TEI)",
    **rerank.LABELS,
}


@dataclass(frozen=True)
class Settings:
    """Servers of one model, as an app builder described them."""

    connection: Connection
    server: str = detect.AUTO
    style: Style = Style()  # noqa: RUF009 - frozen
    ranking: Ranking = Ranking()  # noqa: RUF009 - frozen


@remembered
def parse(credentials: Mapping[str, object]) -> Settings:
    """The settings that a form holds; raises Rejected naming every field that cannot be used."""
    form = Form(credentials, LABELS)
    settings = Settings(
        connection=connection.connection(form, suffix="/v1"),
        server=form.choice(detect.FIELD, tuple(detect.READERS), default=detect.AUTO),
        style=embedding.style(form),
        ranking=rerank.ranking(form),
    )
    form.done()
    return settings


def embedder(credentials: Mapping[str, object], model: str) -> Embedder:
    """The embedding model that a form describes; raises Rejected."""
    settings = parse(credentials)
    return Embedder(engine_at(settings.connection, settings.server), model, settings.style)


def reranker(credentials: Mapping[str, object], model: str) -> Reranker:
    """The rerank model that a form describes; raises Rejected."""
    settings = parse(credentials)
    return Reranker(engine_at(settings.connection, settings.server), model, settings.ranking)


@lru_cache(maxsize=64)
def engine_at(to: Connection, server: str) -> Engine:
    """The servers of a connection, with what earlier requests left open and found out."""
    return Engine(to, detect.READERS[server])
