"""What stands in for Dify when a plugin asks it back: models and tools of other plugins, and the daemon's storage.

A tool asks Dify for vectors, an agent strategy for a language model and for tools, and Dify asks the plugins that have
them. Here each request goes straight to a running package, as Dify would send it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmflow_runner.daemon import Dify, Plugin, PluginError
from llmflow_runner.declaration import Resource

ACTIONS = {
    "llm": "invoke_llm",
    "text_embedding": "invoke_text_embedding",
    "rerank": "invoke_rerank",
    "moderation": "invoke_moderation",
}
PERMISSIONS = {  # of what a plugin asks Dify for, where it is not named alike
    "llm_structured_output": "llm",
    "system_summary": "llm",
    "multimodal_embedding": "text_embedding",
    "multimodal_rerank": "rerank",
    "node_parameter_extractor": "node",
    "node_question_classifier": "node",
    "fetch_app": "app",
}
LONGEST_KEY = 256  # letters
FREE = {"upload_file"}  # what needs no permission
OTHERS = {"tool", "node", "app", "storage"}  # permissions that are not about models


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
        if action == "invoke_llm":  # Dify streams to plugins whatever they ask for
            request |= {"model_parameters": request.pop("completion_params", {}), "stream": True}
        try:
            yield from self.plugin.ask(request)
        except PluginError as error:
            raise LookupError(error.text) from error


@dataclass(frozen=True)
class Tools:
    """Tools of one running plugin, by the form of their provider; `dify` answers what they ask back."""

    plugin: Plugin
    provider: str
    credentials: Mapping[str, Any]
    dify: Dify | None = None

    def __call__(self, asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The messages of the tool that is asked for. Raises LookupError for another provider's."""
        request = asked["request"]
        if str(request["provider"]).rpartition("/")[2] != self.provider:
            raise LookupError(f"there is no provider {request['provider']} here")
        name, parameters = (self.provider, str(request["tool"])), request["tool_parameters"]
        try:
            yield from self.plugin.ask(_tool_request(name, self.credentials, parameters), dify=self.dify)
        except PluginError as error:
            raise LookupError(error.text) from error


@dataclass
class Storage:
    """What the daemon keeps for a plugin: bytes by keys, in memory, or in a file as well, from one call to the next."""

    limit: int = 100 << 20  # bytes in all: the daemon's PERSISTENCE_STORAGE_MAX_SIZE
    file: Path | None = None
    kept: dict[str, str] = field(default_factory=dict)  # hexadecimal, as it is said
    _changing: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        if self.file and self.file.is_file():
            self.kept = json.loads(self.file.read_text(encoding="utf-8"))

    def __call__(self, asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Set, get, look for or delete one key; raises LookupError or ValueError for what the daemon refuses."""
        request = asked["request"]
        key, kind = request["key"], request["opt"]
        if len(key) > LONGEST_KEY or any(part in key for part in ("..", "//", "\\")):
            raise ValueError(f"invalid key: {key[:40]}")
        with self._changing:
            match kind:
                case "set":
                    self._set(key, request["value"])
                    answer: dict[str, Any] = {"data": "ok"}
                case "get" if key in self.kept:
                    answer = {"data": self.kept[key]}
                case "exist":
                    answer = {"data": key in self.kept, "exist_num": int(key in self.kept)}
                case "del":
                    answer = {"data": "ok", "deleted_num": int(self.kept.pop(key, None) is not None)}
                case _:
                    raise LookupError(f"there is no {key} in the storage")
            if self.file and kind in ("set", "del"):
                self.file.write_text(json.dumps(self.kept), encoding="utf-8")
        yield answer

    def _set(self, key: str, value: str) -> None:
        others = sum(len(kept) for name, kept in self.kept.items() if name != key)
        if (others + len(value)) // 2 > self.limit:  # two digits a byte
            raise ValueError("allocated size is greater than max storage size")
        self.kept[key] = value


@dataclass(frozen=True)
class Routed:
    """Stand-ins by what they are asked for: `llm`, `tool`, `storage` …"""

    by_kind: Mapping[str, Dify]

    def __call__(self, asked: dict[str, Any]) -> Iterator[Any]:
        """The answer of the one for this kind; raises LookupError where there is none."""
        dify = self.by_kind.get(str(asked["type"]))
        if dify is None:
            raise LookupError(f"nothing here stands in for Dify's {asked['type']}")
        yield from dify(asked)


@dataclass(frozen=True)
class Permitted:
    """Another stand-in, asked only for what the plugin's manifest permits, as the daemon does."""

    resource: Resource
    dify: Dify

    def __call__(self, asked: dict[str, Any]) -> Iterator[Any]:
        """The other's answer; raises PermissionError, in the daemon's words."""
        kind = str(asked["type"])
        what = PERMISSIONS.get(kind, kind)
        allowed = self.resource.allows(what) if what in OTHERS else self.resource.allows_model(what)
        if kind not in FREE and not allowed:
            named = what.replace("_", "-")
            raise PermissionError(f"permission denied, you need to enable {named} access in plugin manifest")
        yield from self.dify(asked)


def tool(
    plugin: Plugin,
    name: tuple[str, str],
    credentials: Mapping[str, Any],
    parameters: Mapping[str, Any],
    dify: Dify,
    timeout: float = 300.0,
) -> dict[str, Any]:
    """The JSON that a tool, named by its provider and itself, answers. Raises PluginError."""
    found: dict[str, Any] = {}
    for message in plugin.ask(_tool_request(name, credentials, parameters), timeout, dify=dify):
        if message["type"] == "json":
            found = message["message"]["json_object"]
    return found


def strategy(
    plugin: Plugin,
    name: tuple[str, str],
    parameters: Mapping[str, Any],
    dify: Dify,
    timeout: float = 300.0,
) -> Iterator[dict[str, Any]]:
    """The messages of an agent strategy, named by its provider and itself, as they come. Raises PluginError.

    `parameters` are what Dify's agent node hands over: `model` with provider, model, mode and completion_params,
    `tools` with their identities and parameters, and whatever else the strategy's form asks for.
    """
    request = {
        "type": "agent_strategy",
        "action": "invoke_agent_strategy",
        "user_id": "llmflow",
        "agent_strategy_provider": name[0],
        "agent_strategy": name[1],
        "agent_strategy_params": dict(parameters),
    }
    yield from plugin.ask(request, timeout, dify=dify)


def _tool_request(
    name: tuple[str, str], credentials: Mapping[str, Any], parameters: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "type": "tool",
        "action": "invoke_tool",
        "user_id": "llmflow",
        "provider": name[0],
        "tool": name[1],
        "credentials": dict(credentials),
        "credential_type": "api-key",
        "tool_parameters": dict(parameters),
    }
