"""The provider: which engine reads, tried out before it is saved."""

from collections.abc import Mapping
from typing import Any

from dify_plugin import ToolProvider
from dify_plugin.errors.tool import ToolProviderCredentialValidationError
from llmflow_unstructured import plugin


class UnstructuredProvider(ToolProvider):
    """The plugin itself, or an Unstructured API."""

    def _validate_credentials(self, credentials: Mapping[str, Any]) -> None:
        try:
            plugin.validate(credentials)
        except plugin.REFUSED as error:
            raise ToolProviderCredentialValidationError(str(error)) from error
