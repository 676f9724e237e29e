"""The strategy supervisor."""

from collections.abc import Generator
from typing import Any

from dify_plugin.entities.agent import AgentInvokeMessage
from dify_plugin.interfaces.agent import AgentStrategy
from llmflow_agent import plugin


class SupervisorStrategy(AgentStrategy):
    """Several roles, and one who leads them."""

    def _invoke(self, parameters: dict[str, Any]) -> Generator[AgentInvokeMessage]:
        yield from plugin.messages("supervisor", parameters, self.session, self.runtime.user_id)
