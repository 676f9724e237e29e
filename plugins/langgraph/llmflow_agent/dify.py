"""Dify seen from the engine: its models, its tools and its storage, all asked through the caller's session.

Of the SDK only its requests are used here, imported when they are: the engine's own modules know nothing of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

from llmflow_agent.errors import AgentError, BadRequest, Ended, ModelFailed, Stopped, ToolFailed
from llmflow_agent.model import Call, Message, Said, ToolSpec, Usage, Watch

NATIVE = {"tool-call", "multi-tool-call", "stream-tool-call"}  # features of models that take tools
OVERFLOW = re.compile(
    r"context.{0,20}(?:length|window|size)|maximum context|max_model_len|too (?:long|many tokens)", re.I
)
FAILURE = re.compile(r"\bInvoke\w*Error\b|\b(?:[45]\d\d)\b")  # what of an error's text holds no prompt
LONGEST_ERROR = 500  # characters of a tool's error that the model is told
TYPES = {
    "number": {"type": "number"}, "boolean": {"type": "boolean"}, "checkbox": {"type": "boolean"},
    "object": {"type": "object"}, "array": {"type": "array"}, "date-range": {"type": "object"}, "any": {},
}  # fmt: skip
FORMS = ("auto", "native", "text")  # how tools are called
FILES = {"file", "files"}
Forward = Callable[[Any], None]  # hands a message of a tool on to the user: pictures, files


class Session(Protocol):
    """What is used of the SDK's session."""

    @property
    def model(self) -> Any:
        """Dify's models."""
        ...

    @property
    def tool(self) -> Any:
        """Dify's tools."""
        ...

    @property
    def storage(self) -> Any:
        """What Dify keeps for the plugin."""
        ...


class DifyModel:
    """A language model of Dify's, chosen in a form."""

    def __init__(self, session: Session, chosen: Any, form: str = "auto") -> None:
        if not isinstance(chosen, Mapping) or not chosen.get("provider") or not chosen.get("model"):
            raise BadRequest("model: choose one.")
        if form not in FORMS:
            raise BadRequest(f"tool_calls must be one of {', '.join(FORMS)}.")
        self._session, self._chosen = session, chosen
        entity = chosen.get("entity") or {}
        features = {str(feature) for feature in entity.get("features") or ()}
        self.name = str(chosen["model"])
        self.native_tools = form == "native" or (form == "auto" and bool(NATIVE & features))
        rules = {rule.get("name") for rule in entity.get("parameter_rules") or ()}
        self._held_to_schemas = {"response_format", "json_schema"} <= rules
        self.context = int((entity.get("model_properties") or {}).get("context_size") or 0)

    def say(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSpec],
        watch: Watch,
        schema: Mapping[str, Any] | None = None,
    ) -> Said:
        """Ask once, and hear the answer as it comes. Raises ModelFailed, and what `watch` raises."""
        from dify_plugin.entities.model.llm import LLMModelConfig
        from dify_plugin.entities.model.message import PromptMessageTool

        wanted = dict(self._chosen.get("completion_params") or {})
        if schema and self._held_to_schemas:
            wanted |= {"response_format": "json_schema", "json_schema": json.dumps({"schema": schema})}
        stop = wanted.pop("stop", None)
        config = LLMModelConfig(
            provider=self._chosen["provider"], model=self._chosen["model"],
            mode=self._chosen.get("mode") or "chat", completion_params=wanted,
        )  # fmt: skip
        offered = [
            PromptMessageTool(name=t.name, description=t.description, parameters=dict(t.parameters))
            for t in tools
        ]
        asked = [_prompt(message) for message in messages]
        try:
            chunks = self._session.model.llm.invoke(
                config, asked, tools=offered or None, stop=stop or None, stream=True
            )
            return _heard(chunks, watch)
        except (AgentError, Ended, Stopped):
            raise
        except Exception as error:  # Dify raises whatever the model's plugin raised
            raise _failed(self.name, str(error)) from error


class DifyTool:
    """A tool of Dify's, chosen in a form, with what its builder fixed."""

    def __init__(self, session: Session, entity: Any, name: str, forward: Forward) -> None:
        self._session, self._entity, self._forward = session, entity, forward
        self.spec = ToolSpec(
            name, entity.description.llm if entity.description else "", schema(entity.parameters)
        )

    def run(self, arguments: Mapping[str, Any]) -> str:
        """Everything that the tool says, as text. Raises ToolFailed."""
        entity = self._entity
        try:
            messages = self._session.tool.invoke(
                provider_type=entity.provider_type,
                provider=entity.identity.provider,
                tool_name=entity.identity.name,
                parameters={**entity.runtime_parameters, **arguments},
                credential_id=entity.credential_id,
            )
            return "".join(map(self._text, messages)).strip()
        except Exception as error:  # Dify raises whatever the tool's plugin raised
            raise ToolFailed(str(error)[:LONGEST_ERROR]) from error

    def _text(self, message: Any) -> str:
        """One message as the model is to read it: text may come in pieces, the rest is a line of its own."""
        match message.type.value:
            case "text":
                return str(message.message.text)
            case "link":
                return f"\nlink: {message.message.text}\n"
            case "json":
                return f"\n{json.dumps(message.message.json_object, ensure_ascii=False)}\n"
            case "retriever_resources":
                return f"\n{message.message.context}\n"
            case "variable" | "log":
                return ""
            case kind:
                self._forward(message)
                return f"\n[{kind}: shown to the user]\n"


class DifyStorage:
    """What the daemon keeps for this plugin, in all of the tenant's apps."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, key: str) -> bytes | None:
        """What is stored, if anything: a key that is not there can't be told from a store that fails by `get`."""
        if not self._session.storage.exist(key):
            return None
        found: bytes = self._session.storage.get(key)
        return found

    def set(self, key: str, value: bytes) -> None:
        """Store."""
        self._session.storage.set(key, value)

    def delete(self, key: str) -> None:
        """Remove."""
        self._session.storage.delete(key)


def schema(parameters: Iterable[Any]) -> dict[str, Any]:
    """The JSON schema of what a model fills in; files and what the form fixes are not its business."""
    properties: dict[str, Any] = {}
    required = []
    for one in parameters:
        if one.form.value != "llm" or one.type.value in FILES:
            continue
        found = (
            dict(one.input_schema)
            if one.input_schema
            else dict(TYPES.get(one.type.value, {"type": "string"}))
        )
        if one.llm_description:
            found["description"] = one.llm_description
        if one.options:
            found["enum"] = [option.value for option in one.options]
        properties[one.name] = found
        if one.required:
            required.append(one.name)
    return {"type": "object", "properties": properties, "required": required}


def history(chosen: Mapping[str, Any]) -> list[Message]:
    """The conversation before, as far as it is text."""
    found = []
    for one in chosen.get("history_prompt_messages") or ():
        text = _plain(one.get("content"))
        if one.get("role") in ("user", "assistant") and text:
            found.append(Message(one["role"], text))
    return found


def tools(session: Session, given: Any, forward: Forward) -> list[DifyTool]:
    """The tools that a form chose; of two with one name, the second gets its provider's before it."""
    if not given:
        return []
    from dify_plugin.interfaces.agent import ToolEntity
    from pydantic import ValidationError

    found: dict[str, DifyTool] = {}
    for one in given:
        try:
            entity = ToolEntity.model_validate(one)
        except ValidationError as error:
            raise BadRequest(
                "A chosen tool can't be read: remove it in the form and choose it again."
            ) from error
        name = entity.identity.name
        if name in found:
            name = f"{entity.identity.provider.rpartition('/')[2]}_{name}"
        found[name] = DifyTool(session, entity, name, forward)
    return [*found.values()]


def _prompt(message: Message) -> Any:
    from dify_plugin.entities.model.message import (
        AssistantPromptMessage,
        SystemPromptMessage,
        ToolPromptMessage,
        UserPromptMessage,
    )

    match message.role:
        case "system":
            return SystemPromptMessage(content=message.content)
        case "user":
            return UserPromptMessage(content=message.content)
        case "tool":
            return ToolPromptMessage(content=message.content, tool_call_id=message.call_id, name=message.name)
        case _:
            called = AssistantPromptMessage.ToolCall
            calls = [
                called(
                    id=one.id,
                    type="function",
                    function=called.ToolCallFunction(name=one.name, arguments=one.arguments),
                )
                for one in message.calls
            ]
            return AssistantPromptMessage(content=message.content, tool_calls=calls)


def _heard(chunks: Iterable[Any], watch: Watch) -> Said:
    """The pieces of an answer put together; a call may come in pieces, those after the first without a name."""
    text: list[str] = []
    calls: list[Call] = []
    usage = Usage()
    for chunk in chunks:
        piece = _plain(chunk.delta.message.content)
        watch(piece)  # without text as well: whoever wants to stop need not wait for some
        text.append(piece)
        for one in chunk.delta.message.tool_calls:
            _add(calls, one.id, one.function.name, one.function.arguments)
        if chunk.delta.usage:
            usage = _usage(chunk.delta.usage)
    return Said("".join(text), tuple(calls), usage)


def _add(calls: list[Call], id_: str, name: str, arguments: str) -> None:
    if calls and not name and id_ in ("", calls[-1].id):
        last = calls.pop()
        calls.append(Call(last.id, last.name, last.arguments + arguments))
    else:
        calls.append(Call(id_, name, arguments))


def _usage(found: Any) -> Usage:
    return Usage(found.prompt_tokens, found.completion_tokens, Decimal(found.total_price), found.currency)


def _plain(content: Any) -> str:
    """The text of a message's content: it is one, or a list of parts."""
    if isinstance(content, list):
        parts = (part if isinstance(part, Mapping) else part.model_dump(mode="json") for part in content)
        return "".join(str(part["data"]) for part in parts if part.get("type") == "text")
    return str(content or "")


def _failed(name: str, said: str) -> ModelFailed:
    """A failure of the model, without the provider's text: that may quote the prompt."""
    kinds = " ".join(dict.fromkeys(FAILURE.findall(said)))
    why = f" ({kinds})" if kinds else ""
    return ModelFailed(f'"{name}" gave no answer{why}.', overflow=bool(OVERFLOW.search(said)))
