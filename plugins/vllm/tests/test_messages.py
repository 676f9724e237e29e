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
    AUDIO = "audio"
    VIDEO = "video"
    DOCUMENT = "document"
    HIGH = "high"


def said(role: Word, content: Any, **more: Any) -> SimpleNamespace:
    return SimpleNamespace(role=role, content=content, **more)


def part(kind: Word, data: str = "", **more: Any) -> SimpleNamespace:
    fields = {"base64_data": "", "url": "", "format": "", "mime_type": ""}
    return SimpleNamespace(**{**fields, "type": kind, "data": data, **more})


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


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (
            part(Word.IMAGE, base64_data="AAA", mime_type="image/png", detail=Word.HIGH),
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAA", "detail": "high"}},
        ),
        (
            part(Word.IMAGE, url="http://dify/f.png"),
            {"type": "image_url", "image_url": {"url": "http://dify/f.png"}},
        ),
        (
            part(Word.AUDIO, base64_data="AAA", format="wav", mime_type="audio/wav"),
            {"type": "input_audio", "input_audio": {"data": "AAA", "format": "wav"}},
        ),
        (
            part(Word.AUDIO, url="http://dify/f.wav"),
            {"type": "audio_url", "audio_url": {"url": "http://dify/f.wav"}},
        ),
        (
            part(Word.VIDEO, base64_data="AAA", mime_type="video/mp4"),
            {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAA"}},
        ),
    ],
)
def test_what_a_user_shows(given: SimpleNamespace, sent: dict[str, Any]) -> None:
    message = messages.message(said(Word.USER, [part(Word.TEXT, "보세요"), given]))
    assert message["content"] == [{"type": "text", "text": "보세요"}, sent]


def test_documents_are_refused() -> None:
    with pytest.raises(Rejected, match="document"):
        messages.message(said(Word.USER, [part(Word.DOCUMENT)]))


def test_only_users_show_pictures() -> None:
    with pytest.raises(Rejected, match="image"):
        messages.message(said(Word.SYSTEM, [part(Word.IMAGE)]))


def tool(name: str) -> SimpleNamespace:
    return SimpleNamespace(name=name, description="d", parameters={"type": "object"})


def test_tools_and_stop_words() -> None:
    request = messages.chat_request("m", [], {}, [tool("f")], ["끝"])
    function = {"name": "f", "description": "d", "parameters": {"type": "object"}}
    assert request["tools"] == [{"type": "function", "function": function}]
    assert request["stop"] == ["끝"]
    assert "tool_choice" not in request


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("none", "none"),
        ("required", "required"),
        ("f", {"type": "function", "function": {"name": "f"}}),
    ],
)
def test_how_freely_tools_are_called(choice: str, sent: Any) -> None:
    values = {"tool_choice": choice, "strict_tools": True, "parallel_tool_calls": False}
    request = messages.chat_request("m", [], values, [tool("f")])
    assert request["tool_choice"] == sent
    assert request["tools"][0]["function"]["strict"] is True
    assert request["parallel_tool_calls"] is False


def test_a_choice_of_no_tool() -> None:
    with pytest.raises(Rejected, match="auto, none, required, f"):
        messages.chat_request("m", [], {"tool_choice": "g"}, [tool("f")])
    assert "tool_choice" not in messages.chat_request("m", [], {"tool_choice": "required"})


def test_an_adapter_takes_the_models_place() -> None:
    assert messages.chat_request("m", [], {"lora": "legal-ko"})["model"] == "legal-ko"


def test_a_plain_completion() -> None:
    prompts = [said(Word.SYSTEM, "규칙"), said(Word.USER, [part(Word.TEXT, "질문")])]
    request = messages.completion_request("m", prompts, {"logprobs": True, "top_logprobs": 3}, ["끝"])
    assert request == {"model": "m", "prompt": "규칙\n질문", "logprobs": 3, "stop": ["끝"]}
