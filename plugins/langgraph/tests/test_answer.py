"""Citations are checked, and a stream shows what the whole answer would."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmflow_agent import replies
from llmflow_agent.answer import Stream, checked

PIECES = [
    "<think>secret</think>",
    "Seoul [r1]",
    " [r9]",
    ", [r1, r9].",
    " x < y",
    " [not a citation]",
    "\n",
    "서울 ",
]


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join), st.data())
def test_a_stream_shows_what_the_whole_would(text: str, data: st.DataObject) -> None:
    """Wherever the text is broken into pieces, what is shown is the same, but for blanks around what is left out."""
    stream, shown, rest = Stream({"r1"}, blocks=False), "", text
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        shown, rest = shown + stream.feed(rest[:size]), rest[size:]
    shown += stream.rest()
    assert shown.split() == checked(replies.without_thoughts(text), {"r1"}).text.split() or "<think>" in text
    assert "".join(shown.split()) == "".join(checked(replies.without_thoughts(text), {"r1"}).text.split())


@pytest.mark.parametrize(
    ("text", "blocks", "shown"),
    [
        ('I look.\n```action\n{"tool": "a", "arguments": {}}\n```', True, "I look."),
        ('I look.\n```json\n{"tool": "a", "arguments": {}}\n```', True, "I look."),
        ('So:\n```json\n{"x": 1}\n```\nThat is it.', True, 'So:\n```json\n{"x": 1}\n```\nThat is it.'),
        ('```json\n{"tool": "a", "arguments": {}}\n```', False, '```json\n{"tool": "a", "arguments": {}}\n```'),
        ('{"tool": "a", "arguments": {}}', True, ""),
        ('{"x": 1} is the answer', True, '{"x": 1} is the answer'),
        ("[r1] says so", True, "[r1] says so"),
        ("<tool_call>\n{}\n</tool_call>Done.", False, "Done."),
        ("<think>never closed", False, ""),
    ],
)  # fmt: skip
def test_a_stream_hides_calls_and_nothing_else(text: str, blocks: bool, shown: str) -> None:
    for size in (1, 3, len(text)):
        stream = Stream({"r1"}, blocks)
        pieces = [stream.feed(text[start : start + size]) for start in range(0, len(text), size)]
        assert "".join([*pieces, stream.rest()]).strip() == shown


def test_citations_are_checked() -> None:
    found = checked("A [r1]. B [r2, r3] C [r4].", {"r1", "r3"})
    assert (found.text, found.refs, found.dropped) == ("A [r1]. B [r3] C.", ("r1", "r3"), ("r2", "r4"))
