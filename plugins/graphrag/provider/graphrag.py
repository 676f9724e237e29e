"""The provider: where the stores are, tried out before they are saved."""

from collections.abc import Mapping
from typing import Any

from dify_plugin import ToolProvider
from dify_plugin.errors.tool import ToolProviderCredentialValidationError
from llmflow_graphrag import plugin
from llmflow_graphrag.errors import GraphragError


class GraphragProvider(ToolProvider):
    """Neo4j, Milvus and a tenant."""

    def _validate_credentials(self, credentials: Mapping[str, Any]) -> None:
        try:
            plugin.validate(credentials)
        except GraphragError as error:
            raise ToolProviderCredentialValidationError(str(error)) from error
