"""supervisor: one model leads several roles, each with its own instruction and tools, and answers from reports."""

from __future__ import annotations

from dataclasses import replace

from langgraph.graph import StateGraph

from llmflow_agent import loops
from llmflow_agent.loops import Round
from llmflow_agent.patterns import planning
from llmflow_agent.patterns.answering import listed
from llmflow_agent.patterns.planning import RESERVE
from llmflow_agent.replies import JsonReply
from llmflow_agent.run import Role, Run
from llmflow_agent.state import Desk, State, Step
from llmflow_agent.texts import NEXT
from llmflow_agent.worker import Worker, conversation, node, outcomes

FINISH = "finish"


class Next(JsonReply):
    """What the supervisor writes."""

    next: str
    task: str = ""


def graph() -> StateGraph[State, Run]:
    """lead → one role's task → its report → lead → … → the answer."""
    return planning.graph(lead, report, then="lead")


@node
def lead(state: State, worker: Worker) -> State:
    """Choose who works next; a role that is none, or the same task over and over, ends the leading."""
    run, texts = worker.run, worker.run.texts
    if worker.steps_left <= RESERVE:
        return {"desk": Desk(), "ended": "budget-steps"}
    asked = [
        outcomes(state.get("steps", ()), worker),
        texts.supervisor.format(roles=_roles(run.roles), form=NEXT),
    ]
    if state.get("problems"):
        asked.append(texts.plan_again.format(problems=listed(state["problems"])))
    log = worker.begin("supervisor")
    found = worker.ask_json(conversation(worker, "", *asked), Next, NEXT, log.id)
    worker.finish(log, found.model_dump() if found else {})
    role = _chosen(found, run.roles)
    if role is None or found is None:
        return {"desk": Desk(), "problems": ()}
    steps = (*state.get("steps", ()), Step(found.task or run.question, role=role.name))
    if (
        loops.verdict([Round((loops.fingerprint(step.role, step.goal),), fresh=True) for step in steps]).act
        == "end"
    ):
        return {"desk": Desk(), "ended": "loop"}
    scope = worker.begin("role", role=role.name, task=steps[-1].goal)
    desk = Desk(task=texts.role_task.format(task=steps[-1].goal), role=role.name, scope=scope)
    return {"steps": steps, "desk": desk, "problems": ()}


@node
def report(state: State, worker: Worker) -> State:
    """Write down what a role reports."""
    desk = state["desk"]
    well = desk.state == "done"
    *before, last = state["steps"]
    worker.finish(desk.scope, {"report": desk.report}, "" if well else desk.report or "failed")
    return {
        "steps": (*before, replace(last, state="done" if well else "failed", outcome=desk.report)),
        "desk": Desk(),
    }


def _chosen(found: Next | None, roles: tuple[Role, ...]) -> Role | None:
    wanted = found.next.strip().casefold() if found else FINISH
    return next((role for role in roles if role.name.casefold() == wanted), None)


def _roles(roles: tuple[Role, ...]) -> str:
    return "\n".join(f"- {role.name}: {role.description or role.instruction}" for role in roles)
