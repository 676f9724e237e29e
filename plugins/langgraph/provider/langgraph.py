"""The provider: it has no credentials, since models and tools are Dify's."""

from dify_plugin.interfaces.agent import AgentProvider


class LanggraphProvider(AgentProvider):
    """Agents on LangGraph."""
