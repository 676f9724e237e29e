"""What ends a run early: budgets that are used up, and circles."""

from __future__ import annotations

from decimal import Decimal

import pytest
from llmflow_agent import budget, loops
from llmflow_agent.budget import Limits, Spent
from llmflow_agent.loops import Round
from llmflow_agent.model import Usage


def test_budgets_are_checked_one_by_one() -> None:
    limits = Limits(steps=2, tokens=100, seconds=10, money=Decimal("0.1"))
    assert budget.over(limits, Spent(), 50) == ""
    assert budget.over(limits, Spent(), 101) == "budget-tokens"
    assert budget.over(limits, Spent(steps=2), 0) == "budget-steps"
    assert budget.over(limits, Spent(seconds=10), 0) == "budget-seconds"
    assert budget.over(limits, Spent().plus(Usage(1, 1, Decimal("0.1"), "KRW")), 0) == "budget-money"
    assert budget.over(Limits(), Spent(prompt_tokens=10**9, price=Decimal(10**9)), 10**9) == ""


@pytest.mark.parametrize(
    ("rounds", "verdict"),
    [
        ([], ("go", "")),
        ([("a",)], ("go", "")),
        ([("a",), ("a",)], ("go", "")),
        ([("a",), ("a",), ("a",)], ("warn", "same")),
        ([("a",), ("b",), ("a",), ("c",), ("a",), ("d",), ("a",)], ("end", "same")),  # not in a row
        ([("a",), ("b",)] * 2, ("warn", "ping-pong")),
        ([("a",), ("b",)] * 3, ("end", "ping-pong")),
        ([("a", "b"), ("a", "b"), ("a", "b")], ("warn", "same")),
        ([("a",), ("b",), ("c",), ("d",), ("e",), ("f",)], ("go", "")),
    ],
)
def test_circles_are_seen(rounds: list[tuple[str, ...]], verdict: tuple[str, str]) -> None:
    found = loops.verdict([Round(calls, fresh=True) for calls in rounds])
    assert (found.act, found.why) == verdict


def test_rounds_that_bring_nothing_are_seen() -> None:
    stale = [Round((str(number),)) for number in range(5)]
    assert loops.verdict(stale[:2]).act == "go"
    assert loops.verdict(stale[:3]) == loops.Verdict("warn", "stale")
    assert loops.verdict(stale[:4]).act == "go", "it is said once"
    assert loops.verdict(stale) == loops.Verdict("end", "stale")


def test_the_same_arguments_have_one_fingerprint() -> None:
    assert loops.fingerprint("a", '{"x": 1, "y": 2}') == loops.fingerprint("a", '{"y":2,"x":1}')
    assert loops.fingerprint("a", '{"x": 1') != loops.fingerprint("a", '{"x": 2')
