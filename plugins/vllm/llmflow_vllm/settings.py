"""The form of provider/vllm.yaml as one frozen object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from llmflow_kit.settings import Form

LABELS = {  # as in provider/vllm.yaml; a test compares them
    "endpoint_url": "Server address / 서버 주소",
    "api_key": "API key / API 키",
    "ca_certificate": "CA certificate (PEM) / CA 인증서 (PEM)",
    "context_size": "Context size in tokens / 컨텍스트 길이 (토큰)",
    "tool_calling": "Tool calling / 도구 호출",
    "timeout": "Timeout in seconds / 제한 시간 (초)",
}


@dataclass(frozen=True)
class Settings:
    """One vLLM server, as an app builder described it."""

    server: str  # without /v1: /tokenize lives beside it, not under it
    key: str = field(default="", repr=False)
    ca: str = field(default="", repr=False)  # PEM text; "" trusts the public CAs
    context_size: int = 0  # tokens; 0 asks the server
    tools: bool = True
    timeout: int = 300  # seconds without a byte


def parse(credentials: Mapping[str, object]) -> Settings:
    """The settings that a form holds; raises Rejected naming every field that cannot be used."""
    form = Form(credentials, LABELS)
    settings = Settings(
        server=form.url("endpoint_url").removesuffix("/v1"),
        key=form.secret("api_key"),
        ca=form.certificates("ca_certificate"),
        context_size=form.whole_number("context_size", 1, 10_000_000, default=0),
        tools=form.choice("tool_calling", ("on", "off"), default="on") == "on",
        timeout=form.whole_number("timeout", 1, 3600, default=300),
    )
    form.done()
    return settings
