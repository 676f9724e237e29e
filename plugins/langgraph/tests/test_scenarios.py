"""Every scenario of tests/cases/langgraph, played by a scripted model; real vLLM plays them in integration tests."""

from __future__ import annotations

import pytest
from llmflow_agent.answer import Answer
from llmflow_agent.engine import Job, run
from llmflow_agent.trace import Log, Text
from support.agent import Outcome, Scenario, ScriptedModel, ScriptedTool, judge, scenarios


def job(scenario: Scenario, model: ScriptedModel, tools: list[ScriptedTool]) -> Job:
    """A scenario as the engine takes it."""
    roles = [one.role() for one in scenario.roles]
    return Job(
        question=scenario.question, model=model, pattern=scenario.pattern, instruction=scenario.instruction,
        tools=tools, roles=roles,
        history=scenario.messages(), limits=scenario.limits.limits(), critic=scenario.critic,
        stop=lambda: _stops(scenario, model, tools),
    )  # fmt: skip


def _stops(scenario: Scenario, model: ScriptedModel, tools: list[ScriptedTool]) -> bool:
    """Whether the caller has had enough: of calls of the model, or once a tool is at work."""
    if scenario.stop_after:
        return model.asked >= scenario.stop_after
    return any(tool.ran for tool in tools if tool.name == scenario.stop_during)


@pytest.mark.parametrize("scenario", scenarios(), ids=lambda one: one.name.replace(" ", "-"))
def test_a_scenario(scenario: Scenario) -> None:
    model = ScriptedModel(scenario.script, scenario.native, scenario.context)
    tools = [ScriptedTool(name, case) for name, case in scenario.tools.items()]
    *events, answer = run(job(scenario, model, tools))
    assert isinstance(answer, Answer)
    logs = [event for event in events if isinstance(event, Log)]
    judge(
        scenario.expect,
        Outcome(
            answer=answer.json(),
            text="".join(event.text for event in events if isinstance(event, Text)),
            told="\n".join(model.told),
            asked=model.asked,
            ran={tool.name: tool.ran for tool in tools},
            lines=[(log.id, log.label, log.status) for log in logs],
        ),
    )
    assert model.said == len(scenario.script), "the whole script was used"
    roots = [log for log in logs if not log.parent]
    assert {log.id for log in roots} == {logs[0].id}
