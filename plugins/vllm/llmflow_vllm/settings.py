"""The form of provider/vllm.yaml, as far as text generation reads it, as one frozen object."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from llmflow_kit import connection
from llmflow_kit.connection import Connection
from llmflow_kit.settings import Form, remembered

LABELS: Mapping[str, str] = {  # as in provider/vllm.yaml; a test compares them
    **connection.LABELS,
    "mode": "Completion mode / 생성 방식",
    "context_size": "Context size in tokens / 컨텍스트 길이 (토큰)",
    "tool_calling": "Tool calling / 도구 호출",
    "media": "Images, sound, video / 이미지·음성·영상",
    "chat_template_kwargs": "Chat template arguments (JSON) / 채팅 템플릿 인자 (JSON)",
    "cache_scope": "Prompt cache is shared by / 프롬프트 캐시 공유 범위",
    "cache_secret": "Prompt cache secret / 프롬프트 캐시 비밀값",
}
TOOLS = ("auto", "on", "off")
MEDIA = ("auto", "none", "images", "images-video", "audio", "all")
SCOPES = ("everyone", "workspace", "app", "user")


@dataclass(frozen=True)
class Settings:
    """vLLM servers of one model, as an app builder described them."""

    connection: Connection
    chat: bool = True  # False: plain completions, for models without a chat template
    context_size: int = 0  # tokens; 0 asks the server
    tools: str = "auto"  # of TOOLS; "auto" tries it out
    media: str = "auto"  # of MEDIA, likewise
    template: str = "{}"  # JSON text of what each request gives the chat template
    cache_scope: str = "everyone"  # of SCOPES
    cache_secret: str = field(default="", repr=False)

    @property
    def template_arguments(self) -> dict[str, Any]:
        """What each request gives the chat template."""
        found: dict[str, Any] = json.loads(self.template)
        return found

    def cache_salt(self, app: str | None, user: str | None) -> str | None:
        """vLLM's `cache_salt`: equal for those who may share cached prompts, "None" shares with everyone.

        It is a keyed digest, so that nobody who lacks the secret can probe what others have asked.
        """
        if self.cache_scope == "everyone":
            return None
        within = {"workspace": "", "app": app or "", "user": user or ""}[self.cache_scope]
        told = f"{self.cache_scope}\0{within}".encode()
        return hmac.new(self.cache_secret.encode(), told, hashlib.sha256).hexdigest()


@remembered
def parse(credentials: Mapping[str, object]) -> Settings:
    """The settings that a form holds; raises Rejected naming every field that cannot be used."""
    form = Form(credentials, LABELS)
    settings = Settings(
        connection=connection.connection(form, suffix="/v1"),  # /tokenize lives beside /v1, not under it
        chat=form.choice("mode", ("chat", "completion"), default="chat") == "chat",
        context_size=form.whole_number("context_size", 1, 10_000_000, default=0),
        tools=form.choice("tool_calling", TOOLS, default="auto"),
        media=form.choice("media", MEDIA, default="auto"),
        template=json.dumps(form.json_object("chat_template_kwargs"), sort_keys=True),
        cache_scope=form.choice("cache_scope", SCOPES, default="everyone"),
        cache_secret=form.text("cache_secret"),
    )
    if settings.cache_scope != "everyone" and not settings.cache_secret:
        form.wrong(
            "cache_secret", "is empty: without a secret of its own the cache would be shared after all"
        )
    form.done()
    return settings
