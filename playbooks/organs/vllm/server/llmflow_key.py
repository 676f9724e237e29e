"""Asks for the key on every path of vLLM that does work; vLLM itself asks below /v1 and /v2 only.

Without it /rerank, /score, /pooling and /tokenize work for whoever reaches the port. vLLM loads it by
`--middleware=llmflow_key.Key`.
"""

from __future__ import annotations

import os

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from vllm.entrypoints.serve.middleware.authenticate import AuthenticationMiddleware

OPEN = ("/health", "/metrics")  # what probes and monitoring read


class Key(AuthenticationMiddleware):
    """vLLM's own check of the key, for every path."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(app, [os.environ["VLLM_API_KEY"]])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request that has the key or needs none."""
        if scope["type"] != "http" or scope["path"] in OPEN or self.verify_token(Headers(scope=scope)):
            await self.app(scope, receive, send)
        else:
            await JSONResponse({"error": "Unauthorized"}, status_code=401)(scope, receive, send)
