"""The provider: a policy and a secret, checked before they are saved."""

from collections.abc import Mapping
from typing import Any

from dify_plugin import ToolProvider
from dify_plugin.errors.tool import ToolProviderCredentialValidationError
from llmflow_presidio import plugin
from llmflow_presidio.errors import PresidioError


class PresidioProvider(ToolProvider):
    """A policy, a secret and a tenant."""

    def _validate_credentials(self, credentials: Mapping[str, Any]) -> None:
        try:
            plugin.validate(credentials)
        except PresidioError as error:
            raise ToolProviderCredentialValidationError(str(error)) from error
