"""What a vLLM model is to Dify: its features, its size, and the parameters that an app builder may set."""

from __future__ import annotations

from typing import Any

UNKNOWN_SIZE = 4096  # tokens, until the server can be asked: small enough not to overflow any model in use


def entity(model: str, context_size: int, tools: bool) -> dict[str, Any]:
    """The fields of Dify's AIModelEntity."""
    features = ["agent-thought", "structured-output"]
    if tools:
        features += ["tool-call", "multi-tool-call", "stream-tool-call"]
    return {
        "model": model,
        "label": {"en_US": model},
        "model_type": "llm",
        "fetch_from": "customizable-model",
        "features": features,
        "model_properties": {"mode": "chat", "context_size": context_size},
        "parameter_rules": parameters(context_size),
    }


def parameters(context_size: int) -> list[dict[str, Any]]:
    """Dify's parameter rules; every bound is written out, since the SDK's templates hold narrower ones."""
    half = max(1, min(4096, context_size // 2))
    return [
        _number("temperature", "Temperature / 온도", 0, 2, "Randomness; 0 repeats itself / 무작위성"),
        _number("top_p", "Top P", 0.01, 1, "Share of likely tokens to choose from / 후보 토큰의 누적 확률"),
        _integer("top_k", "Top K", -1, 1000, "Number of tokens to choose from; -1: all / 후보 토큰 수"),
        _integer(
            "max_tokens", "Max tokens / 최대 토큰", 1, context_size, "Longest answer / 답변의 최대 길이", half
        ),
        _number(
            "presence_penalty", "Presence penalty / 존재 페널티", -2, 2, "Against known words / 반복 억제"
        ),
        _number(
            "frequency_penalty",
            "Frequency penalty / 빈도 페널티",
            -2,
            2,
            "Against frequent words / 반복 억제",
        ),
        _number("repetition_penalty", "Repetition penalty / 반복 페널티", 0.01, 2, "1: none / 1이면 없음"),
        _integer("seed", "Seed / 시드", 0, 2**31 - 1, "Same seed, same answer / 같은 시드면 같은 답변"),
        {
            **_rule(
                "response_format",
                "string",
                "Response format / 응답 형식",
                "Text unless chosen / 기본은 텍스트",
            ),
            "options": ["text", "json_object", "json_schema"],
        },
        _rule(
            "json_schema",
            "text",
            "JSON schema / JSON 스키마",
            "For the format json_schema / json_schema 형식일 때",
        ),
    ]


def _rule(name: str, type_: str, label: str, help_: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": type_,
        "label": {"en_US": label},
        "help": {"en_US": help_},
        "required": False,
    }


def _number(name: str, label: str, low: float, high: float, help_: str) -> dict[str, Any]:
    return {**_rule(name, "float", label, help_), "min": low, "max": high, "precision": 2}


def _integer(
    name: str, label: str, low: int, high: int, help_: str, default: int | None = None
) -> dict[str, Any]:
    return {**_rule(name, "int", label, help_), "min": low, "max": high, "precision": 0, "default": default}
