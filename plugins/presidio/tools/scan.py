"""What a text holds."""

from collections.abc import Generator
from typing import Any

from dify_plugin import Tool
from dify_plugin.entities.tool import ToolInvokeMessage
from llmflow_presidio import plugin


class ScanTool(Tool):
    """Lists what is found, by kind and place, without repeating it."""

    def _invoke(self, tool_parameters: dict[str, Any]) -> Generator[ToolInvokeMessage]:
        checker = plugin.checker(self.runtime.credentials, self.session, self.session.app_id or "")
        told = plugin.scanned(checker, tool_parameters)
        yield self.create_json_message(told)
        yield self.create_text_message(
            "\n".join(f"{kind}: {count}" for kind, count in told["counts"].items())
        )
        yield self.create_variable_message("found", bool(told["findings"]))
        yield self.create_variable_message("blocked", told["blocked"])
