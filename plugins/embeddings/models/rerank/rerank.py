"""Reranking: Dify's SDK on one side, llmflow_embeddings on the other."""

from __future__ import annotations

from dify_plugin import RerankModel
from llmflow_embeddings import settings
from llmflow_kit import dify_pooling


class EmbeddingsRerankModel(dify_pooling.Reranks, RerankModel):
    """A rerank model on TEI or Infinity servers."""

    labels = settings.LABELS
    reranker = staticmethod(settings.reranker)
