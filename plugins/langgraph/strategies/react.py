"""The strategy react."""

from collections.abc import Generator
from typing import Any

from dify_plugin.entities.agent import AgentInvokeMessage
from dify_plugin.interfaces.agent import AgentStrategy
from llmflow_agent import plugin


class ReactStrategy(AgentStrategy):
    """One agent that thinks, calls tools, and answers."""

    def _invoke(self, parameters: dict[str, Any]) -> Generator[AgentInvokeMessage]:
        yield from plugin.messages("react", parameters, self.session, self.runtime.user_id)
