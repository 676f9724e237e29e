"""The agent: what a step costs beyond a bare LangGraph loop with the same model, tool and number of calls.

    python -m bench.bench_langgraph [ROUNDS]

Neither model nor tool takes any time: what is measured is the engine. A step is one call of the model and one of a
tool, the same in both loops, which run by turns. Both keep checkpoints in memory; ours are written as bytes, as for
Dify's storage. Then the packaged plugin, with model, tool and storage asked through the daemon's protocol. Prints JSON;
milliseconds.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from operator import add
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from llmflow_agent.answer import Answer
from llmflow_agent.budget import Limits
from llmflow_agent.checkpoints import Memory
from llmflow_agent.engine import Job, run
from llmflow_agent.model import Call, Message, Said, ToolSpec, Watch
from llmflow_bundle.dirs import cache_dir
from llmflow_bundle.report import Recording
from llmflow_runner import archive, environment, pack, sign
from llmflow_runner.daemon import Plugin
from llmflow_runner.dify import Routed, Storage, strategy

PLUGIN = Path(__file__).resolve().parents[2] / "plugins/langgraph"
ROUNDS = 20
TURNS = 15  # of each; the first is not counted
TARGET = 30  # milliseconds
SPEC = ToolSpec(
    "look", "looks", {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
)
RESULT = "result {n}: " + "한빛 프로젝트는 플랫폼개발팀이 맡는다. " * 10


class Model:
    """Asks for one tool a round, `rounds` times, then answers."""

    name, native_tools, context = "quick", True, 0

    def __init__(self, rounds: int) -> None:
        self.rounds, self.asked = rounds, 0

    def say(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSpec],
        watch: Watch,
        schema: Mapping[str, Any] | None = None,
    ) -> Said:
        """The next call, or the answer."""
        self.asked += 1
        if self.asked > self.rounds:
            watch("The end [r1].")
            return Said("The end [r1].")
        return Said("", (Call(f"c{self.asked}", "look", json.dumps({"n": self.asked})),))


class Tool:
    """Gives another text for each number."""

    spec = SPEC

    def run(self, arguments: Mapping[str, Any]) -> str:
        """At once."""
        return RESULT.format(**arguments)


class Bare(TypedDict):
    """What the bare loop knows."""

    messages: Annotated[list[Message], add]


def measure(rounds: int = ROUNDS) -> dict[str, Any]:
    """Both loops by turns, so that what else the machine does falls on both."""
    loops: dict[str, Callable[[int], float]] = {"bare": _bare, "ours": _ours}
    took: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(TURNS):
        for name, loop in loops.items():
            took[name].append(loop(rounds))
    steps = {name: [1000 * seconds / rounds for seconds in all_[1:]] for name, all_ in took.items()}
    added = [ours - bare for ours, bare in zip(steps["ours"], steps["bare"], strict=True)]
    return {
        "rounds": rounds,
        "bare_ms_a_step": round(statistics.median(steps["bare"]), 2),
        "ours_ms_a_step": round(statistics.median(steps["ours"]), 2),
        "added_ms_a_step": {"p50": round(statistics.median(added), 2), "most": round(max(added), 2)},
        "target_ms": TARGET,
        "in_the_plugin": _packaged(rounds),
    }


def _unheard(_: str) -> None:
    """Nobody listens to the bare loop."""


def _bare(rounds: int) -> float:
    model, tool = Model(rounds), Tool()

    def think(state: Bare) -> dict[str, Any]:
        said = model.say(state["messages"], (SPEC,), _unheard)
        return {"messages": [Message("assistant", said.text, said.calls)]}

    def act(state: Bare) -> dict[str, Any]:
        calls = state["messages"][-1].calls
        return {
            "messages": [
                Message("tool", tool.run(json.loads(one.arguments)), call_id=one.id) for one in calls
            ]
        }

    made = StateGraph(Bare)
    made.add_node("think", think)
    made.add_node("act", act)
    made.add_edge(START, "think")
    made.add_conditional_edges(
        "think", lambda state: "act" if state["messages"][-1].calls else END, ["act", END]
    )
    made.add_edge("act", "think")
    graph = made.compile(checkpointer=InMemorySaver())
    began = time.perf_counter()
    for _ in graph.stream(
        {"messages": [Message("user", "go")]},
        {"configurable": {"thread_id": "1"}, "recursion_limit": 1000},
        stream_mode="custom",
        durability="sync",
    ):
        raise AssertionError("the bare loop says nothing")
    took = time.perf_counter() - began
    if model.asked != rounds + 1:
        raise AssertionError("the bare loop did not run to its end")
    return took


def _ours(rounds: int) -> float:
    model = Model(rounds)
    began = time.perf_counter()
    *_, answer = run(_job(model, rounds))
    took = time.perf_counter() - began
    if not isinstance(answer, Answer) or answer.ended != "answered" or answer.calls != rounds:
        raise AssertionError(f"the agent did not run to its end: {answer}")
    return took


def _packaged(rounds: int) -> dict[str, Any]:
    """The same through the daemon's protocol: two calls back to Dify a step, and what the storage is asked."""
    with tempfile.TemporaryDirectory(prefix="llmflow-bench-") as scratch:
        key = sign.signing_key(Path(scratch) / "key")
        package = pack.pack(PLUGIN, Path(scratch) / "out", key, cache_dir(), Recording())
        with (
            environment.installed(archive.read(package), Path(scratch), False, Recording()) as place,
            Plugin(place) as agent,
        ):
            took = [_asked(agent, rounds) for _ in range(TURNS)][1:]
    return {
        "ms_a_step": round(1000 * statistics.median(total for total, _ in took) / rounds, 2),
        "first_message_ms": round(1000 * statistics.median(first for _, first in took), 2),
    }


def _asked(agent: Plugin, rounds: int) -> tuple[float, float]:
    """Seconds to the end, and to the first message."""
    model = Model(rounds)
    dify = Routed({"llm": lambda _: [_chunk(model)], "tool": _looked, "storage": Storage()})
    began = time.perf_counter()
    messages = strategy(agent, ("langgraph", "react"), _form(rounds), dify)
    next(messages)
    first = time.perf_counter() - began
    *_, last = messages
    took = time.perf_counter() - began
    if last["message"]["json_object"]["ended"] != "answered":
        raise AssertionError(f"the agent did not run to its end: {last}")
    return took, first


def _chunk(model: Model) -> dict[str, Any]:
    said = model.say((), (), _unheard)
    calls = [
        {"id": one.id, "type": "function", "function": {"name": one.name, "arguments": one.arguments}}
        for one in said.calls
    ]
    message = {"role": "assistant", "content": said.text, "tool_calls": calls}
    delta = {"index": 0, "message": message, "usage": None, "finish_reason": "stop"}
    return {"model": "quick", "prompt_messages": [], "delta": delta}


def _looked(asked: dict[str, Any]) -> list[dict[str, Any]]:
    text = RESULT.format(**asked["request"]["tool_parameters"])
    return [{"type": "text", "message": {"text": text}, "meta": None}]


def _form(rounds: int) -> dict[str, Any]:
    label = {"en_US": "look"}
    number = {
        "name": "n", "type": "number", "form": "llm", "required": True, "label": label, "human_description": label,
    }  # fmt: skip
    tool = {
        "identity": {"author": "llmflow", "name": "look", "label": label, "provider": "llmflow/bench/bench"},
        "parameters": [number],
    }
    model = {
        "provider": "llmflow/bench/bench",
        "model": "quick",
        "mode": "chat",
        "entity": {"features": ["tool-call"]},
    }
    return {"model": model, "tools": [tool], "query": "go", "maximum_steps": rounds + 2, "resume_id": "bench"}


def _job(model: Model, rounds: int) -> Job:
    return Job("go", model, tools=[Tool()], limits=Limits(steps=rounds + 2), run_id="1", storage=Memory())


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(*map(int, sys.argv[1:])), indent=2) + "\n")
