"""The provider of the strategy."""

from dify_plugin.interfaces.agent import AgentProvider


class EchoProvider(AgentProvider):
    """Nothing to check."""
