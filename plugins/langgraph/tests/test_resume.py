"""A run that is killed goes on: at every point, with nothing done twice; and what a store may do to it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.graph import START
from llmflow_agent import checkpoints
from llmflow_agent.answer import Answer
from llmflow_agent.checkpoints import Memory
from llmflow_agent.engine import PATTERNS, Job, run
from llmflow_agent.trace import Text
from support.agent import Scenario, ScriptedModel, ScriptedTool, scenarios

CHOSEN = {  # so that a run goes on after each kind of step
    "one tool, and its result cited",
    "several tools side by side",
    "a model without native tool calls",
    "an action block that ends in the middle, then a whole one",
    "a tool fails, then works",
    "a result that gives orders, and a model that obeys it",
    "a step that goes in circles does not end the plan",
    "a critic who wants it rewritten, then accepts",
    "a critic who wants more found out",
    "two roles, each with its own tools",
    "a supervisor with a critic who wants more",
}
WAKES = "branch:to:"  # how LangGraph names the channel that wakes a node
WHOLE = [one for one in scenarios() if one.name in CHOSEN]
ONE_TOOL = next(one for one in WHOLE if one.name == "one tool, and its result cited")


class Watched(Memory):
    """A store that remembers what was in it after each write, and how far the world was then."""

    def __init__(self, model: ScriptedModel, tools: Sequence[ScriptedTool]) -> None:
        super().__init__()
        self.model, self.tools = model, tools
        self.moments: list[tuple[dict[str, bytes], int, list[int]]] = []

    def set(self, key: str, value: bytes) -> None:
        super().set(key, value)
        self.moments.append((dict(self.kept), self.model.said, [tool.ran for tool in self.tools]))


class Broken(Memory):
    """A store that can't be used."""

    def get(self, key: str) -> bytes | None:
        raise OSError("no storage")

    def set(self, key: str, value: bytes) -> None:
        raise OSError("no storage")


class Hoarding(Memory):
    """A store that removes nothing."""

    def delete(self, key: str) -> None:
        raise OSError("not now")


def job(scenario: Scenario, model: ScriptedModel, tools: Sequence[ScriptedTool], storage: Memory) -> Job:
    roles = [one.role() for one in scenario.roles]
    return Job(
        question=scenario.question, model=model, pattern=scenario.pattern, tools=tools, roles=roles,
        limits=scenario.limits.limits(), critic=scenario.critic, storage=storage, run_id="conversation-1",
    )  # fmt: skip


def ended(job: Job) -> Answer:
    *events, answer = run(job)
    assert isinstance(answer, Answer)
    shown = "".join(event.text for event in events if isinstance(event, Text))
    assert shown.strip().endswith(answer.text), "whoever asks again sees the whole answer"
    return answer


def world(
    scenario: Scenario, said: int = 0, ran: Sequence[int] = ()
) -> tuple[ScriptedModel, list[ScriptedTool]]:
    model = ScriptedModel(scenario.script, scenario.native, scenario.context, said=said)
    counts = ran or [0] * len(scenario.tools)
    tools = [
        ScriptedTool(name, case.model_copy(update={"takes": 0.0}), ran=count)
        for (name, case), count in zip(scenario.tools.items(), counts, strict=True)
    ]
    return model, tools


@pytest.mark.parametrize("scenario", WHOLE, ids=lambda one: one.name.replace(" ", "-"))
def test_killed_after_any_write_it_ends_as_a_clean_run(scenario: Scenario) -> None:
    model, tools = world(scenario)
    store = Watched(model, tools)
    clean = ended(job(scenario, model, tools, store))
    assert store.kept == {}, "a run that is finished leaves nothing"
    assert store.moments
    assert len(WHOLE) == len(CHOSEN)
    for kept, said, ran in store.moments:
        model, again = world(scenario, said, ran)
        found = Memory()
        found.kept = dict(kept)
        answer = ended(job(scenario, model, again, found))
        assert answer.resumed
        assert (answer.text, answer.ended) == (clean.text, clean.ended)
        assert [one.call.ref for one in answer.citations] == [one.call.ref for one in clean.citations]
        assert answer.spent.steps == clean.spent.steps
        assert found.kept == {}


def test_a_run_is_left_at_every_node_of_every_graph() -> None:
    """What the test above goes on from: a kill before each node; those among tools are below."""
    left: dict[str, set[str]] = {}
    for scenario in WHOLE:
        model, tools = world(scenario)
        store = Watched(model, tools)
        ended(job(scenario, model, tools, store))
        for kept, _, _ in store.moments:
            (packed,) = kept.values()
            record = checkpoints.unpack(packed, now=0.0)
            assert record
            left.setdefault(scenario.pattern, set()).update(waiting(record))
    nodes = {pattern: {*graph().nodes} - {START, "tool"} for pattern, graph in PATTERNS.items()}
    assert left == nodes


def waiting(record: checkpoints.Record) -> set[str]:
    """The nodes that come next."""
    channels = checkpoints.decode(record.checkpoint)["channel_values"]
    return {name.removeprefix(WAKES) for name in channels if name.startswith(WAKES)}


@dataclass
class Slow(ScriptedTool):
    """Comes to an end only when it may: once the store holds as many results as were asked for before this one."""

    store: Memory = field(default_factory=Memory)
    turn: int = 0
    stop: threading.Event | None = None

    def run(self, arguments: Mapping[str, Any]) -> str:
        begun = super().run(arguments)
        deadline = time.monotonic() + 20
        while results(self.store) < self.turn:
            assert time.monotonic() < deadline, "the result before this one is not in the store"
            time.sleep(0.001)  # between two looks at the store
        if self.stop:
            self.stop.set()
            threading.Event().wait(2)
        return begun


def results(store: Memory) -> int:
    """How many results of tools that are under way a store holds."""
    records = [checkpoints.unpack(kept, now=0.0) for kept in tuple(store.kept.values())]
    return sum(channel == "results" for record in records if record for _, _, channel, _ in record.writes)


SIDE_BY_SIDE = Scenario.model_validate({
    "name": "three tools side by side", "question": "Compare three cities",
    "tools": {name: {"wants": {"city": "string"}, "gives": [f"{name} is clear"]} for name in ("a", "b", "c")},
    "script": [
        {"calls": [{"a": {"city": "Seoul"}}, {"b": {"city": "Busan"}}, {"c": {"city": "Jeju"}}]},
        {"text": "All are clear [r1] [r2] [r3]."},
    ],
    "expect": {"ended": "answered"},
})  # fmt: skip


def test_each_tool_that_has_returned_is_kept_and_does_not_run_again() -> None:
    model, _ = world(SIDE_BY_SIDE)
    slow = [Slow(name, case, turn=turn) for turn, (name, case) in enumerate(SIDE_BY_SIDE.tools.items())]
    store = Watched(model, slow)
    for one in slow:
        one.store = store
    ended(job(SIDE_BY_SIDE, model, slow, store))
    at_work = {}
    for kept, said, _ in store.moments:
        found = Memory()
        found.kept = dict(kept)
        at_work[results(found)] = found, said
    assert {0, 1, 2} <= set(at_work), "each was written down before the next; the last may be with the round"
    for done in (1, 2):
        found, said = at_work[done]
        model, again = world(SIDE_BY_SIDE, said)
        answer = ended(job(SIDE_BY_SIDE, model, again, found))
        assert [one.call.ref for one in answer.citations] == ["r1", "r2", "r3"]
        assert [tool.ran for tool in again] == [0] * done + [1] * (3 - done)


def test_stopped_among_tools_it_goes_on_with_those_that_had_not_returned() -> None:
    stop = threading.Event()
    model, tools = world(SIDE_BY_SIDE)
    store = Watched(model, tools)
    slow = [Slow(name, case, store=store) for name, case in SIDE_BY_SIDE.tools.items()]
    slow[1].turn, slow[1].stop = 2, stop
    stopped = ended(replace(job(SIDE_BY_SIDE, model, slow, store), stop=stop.is_set))
    assert (stopped.ended, stopped.calls) == ("stopped", 2)
    model, again = world(SIDE_BY_SIDE, model.said)
    answer = ended(job(SIDE_BY_SIDE, model, again, store))
    assert (answer.resumed, answer.ended, [tool.ran for tool in again]) == (True, "answered", [0, 1, 0])
    assert store.kept == {}


def test_what_was_spent_before_a_kill_counts_after_it() -> None:
    case = next(
        one
        for one in scenarios()
        if one.name == "the money is used up before the review, and the draft goes out"
    )
    model, tools = world(case)
    store = Watched(model, tools)
    clean = ended(job(case, model, tools, store))
    assert clean.ended == "budget-money"
    for kept, said, ran in store.moments:
        model, again = world(case, said, ran)
        found = Memory()
        found.kept = dict(kept)
        answer = ended(job(case, model, again, found))
        assert (answer.ended, answer.spent.price) == ("budget-money", clean.spent.price)
        assert answer.spent.seconds > 0


def test_a_write_that_comes_after_its_checkpoint_is_dropped() -> None:
    """LangGraph hands writes over in the background: on a busy machine one comes when the next checkpoint is kept."""
    store = Memory()
    saver = checkpoints.Saver(store, "run", "about")
    assert not saver.found()
    first, second = empty_checkpoint(), empty_checkpoint()
    of_first = saver.put({"configurable": {"thread_id": "1"}}, first, {}, {})
    saver.put_writes(of_first, [("results", ("a",))], "task 1", "~__pregel_push, 0")
    assert results(store) == 1
    of_second = saver.put({"configurable": {"thread_id": "1"}}, second, {}, {})
    kept = dict(store.kept)
    saver.put_writes(of_first, [("results", ("b",))], "task 2", "~__pregel_push, 1")
    assert store.kept == kept
    saver.put_writes(of_second, [("results", ("c",))], "task 3", "~__pregel_push, 0")
    assert results(store) == 1


def test_another_question_begins_anew() -> None:
    scenario = ONE_TOOL
    model, tools = world(scenario)
    store = Watched(model, tools)
    ended(job(scenario, model, tools, store))
    found = Memory()
    found.kept = dict(store.moments[-1][0])
    other = scenario.model_copy(update={"question": "부산 날씨 알려 줘"})
    model, tools = world(other)
    assert not ended(job(other, model, tools, found)).resumed


def test_a_store_that_fails_costs_the_resuming_not_the_run() -> None:
    scenario = ONE_TOOL
    model, tools = world(scenario)
    answer = ended(job(scenario, model, tools, Broken()))
    assert answer.ended == "answered"
    assert [note.kind for note in answer.notes] == ["not-kept"]


def test_what_can_not_be_removed_is_not_found_again() -> None:
    model, tools = world(ONE_TOOL)
    store = Hoarding()
    ended(job(ONE_TOOL, model, tools, store))
    assert [*store.kept.values()] == [checkpoints.NOTHING]
    model, tools = world(ONE_TOOL)
    again = ended(job(ONE_TOOL, model, tools, store))
    assert (again.resumed, again.ended) == (False, "answered")


def test_a_record_too_large_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "MOST_BYTES", 700)
    scenario = ONE_TOOL
    model, tools = world(scenario)
    store = Memory()
    answer = ended(job(scenario, model, tools, store))
    assert (answer.ended, [note.kind for note in answer.notes]) == ("answered", ["not-kept"])
    assert store.kept == {}


def test_what_has_expired_or_is_of_another_version_is_not_read() -> None:
    record = checkpoints.Record("run", "about", {"$": "dict", "items": {}}, {"$": "dict", "items": {}}, [])
    packed = checkpoints.pack(record, expires=100.0)
    assert checkpoints.unpack(packed, now=99.0) == record
    assert checkpoints.unpack(packed, now=100.0) is None
    assert checkpoints.unpack(packed[:-1] + b"x", now=99.0) is None
    assert checkpoints.unpack(b"garbage", now=99.0) is None


def test_only_known_nouns_come_out_of_a_store() -> None:
    with pytest.raises(KeyError):
        checkpoints.decode({"$": "Popen", "args": "true"})
    with pytest.raises(TypeError):
        checkpoints.encode(object())


def test_runs_share_a_bounded_number_of_slots() -> None:
    names = {checkpoints.slot(f"run {n}", 0) for n in range(5000)}
    assert len(names) <= checkpoints.SLOTS
    assert checkpoints.SLOTS * checkpoints.MOST_BYTES < 100 << 20


def test_a_run_takes_a_free_slot_before_one_that_is_taken() -> None:
    scenario = ONE_TOOL
    model, tools = world(scenario)
    store = Watched(model, tools)
    asked = job(scenario, model, tools, store)
    name = f"{asked.owner}\0{asked.run_id}"
    first = checkpoints.slot(name, 0)
    other = next(f"run {n}" for n in range(100_000) if checkpoints.slot(f"run {n}", 0) == first)
    record = checkpoints.Record(other, "about", {"$": "dict", "items": {}}, {"$": "dict", "items": {}}, [])
    kept = checkpoints.pack(record, expires=9e12)
    store.kept[first] = kept
    ended(asked)
    assert all(moment[first] == kept and len(moment) == 2 for moment, _, _ in store.moments)
    assert store.kept == {first: kept}


def test_another_owner_never_sees_a_run() -> None:
    scenario = ONE_TOOL
    model, tools = world(scenario)
    store = Watched(model, tools)
    mine = replace(job(scenario, model, tools, store), owner="anna")
    ended(mine)
    found = Memory()
    found.kept = dict(store.moments[-1][0])
    model, tools = world(scenario)
    assert not ended(replace(job(scenario, model, tools, found), owner="ben")).resumed
    model, tools = world(scenario, *store.moments[-1][1:])
    assert ended(replace(job(scenario, model, tools, found), owner="anna")).resumed
