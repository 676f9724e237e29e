"""What a vLLM model is to Dify: its features, its size, and the parameters that an app builder may set."""

from __future__ import annotations

from typing import Any

from llmflow_vllm import parameters
from llmflow_vllm.discovery import Model


def entity(model: Model, *, chat: bool) -> dict[str, Any]:
    """The fields of Dify's AIModelEntity."""
    features = ["agent-thought", "structured-output"] if chat else []
    if model.tools:
        features += ["tool-call", "multi-tool-call", "stream-tool-call"]
    features += sorted(model.media)
    return {
        "model": model.name,
        "label": {"en_US": model.name},
        "model_type": "llm",
        "fetch_from": "customizable-model",
        "features": features,
        "model_properties": {"mode": "chat" if chat else "completion", "context_size": model.context_size},
        "parameter_rules": parameters.rules(model.context_size, model.adapters),
    }
