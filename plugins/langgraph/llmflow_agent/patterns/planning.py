"""What the patterns that plan share: tasks are handed out, each is worked on and written down; then one answer is
written from what they came to, and reviewed.
"""

from __future__ import annotations

from collections.abc import Hashable

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from llmflow_agent.patterns.answering import criticise, finish, write
from llmflow_agent.patterns.working import Manner, open_calls, thinking, tool
from llmflow_agent.run import Run
from llmflow_agent.state import State
from llmflow_agent.worker import Node

RESERVE = 1  # calls of the model kept back: the writer's
STILL_WRITTEN = ("budget-steps", "loop")  # ends that leave the writer its call


def graph(hand_out: Node, write_down: Node, then: str) -> StateGraph[State, Run]:
    """hand out → think → tool… → think → … → write down → … → write → criticise → finish.

    Each of the two nodes puts the next task on the desk, or none; where `write_down` puts none, `then` comes next.
    """
    first, last = hand_out.__name__, write_down.__name__
    made = StateGraph(State, Run)
    made.add_node(first, hand_out)
    made.add_node("think", thinking(Manner(reserve=RESERVE, speaks=False)))
    made.add_node("tool", tool)
    made.add_node(last, write_down)
    made.add_node("write", write)
    made.add_node("criticise", criticise)
    made.add_node("finish", finish)
    made.add_edge(START, first)
    made.add_conditional_edges(first, lambda state: _next(state, "write"), ["think", "write", "finish"])
    made.add_conditional_edges("think", lambda state: _after_thinking(state, last), ["think", "tool", last])
    made.add_edge("tool", "think")
    made.add_conditional_edges(last, lambda state: _next(state, then), ["think", then, "write", "finish"])
    made.add_conditional_edges("write", _after_writing, ["criticise", "finish"])
    made.add_conditional_edges(
        "criticise", lambda state: _after_critic(state, first), [first, "write", "finish"]
    )
    made.add_edge("finish", END)
    return made


def _next(state: State, idle: str) -> str:
    """To the task on the desk; a run at its end writes what it has, where it can."""
    if ended := state.get("ended"):
        return "write" if ended in STILL_WRITTEN else "finish"
    return "think" if state["desk"].task else idle


def _after_thinking(state: State, write_down: str) -> Hashable | list[Hashable]:
    if state.get("ended") or state["desk"].state != "working":
        return write_down
    return open_calls(state) or "think"


def _after_writing(state: State, runtime: Runtime[Run]) -> str:
    """To the critic, where there is one and something to look at; a run that is at its end goes out as it is."""
    ready = runtime.context.critic and state.get("draft") and not state.get("ended")
    return "criticise" if ready else "finish"


def _after_critic(state: State, hand_out: str) -> str:
    return {"accept": "finish", "rewrite": "write", "rework": hand_out}[state["verdict"]]
