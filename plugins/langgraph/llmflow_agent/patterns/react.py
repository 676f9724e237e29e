"""react: one agent that thinks, calls tools, and answers."""

from __future__ import annotations

from collections.abc import Hashable

from langgraph.graph import END, START, StateGraph

from llmflow_agent.patterns.answering import finish
from llmflow_agent.patterns.working import Manner, open_calls, thinking, tool
from llmflow_agent.run import Run
from llmflow_agent.state import State


def graph() -> StateGraph[State, Run]:
    """think → tool… → think → … → finish."""
    made = StateGraph(State, Run)
    made.add_node("think", thinking(Manner()))
    made.add_node("tool", tool)
    made.add_node("finish", finish)
    made.add_edge(START, "think")
    made.add_conditional_edges("think", _after_thinking, ["think", "tool", "finish"])
    made.add_edge("tool", "think")
    made.add_edge("finish", END)
    return made


def _after_thinking(state: State) -> Hashable | list[Hashable]:
    if state.get("ended") or state["desk"].state == "done":
        return "finish"
    return open_calls(state) or "think"
