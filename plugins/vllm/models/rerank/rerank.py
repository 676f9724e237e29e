"""Reranking: Dify's SDK on one side, llmflow_vllm on the other."""

from __future__ import annotations

from dify_plugin import RerankModel
from llmflow_kit import dify_pooling
from llmflow_vllm import pooling


class VllmRerankModel(dify_pooling.Reranks, RerankModel):
    """A rerank model on vLLM servers."""

    labels = pooling.LABELS
    reranker = staticmethod(pooling.reranker)
