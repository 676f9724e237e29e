"""plan-execute: a planner splits the task, an executor works through the steps, a critic looks at the answer."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import Annotated

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field

from llmflow_agent.forms import Written
from llmflow_agent.patterns.shared import criticise, finish, listed, write
from llmflow_agent.sitting import Run, Sitting, conversation, described, node
from llmflow_agent.state import Desk, State, Step
from llmflow_agent.texts import PLAN
from llmflow_agent.worker import Manner, done, errands, thinking, tool

RESERVE = 1  # the writer's call


class PlannedStep(Written):
    """One step as the planner writes it."""

    goal: Annotated[str, Field(min_length=1, max_length=300)]


class Plan(Written):
    """What the planner writes."""

    steps: Annotated[tuple[PlannedStep, ...], Field(min_length=1, max_length=20)]


def graph() -> StateGraph[State, Run]:
    """plan → take → think → tool… → settle → take → … → write → criticise → finish."""
    made = StateGraph(State, Run)
    made.add_node("plan", plan)
    made.add_node("think", thinking(Manner(reserve=RESERVE, speaks=False)))
    made.add_node("tool", tool)
    made.add_node("settle", settle)
    made.add_node("write", write)
    made.add_node("criticise", criticise)
    made.add_node("finish", finish)
    made.add_edge(START, "plan")
    made.add_conditional_edges("plan", _after_planning, ["think", "finish"])
    made.add_conditional_edges("think", _after_thinking, ["think", "tool", "settle"])
    made.add_edge("tool", "think")
    made.add_conditional_edges("settle", _after_settling, ["think", "write", "finish"])
    made.add_conditional_edges("write", after_writing, ["criticise", "finish"])
    made.add_conditional_edges("criticise", _after_critic, ["plan", "write", "finish"])
    made.add_edge("finish", END)
    return made


@node
def plan(state: State, sitting: Sitting) -> State:
    """Split the task into steps, or what the critic misses into more of them; a plan names no tools of its own."""
    run, texts = sitting.run, sitting.run.texts
    before, problems = state.get("steps", ()), state.get("problems", ())
    lines = "\n".join(described(tool) for tool in sitting.offered()) or texts.no_tools
    asked = [done(before, sitting), texts.planner.format(most=run.plan_steps, tools=lines, form=PLAN)]
    if problems:
        asked.append(texts.plan_again.format(problems=listed(problems)))
    log = sitting.begin("replan" if problems else "plan")
    found = sitting.written(conversation(sitting, "", *asked), Plan, PLAN, log.id)
    if found is None:
        sitting.note("plan-unreadable")
    goals = [step.goal for step in found.steps] if found else [listed(problems) or run.question]
    steps = tuple(Step(goal) for goal in goals[: run.plan_steps])
    sitting.finish(log, {"plan": [f"{n}. {step.goal}" for n, step in enumerate(steps, len(before) + 1)]})
    steps = (*before, *steps)
    return {"steps": steps, "desk": _desk(steps, sitting), "problems": ()}


@node
def settle(state: State, sitting: Sitting) -> State:
    """Write down what a step came to, and take up the next."""
    desk = state["desk"]
    at = _open(state["steps"])
    well = desk.state == "done"
    step = replace(state["steps"][at], state="done" if well else "failed", outcome=desk.report)
    steps = (*state["steps"][:at], step, *state["steps"][at + 1 :])
    sitting.finish(desk.scope, {"outcome": desk.report}, "" if well else desk.report or "failed")
    if state.get("ended") or _open(steps) < 0:
        return {"steps": steps, "desk": Desk()}
    return {"steps": steps, "desk": _desk(steps, sitting)}


def after_writing(state: State, runtime: Runtime[Run]) -> str:
    """To the critic, where there is one and something to look at; a run that is at its end goes out as it is."""
    ready = runtime.context.critic and state.get("draft") and not state.get("ended")
    return "criticise" if ready else "finish"


def _desk(steps: tuple[Step, ...], sitting: Sitting) -> Desk:
    at = _open(steps)
    goal = steps[at].goal
    scope = sitting.begin("step", number=at + 1, goal=goal)
    return Desk(task=sitting.run.texts.step_task.format(goal=goal), scope=scope)


def _open(steps: tuple[Step, ...]) -> int:
    return next((n for n, step in enumerate(steps) if step.state == "open"), -1)


def _after_planning(state: State) -> str:
    return "finish" if state.get("ended") else "think"


def _after_thinking(state: State) -> Hashable | list[Hashable]:
    if state.get("ended") or state["desk"].state != "working":
        return "settle"
    return errands(state) or "think"


def _after_settling(state: State) -> str:
    if state.get("ended"):
        return "write" if state["ended"] == "budget-steps" else "finish"
    return "think" if _open(state["steps"]) >= 0 else "write"


def _after_critic(state: State) -> str:
    return {"accept": "finish", "rewrite": "write", "rework": "plan"}[state["verdict"]]
