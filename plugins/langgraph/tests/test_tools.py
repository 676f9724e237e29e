"""Arguments of tools, and tools that hang."""

from __future__ import annotations

import threading

import pytest
from llmflow_agent import tools
from llmflow_agent.model import ToolSpec

WEATHER = ToolSpec(
    "weather",
    "the weather",
    {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}, "full": {"type": "boolean"}},
        "required": ["city"],
    },
)


def test_arguments_are_fitted_and_checked() -> None:
    assert tools.arguments(WEATHER, '{"city": "Seoul", "days": "3", "full": "true"}') == {
        "city": "Seoul", "days": 3, "full": True,
    }  # fmt: skip
    for text in ('{"days": 3}', '{"city": 7}', '{"city": "a", "town": "b"}', "[1]", '{"city": "Se'):
        with pytest.raises(tools.BadArguments):
            tools.arguments(WEATHER, text)


def test_a_schema_of_a_tool_is_never_fetched_nor_trusted() -> None:
    remote = ToolSpec("a", "", {"type": "object", "properties": {"x": {"$ref": "http://127.0.0.1:1/schema"}}})
    assert tools.arguments(remote, '{"x": 1}') == {"x": 1}
    wrong = ToolSpec("a", "", {"type": "object", "properties": {"x": {"type": "no such type"}}})
    assert tools.arguments(wrong, '{"x": 1}') == {"x": 1}


def test_a_tool_that_hangs_is_left_behind() -> None:
    hangs = threading.Event()
    with pytest.raises(TimeoutError):
        tools.within(0.01, lambda: str(hangs.wait(30)))
    hangs.set()
    with pytest.raises(ZeroDivisionError):
        tools.within(5, lambda: str(1 // 0))
