"""Good and bad TEI and Infinity servers against the plugin's models, on loopback; the package runs the same cases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from llmflow_embeddings import settings
from support.pooling_servers import Trial, hold, trials


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    yield
    settings.engine_at.cache_clear()


@pytest.mark.parametrize("trial", trials("tei", "infinity"), ids=lambda trial: trial.id)
def test_server(trial: Trial) -> None:
    hold(trial, settings.embedder, settings.reranker, settings.LABELS)
