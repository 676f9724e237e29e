"""Tokens turned back."""

from collections.abc import Generator
from typing import Any

from dify_plugin import Tool
from dify_plugin.entities.tool import ToolInvokeMessage
from llmflow_presidio import plugin


class UnmaskTool(Tool):
    """Turns tokens back into what they stand for, for whom the policy's roles allow it."""

    def _invoke(self, tool_parameters: dict[str, Any]) -> Generator[ToolInvokeMessage]:
        found = plugin.unmask(
            str(tool_parameters.get("text") or ""), self.runtime.credentials, tool_parameters, self.session
        )
        yield self.create_text_message(found.text)
        yield self.create_json_message(
            {"restored": found.restored, "refused": found.refused, "gone": found.gone}
        )
        yield self.create_variable_message("unmasked_text", found.text)
