"""One entity of the graph."""

from collections.abc import Generator
from typing import Any

from dify_plugin import Tool
from dify_plugin.entities.tool import ToolInvokeMessage
from llmflow_graphrag import plugin, show


class InspectTool(Tool):
    """Shows an entity and what is around it."""

    def _invoke(self, tool_parameters: dict[str, Any]) -> Generator[ToolInvokeMessage]:
        engine, scope = plugin.opened(self.runtime.credentials, self.session, tool_parameters)
        found = show.neighbourhood(engine.graph, scope, str(tool_parameters.get("entity") or ""))
        neighbours = [{"name": one.name, "passages": count} for one, count in found.neighbours]
        facts = [{"subject": a, "predicate": p, "object": b} for a, p, b in found.facts]
        entity = {"entity": found.entity.name, "passages": found.entity.chunks}
        yield self.create_json_message({**entity, "neighbours": neighbours, "facts": facts})
        named = ", ".join(one.name for one, _ in found.neighbours)
        yield self.create_text_message(f"{found.entity.name}: {named}")
        meta = {"mime_type": "text/html", "filename": "entity.html"}
        yield self.create_blob_message(show.page(found).encode(), meta=meta)
