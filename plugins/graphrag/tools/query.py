"""Questions to the graph."""

from collections.abc import Generator
from typing import Any

from dify_plugin import Tool
from dify_plugin.entities.tool import ToolInvokeMessage
from llmflow_graphrag import plugin


class QueryTool(Tool):
    """Finds passages; the text is made to go into a prompt, the JSON holds citations and paths."""

    def _invoke(self, tool_parameters: dict[str, Any]) -> Generator[ToolInvokeMessage]:
        engine, scope = plugin.opened(self.runtime.credentials, self.session, tool_parameters)
        answer = engine.ask(scope, plugin.question(tool_parameters))
        yield self.create_text_message(answer.context())
        yield self.create_json_message(answer.as_json())
        yield self.create_variable_message("context", answer.context())
        yield self.create_variable_message("passages", answer.as_json()["passages"])
