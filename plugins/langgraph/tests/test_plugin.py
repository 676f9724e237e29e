"""A form of Dify's, read; and a run that a message stops."""

from __future__ import annotations

from decimal import Decimal

import pytest
from llmflow_agent import plugin
from llmflow_agent.errors import BadRequest


def test_a_form_is_read() -> None:
    limits = plugin.limits(
        {"maximum_steps": "5", "maximum_money": "0.25", "maximum_tokens": "", "tool_seconds": 7}
    )
    assert (limits.steps, limits.money, limits.tokens, limits.tool_seconds) == (5, Decimal("0.25"), 0, 7.0)
    (role,) = plugin.roles("- name: finder\n  tools: [search]\n")
    assert (role.name, role.tools) == ("finder", ("search",))
    for wrong in (
        {"maximum_steps": 0},
        {"maximum_money": "NaN"},
        {"maximum_money": -1},
        {"tool_seconds": "soon"},
    ):
        with pytest.raises(BadRequest):
            plugin.limits(wrong)
    for roles in ("- {nam: a}", "a: [", '"x"', "- name: ''"):
        with pytest.raises(BadRequest):
            plugin.roles(roles)


def test_one_run_of_a_key_at_a_time_and_it_can_be_stopped() -> None:
    running = plugin.Running()
    with running.entered("key") as (first, stop), running.entered("key") as (second, other):
        assert (first, second) == (True, False)
        assert running.stop("key")
        assert (stop.is_set(), other.is_set()) == (True, False)
    assert not running.stop("key")
    with running.entered("") as (named, _):
        assert not named
