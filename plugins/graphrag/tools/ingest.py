"""Documents into the graph."""

from collections.abc import Generator
from typing import Any

import httpx
from dify_plugin import Tool
from dify_plugin.entities.tool import ToolInvokeMessage
from llmflow_graphrag import plugin
from llmflow_graphrag.errors import BadDocument
from llmflow_graphrag.ingest import Failed

LARGEST = 20_000_000  # bytes of a file
SECONDS = 60.0


class IngestTool(Tool):
    """Takes documents in, one message each; one that fails stops no other."""

    def _invoke(self, tool_parameters: dict[str, Any]) -> Generator[ToolInvokeMessage]:
        engine, scope = plugin.opened(self.runtime.credentials, self.session, tool_parameters)
        told: list[dict[str, Any]] = []
        documents = plugin.documents_of(tool_parameters, scope.access, _content)
        for done in engine.take_all(scope, documents):
            if isinstance(done, Failed):
                told.append({"document": done.document, "state": "failed", "why": str(done.error)})
            else:
                meter = done.meter
                counts = {
                    "chunks": done.chunks,
                    "added": done.added,
                    "kept": done.kept,
                    "removed": done.removed,
                }
                asked = {"llm_calls": meter.calls, "tokens": meter.read + meter.written, "texts": meter.texts}
                told.append({"document": done.document, "state": done.state, **counts, **asked})
            yield self.create_log_message(label=done.document, data=told[-1])
        yield self.create_json_message({"documents": told})
        yield self.create_text_message("\n".join(f"{one['document']}: {one['state']}" for one in told))


def _content(file: Any) -> str:
    """A file's text, read piece by piece, so that a large one is refused before it is in memory."""
    pieces, size = [], 0
    with httpx.stream("GET", file.url, timeout=SECONDS, follow_redirects=False) as response:
        if response.status_code != 200:
            raise BadDocument(
                f'The file "{file.filename}" can\'t be fetched from Dify ({response.status_code}).'
            )
        for piece in response.iter_bytes():
            size += len(piece)
            if size > LARGEST:
                raise BadDocument(f'The file "{file.filename}" is larger than {LARGEST // 1_000_000} MB.')
            pieces.append(piece)
    try:
        return b"".join(pieces).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadDocument(f'The file "{file.filename}" is not UTF-8 text: parse it first.') from error
