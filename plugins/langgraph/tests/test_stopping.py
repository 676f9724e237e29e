"""A run that is stopped, or left by whoever listened, while the model speaks."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from llmflow_agent.answer import Answer
from llmflow_agent.checkpoints import Memory
from llmflow_agent.engine import Job, run
from llmflow_agent.model import Message, Said, ToolSpec, Watch
from llmflow_agent.trace import Log, Text


class Speaker:
    """A model that is stopped at its third word, the first time; `heard` are the words that were waited for."""

    name, native_tools, context = "speaker", True, 0

    def __init__(self, stop: threading.Event) -> None:
        self.stop, self.heard = stop, 0

    def say(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSpec],
        watch: Watch,
        schema: Mapping[str, Any] | None = None,
    ) -> Said:
        for number, word in enumerate(("It ", "is ", "two, ", "surely.")):
            if number == 2 and not self.heard:
                self.stop.set()
            watch(word)
            self.heard += number == 3
        return Said("It is two, surely.")


def test_it_ends_in_the_middle_of_an_answer_and_goes_on() -> None:
    stop, store = threading.Event(), Memory()
    job = Job("What is one and one?", Speaker(stop), run_id="1", storage=store, stop=stop.is_set)
    *events, answer = run(job)
    assert isinstance(answer, Answer)
    assert (answer.ended, answer.spent.steps) == ("stopped", 1), "what was said has its price"
    shown = "".join(event.text for event in events if isinstance(event, Text))
    assert shown.startswith("It is")
    assert "two" not in shown
    assert {log.id for log in events if isinstance(log, Log)} == {
        log.id for log in events if isinstance(log, Log) and log.status != "start"
    }
    stop.clear()
    model = Speaker(threading.Event())
    model.heard = 1
    *_, answer = run(Job("What is one and one?", model, run_id="1", storage=store))
    assert isinstance(answer, Answer)
    assert (answer.ended, answer.text, answer.resumed) == ("answered", "It is two, surely.", True)
    assert store.kept == {}
