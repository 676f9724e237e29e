"""The daemon's side of the protocol, against little plugins of plain Python."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

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


def plugin(folder: Path, source: str, start_timeout: float = 20.0) -> Plugin:
    (folder / "main.py").write_text(source, encoding="utf-8")
    return Plugin(Installed(folder, Path(sys.executable)), start_timeout)


def test_a_session(folder: Path) -> None:
    with plugin(folder, READY + ECHO) as running:
        assert list(running.ask({"text": "안녕\nx"})) == [{"text": "안녕\nx"}]
        assert list(running.ask({"text": "again"})) == [{"text": "again"}]
        assert running.started > 0
        assert running.logs == ["a stray line", "a log line"]


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
