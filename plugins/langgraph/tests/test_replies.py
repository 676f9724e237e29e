"""What a model wrote, read: calls in its text, JSON that was asked for, and what stays unreadable."""

from __future__ import annotations

import json
from typing import Any

import pytest
from llmflow_agent import replies
from llmflow_agent.replies import JsonReply, Unreadable


class Steps(JsonReply):
    steps: tuple[str, ...]


@pytest.mark.parametrize(
    ("text", "native", "said", "called"),
    [
        ("Seoul is clear.", False, "Seoul is clear.", []),
        ('I look.\n```action\n{"tool": "a", "arguments": {"x": 1}}\n```', False, "I look.", [("a", {"x": 1})]),
        ('```json\n{"tool": "a", "arguments": {}}\n```', False, "", [("a", {})]),
        ('{"name": "a", "arguments": {"x": [1, 2]}}', False, "", [("a", {"x": [1, 2]})]),
        ('[{"tool": "a", "arguments": {}}, {"tool": "b", "arguments": {}}]', False, "", [("a", {}), ("b", {})]),
        ("```action\n{'tool': 'a', 'arguments': {'ok': True}}\n```", False, "", [("a", {"ok": True})]),
        ('```action\n{"tool": "a", "arguments": "{\\"x\\": 1}"}\n```', False, "", [("a", {"x": 1})]),
        ('```action\n{"tool": "a", "arguments": {"x": 1}', False, "", [("a", {"x": 1})]),  # brackets are missing
        # a model with native calls that writes them out; its other JSON is its answer
        ('<tool_call>\n{"name": "a", "arguments": {}}\n</tool_call>', True, "", [("a", {})]),
        ('```json\n{"tool": "a", "arguments": {}}\n```', True, '```json\n{"tool": "a", "arguments": {}}\n```', []),
        ('The answer as JSON:\n```json\n{"x": 1}\n```', False, 'The answer as JSON:\n```json\n{"x": 1}\n```', []),
        ("<think>{\"tool\": \"a\"}</think>Two.", False, "Two.", []),
    ],
)  # fmt: skip
def test_an_answer_is_read(
    text: str, native: bool, said: str, called: list[tuple[str, dict[str, Any]]]
) -> None:
    turn = replies.turn(text, native)
    assert turn.text == said
    assert [(call.name, json.loads(call.arguments)) for call in turn.calls] == called


@pytest.mark.parametrize(
    "text",
    [
        '```action\n{"tool": "a", "arguments": {"x": "Seo',  # it ends inside a value: that would be a guess
        '```action\n{"arguments": {"x": 1}}\n```',
        '```action\n{"tool": "a", "arguments": [1]}\n```',
        '```action\n{"tool": 3, "arguments": {}}\n```',
        "<tool_call>[1, 2]</tool_call>",
    ],
)
def test_what_can_not_be_read_is_said(text: str) -> None:
    with pytest.raises(Unreadable):
        replies.turn(text, native=False)


def test_json_is_found_in_prose_and_repaired() -> None:
    assert replies.json_reply('Here: {"steps": ["a", "b",]} as asked', Steps).steps == ("a", "b")
    for text in ("no JSON at all", '{"steps": 3}', '{"steps": ["a', "{}"):
        with pytest.raises(Unreadable):
            replies.json_reply(text, Steps)
