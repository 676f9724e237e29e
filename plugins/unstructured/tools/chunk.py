"""Elements into chunks."""

from collections.abc import Generator
from typing import Any

from dify_plugin import Tool
from dify_plugin.entities.tool import ToolInvokeMessage
from llmflow_unstructured import plugin
from llmflow_unstructured.errors import TooLarge


class ChunkTool(Tool):
    """Cuts documents at their headings, keeps tables whole or cuts them between rows."""

    def _invoke(self, tool_parameters: dict[str, Any]) -> Generator[ToolInvokeMessage]:
        found = plugin.chunks(plugin.given_elements(tool_parameters.get("elements")), tool_parameters)
        texts, told = [one.text for _, one in found], plugin.chunks_json(found)
        if not plugin.fits(told):
            raise TooLarge(
                "The chunks are more than a variable of Dify holds: take fewer documents at a time."
            )
        yield self.create_text_message("\n\n---\n\n".join(texts))
        yield self.create_json_message({"chunks": told})
        yield self.create_variable_message("result", texts)
        yield self.create_variable_message("parent_child", plugin.parents(found))
        yield self.create_variable_message("chunks", told)
