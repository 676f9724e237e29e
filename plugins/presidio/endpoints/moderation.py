"""Dify's API extension for moderation."""

import json
from collections.abc import Mapping
from typing import Any

from dify_plugin import Endpoint
from llmflow_kit import bearer
from llmflow_presidio import plugin
from werkzeug import Request, Response

LARGEST = 10_000_000  # bytes of a request: what Dify's daemon takes


class ModerationEndpoint(Endpoint):
    """Answers ping, inputs and outputs; never with a 5xx, which lets an output pass unchecked."""

    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:
        del values
        if not bearer.allowed(r.headers.get("Authorization", ""), str(settings.get("api_key") or "")):
            return _answer(403, {"error": "The API key is not the one of this endpoint"})
        try:
            body = json.loads(r.get_data()[:LARGEST] or b"{}")
        except (ValueError, RecursionError):
            return _answer(400, {"error": "The request is not JSON"})
        return _answer(*plugin.respond(body, settings, self.session))


def _answer(status: int, body: Mapping[str, Any]) -> Response:
    return Response(json.dumps(body), status=status, content_type="application/json")
