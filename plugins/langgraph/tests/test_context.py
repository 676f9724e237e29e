"""A conversation fits into the model's context, and what must stay does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from llmflow_agent import context
from llmflow_agent.model import Call, Message

CONVERSATION = [
    Message("system", "rules", stays=True),
    Message("user", "hello " * 50),
    Message("assistant", "hi " * 50),
    Message("user", "the question", stays=True),
    Message("assistant", "", (Call("1", "log", "{}"),)),
    Message("tool", "a line " * 300, call_id="1"),
    Message("assistant", "", (Call("2", "log", "{}"),)),
    Message("tool", "b line " * 300, call_id="2"),
]


@given(st.integers(1, 2000))
def test_a_conversation_is_fitted(most: int) -> None:
    fitted = context.fitted(CONVERSATION, (), most)
    assert [one for one in fitted if one.stays] == [one for one in CONVERSATION if one.stays]
    assert fitted[-1].call_id in ("", "2")
    called = {call.id for one in fitted for call in one.calls}
    assert {one.call_id for one in fitted[:-1] if one.role == "tool"} <= called, "no answer without its call"
    small = context.size([one for one in CONVERSATION if one.stays]) + 150
    assert context.size(fitted) <= max(most * 0.75, small)


def test_old_results_are_shortened_before_anything_is_left_out() -> None:
    fitted = context.fitted(CONVERSATION, (), 1100)
    assert len(fitted) == len(CONVERSATION)
    assert fitted[5].content.endswith("[…]")
    assert fitted[7] == CONVERSATION[7]
