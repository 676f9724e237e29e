"""The provider: any token but `wrong` will do."""

from collections.abc import Mapping
from typing import Any

from dify_plugin.errors.tool import ToolProviderCredentialValidationError
from dify_plugin.interfaces.datasource import DatasourceProvider


class EchoProvider(DatasourceProvider):
    """Pages that are made up."""

    def _validate_credentials(self, credentials: Mapping[str, Any]) -> None:
        if credentials["token"] == "wrong":
            raise ToolProviderCredentialValidationError("the token is wrong")
