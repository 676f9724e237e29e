"""A package with an agent strategy, as it ships: checked, installed with the network refused, started as the daemon
starts it, and asked with a script in the place of Dify.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from llmflow_bundle.dirs import cache_dir
from llmflow_bundle.report import Recording
from llmflow_runner import actions, archive, check, declaration, dify, environment, pack, scripts, sign
from llmflow_runner.daemon import Plugin
from llmflow_runner.dify import Permitted, Routed, Storage
from support.children import children
from support.fake_vllm import ANSWER, KEY, Behaviour, fake_vllm
from support.fake_vllm import MODEL as SERVED

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "tests/cases/plugins/echo_agent"
SDK = ROOT / "plugins/vllm"  # whose requirements are those of the SDK
STRATEGY = ("echo", "echo")
MODEL = {
    "provider": "llmflow/vllm/vllm",
    "model": "m",
    "mode": "chat",
    "completion_params": {"temperature": 0},
}
ASKED = {"model": MODEL, "query": "무엇을 찾나요?"}
SCRIPT = """\
- to: llm
  if: 찾나요
  text: 찾아볼게요.
  tool_calls: [{name: a, arguments: {q: 하나}}, {name: b}, {name: c}]
  tokens: [3, 4]
- {to: tool, if: '"b"', text: 둘}
- {to: tool, if: '"a"', text: 하나}
- {to: tool, if: '"c"', error: 고장}
- {to: text_embedding, vectors: [[1, 0], [0, 1], [1, 1]]}
- {to: rerank, scores: [0.1, 0.9, 0.5]}
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the keys of this test are, and its environments; wheels are shared."""
    folder = tmp_path_factory.mktemp("config")
    (cache_dir() / "wheels").mkdir(parents=True, exist_ok=True)
    (folder / "wheels").symlink_to(cache_dir() / "wheels")
    return folder


@pytest.fixture(scope="module")
def key(config: Path) -> rsa.RSAPrivateKey:
    return sign.signing_key(config)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source") / "echo"
    shutil.copytree(SOURCE, folder)
    for name in ("requirements.in", "requirements.txt"):
        shutil.copy(SDK / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def package(source: Path, key: rsa.RSAPrivateKey, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pack.pack(source, tmp_path_factory.mktemp("out"), key, cache_dir(), Recording())


@pytest.fixture(scope="module")
def running(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plugin]:
    empty = tmp_path_factory.mktemp("empty")
    with (
        environment.installed(archive.read(package), empty, False, Recording()) as place,
        Plugin(place) as plugin,
    ):
        yield plugin


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "answers.yaml"
    path.write_text(SCRIPT, encoding="utf-8")
    return path


def test_the_checker_finds_nothing(package: Path, key: rsa.RSAPrivateKey) -> None:
    assert check.check(package, key.public_key()) == []


def test_a_strategy_asks_dify_for_everything(running: Plugin, package: Path, script: Path) -> None:
    scripted = scripts.read(script)
    resource = declaration.manifest(archive.read(package).files).resource
    stand_in = Permitted(resource, Routed({**dict.fromkeys(scripted.kinds, scripted), "storage": Storage()}))
    said = list(dify.strategy(running, STRATEGY, ASKED, stand_in))
    assert [one["type"] for one in said] == ["log", "text", "log", "json"]
    assert said[0]["message"]["id"] == said[2]["message"]["id"]
    shown = actions.together("invoke_agent_strategy", said)
    assert shown["text"] == "찾아볼게요."
    assert shown["json"] == [
        {
            "said": "하나|둘|failed: 고장",
            "tokens": 7,
            "vectors": [[1, 0], [0, 1], [1, 1]],
            "ranks": [1, 2, 0],
        }
    ]
    assert [(step["label"], step["status"]) for step in shown["logs"]] == [
        ("asked", "start"),
        ("asked", "success"),
    ]
    assert scripted.unused == 0


def test_from_the_shell(source: Path, package: Path, config: Path, script: Path, tmp_path: Path) -> None:
    request = json.dumps({"agent_strategy_params": ASKED}, ensure_ascii=False)
    kept = tmp_path / "kept.json"
    for callee in (package, source):
        words = [callee, "invoke_agent_strategy", request, "--dify", script, "--storage", kept]
        whole = _shell(words, config)
        assert whole.returncode == 0, whole.stderr
        assert json.loads(whole.stdout)["json"][0]["said"] == "하나|둘|failed: 고장"
        assert bytes.fromhex(json.loads(kept.read_text())["said"]).decode() == "하나|둘|failed: 고장"
    streamed = _shell([package, "invoke_agent_strategy", request, "--dify", script, "--stream"], config)
    assert [json.loads(line)["type"] for line in streamed.stdout.splitlines()] == [
        "log",
        "text",
        "log",
        "json",
    ]


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ("[]", "nothing here stands in for Dify's llm"),
        ("- {to: llm, if: other, text: x}", "no scripted answer is left for llm"),
        ("- {to: llm, error: 과부하}", "과부하"),
    ],
)
def test_what_dify_does_not_answer(
    answers: str, says: str, package: Path, config: Path, tmp_path: Path
) -> None:
    path = tmp_path / "answers.yaml"
    path.write_text(answers, encoding="utf-8")
    request = json.dumps({"agent_strategy_params": ASKED})
    done = _shell([package, "invoke_agent_strategy", request, "--dify", path], config)
    assert done.returncode == 7
    assert says in done.stderr
    assert "PLUGIN-CALL-FAILED" in done.stderr


def test_a_server_in_the_place_of_dify_s_models(package: Path, config: Path) -> None:
    (config / "key").write_text(KEY)
    model = {**MODEL, "model": SERVED}
    request = json.dumps({"agent_strategy_params": {"model": model, "query": "안녕"}}, ensure_ascii=False)
    with fake_vllm() as server:
        words = [
            package,
            "invoke_agent_strategy",
            request,
            "--llm",
            server.url,
            "--api-key-file",
            config / "key",
        ]
        done = _shell(words, config)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["text"] == ANSWER
    assert server.requests[0]["messages"] == [{"role": "user", "content": "안녕"}]
    assert server.requests[0]["tools"][0]["function"]["name"] == "search"


def test_an_interrupted_action_leaves_no_process_behind(package: Path, config: Path) -> None:
    (config / "key").write_text(KEY)
    request = json.dumps({"agent_strategy_params": ASKED})
    with fake_vllm(Behaviour(delay=60)) as server:
        words = [
            package,
            "invoke_agent_strategy",
            request,
            "--llm",
            server.url,
            "--api-key-file",
            config / "key",
        ]
        command = [str(Path(sys.executable).with_name("llmflow")), "plugin", "call", *map(str, words)]
        env = {**os.environ, "LLMFLOW_CONFIG": str(config), "LLMFLOW_CACHE": str(config)}
        calling = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not server.requests:
            assert calling.poll() is None
            time.sleep(0.02)  # between two looks at the condition
        plugins = children(calling.pid)
        calling.send_signal(signal.SIGINT)
        assert calling.wait(20) == 130
    assert plugins
    assert not [pid for pid in plugins if Path(f"/proc/{pid}").exists()]


def _shell(words: list[Any], config: Path) -> subprocess.CompletedProcess[str]:
    """`llmflow plugin call` with the keys of this test."""
    command = [str(Path(sys.executable).with_name("llmflow")), "plugin", "call", *map(str, words)]
    env = {**os.environ, "LLMFLOW_CONFIG": str(config), "LLMFLOW_CACHE": str(config)}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)
