"""Documents out of the graph."""

from collections.abc import Generator
from typing import Any

from dify_plugin import Tool
from dify_plugin.entities.tool import ToolInvokeMessage
from llmflow_graphrag import plugin
from llmflow_graphrag.errors import NotFound


class DeleteTool(Tool):
    """Takes documents out; one that is not there is told, and stops no other."""

    def _invoke(self, tool_parameters: dict[str, Any]) -> Generator[ToolInvokeMessage]:
        engine, scope = plugin.opened(self.runtime.credentials, self.session, tool_parameters)
        told: list[dict[str, Any]] = []
        for name in str(tool_parameters.get("document_ids") or "").split(","):
            if not name.strip():
                continue
            try:
                told.append({"document": name.strip(), "chunks": engine.remove(scope, name.strip())})
            except NotFound as error:
                told.append({"document": name.strip(), "why": str(error)})
        yield self.create_json_message({"documents": told})
        yield self.create_text_message("\n".join(str(one) for one in told))
