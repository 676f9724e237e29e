"""A text after the policy."""

from collections.abc import Generator
from typing import Any

from dify_plugin import Tool
from dify_plugin.entities.tool import ToolInvokeMessage
from llmflow_presidio import plugin


class MaskTool(Tool):
    """Masks, replaces, hashes or tokenises what is found; where the policy blocks, the text is its message."""

    def _invoke(self, tool_parameters: dict[str, Any]) -> Generator[ToolInvokeMessage]:
        checker = plugin.checker(self.runtime.credentials, self.session, self.session.app_id or "")
        told = plugin.masked(checker, tool_parameters)
        yield self.create_text_message(told["text"])
        yield self.create_json_message(told)
        yield self.create_variable_message("masked_text", told["text"])
        yield self.create_variable_message("blocked", told["blocked"])
        yield self.create_variable_message("changed", told["changed"])
