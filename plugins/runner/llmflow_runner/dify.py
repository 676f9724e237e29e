"""What stands in for Dify when a plugin asks it back: models that another plugin serves.

A tool of a plugin asks Dify for vectors, and Dify asks the plugin of that model. Here the request goes straight to a
running package, as Dify would send it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from llmflow_runner.daemon import Plugin, PluginError

ACTIONS = {"text_embedding": "invoke_text_embedding", "rerank": "invoke_rerank"}


@dataclass(frozen=True)
class Models:
    """Models of one running plugin, by the form of their provider."""

    plugin: Plugin
    provider: str
    credentials: Mapping[str, str]

    def __call__(self, asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """What Dify answers to a backwards invocation. Raises LookupError for what this plugin has no model for."""
        action = ACTIONS.get(str(asked["type"]))
        if action is None:
            raise LookupError(f"no plugin here serves {asked['type']}")
        request = {
            **asked["request"],
            "type": "model",
            "action": action,
            "user_id": "llmflow",
            "provider": self.provider,
            "credentials": dict(self.credentials),
        }
        try:
            yield from self.plugin.ask(request)
        except PluginError as error:
            raise LookupError(error.text) from error


def tool(
    plugin: Plugin,
    name: tuple[str, str],
    credentials: Mapping[str, Any],
    parameters: Mapping[str, Any],
    dify: Models,
    timeout: float = 300.0,
) -> dict[str, Any]:
    """The JSON that a tool, named by its provider and itself, answers. Raises PluginError."""
    request = {
        "type": "tool",
        "action": "invoke_tool",
        "user_id": "llmflow",
        "provider": name[0],
        "tool": name[1],
        "credentials": dict(credentials),
        "credential_type": "api-key",
        "tool_parameters": dict(parameters),
    }
    found: dict[str, Any] = {}
    for message in plugin.ask(request, timeout, dify=dify):
        if message["type"] == "json":
            found = message["message"]["json_object"]
    return found
