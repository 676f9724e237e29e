"""Every action that Dify asks of a plugin: what it is said to, what is filled in, and its answer as one document."""

from __future__ import annotations

import base64
import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from llmflow_bundle.errors import BundleError

from llmflow_runner import declaration
from llmflow_runner.datasources import Datasource, DatasourceProvider
from llmflow_runner.declaration import AgentProvider, AgentStrategy, ModelProvider, ToolProvider, Unfit
from llmflow_runner.triggers import Event, TriggerProvider

USER = "llmflow"
LLM: Mapping[str, Any] = {
    "model_type": "llm",
    "model_parameters": {},
    "stop": None,
    "tools": None,
    "stream": True,
}
EMBEDDING = {"model_type": "text-embedding", "input_type": "document"}
RANKING = {"model_type": "rerank", "score_threshold": None, "top_n": None}
TOOL = {"credential_type": "api-key"}
TRIGGER = {**TOOL, "subscription": {"endpoint": "http://localhost/triggers"}}
PAGE = {"prefix": None, "bucket": None}
HTTP = {  # actions that hand over a web request
    "invoke_endpoint",
    "invoke_trigger_event",
    "dispatch_trigger_event",
    "get_credentials",
}
SHARED = ("dynamic_parameter", "oauth")  # types that several kinds of providers answer
TYPES: Mapping[
    str, tuple[str, ...]
] = {  # kinds of providers in a manifest → types of actions that they answer
    "tools": ("tool", *SHARED),
    "models": ("model",),
    "endpoints": ("endpoint",),
    "agent_strategies": ("agent_strategy",),
    "datasources": ("datasource", "oauth"),
    "triggers": ("trigger", *SHARED),
}
LOG = ("id", "parent_id", "label", "status", "error", "data")  # of a step, what is shown


@dataclass(frozen=True)
class Action:
    """An action's type in the daemon's protocol, and what a request of it has where nothing else is said."""

    type: str
    fields: Mapping[str, Any]


ACTIONS: Mapping[str, Action] = {
    "validate_tool_credentials": Action("tool", {}),
    "invoke_tool": Action("tool", {**TOOL, "tool_parameters": {}}),
    "get_tool_runtime_parameters": Action("tool", {}),
    "validate_provider_credentials": Action("model", {}),
    "validate_model_credentials": Action("model", {"model_type": "llm"}),
    "invoke_llm": Action("model", LLM),
    "start_polling": Action("model", {**LLM, "stream": False}),
    "check_polling": Action("model", {"model_type": "llm"}),
    "get_llm_num_tokens": Action("model", {"model_type": "llm", "tools": None}),
    "invoke_text_embedding": Action("model", EMBEDDING),
    "invoke_multimodal_embedding": Action("model", EMBEDDING),
    "get_text_embedding_num_tokens": Action("model", {"model_type": "text-embedding"}),
    "invoke_rerank": Action("model", RANKING),
    "invoke_multimodal_rerank": Action("model", RANKING),
    "invoke_tts": Action("model", {"model_type": "tts", "voice": "", "tenant_id": USER}),
    "get_tts_model_voices": Action("model", {"model_type": "tts", "language": None}),
    "invoke_speech2text": Action("model", {"model_type": "speech2text"}),
    "invoke_moderation": Action("model", {"model_type": "moderation"}),
    "get_ai_model_schemas": Action("model", {"model_type": "llm"}),
    "invoke_agent_strategy": Action("agent_strategy", {"agent_strategy_params": {}}),
    "invoke_endpoint": Action("endpoint", {"settings": {}}),
    "fetch_parameter_options": Action("dynamic_parameter", TOOL),
    "get_authorization_url": Action("oauth", {"system_credentials": {}}),
    "get_credentials": Action("oauth", {"system_credentials": {}}),
    "refresh_credentials": Action("oauth", {"system_credentials": {}}),
    "validate_datasource_credentials": Action("datasource", {}),
    "invoke_website_datasource_get_crawl": Action("datasource", {"datasource_parameters": {}}),
    "invoke_online_document_datasource_get_pages": Action("datasource", {"datasource_parameters": {}}),
    "invoke_online_document_datasource_get_page_content": Action("datasource", {}),
    "invoke_online_drive_browse_files": Action("datasource", {"request": PAGE}),
    "invoke_online_drive_download_file": Action("datasource", {}),
    "validate_trigger_credentials": Action("trigger", {}),
    "invoke_trigger_event": Action("trigger", {**TRIGGER, "parameters": {}}),
    "dispatch_trigger_event": Action("trigger", TRIGGER),
    "subscribe_trigger": Action(
        "trigger", {**TOOL, "endpoint": "http://localhost/triggers", "parameters": {}}
    ),
    "unsubscribe_trigger": Action("trigger", TRIGGER),
    "refresh_trigger": Action("trigger", TRIGGER),
}


def of(kinds: Iterable[str]) -> list[str]:
    """The actions that a package with these kinds of providers can be asked for."""
    types = {type_ for kind in kinds for type_ in TYPES[kind]}
    return [name for name, action in ACTIONS.items() if action.type in types]


def near(action: str) -> str:
    """The action that somebody may have meant, as a question; all of them where none is near."""
    found = difflib.get_close_matches(action, ACTIONS, 1)
    return f"did you mean {found[0]}?" if found else f"there are {', '.join(ACTIONS)}"


def request(
    action: str, said: Mapping[str, Any], form: Mapping[str, Any], files: Mapping[str, bytes]
) -> dict[str, Any]:
    """The daemon's request: what is said, and what the package and the action fill in where nothing is."""
    known = ACTIONS[action]
    asked = {"type": known.type, "action": action, "user_id": USER, **known.fields, **said}
    if action in HTTP and "raw_http_request" not in said:
        asked = _as_http(asked)
    if known.type == "endpoint":
        return {**asked, "settings": {**form, **asked["settings"]}}
    asked["credentials"] = {**form, **said.get("credentials", {})}
    if known.type != "agent_strategy" and "provider" in said:
        return asked
    return {**_names(known.type, files), **asked}


def together(action: str, messages: Iterable[Mapping[str, Any]]) -> Any:
    """The messages of an answer as one document, as Dify would show them to an app."""
    said = list(messages)
    match ACTIONS[action].type:
        case "tool" | "agent_strategy" if action.startswith("invoke"):
            return _shown(said)
        case "datasource" if said and all("type" in one and "message" in one for one in said):
            return _shown(said)
        case "endpoint":
            return _response(said)
    if action == "invoke_llm" and said and "delta" in said[0]:
        return _answer(said)
    if action == "dispatch_trigger_event" and said:
        return {**said[0], "response": _unpacked(bytes.fromhex(said[0]["response"]))}
    return said[0] if len(said) == 1 else said


def text_of(message: Mapping[str, Any]) -> str:
    """What a message adds to the text that people read; "" where it adds none."""
    if "delta" in message:
        return str(message["delta"]["message"]["content"] or "")
    if message.get("type") == "text":
        return str(message["message"]["text"])
    return ""


def _as_http(said: Mapping[str, Any]) -> dict[str, Any]:
    """Turn method, path, headers and body into the raw request that the daemon hands over."""
    asked = dict(said)
    body, headers = asked.pop("body", b""), {"Host": USER, **asked.pop("headers", {})}
    if not isinstance(body, str | bytes):
        body, headers = json.dumps(body, ensure_ascii=False), {"Content-Type": "application/json", **headers}
    content = body.encode() if isinstance(body, str) else body
    head = [f"{asked.pop('method', 'GET')} {asked.pop('path', '/')} HTTP/1.1"]
    head += [f"{name}: {value}" for name, value in {**headers, "Content-Length": len(content)}.items()]
    return {**asked, "raw_http_request": ("\r\n".join(head).encode() + b"\r\n\r\n" + content).hex()}


def _response(said: list[Mapping[str, Any]]) -> dict[str, Any]:
    """An endpoint's status, headers and body: JSON where it is some, text, else base64."""
    content = b"".join(bytes.fromhex(one["result"]) for one in said if one.get("result"))
    headers: dict[str, str] = next((dict(one["headers"]) for one in said if one.get("headers")), {})
    kind = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    status = next((one["status"] for one in said if one.get("status")), 0)
    return {"status": status, "headers": headers, "body": _body(content, kind)}


def _unpacked(raw: bytes) -> dict[str, Any]:
    """A raw response of a trigger, as that of an endpoint."""
    head, _, content = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    status = int(first.split(" ", 2)[1])
    return _response([{"status": status, "headers": headers, "result": content.hex()}])


def _body(content: bytes, kind: str) -> Any:
    try:
        if "json" in kind:
            return json.loads(content)
        return content.decode()
    except ValueError:
        return {"base64": base64.b64encode(content).decode()}


def _shown(said: list[Mapping[str, Any]]) -> dict[str, Any]:
    """What a tool or a strategy said: text joined, JSON, variables, files, links and the log's steps."""
    shown: dict[str, Any] = {"text": "".join(map(text_of, said))}
    chunks: dict[str, bytes] = {}
    for one in said:
        message, meta = one.get("message") or {}, one.get("meta") or {}
        match one["type"]:
            case "json":
                shown.setdefault("json", []).append(message["json_object"])
            case "variable":
                values, name = shown.setdefault("variables", {}), message["variable_name"]
                before = values.get(name, "") if message.get("stream") else None
                values[name] = (
                    message["variable_value"] if before is None else before + message["variable_value"]
                )
            case "log":
                shown.setdefault("logs", []).append(
                    {k: message[k] for k in LOG if message.get(k) is not None}
                )
            case "link" | "image" | "image_link":
                shown.setdefault("links", []).append(message["text"])
            case "retriever_resources":
                shown.setdefault("resources", []).extend(message["retriever_resources"])
            case "blob":
                shown.setdefault("files", []).append({**meta, "base64": message["blob"]})
            case "blob_chunk":
                whole = chunks.get(message["id"], b"") + base64.b64decode(message["blob"])
                chunks[message["id"]] = whole
                if message["end"]:
                    kept = {**meta, "base64": base64.b64encode(whole).decode()}
                    shown.setdefault("files", []).append(kept)
    return shown


def _answer(said: list[Mapping[str, Any]]) -> dict[str, Any]:
    """A language model's whole answer: text, calls of tools, why it ended, and the usage."""
    deltas = [one["delta"] for one in said]
    whole: dict[str, Any] = {"text": "".join(map(text_of, said))}
    calls = [call for delta in deltas for call in delta["message"].get("tool_calls") or ()]
    last = {key: delta[key] for delta in deltas for key in ("finish_reason", "usage") if delta.get(key)}
    return whole | ({"tool_calls": calls} if calls else {}) | last


def _names(type_: str, files: Mapping[str, bytes]) -> dict[str, str]:
    """The names of the package's only provider of a kind, and of the first that it lists where one is asked."""
    plugins = declaration.manifest(files).plugins
    try:
        if type_ == "model" and plugins.models:
            return {"provider": declaration.load(files, plugins.models[0], ModelProvider).provider}
        if type_ in ("tool", *SHARED) and plugins.tools:
            return {"provider": declaration.load(files, plugins.tools[0], ToolProvider).identity.name}
        if type_ in ("datasource", *SHARED) and plugins.datasources:
            source = declaration.load(files, plugins.datasources[0], DatasourceProvider)
            one = declaration.load(files, source.datasources[0], Datasource).identity.name
            return {"provider": source.identity.name, "datasource": one}
        if type_ in ("trigger", *SHARED) and plugins.triggers:
            trigger = declaration.load(files, plugins.triggers[0], TriggerProvider)
            one = declaration.load(files, trigger.events[0], Event).identity.name
            return {"provider": trigger.identity.name, "event": one}
        if type_ == "agent_strategy" and plugins.agent_strategies:
            agent = declaration.load(files, plugins.agent_strategies[0], AgentProvider)
            one = declaration.load(files, agent.strategies[0], AgentStrategy).identity.name
            return {"agent_strategy_provider": agent.identity.name, "agent_strategy": one}
    except Unfit as unfit:
        raise BundleError(
            "PLUGIN-DECLARATION", "The provider cannot be used", findings=unfit.findings
        ) from unfit
    raise BundleError(
        "PLUGIN-NO-PROVIDER",
        f"The package declares no {type_.replace('_', ' ')} provider",
        hint="name another action, or the provider in the request",
    )
