"""What stands in for Dify while an agent strategy runs: a real vLLM made to say a script, and tools of a scenario.

Each call of the model goes through the packaged vLLM plugin to a real vLLM, which is told by structured output to say
the script's next line and nothing else. So tokens, streaming, tool-call parsing and usage are the server's own; only
the choice of words is not.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from llmflow_agent.errors import ToolFailed
from llmflow_runner.dify import Models

from support.agent import Line, Scenario, ToolCase

MOST_TOKENS = 4000  # of a line
PROVIDER = "llmflow/scenario/tools"


@dataclass
class Forced:
    """The script's next line from a real vLLM; `before` and `after` are called with the number of each call."""

    models: Models
    scenario: Scenario
    said: int = 0  # lines used up
    asked: int = 0  # calls that were answered
    told: list[str] = field(default_factory=list)
    free: bool = False  # the first answer is the server's own, held only to what the plugin asks for
    before: Callable[[int], Any] = int
    after: Callable[[int], Any] = int

    def __call__(self, asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """What Dify streams back to the plugin."""
        request = asked["request"]
        assert self.said < len(self.scenario.script), (
            f"no line for: {request['prompt_messages'][-1]['content']}"
        )
        self.told.append(_sent(request))
        self.before(self.asked + 1)
        line = self.scenario.script[self.said]
        self.said += 1
        if line.fail or line.overflow:
            raise LookupError(line.fail or line.overflow)
        yield from self._chunks(request, line)
        self.asked += 1
        self.after(self.asked)

    def _chunks(self, request: dict[str, Any], line: Line) -> Iterator[dict[str, Any]]:
        choice = [line.words(self.scenario.native)]
        forced = {
            "max_tokens": MOST_TOKENS,
            "skip_special_tokens": False,  # a line may hold <think>
            "extra_body": json.dumps({"structured_outputs": {"choice": choice}}),
        }
        if self.free and not self.asked:
            forced = {**request["completion_params"], "max_tokens": 2 * MOST_TOKENS}
        for chunk in self.models({"type": "llm", "request": {**request, "completion_params": forced}}):
            if chunk["delta"]["usage"]:
                _count(chunk["delta"]["usage"], line)
            yield chunk


@dataclass
class Tools:
    """The tools of a scenario, as Dify answers for them."""

    cases: Mapping[str, ToolCase]
    pace: float
    begins: Callable[[str], Any] = str  # told a tool's name
    ran: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The messages of a tool. Raises LookupError where it fails."""
        request = asked["request"]
        name, case = request["tool"], self.cases[request["tool"]]
        assert request["provider"] == PROVIDER
        with self.lock:
            number = self.ran.get(name, 0)
            self.ran[name] = number + 1
        self.begins(name)
        threading.Event().wait(case.takes * self.pace)
        try:
            text = case.gift(number, request["tool_parameters"])
        except ToolFailed as failed:
            raise LookupError(str(failed)) from failed
        half = len(text) // 2
        for piece in (text[:half], text[half:]):
            yield {"type": "text", "message": {"text": piece}, "meta": None}


def form(scenario: Scenario, model: str, resume_id: str, pace: float) -> dict[str, Any]:
    """The parameters that Dify's agent node hands over for a scenario."""
    features = ["tool-call"] if scenario.native else []
    entity = {"features": features, "model_properties": {"context_size": scenario.context}}
    history = [{"role": role, "content": text} for one in scenario.history for role, text in one.items()]
    chosen = {
        "provider": "llmflow/vllm/vllm", "model": model, "mode": "chat", "completion_params": {}, "model_type": "llm",
        "entity": entity, "history_prompt_messages": history,
    }  # fmt: skip
    return {
        "model": chosen,
        "tools": [_tool(name, case) for name, case in scenario.tools.items()],
        "instruction": scenario.instruction,
        "query": scenario.question,
        "roles": json.dumps([role.model_dump() for role in scenario.roles], ensure_ascii=False),
        "critic": scenario.critic,
        "resume_id": resume_id,
        **scenario.limits.form(pace),
    }


def _tool(name: str, case: ToolCase) -> dict[str, Any]:
    label = {"en_US": name}
    parameters = [
        {
            "name": key,
            "label": {"en_US": key},
            "human_description": {"en_US": key},
            "llm_description": key,
            "type": "number" if kind == "integer" else kind,
            "form": "llm",
            "required": number == 0,
            "input_schema": {"type": kind},
        }
        for number, (key, kind) in enumerate(case.wants.items())
    ]
    return {
        "identity": {"author": "llmflow", "name": name, "label": label, "provider": PROVIDER},
        "description": {"human": label, "llm": f"the tool {name}"},
        "parameters": parameters,
        "provider_type": "builtin",
        "runtime_parameters": {},
    }


def _count(usage: dict[str, Any], line: Line) -> None:
    """Tokens and price as a scenario wants them, in place of the server's and of a price list that vLLM has not."""
    if line.tokens:
        half = line.tokens // 2
        usage |= {"prompt_tokens": half, "completion_tokens": line.tokens - half, "total_tokens": line.tokens}
    usage["total_price"] = str(line.price)


def _sent(request: Mapping[str, Any]) -> str:
    texts = [str(message["content"]) for message in request["prompt_messages"]]
    return "\n".join([*texts, *(tool["name"] for tool in request["tools"] or ())])
