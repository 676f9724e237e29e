"""The strategy plan-execute."""

from collections.abc import Generator
from typing import Any

from dify_plugin.entities.agent import AgentInvokeMessage
from dify_plugin.interfaces.agent import AgentStrategy
from llmflow_agent import plugin


class PlanExecuteStrategy(AgentStrategy):
    """A planner, an executor and a critic."""

    def _invoke(self, parameters: dict[str, Any]) -> Generator[AgentInvokeMessage]:
        yield from plugin.messages("plan-execute", parameters, self.session, self.runtime.user_id)
