"""Files into elements."""

import json
from collections.abc import Generator
from typing import Any

from dify_plugin import Tool
from dify_plugin.entities.tool import ToolInvokeMessage
from llmflow_unstructured import plugin
from llmflow_unstructured.errors import BadDocument


class ParseTool(Tool):
    """Reads many files, two at a time; one that can't be read stops no other."""

    def _invoke(self, tool_parameters: dict[str, Any]) -> Generator[ToolInvokeMessage]:
        engine, how = plugin.engine(self.runtime.credentials), plugin.options(tool_parameters)
        given = tool_parameters.get("files") or []
        if not given:
            raise BadDocument("Give at least one file.")
        documents = []
        for one in plugin.parsed(engine, given, how):
            if isinstance(one, plugin.Working):
                yield self.create_log_message(label=one.name, data={"done": one.done, "of": one.total})
            else:
                documents.append(one)
                yield self.create_log_message(label=one.name, data=one.about())
        if why := plugin.failed(documents):
            raise BadDocument(why)
        text = plugin.markdown(documents, tool_parameters, self.session.file if how.pictures else None)
        elements, about = plugin.elements(documents), [document.about() for document in documents]
        whole = plugin.fits(elements)
        if plugin.fits(text):
            yield self.create_text_message(text)
        if tool_parameters.get("as_files") or not plugin.fits(text):
            yield self.create_blob_message(
                text.encode(), {"mime_type": "text/markdown", "filename": "documents.md"}
            )
        if not whole:
            yield self.create_blob_message(
                json.dumps(elements, ensure_ascii=False).encode(),
                {"mime_type": "application/json", "filename": "elements.json"},
            )
        shown = elements if whole else []
        yield self.create_json_message({"documents": about, "elements": shown})
        yield self.create_variable_message("documents", about)
        yield self.create_variable_message("elements", shown)
