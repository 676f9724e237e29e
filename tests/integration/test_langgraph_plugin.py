"""The agent package as it ships: every scenario against a real vLLM, asked as the daemon asks, with no network.

The lines are those of tests/cases/langgraph. The agent's plugin runs from its own wheels without a network; it asks its
model and tools back through the daemon's protocol, and a real vLLM behind the packaged vLLM plugin says the lines.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from llmflow_bundle.dirs import cache_dir
from llmflow_bundle.errors import VerifyFailed
from llmflow_bundle.report import Recording
from llmflow_runner import archive, check, environment, pack, sign
from llmflow_runner.daemon import Plugin, PluginError
from llmflow_runner.declaration import manifest
from llmflow_runner.dify import Models, Permitted, Routed, Storage, strategy
from llmflow_runner.environment import Installed
from support.agent import Outcome, Scenario, judge, scenarios
from support.agent_dify import Forced, Tools, form
from support.vllm_server import Missing, Served, real_vllm

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
UNPACKED = 52_428_800  # bytes: MAX_PLUGIN_PACKAGE_SIZE of Dify's daemon
CONTEXT = 16_384  # tokens
PACE = 20.0  # times of scenarios are made for a model that takes no time, on a machine that does nothing else
SCENARIOS = scenarios()
PLAN = next(one for one in SCENARIOS if one.name == "a plan of two steps, and a critic who accepts")
ONE_TOOL = next(one for one in SCENARIOS if one.name == "one tool, and its result cited")


@dataclass
class Stage:
    """Everything that a scenario is played with."""

    place: Installed
    package: archive.Package
    models: Models
    served: Served
    agent: Plugin

    def play(
        self, scenario: Scenario, model: Forced, tools: Tools, storage: Storage, agent: Plugin | None = None
    ) -> list[dict[str, Any]]:
        """The messages of the strategy."""
        dify = Permitted(
            manifest(self.package.files).resource, Routed({"llm": model, "tool": tools, "storage": storage})
        )
        parameters = form(scenario, self.served.model, scenario.name, PACE)
        asked = strategy(agent or self.agent, ("langgraph", scenario.pattern), parameters, dify, timeout=60)
        return list(asked)

    def forced(self, scenario: Scenario) -> Forced:
        """A model that says the scenario's lines."""
        return Forced(self.models, scenario)


@pytest.fixture(scope="module")
def vllm() -> Iterator[Served]:
    try:
        with real_vllm(size=CONTEXT) as served:
            yield served
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def stage(vllm: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    key = sign.signing_key(tmp_path_factory.mktemp("keys"))
    packed = {
        name: pack.pack(PLUGINS / name, tmp_path_factory.mktemp("out"), key, cache_dir(), Recording())
        for name in ("langgraph", "vllm")
    }
    assert check.check(packed["langgraph"], key.public_key()) == []
    opened = {name: archive.read(path) for name, path in packed.items()}
    assert sum(map(len, opened["langgraph"].files.values())) <= UNPACKED
    began = time.monotonic()
    with environment.installed(
        opened["langgraph"], tmp_path_factory.mktemp("empty"), False, Recording()
    ) as place:
        assert time.monotonic() - began < environment.INSTALL_TIMEOUT
        with (
            environment.installed(
                opened["vllm"], tmp_path_factory.mktemp("other"), False, Recording()
            ) as other,
            Plugin(other) as models,
            Plugin(place, alone=True) as agent,
        ):
            credentials = {"endpoint_url": vllm.url, "api_key": vllm.key}
            asked = Models(models, "vllm", credentials)
            yield Stage(place, opened["langgraph"], asked, vllm, agent)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.name.replace(" ", "-"))
def test_a_scenario(stage: Stage, scenario: Scenario) -> None:
    model, tools, storage = stage.forced(scenario), Tools(scenario.tools, PACE), Storage()
    if scenario.stop_after:
        model.after = lambda number: stop(stage, scenario) if number == scenario.stop_after else None
    if scenario.stop_during:
        tools.begins = lambda name: stop(stage, scenario) if name == scenario.stop_during else None
    said = stage.play(scenario, model, tools, storage)
    judge(scenario.expect, outcome(said, model, tools))
    assert model.said == len(scenario.script)
    kept = scenario.expect.ended in ("stopped", "failed")
    assert bool(storage.kept) == kept, "what is finished leaves nothing in the storage"


@pytest.mark.parametrize("number", range(1, len(PLAN.script) + 1))
def test_a_plan_goes_on_after_a_kill_at_each_call(stage: Stage, number: int) -> None:
    """The process is killed while the model is asked; another one goes on, and no tool runs twice."""
    model, tools, storage = stage.forced(PLAN), Tools(PLAN.tools, PACE), Storage()
    with Plugin(stage.place, alone=True) as first:
        model.before = lambda asked: os.kill(first.pid, signal.SIGKILL) if asked == number else None
        with pytest.raises(VerifyFailed, match="did not answer"):
            stage.play(PLAN, model, tools, storage, first)
    again = stage.forced(PLAN)
    again.said, again.told = number - 1, model.told
    said = stage.play(PLAN, again, tools, storage)
    found = outcome(said, again, tools)
    assert found.answer["run"]["resumed"]
    assert dict(found.ran) == PLAN.expect.ran
    assert found.text.endswith(PLAN.expect.says[0])
    assert not storage.kept


def test_a_kill_among_tools_runs_none_of_the_finished_again(stage: Stage) -> None:
    """Two tools have returned and the third is under way when the process is killed: only the third runs again."""
    scenario = next(one for one in SCENARIOS if one.name == "several tools side by side")
    model, tools, storage = stage.forced(scenario), Tools(scenario.tools, 0.0), Storage()
    with Plugin(stage.place, alone=True) as first:

        def ran(asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
            if asked["request"]["tool_parameters"]["city"] == "제주":
                until(lambda: written(storage) >= 2)
                os.kill(first.pid, signal.SIGKILL)
                return
            yield from tools(asked)

        dify = Routed({"llm": model, "tool": ran, "storage": storage})
        parameters = form(scenario, stage.served.model, scenario.name, PACE)
        with pytest.raises(VerifyFailed, match="did not answer"):
            list(strategy(first, ("langgraph", scenario.pattern), parameters, dify, timeout=60))
    assert tools.ran == {"weather": 2}
    found = outcome(stage.play(scenario, model, tools, storage), model, tools)
    assert tools.ran == {"weather": 3}
    assert found.answer["run"]["resumed"]
    assert [one["id"] for one in found.answer["citations"]] == ["r1", "r2", "r3"]


def test_a_prompt_that_the_server_refuses_is_shortened(stage: Stage) -> None:
    """vLLM itself says that the context is exceeded; the agent shortens what it sends, and answers."""
    huge = Scenario.model_validate({
        "name": "a result larger than the server's context", "question": "Read the log",
        "limits": {"result_chars": 100_000},
        "tools": {"log": {"wants": {}, "gives": [{"many": "a line of a log ", "times": 6000}]}},
        "script": [{"calls": [{"log": {}}]}, {"text": "It is a log [r1]."}, {"text": "It is a log [r1]."}],
        "expect": {"ended": "answered", "citations": ["r1"], "notes": ["shortened"]},
    })  # fmt: skip
    model, tools = stage.forced(huge), Tools(huge.tools, PACE)
    judge(huge.expect, outcome(stage.play(huge, model, tools, Storage()), model, tools))
    assert model.said == 3


def test_a_plan_is_held_to_its_schema_by_the_server(stage: Stage) -> None:
    """What a model that was taught nothing of plans says can be read as one, where the server takes schemas."""
    scenario = PLAN.model_copy(update={"limits": PLAN.limits.model_copy(update={"steps": 2})})
    model, tools = stage.forced(scenario), Tools({}, PACE)
    model.free, model.scenario = (
        True,
        scenario.model_copy(update={"script": [PLAN.script[0], PLAN.script[5]]}),
    )
    parameters = form(scenario, stage.served.model, "", PACE)
    parameters["model"]["entity"]["parameter_rules"] = [{"name": "response_format"}, {"name": "json_schema"}]
    dify = Routed({"llm": model, "tool": tools, "storage": Storage()})
    found = outcome(
        list(strategy(stage.agent, ("langgraph", scenario.pattern), parameters, dify)), model, tools
    )
    assert found.answer["ended"] == "budget-steps"
    assert found.answer["plan"]
    assert "plan-unreadable" not in {note["kind"] for note in found.answer["notes"]}
    assert found.answer["plan"][0]["goal"] != PLAN.question


def test_text_comes_as_the_server_says_it(stage: Stage) -> None:
    said = stage.play(ONE_TOOL, stage.forced(ONE_TOOL), Tools(ONE_TOOL.tools, PACE), Storage())
    pieces = [one for one in said if one["type"] == "text"]
    assert len(pieces) > 3
    last = said[-1]["message"]["json_object"]
    assert last["execution_metadata"]["total_tokens"] == sum(
        last["used"][f"{part}_tokens"] for part in ("prompt", "completion")
    )
    assert last["execution_metadata"]["total_tokens"] > 0
    variables = {
        one["message"]["variable_name"]: one["message"]["variable_value"]
        for one in said
        if one["type"] == "variable"
    }
    assert variables == {
        name: last[name] for name in ("answer", "ended", "citations", "plan", "notes", "used")
    }
    (resources,) = [one for one in said if one["type"] == "retriever_resources"]
    assert resources["message"]["retriever_resources"][0]["content"] == "서울 맑음 21도"


def test_logs_are_a_tree_with_times_and_tokens(stage: Stage) -> None:
    said = stage.play(PLAN, stage.forced(PLAN), Tools(PLAN.tools, PACE), Storage())
    logs = [one["message"] for one in said if one["type"] == "log"]
    by_id = {log["id"]: log for log in logs}
    roots = [log for log in by_id.values() if not log["parent_id"]]
    assert [log["label"] for log in roots] == ["에이전트: plan-execute"]
    assert all(log["parent_id"] in by_id for log in by_id.values() if log["parent_id"])
    assert (
        depth(by_id, next(log for log in logs if log["label"] == "weather(서울)")) == 3
    )  # run, step, round, tool
    models = [log for log in by_id.values() if log["label"].startswith("모델")]
    assert len(models) == 7
    assert all(log["metadata"]["total_tokens"] > 0 and log["metadata"]["elapsed_time"] > 0 for log in models)


def test_what_a_tool_says_in_other_kinds(stage: Stage) -> None:
    """JSON and links are read by the model; pictures go to the user as they are."""
    said: list[tuple[str, dict[str, Any]]] = [
        ("text", {"text": "서울 "}),
        ("text", {"text": "맑음"}),
        ("json", {"json_object": {"temperature": 21}}),
        ("link", {"text": "https://weather.example.internal/seoul"}),
        ("image_link", {"text": "https://weather.example.internal/seoul.png"}),
    ]

    def weather(asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield from ({"type": kind, "message": message, "meta": None} for kind, message in said)

    model = stage.forced(ONE_TOOL)
    dify = Routed({"llm": model, "tool": weather, "storage": Storage()})
    parameters = form(ONE_TOOL, stage.served.model, "", PACE)
    messages = list(strategy(stage.agent, ("langgraph", "react"), parameters, dify))
    assert "서울 맑음\n" in model.told[-1]
    assert '{"temperature": 21}' in model.told[-1]
    assert "link: https://weather.example.internal/seoul\n" in model.told[-1]
    (picture,) = [one for one in messages if one["type"] == "image_link"]
    assert picture["message"]["text"] == said[-1][1]["text"]


def test_storage_that_fails_does_not_end_the_run(stage: Stage) -> None:
    def full(asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
        raise LookupError("allocated size is greater than max storage size")
        yield

    model, tools = stage.forced(ONE_TOOL), Tools(ONE_TOOL.tools, PACE)
    dify = Routed({"llm": model, "tool": tools, "storage": full})
    parameters = form(ONE_TOOL, stage.served.model, ONE_TOOL.name, PACE)
    found = outcome(list(strategy(stage.agent, ("langgraph", "react"), parameters, dify)), model, tools)
    assert found.answer["ended"] == "answered"
    assert [note["kind"] for note in found.answer["notes"]] == ["not-kept"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"model": None}, "model: choose one"),
        (
            {"tool_calls": "often", "tool_seconds": 0},
            "tool_calls must be one of .* tool_seconds must be between",
        ),
        ({"query": " "}, "question is empty"),
        ({"maximum_steps": 0}, "maximum_steps must be between"),
        ({"maximum_money": "a lot"}, "maximum_money must be an amount"),
        ({"roles": "- {nam: a}"}, "roles must be a YAML list"),
        ({"roles": "- {name: a, tools: [sing]}"}, "names tools that are not chosen: sing"),
        ({"roles": ""}, "needs roles"),
    ],
)
def test_what_a_form_lacks_is_named(stage: Stage, change: dict[str, Any], says: str) -> None:
    scenario = ONE_TOOL.model_copy(update={"pattern": "supervisor"})
    parameters = form(scenario, stage.served.model, "", PACE) | {"roles": "- {name: a}"} | change
    with pytest.raises(PluginError, match=says):
        list(strategy(stage.agent, ("langgraph", "supervisor"), parameters, Routed({"storage": Storage()})))


def stop(stage: Stage, scenario: Scenario) -> None:
    """What a user writes into the conversation while the agent runs."""
    parameters = form(scenario, stage.served.model, scenario.name, PACE) | {"query": "/stop"}
    said = list(strategy(stage.agent, ("langgraph", scenario.pattern), parameters, Routed({})))
    assert [one["message"]["text"] for one in said] == ["The run is being stopped."]


def outcome(said: list[dict[str, Any]], model: Forced, tools: Tools) -> Outcome:
    """What a strategy said, as it is judged."""
    logs = [one["message"] for one in said if one["type"] == "log"]
    return Outcome(
        answer=said[-1]["message"]["json_object"],
        text="".join(one["message"]["text"] for one in said if one["type"] == "text"),
        told="\n".join(model.told),
        asked=model.asked,
        ran=tools.ran,
        lines=[(log["id"], log["label"], log["status"]) for log in logs],
    )


def depth(by_id: dict[str, dict[str, Any]], log: dict[str, Any]) -> int:
    """How many lines are above a line."""
    return 1 + depth(by_id, by_id[log["parent_id"]]) if log["parent_id"] else 0


def written(storage: Storage) -> int:
    """How many results of tools the record holds."""
    from llmflow_agent.checkpoints import unpack

    records = [unpack(bytes.fromhex(value), 0.0) for value in tuple(storage.kept.values())]
    return sum(channel == "results" for record in records if record for _, _, channel, _ in record.writes)


def until(holds: Any, seconds: float = 20.0) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to hold"
        time.sleep(0.01)  # between two looks at the condition
