"""What a workspace holds."""

from collections.abc import Generator
from itertools import islice
from typing import Any

from dify_plugin import Tool
from dify_plugin.entities.tool import ToolInvokeMessage
from llmflow_graphrag import plugin

MOST = 500  # documents that are listed


class StatusTool(Tool):
    """Lists documents with their states; on demand, compares the stores."""

    def _invoke(self, tool_parameters: dict[str, Any]) -> Generator[ToolInvokeMessage]:
        engine, scope = plugin.opened(self.runtime.credentials, self.session, tool_parameters)
        rows = [
            {
                "id": row.header.id,
                "title": row.header.title,
                "state": row.state,
                "chunks": row.chunks,
                "problem": row.problem,
            }
            for row in islice(engine.documents(scope), MOST)
        ]
        told: dict[str, Any] = {"documents": rows}
        if tool_parameters.get("check"):
            found = engine.check(scope)
            counts = {
                "missing": len(found.missing),
                "orphans": len(found.orphans),
                "misplaced": len(found.misplaced),
            }
            told["check"] = {"chunks": found.chunks, "vectors": found.vectors, "sound": found.sound, **counts}
        yield self.create_json_message(told)
        yield self.create_text_message(
            "\n".join(f"{row['state']}: {row['id']} ({row['chunks']})" for row in rows)
        )
