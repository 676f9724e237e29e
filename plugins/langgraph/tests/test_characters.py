"""Characters that not every side takes, from a tool, a model or a user, never end a run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmflow_agent import characters
from llmflow_agent.answer import Answer
from llmflow_agent.characters import Pieces
from llmflow_agent.checkpoints import Memory
from llmflow_agent.engine import Job, run
from llmflow_agent.model import Call, Message, Said, ToolSpec, Watch
from llmflow_agent.trace import Text

HIGH, LOW = "\ud83d", "\ude00"  # the halves of one character
ANY = st.text(st.characters(codec=None, categories=None), max_size=30)


@pytest.mark.parametrize(
    ("text", "sound"),
    [
        ("서울", "서울"),
        (f"a{HIGH}{LOW}b", "a\U0001f600b"),
        (f"a{HIGH}b", "a\ufffdb"),
        (f"{LOW}{HIGH}", "\ufffd\ufffd"),
        (HIGH, "\ufffd"),
    ],
)
def test_halves_are_joined_or_replaced(text: str, sound: str) -> None:
    assert characters.sound(text) == sound


def test_halves_in_json_are_found_behind_their_escapes() -> None:
    assert json.loads(characters.sound_json('{"x": ["\\ud83d", "\\ud83d\\ude00"]}')) == {
        "x": ["\ufffd", "\U0001f600"]
    }
    for text in ('{"x": 1 }', '{"x": "Se', "[1, 2]"):
        assert characters.sound_json(text) == text, "what is sound, or no JSON, stays as it is written"


@given(ANY, st.data())
def test_pieces_say_what_the_whole_says(text: str, data: st.DataObject) -> None:
    """Wherever a text is cut, within a character too; only a half at its very end is left to whoever has the whole."""
    pieces, said, rest = Pieces(), "", text
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        said, rest = said + pieces.feed(rest[:size]), rest[size:]
    whole = characters.sound(text)
    assert whole in (said, f"{said}\ufffd")
    assert characters.sound(said) == said


def test_what_is_compared_is_alike() -> None:
    assert characters.folded("ＩＧＮＯＲＥ") == characters.folded("ig\u200bnore") == "ignore"
    assert characters.folded("\u110b\u1175\u110c\u1165\u11ab") == "이전"


class Halves:
    """A model that says halves of characters, in a call's arguments and in its answer."""

    name, native_tools, context = "halves", True, 0

    def __init__(self) -> None:
        self.told: list[str] = []

    def say(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSpec],
        watch: Watch,
        schema: Mapping[str, Any] | None = None,
    ) -> Said:
        self.told += [message.content for message in messages]
        self.told += [call.arguments for message in messages for call in message.calls]
        if len(messages) == 2:
            return Said(f"I look{HIGH}", (Call("1", "look", '{"at": "\\ud83d"}'),))
        for piece in ("It is ", HIGH, LOW, f" and {LOW}", " [r1]."):
            watch(piece)
        return Said(f"It is {HIGH}{LOW} and {LOW} [r1].")


class Look:
    """A tool that keeps what it was asked, and gives half a character."""

    spec = ToolSpec("look", "looks", {"type": "object", "properties": {"at": {"type": "string"}}})

    def __init__(self) -> None:
        self.at = ""

    def run(self, arguments: Mapping[str, Any]) -> str:
        self.at = arguments["at"]
        return f"found {LOW}"


def test_a_run_among_halves_of_characters() -> None:
    model, tool, store = Halves(), Look(), Memory()
    job = Job(f"Look{HIGH}", model, tools=[tool], run_id="1", storage=store)
    *events, answer = run(job)
    assert isinstance(answer, Answer)
    assert (answer.ended, answer.text) == ("answered", "It is \U0001f600 and \ufffd [r1].")
    assert "".join(event.text for event in events if isinstance(event, Text)).strip() == answer.text
    assert tool.at == "\ufffd"
    assert "found \ufffd" in "".join(model.told)
    assert "".join(model.told).encode(), "nothing that a server could not take was sent"
    assert json.dumps(answer.json(), ensure_ascii=False).encode()
    assert store.kept == {}
