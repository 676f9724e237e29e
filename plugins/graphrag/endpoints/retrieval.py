"""Dify's external knowledge API."""

import json
import logging
from collections.abc import Mapping
from typing import Any

from dify_plugin import Endpoint
from llmflow_graphrag import plugin
from llmflow_graphrag.errors import BadRequest, GraphragError
from llmflow_kit import bearer
from werkzeug import Request, Response

LARGEST = 100_000  # bytes of a request
log = logging.getLogger(__name__)


class RetrievalEndpoint(Endpoint):
    """Answers within Dify's five seconds, and never with a 5xx, which Dify would repeat three times."""

    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:
        del values
        if not bearer.allowed(r.headers.get("Authorization", ""), str(settings.get("api_key") or "")):
            return _answer(
                403, {"error_code": 1002, "error_msg": "The API key is not the one of this endpoint"}
            )
        try:
            body = json.loads(r.get_data()[:LARGEST] or b"{}")
            if not isinstance(body, dict):
                raise BadRequest("The request must be a JSON object.")
            return _answer(*plugin.retrieve(body, settings, self.session))
        except (ValueError, TypeError, AttributeError):
            return _answer(400, {"error_code": 1001, "error_msg": "The request is not that of Dify's API"})
        except BadRequest as error:
            return _answer(400, {"error_code": 1001, "error_msg": str(error)})
        except GraphragError as error:
            log.warning("retrieval failed: %s", type(error).__name__)
            return _answer(200, {"records": [], "error": str(error)})


def _answer(status: int, body: Mapping[str, Any]) -> Response:
    return Response(json.dumps(body, ensure_ascii=False), status=status, content_type="application/json")
