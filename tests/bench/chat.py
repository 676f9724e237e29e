"""One question, as Dify asks it of a plugin and as bytes for a bare client; both set vLLM the same work."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from llmflow_runner import call
from support import bare_client
from support.fake_vllm import KEY, MODEL

from bench.providers import Contender

QUESTION = "안녕하세요"
# A model that may not end says little but special tokens, which are no text; the penalty keeps it talking.
SAMPLING = {"temperature": 0.0, "frequency_penalty": 2.0}
CLIENT = [sys.executable, "-S", "-E", str(Path(bare_client.__file__))]


def through(plugin: Contender, url: str, tokens: int) -> dict[str, Any]:
    """The daemon's request for an answer of at most `tokens`."""
    asked = call.request(plugin.provider, call.Question(MODEL, QUESTION, plugin.form(url, KEY), tokens))
    return asked | {"model_parameters": {**SAMPLING, "max_tokens": tokens}}


def straight(url: str, tokens: int) -> bytes:
    """The HTTP request for the same answer."""
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": QUESTION}],
        **SAMPLING,
        "max_tokens": tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    content = json.dumps(body, ensure_ascii=False).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: {urlsplit(url).netloc}\r\nauthorization: Bearer {KEY}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def address(url: str) -> tuple[str, int]:
    """Where a server listens."""
    parts = urlsplit(url)
    return str(parts.hostname), int(parts.port or 80)


def bare(url: str, tokens: int, streams: int) -> dict[str, float]:
    """What a bare client in a process of its own finds, one answer on each of `streams` connections."""
    host, port = address(url)
    done = subprocess.run(
        [*CLIENT, host, str(port), str(streams), "1"],
        input=straight(url, tokens),
        stdout=subprocess.PIPE,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found
