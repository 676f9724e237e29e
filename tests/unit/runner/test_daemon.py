"""The daemon's side of the protocol, against little plugins of plain Python."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from llmflow_bundle.errors import VerifyFailed
from llmflow_runner.daemon import Plugin, PluginError
from llmflow_runner.environment import Installed

READY = """\
import json, os, sys, time

def say(**event):
    sys.stdout.write(json.dumps(event, ensure_ascii=False) + "\\n\\n")
    sys.stdout.flush()

def answer(session, type, data):
    say(event="session", session_id=session, data={"type": type, "data": data})

say(version="0.0.1", type="plugin")
print("a stray line")
say(event="log", data={"level": "INFO", "message": "a log line"})
say(event="heartbeat", session_id=None, data={})
"""
ECHO = """\
for line in sys.stdin:
    request = json.loads(line)
    session, data = request["session_id"], request["data"]
    say(event="heartbeat", session_id=None, data={})
    answer("another session", "stream", {"text": "not yours"})
    answer(session, "stream", {"text": data["text"]})
    if data.get("fail"):
        answer(session, "error", {"error_type": "InvokeError", "message": "말 없음", "args": {}})
    if data.get("die"):
        os._exit(3)
    if not data.get("hang"):
        answer(session, "end", {})
"""
TOGETHER = """\
asked = [json.loads(sys.stdin.readline()) for _ in range(8)]
for part in range(50):
    for request in reversed(asked):
        answer(request["session_id"], "stream", {"of": request["data"]["of"], "part": part})
for request in asked:
    if request["data"]["of"] == 3:
        answer(request["session_id"], "error", {"error_type": "InvokeError", "message": "3", "args": {}})
    answer(request["session_id"], "end", {})
sys.stdin.read()
"""
MEMORY = """\
abandoned = json.loads(sys.stdin.readline())["session_id"]
answer(abandoned, "stream", {"text": "first"})
for line in sys.stdin:
    session = json.loads(line)["session_id"]
    answer(abandoned, "stream", {"text": "nobody listens"})
    answer(abandoned, "end", {})
    answer(session, "stream", {"text": "second"})
    answer(session, "end", {})
"""


ASKING = """\
for line in sys.stdin:
    message = json.loads(line)
    session, data = message["session_id"], message["data"]
    if message["event"] == "request":
        for id_ in data["ask"]:
            answer(session, "invoke", {"type": "llm", "backwards_request_id": id_, "request": {"of": id_}})
        left = len(data["ask"])
        continue
    said = {"event": data["event"], "said": data["data"] or data["message"]}
    answer(session, "stream", {"of": data["backwards_request_id"], **said})
    left -= data["event"] != "response"
    if not left:
        answer(session, "end", {})
"""


def plugin(folder: Path, source: str, start_timeout: float = 20.0) -> Plugin:
    (folder / "main.py").write_text(source, encoding="utf-8")
    return Plugin(Installed(folder, Path(sys.executable)), start_timeout)


@pytest.mark.parametrize(("letters", "fits"), [(1_700_000, True), (1_800_000, False)])
def test_a_line_that_the_daemon_would_not_take(letters: int, fits: bool, folder: Path) -> None:
    """A Korean letter has three bytes; the daemon takes five MiB."""
    tell = ECHO.replace('data["text"]', '"가" * data["letters"]')
    with plugin(folder, READY + tell) as running:
        if fits:
            (answer,) = running.ask({"letters": letters})
            assert len(answer["text"]) == letters
            return
        with pytest.raises(VerifyFailed, match="it ended") as error:
            list(running.ask({"letters": letters}))
    assert "more than 5 MiB" in error.value.where


def test_a_session(folder: Path) -> None:
    with plugin(folder, READY + ECHO) as running:
        assert list(running.ask({"text": "안녕\nx"})) == [{"text": "안녕\nx"}]
        assert list(running.ask({"text": "again"})) == [{"text": "again"}]
        assert running.started > 0
        assert running.logs == ["a stray line", "a log line"]


def test_half_a_character_is_said_as_the_daemon_says_it(folder: Path) -> None:
    with plugin(folder, READY + ECHO) as running:
        assert list(running.ask({"text": "a\ud83db"})) == [{"text": "a\ufffdb"}]


def test_an_error_comes_after_what_was_streamed(folder: Path) -> None:
    with plugin(folder, READY + ECHO) as running:
        answer = running.ask({"text": "half", "fail": True})
        assert next(answer) == {"text": "half"}
        with pytest.raises(PluginError, match="말 없음") as error:
            next(answer)
        assert error.value.kind == "InvokeError"
        assert list(running.ask({"text": "next"})) == [{"text": "next"}]


@pytest.mark.parametrize(("how", "why"), [({"die": True}, "it ended"), ({"hang": True}, "nothing in time")])
def test_no_answer(how: dict[str, bool], why: str, folder: Path) -> None:
    with plugin(folder, READY + ECHO) as running, pytest.raises(VerifyFailed, match=why) as error:
        list(running.ask({"text": "x", **how}, timeout=0.3))
    assert error.value.id == "PLUGIN-NO-ANSWER"


@pytest.mark.parametrize("source", ["raise SystemExit('no module')", "import time; time.sleep(60)"])
def test_a_plugin_that_does_not_start(source: str, folder: Path) -> None:
    with pytest.raises(VerifyFailed) as error, plugin(folder, source, start_timeout=0.5):
        raise AssertionError("it started")
    assert error.value.id == "PLUGIN-START-FAILED"


def test_no_process_is_left_whatever_it_does(folder: Path) -> None:
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + READY
    running = plugin(folder, stubborn + "sys.stdin.read()")
    running.stop_timeout = 0.2
    with running:
        pid = running.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_secrets_of_the_environment_stay_here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", "secret")
    tell = ECHO.replace('data["text"]', "dict(os.environ)")
    with plugin(folder, READY + tell) as running:
        (answer,) = running.ask({})
    environment = answer["text"]
    assert environment["INSTALL_METHOD"] == "local"
    assert "DB_PASSWORD" not in environment


def test_sessions_side_by_side(folder: Path) -> None:
    def ask(of: int) -> list[dict[str, int]]:
        parts: list[dict[str, int]] = []
        try:
            parts += running.ask({"of": of})
        except PluginError:
            assert of == 3
        return parts

    with plugin(folder, READY + TOGETHER) as running, ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, range(8)))
    assert answers == [[{"of": of, "part": part} for part in range(50)] for of in range(8)]


def test_an_abandoned_session_is_forgotten(folder: Path) -> None:
    with plugin(folder, READY + MEMORY) as running:
        abandoned = running.ask({})
        assert next(abandoned) == {"text": "first"}
        abandoned.close()
        assert list(running.ask({})) == [{"text": "second"}]
        assert running._sessions == {}


def test_the_end_of_the_process_is_told_to_every_session(folder: Path) -> None:
    with plugin(folder, READY + ECHO) as running, ThreadPoolExecutor(4) as threads:
        waiting = [threads.submit(list, running.ask({"text": "x", "hang": True})) for _ in range(3)]
        for answer in [threads.submit(list, running.ask({"text": "x", "die": True})), *waiting]:
            with pytest.raises(VerifyFailed, match="it ended"):
                answer.result(timeout=10)
        os.waitid(os.P_PID, running.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(VerifyFailed, match="it ended"):
            list(running.ask({"text": "too late"}))


def test_questions_to_dify_are_answered_side_by_side(folder: Path) -> None:
    together = threading.Barrier(3, timeout=10)

    def dify(asked: dict[str, Any]) -> Iterator[dict[str, str]]:
        together.wait()  # which no one passes alone
        yield {"text": asked["request"]["of"]}

    with plugin(folder, READY + ASKING) as running:
        said = list(running.ask({"ask": ["a", "b", "c"]}, timeout=15, dify=dify))
    assert sorted(one["of"] for one in said if one["said"] == {"text": one["of"]}) == ["a", "b", "c"]
    assert sum(one["event"] == "end" for one in said) == 3


def test_dify_s_refusal_reaches_the_plugin(folder: Path) -> None:
    def dify(_: dict[str, Any]) -> Iterator[dict[str, str]]:
        yield {"text": "half"}
        raise LookupError("과부하")

    with plugin(folder, READY + ASKING) as running:
        said = list(running.ask({"ask": ["a"]}, dify=dify))
        unanswered = list(running.ask({"ask": ["a"]}))
        model = list(running.ask({"type": "model", "ask": ["a"]}, dify=dify))
    assert [(one["event"], one["said"]) for one in said] == [
        ("response", {"text": "half"}),
        ("error", "과부하"),
    ]
    assert [one["said"] for one in unanswered] == ["nothing stands in for Dify here"]
    assert "can not invoke dify from model" in model[0]["said"]


def test_a_plugin_waits_for_dify_as_long_as_dify_talks(folder: Path) -> None:
    def dify(_: dict[str, Any]) -> Iterator[dict[str, str]]:
        for _part in range(5):
            threading.Event().wait(0.2)  # together longer than the plugin's longest silence
            yield {"text": "slow"}

    with plugin(folder, READY + ASKING) as running:
        assert len(list(running.ask({"ask": ["a"]}, timeout=0.6, dify=dify))) == 6
