"""A run that is killed goes on: at every point, with nothing done twice; and what a store may do to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from llmflow_agent import checkpoints
from llmflow_agent.answer import Answer
from llmflow_agent.checkpoints import Memory
from llmflow_agent.engine import Job, run
from llmflow_agent.trace import Text
from support.agent import Scenario, ScriptedModel, ScriptedTool, scenarios

CHOSEN = {
    "one tool, and its result cited",
    "several tools side by side",
    "a model without native tool calls",
    "a plan of two steps, and a critic who accepts",
    "a critic who wants more found out",
    "two roles, each with its own tools",
}
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


def job(scenario: Scenario, model: ScriptedModel, tools: list[ScriptedTool], storage: Memory) -> Job:
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


def test_tools_that_had_returned_do_not_run_again() -> None:
    scenario = next(one for one in WHOLE if one.name == "several tools side by side")
    model, tools = world(scenario)
    store = Watched(model, tools)
    ended(job(scenario, model, tools, store))
    counts = [sum(ran) for _, _, ran in store.moments]
    assert counts.count(3) >= 3, "each of the three results was written down on its own"
    model, again = world(scenario, store.moments[-1][1], store.moments[-1][2])
    found = Memory()
    found.kept = dict(store.moments[-1][0])
    ended(job(scenario, model, again, found))
    assert again[0].ran == 3


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
