"""plan-execute: a planner splits the task, an executor works through the steps, a critic looks at the answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from langgraph.graph import StateGraph
from pydantic import Field

from llmflow_agent.patterns import planning
from llmflow_agent.patterns.answering import listed
from llmflow_agent.patterns.planning import RESERVE
from llmflow_agent.replies import JsonReply
from llmflow_agent.run import Run
from llmflow_agent.state import Desk, State, Step
from llmflow_agent.texts import PLAN
from llmflow_agent.worker import Worker, conversation, described, node, outcomes


class PlannedStep(JsonReply):
    """One step as the planner writes it."""

    goal: Annotated[str, Field(min_length=1, max_length=300)]


class Plan(JsonReply):
    """What the planner writes."""

    steps: Annotated[tuple[PlannedStep, ...], Field(min_length=1, max_length=20)]


def graph() -> StateGraph[State, Run]:
    """plan → each of its steps → the answer; a critic who misses something has more planned."""
    return planning.graph(plan, settle, then="write")


@node
def plan(state: State, worker: Worker) -> State:
    """Split the task into steps, or what the critic misses into more of them; a plan names no tools of its own."""
    run, texts = worker.run, worker.run.texts
    if worker.steps_left <= RESERVE:
        return {"desk": Desk(), "ended": "budget-steps"}
    before, problems = state.get("steps", ()), state.get("problems", ())
    lines = "\n".join(described(tool) for tool in worker.offered()) or texts.no_tools
    asked = [outcomes(before, worker), texts.planner.format(most=run.plan_steps, tools=lines, form=PLAN)]
    if problems:
        asked.append(texts.plan_again.format(problems=listed(problems)))
    log = worker.begin("replan" if problems else "plan")
    found = worker.ask_json(conversation(worker, "", *asked), Plan, PLAN, log.id)
    if found is None:
        worker.note("plan-unreadable")
    goals = [step.goal for step in found.steps] if found else [listed(problems) or run.question]
    steps = tuple(Step(goal) for goal in goals[: run.plan_steps])
    worker.finish(log, {"plan": [f"{n}. {step.goal}" for n, step in enumerate(steps, len(before) + 1)]})
    steps = (*before, *steps)
    return {"steps": steps, "desk": _desk(steps, worker), "problems": ()}


@node
def settle(state: State, worker: Worker) -> State:
    """Write down what a step came to, and take up the next."""
    desk = state["desk"]
    at = _open(state["steps"])
    well = desk.state == "done"
    step = replace(state["steps"][at], state="done" if well else "failed", outcome=desk.report)
    steps = (*state["steps"][:at], step, *state["steps"][at + 1 :])
    worker.finish(desk.scope, {"outcome": desk.report}, "" if well else desk.report or "failed")
    if state.get("ended") or _open(steps) < 0:
        return {"steps": steps, "desk": Desk()}
    return {"steps": steps, "desk": _desk(steps, worker)}


def _desk(steps: tuple[Step, ...], worker: Worker) -> Desk:
    at = _open(steps)
    goal = steps[at].goal
    scope = worker.begin("step", number=at + 1, goal=goal)
    return Desk(task=worker.run.texts.step_task.format(goal=goal), scope=scope)


def _open(steps: tuple[Step, ...]) -> int:
    return next((n for n, step in enumerate(steps) if step.state == "open"), -1)
