"""Pieces out of events: what comes together leaves together, and the end carries all that is known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from llmflow_kit.faults import CutOff, Garbled
from llmflow_vllm import stream
from llmflow_vllm.stream import Piece

FINISH = json.dumps({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})


def said(text: str) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]})


def run(*batches: Sequence[str], rests: list[int] | None = None) -> list[Piece]:
    counted = [] if rests is None else rests
    return list(stream.pieces([list(batch) for batch in batches], lambda: counted.append(1)))


def test_what_comes_together_leaves_together() -> None:
    rests: list[int] = []
    pieces = run([said("가"), said("나")], [said("다")], [FINISH, "[DONE]"], rests=rests)
    assert [piece.text for piece in pieces] == ["가나", "다", ""]
    assert len(rests) == 2
    assert stream.whole(pieces).text == "가나다"


def test_an_end_that_comes_with_text_is_not_waited_for() -> None:
    rests: list[int] = []
    pieces = run([said("가"), FINISH, "[DONE]"], rests=rests)
    assert [(piece.text, piece.finish) for piece in pieces] == [("가", None), ("", "stop")]
    assert rests == []


def test_text_before_a_fault_is_handed_on() -> None:
    pieces = stream.pieces([[said("가"), "{"]])
    assert next(pieces).text == "가"
    with pytest.raises(Garbled):
        next(pieces)


def test_the_end_tells_all_that_is_known() -> None:
    usage = {
        "prompt_tokens": 9,
        "completion_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 8},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    told = {"choices": [], "usage": usage, "metrics": {"queue_time_ms": 250}, "system_fingerprint": "vllm-1"}
    probable = {"content": [{"token": "가", "logprob": -0.5}]}
    token = {"choices": [{"index": 0, "delta": {"content": "가"}, "logprobs": probable}]}
    *_, last = run([json.dumps(token)], [FINISH, json.dumps(told), "[DONE]"])
    assert last.usage == stream.Usage(prompt=9, completion=5, cached=8, thoughts=3)
    assert (last.queued, last.fingerprint) == (0.25, "vllm-1")
    assert last.logprobs == ({"token": "가", "logprob": -0.5},)


@pytest.mark.parametrize(
    "delta",
    [
        {"tool_calls": [{"index": 0, "function": {"arguments": "x" * (stream.LONGEST_CALL + 1)}}]},
        {"tool_calls": [{"index": i} for i in range(stream.MOST_CALLS + 1)]},
        {"tool_calls": "none"},
        {"tool_calls": [{"index": "first"}]},
    ],
    ids=["long", "many", "text", "index"],
)
def test_calls_are_bounded(delta: dict[str, Any]) -> None:
    with pytest.raises(Garbled):
        run([json.dumps({"choices": [{"index": 0, "delta": delta}]})])


def test_a_plain_completion() -> None:
    words = [
        {"choices": [{"index": 0, "text": text, "finish_reason": end}]}
        for text, end in (("가", None), ("나", "stop"))
    ]
    assert stream.whole(run([json.dumps(word) for word in words])).text == "가나"


def test_nothing_at_all_is_no_answer() -> None:
    with pytest.raises(CutOff):
        run()
