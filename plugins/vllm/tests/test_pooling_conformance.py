"""Good and bad pooling servers against the plugin's models, on loopback; the package runs the same cases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from llmflow_vllm import pooling
from support.pooling_servers import Trial, hold, trials


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    yield
    pooling.engine_at.cache_clear()


@pytest.mark.parametrize("trial", trials("vllm"), ids=lambda trial: trial.id)
def test_server(trial: Trial) -> None:
    hold(trial, pooling.embedder, pooling.reranker, pooling.LABELS)
