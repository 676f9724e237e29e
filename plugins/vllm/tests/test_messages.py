"""Dify's messages as vLLM wants them."""

from __future__ import annotations

from enum import Enum
from types import SimpleNamespace
from typing import Any

import pytest
from llmflow_kit.faults import Rejected
from llmflow_vllm import messages


class Word(Enum):
    """Dify's roles and types of parts are enums."""

    SYSTEM = "system"
    DEVELOPER = "developer"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"
    TEXT = "text"
    IMAGE = "image"


def said(role: Word, content: Any, **more: Any) -> SimpleNamespace:
    return SimpleNamespace(role=role, content=content, **more)


def part(kind: Word, data: str) -> SimpleNamespace:
    return SimpleNamespace(type=kind, data=data)


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        (said(Word.USER, "안녕"), {"role": "user", "content": "안녕"}),
        (said(Word.SYSTEM, None), {"role": "system", "content": ""}),
        (said(Word.DEVELOPER, "x"), {"role": "system", "content": "x"}),
        (said(Word.USER, [part(Word.TEXT, "a"), part(Word.TEXT, "b")]), {"role": "user", "content": "a\nb"}),
        (
            said(Word.TOOL, "맑음", tool_call_id="7"),
            {"role": "tool", "content": "맑음", "tool_call_id": "7"},
        ),
        (
            said(Word.ASSISTANT, "<think>\n음\n</think>\n\n네", tool_calls=[]),
            {"role": "assistant", "content": "네"},
        ),
        (
            said(Word.ASSISTANT, "the tag <think> is mine", tool_calls=[]),
            {"role": "assistant", "content": "the tag <think> is mine"},
        ),
    ],
)
def test_message(prompt: SimpleNamespace, expected: dict[str, Any]) -> None:
    assert messages.message(prompt) == expected


def test_tool_calls_go_back_as_they_came() -> None:
    call = SimpleNamespace(id="a", function=SimpleNamespace(name="f", arguments='{"x": 1}'))
    message = messages.message(said(Word.ASSISTANT, "", tool_calls=[call]))
    assert message["tool_calls"] == [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
    ]


def test_pictures_are_refused() -> None:
    with pytest.raises(Rejected, match="image"):
        messages.message(said(Word.USER, [part(Word.IMAGE, "data:…")]))


def test_only_known_parameters_are_sent() -> None:
    request = messages.chat_request(
        "m", [], {"temperature": 0.0, "seed": None, "unknown": 1, "response_format": "text"}
    )
    assert request == {"model": "m", "messages": [], "temperature": 0.0}


def test_tools_stop_words_and_user() -> None:
    tool = SimpleNamespace(name="f", description="d", parameters={"type": "object"})
    request = messages.chat_request("m", [], {}, [tool], ["끝"], "u")
    function = {"name": "f", "description": "d", "parameters": {"type": "object"}}
    assert request["tools"] == [{"type": "function", "function": function}]
    assert (request["stop"], request["user"]) == (["끝"], "u")


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, None),
        ({"response_format": "text"}, None),
        ({"response_format": "json_object"}, {"type": "json_object"}),
        (
            {"response_format": "json_schema", "json_schema": '{"type": "object"}'},
            {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}},
        ),
        (
            {"response_format": "json_schema", "json_schema": '{"name": "n", "schema": {}, "strict": true}'},
            {"type": "json_schema", "json_schema": {"name": "n", "schema": {}, "strict": True}},
        ),
    ],
)
def test_response_format(parameters: dict[str, Any], expected: dict[str, Any] | None) -> None:
    assert messages.response_format(parameters) == expected


@pytest.mark.parametrize("schema", [None, "", "{", "[]"])
def test_schemas_that_are_none(schema: str | None) -> None:
    with pytest.raises(Rejected, match="json_schema"):
        messages.response_format({"response_format": "json_schema", "json_schema": schema})
