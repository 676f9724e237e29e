"""A form of Dify's, read; and a run that a message stops."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from llmflow_agent import plugin
from llmflow_agent.answer import Answer
from llmflow_agent.budget import Spent
from llmflow_agent.errors import BadRequest
from llmflow_agent.state import Note, Step

STRATEGIES = Path(__file__).parents[1] / "strategies"


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


TYPES = {"string": str, "array": list, "object": dict}


@pytest.mark.parametrize("path", sorted(STRATEGIES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_strategy_declares_what_comes_out(path: Path) -> None:
    """Dify's editor offers what the schema names: each is there, and of its type."""
    schema = yaml.safe_load(path.read_text(encoding="utf-8"))["output_schema"]["properties"]
    step, note = Step("look", outcome="found"), Note("resumed", "went on")
    answer = Answer("Two.", "answered", (), (), (note,), (step,), Spent(), "1", True, 0).json()
    assert tuple(schema) == plugin.OUTPUTS
    for name, declared in schema.items():
        assert isinstance(answer[name], TYPES[declared["type"]]), name


class Nothing:
    """A session of Dify's that nothing is asked of."""

    model = tool = storage = None


def test_everything_that_is_wrong_in_a_form_is_said_at_once() -> None:
    form = {
        "tool_calls": "often", "model": {"provider": "p", "model": "m"}, "roles": "- {nam: a}\n- {name: b, tools: 3}",
        "maximum_steps": 0, "maximum_money": "a lot", "plan_steps": "many",
    }  # fmt: skip
    with pytest.raises(BadRequest) as error:
        plugin.job_of("supervisor", form, Nothing(), print)
    said = str(error.value)
    for field in (
        "tool_calls must",
        "0.name",
        "0.nam:",
        "1.tools",
        "maximum_steps must",
        "maximum_money",
        "plan_steps",
    ):
        assert field in said, said


def test_one_run_of_a_key_at_a_time_and_it_can_be_stopped() -> None:
    running = plugin.Running()
    with running.entered("key") as (first, stop), running.entered("key") as (second, other):
        assert (first, second) == (True, False)
        assert running.stop("key")
        assert (stop.is_set(), other.is_set()) == (True, False)
    assert not running.stop("key")
    with running.entered("") as (named, _):
        assert not named
