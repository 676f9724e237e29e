"""Embedding: Dify's SDK on one side, llmflow_vllm on the other."""

from __future__ import annotations

from dify_plugin import TextEmbeddingModel
from llmflow_kit import dify_pooling
from llmflow_vllm import pooling


class VllmTextEmbeddingModel(dify_pooling.Embeds, TextEmbeddingModel):
    """An embedding model on vLLM servers."""

    labels = pooling.LABELS
    embedder = staticmethod(pooling.embedder)
