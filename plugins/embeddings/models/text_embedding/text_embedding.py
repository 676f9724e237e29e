"""Embedding: Dify's SDK on one side, llmflow_embeddings on the other."""

from __future__ import annotations

from dify_plugin import TextEmbeddingModel
from llmflow_embeddings import settings
from llmflow_kit import dify_pooling


class EmbeddingsTextEmbeddingModel(dify_pooling.Embeds, TextEmbeddingModel):
    """An embedding model on TEI or Infinity servers."""

    labels = settings.LABELS
    embedder = staticmethod(settings.embedder)
