"""supervisor: one model leads several roles, each with its own instruction and tools, and answers from reports."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace

from langgraph.graph import END, START, StateGraph

from llmflow_agent import guards
from llmflow_agent.forms import Written
from llmflow_agent.guards import Round
from llmflow_agent.patterns.plan_execute import RESERVE, after_writing
from llmflow_agent.patterns.shared import criticise, finish, listed, write
from llmflow_agent.sitting import Role, Run, Sitting, conversation, node
from llmflow_agent.state import Desk, State, Step
from llmflow_agent.texts import NEXT
from llmflow_agent.worker import Manner, done, errands, thinking, tool

FINISH = "finish"


class Next(Written):
    """What the supervisor writes."""

    next: str
    task: str = ""


def graph() -> StateGraph[State, Run]:
    """lead → think → tool… → report → lead → … → write → criticise → finish."""
    made = StateGraph(State, Run)
    made.add_node("lead", lead)
    made.add_node("think", thinking(Manner(reserve=RESERVE, speaks=False)))
    made.add_node("tool", tool)
    made.add_node("report", report)
    made.add_node("write", write)
    made.add_node("criticise", criticise)
    made.add_node("finish", finish)
    made.add_edge(START, "lead")
    made.add_conditional_edges("lead", _after_leading, ["think", "write", "finish"])
    made.add_conditional_edges("think", _after_thinking, ["think", "tool", "report"])
    made.add_edge("tool", "think")
    made.add_conditional_edges("report", _after_reporting, ["lead", "write", "finish"])
    made.add_conditional_edges("write", after_writing, ["criticise", "finish"])
    made.add_conditional_edges("criticise", _after_critic, ["lead", "write", "finish"])
    made.add_edge("finish", END)
    return made


@node
def lead(state: State, sitting: Sitting) -> State:
    """Choose who works next; a role that is none, or the same task over and over, ends the leading."""
    run, texts = sitting.run, sitting.run.texts
    if sitting.steps_left <= RESERVE:
        return {"desk": Desk(), "ended": "budget-steps"}
    asked = [
        done(state.get("steps", ()), sitting),
        texts.supervisor.format(roles=_roles(run.roles), form=NEXT),
    ]
    if state.get("problems"):
        asked.append(texts.plan_again.format(problems=listed(state["problems"])))
    log = sitting.begin("supervisor")
    found = sitting.written(conversation(sitting, "", *asked), Next, NEXT, log.id)
    sitting.finish(log, found.model_dump() if found else {})
    role = _chosen(found, run.roles)
    if role is None or found is None:
        return {"desk": Desk(), "problems": ()}
    steps = (*state.get("steps", ()), Step(found.task or run.question, role=role.name))
    if (
        guards.verdict([Round((guards.fingerprint(step.role, step.goal),), fresh=True) for step in steps]).act
        == "end"
    ):
        return {"desk": Desk(), "ended": "loop"}
    scope = sitting.begin("role", role=role.name, task=steps[-1].goal)
    desk = Desk(task=texts.role_task.format(task=steps[-1].goal), role=role.name, scope=scope)
    return {"steps": steps, "desk": desk, "problems": ()}


@node
def report(state: State, sitting: Sitting) -> State:
    """Write down what a role reports."""
    desk = state["desk"]
    well = desk.state == "done"
    *before, last = state["steps"]
    sitting.finish(desk.scope, {"report": desk.report}, "" if well else desk.report or "failed")
    return {
        "steps": (*before, replace(last, state="done" if well else "failed", outcome=desk.report)),
        "desk": Desk(),
    }


def _chosen(found: Next | None, roles: tuple[Role, ...]) -> Role | None:
    wanted = found.next.strip().casefold() if found else FINISH
    return next((role for role in roles if role.name.casefold() == wanted), None)


def _roles(roles: tuple[Role, ...]) -> str:
    return "\n".join(f"- {role.name}: {role.description or role.instruction}" for role in roles)


def _after_leading(state: State) -> str:
    if state.get("ended"):
        return _with_what_is_there(state)
    return "think" if state["desk"].role else "write"


def _after_thinking(state: State) -> Hashable | list[Hashable]:
    if state.get("ended") or state["desk"].state != "working":
        return "report"
    return errands(state) or "think"


def _after_reporting(state: State) -> str:
    return _with_what_is_there(state) if state.get("ended") else "lead"


def _with_what_is_there(state: State) -> str:
    return "write" if state["ended"] in ("budget-steps", "loop") else "finish"


def _after_critic(state: State) -> str:
    return {"accept": "finish", "rewrite": "write", "rework": "lead"}[state["verdict"]]
