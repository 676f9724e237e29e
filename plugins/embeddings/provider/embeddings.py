"""The provider itself: nothing to check, since every model brings its own server."""

from collections.abc import Mapping
from typing import Any

from dify_plugin import ModelProvider


class EmbeddingsProvider(ModelProvider):
    """Models on TEI and Infinity servers; each is configured, and checked, by itself."""

    def validate_provider_credentials(self, credentials: Mapping[str, Any]) -> None:
        """Accept anything: the provider has no form of its own."""
