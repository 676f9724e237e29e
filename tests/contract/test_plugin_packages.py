"""A plugin's package as it ships: packed twice, checked, unpacked elsewhere, installed with the network
refused, started as the daemon starts it, and called against good and bad servers.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from llmflow_bundle.dirs import cache_dir
from llmflow_bundle.errors import BundleError
from llmflow_bundle.report import Recording
from llmflow_runner import archive, call, check, environment, pack, sign
from llmflow_runner.daemon import Plugin, PluginError
from support import pki
from support.children import children
from support.fake_vllm import ANSWER, KEY, MODEL, Behaviour, fake_vllm, unused_url
from support.servers import Case, cases, form, serving

PLUGIN = Path(__file__).parents[2] / "plugins" / "vllm"
PROVIDER = "vllm"


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> rsa.RSAPrivateKey:
    return sign.signing_key(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def package(key: rsa.RSAPrivateKey, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pack.pack(PLUGIN, tmp_path_factory.mktemp("out"), key, cache_dir(), Recording())


@pytest.fixture(scope="module")
def plugin(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plugin]:
    """The package in an empty place of its own, running."""
    empty = tmp_path_factory.mktemp("empty")
    with (
        environment.installed(archive.read(package), empty, False, Recording()) as place,
        Plugin(place) as running,
    ):
        yield running


def test_packing_again_makes_the_same_bytes(package: Path, key: rsa.RSAPrivateKey, tmp_path: Path) -> None:
    again = pack.pack(PLUGIN, tmp_path, key, cache_dir(), Recording())
    assert again.name == package.name
    assert again.read_bytes() == package.read_bytes()


def test_the_checker_finds_nothing(package: Path, key: rsa.RSAPrivateKey) -> None:
    assert check.check(package, key.public_key()) == []


def test_the_network_is_really_refused_while_installing() -> None:
    refused = environment.without_network()
    if not refused:
        pytest.skip("this machine lets nobody make a network namespace: unshare is missing or forbidden")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        probe = f"import socket; socket.create_connection(('127.0.0.1', {listener.getsockname()[1]}), 1)"
        alone = subprocess.run(
            [*refused, environment.interpreter(), "-c", probe], capture_output=True, check=False
        )
        shared = subprocess.run([environment.interpreter(), "-c", probe], capture_output=True, check=False)
    assert (shared.returncode, alone.returncode) == (0, 1)


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_servers_through_the_daemons_protocol(case: Case, plugin: Plugin) -> None:
    chunks: list[dict[str, Any]] = []
    error: PluginError | None = None
    with serving(case) as server:
        try:
            for chunk in plugin.ask(
                _invoke(form(case, server.url), model=case.ask.model, prompt=case.ask.prompt)
            ):
                chunks.append(chunk)
        except PluginError as raised:
            error = raised

    expected = case.expect
    assert (error.kind if error else None) == expected.error
    if error:
        assert expected.says in error.text
        for secret in (KEY, case.ask.prompt, "Traceback"):
            assert secret not in error.text
    text = "".join(call.text_of(chunk) for chunk in chunks)
    assert (len(text) == expected.length) if expected.length is not None else (text == expected.text)
    if expected.finish:
        last = chunks[-1]["delta"]
        assert last["finish_reason"] == expected.finish
        said = [
            (c["id"], c["function"]["name"], c["function"]["arguments"])
            for c in last["message"]["tool_calls"]
        ]
        assert tuple(said) == expected.calls
        if expected.prompt is not None:
            usage = last["usage"]
            assert (usage["prompt_tokens"], usage["completion_tokens"]) == (
                expected.prompt,
                expected.completion,
            )


def test_a_whole_answer(plugin: Plugin) -> None:
    with fake_vllm() as server:
        chunks = list(plugin.ask(_invoke({"endpoint_url": server.url, "api_key": KEY}, stream=False)))
    assert [call.text_of(chunk) for chunk in chunks] == [ANSWER]
    assert chunks[0]["delta"]["usage"]["total_tokens"] == 17
    assert chunks[0]["delta"]["message"]["opaque_body"]["llmflow"]["time_to_first_token"] > 0


def test_parameters_and_stop_words_reach_the_server(plugin: Plugin) -> None:
    with fake_vllm() as server:
        request = _invoke({"endpoint_url": server.url, "api_key": KEY})
        request |= {"model_parameters": {"temperature": 0.2, "max_tokens": 7, "unknown": 1}, "stop": ["끝"]}
        list(plugin.ask(request))
    sent = server.requests[0]
    assert (sent["temperature"], sent["max_tokens"], sent["stop"]) == (0.2, 7, ["끝"])
    assert sent["stream_options"] == {"include_usage": True}
    assert "unknown" not in sent


def test_another_server_takes_over(plugin: Plugin) -> None:
    with fake_vllm(Behaviour(status=503)) as full, fake_vllm() as free:
        urls = f"{unused_url()}, {full.url}/v1, {free.url}"
        for _ in range(3):
            chunks = list(plugin.ask(_invoke({"endpoint_url": urls, "api_key": KEY})))
            assert "".join(map(call.text_of, chunks)) == ANSWER
    assert len(free.requests) == 3
    assert len(full.requests) == 1  # it is left alone for a while


def test_over_tls_with_certificates_of_both_sides(plugin: Plugin, tmp_path: Path) -> None:
    ca, ca_key = pki.authority()
    clients, client_key = pki.authority()
    with fake_vllm(tls=pki.server(tmp_path, ca_key, clients)) as server:
        form = {"endpoint_url": server.url, "api_key": KEY, "ca_certificate": ca}
        form["client_certificate"] = pki.identity(clients, client_key)
        for _ in range(3):
            assert "".join(map(call.text_of, plugin.ask(_invoke(form)))) == ANSWER


def test_a_request_is_known_by_its_message(plugin: Plugin) -> None:
    with fake_vllm() as server:
        form = {"endpoint_url": server.url, "api_key": KEY, "extra_headers": '{"x-team": "search"}'}
        *_, last = plugin.ask(_invoke(form), message_id="0d9e2f00-4b63-4722-880f-cdf667035ced")
    sent, told = server.headers[0], last["delta"]["message"]["opaque_body"]["llmflow"]
    assert sent["traceparent"].split("-")[1] == told["trace_id"] == "0d9e2f004b634722880fcdf667035ced"
    assert sent["x-request-id"] == told["request_id"]
    assert sent["x-team"] == "search"
    assert any(told["request_id"] in line for line in plugin.logs)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, None),
        ({"endpoint_url": "vllm:8000"}, "Server address"),
        ({"endpoint_url": "http://user:pw@vllm:8000"}, "Server address"),
        ({"api_key": "wrong"}, "API key"),
        ({"api_key": "two\nlines"}, "API key"),
        ({"ca_certificate": "none"}, "CA certificate"),
        ({"context_size": "many"}, "Context size"),
        ({"model": "another"}, f"It serves: {MODEL}"),
    ],
)
def test_the_form_is_checked_against_the_server(
    plugin: Plugin, change: dict[str, str], says: str | None
) -> None:
    with fake_vllm() as server:
        credentials = {"endpoint_url": f"{server.url}/v1", "api_key": KEY, **change}
        model = credentials.pop("model", MODEL)
        request = _model("validate_model_credentials", credentials, model)
        if says is None:
            assert next(iter(plugin.ask(request)))["result"] is True
            assert server.requests[0]["max_tokens"] == 1
            return
        with pytest.raises(PluginError, match=says) as error:
            list(plugin.ask(request))
    assert error.value.kind == "CredentialsValidateFailedError"


def test_tokens_are_counted_by_the_server_or_estimated(plugin: Plugin) -> None:
    prompt = {"prompt_messages": [{"role": "user", "content": "안녕"}], "tools": None}
    with fake_vllm() as server:
        request = _model("get_llm_num_tokens", {"endpoint_url": server.url, "api_key": KEY}) | prompt
        assert next(iter(plugin.ask(request))) == {"num_tokens": 9}
    assert next(iter(plugin.ask(request)))["num_tokens"] > 0  # the server is gone; Dify still gets a number


def test_the_models_schema_comes_from_the_server(plugin: Plugin) -> None:
    with fake_vllm() as server:
        request = _model("get_ai_model_schemas", {"endpoint_url": server.url, "api_key": KEY})
        schema = next(iter(plugin.ask(request)))["model_schema"]
    assert schema["model_properties"] == {"mode": "chat", "context_size": 1024}
    assert {"tool-call", "structured-output"} <= set(schema["features"])
    limits = {rule["name"]: rule["max"] for rule in schema["parameter_rules"]}
    assert limits["max_tokens"] == 1024


def test_a_question_leaves_no_process_behind(package: Path, key: rsa.RSAPrivateKey, tmp_path: Path) -> None:
    before, said = children(os.getpid()), []
    with fake_vllm() as server:
        question = call.Question(MODEL, "안녕하세요", {"endpoint_url": server.url, "api_key": KEY})
        timing = call.ask(
            package,
            question,
            key.public_key(),
            tmp_path,
            Recording(),
            on_chunk=lambda c: said.append(call.text_of(c)),
        )
    assert "".join(said) == ANSWER
    assert 0 < timing.first <= timing.total
    assert children(os.getpid()) == before


def test_an_interrupted_call_leaves_no_process_behind(
    package: Path, key: rsa.RSAPrivateKey, tmp_path: Path
) -> None:
    (tmp_path / sign.PUBLIC).write_bytes(_pem(key))
    (tmp_path / "key").write_text(KEY)
    with fake_vllm(Behaviour(delay=60)) as server:
        words = [
            "call",
            package,
            "안녕",
            "--endpoint",
            server.url,
            "--api-key-file",
            tmp_path / "key",
            "--model",
            MODEL,
        ]
        command = [sys.executable, "-c", "from llmflow_runner.cli import app; app()", *map(str, words)]
        env = {**os.environ, "LLMFLOW_CONFIG": str(tmp_path), "LLMFLOW_CACHE": str(tmp_path)}
        calling = subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL)
        while not server.requests:
            assert calling.poll() is None
            time.sleep(0.02)  # between two looks at the condition
        plugins = children(calling.pid)
        calling.send_signal(signal.SIGINT)
        assert calling.wait(20) != 0
    assert plugins
    assert not [pid for pid in plugins if Path(f"/proc/{pid}").exists()]


def test_an_altered_package_is_refused_before_it_is_used(
    package: Path, key: rsa.RSAPrivateKey, tmp_path: Path
) -> None:
    opened = archive.read(package)
    altered = dataclasses.replace(opened, files={**opened.files, "main.py": opened.files["main.py"] + b"\n"})
    path = tmp_path / package.name
    path.write_bytes(archive.write(altered.files, altered.comment))
    with pytest.raises(BundleError, match="not signed by the trusted key"):
        call.trusted(path, key.public_key())


def _model(action: str, credentials: dict[str, str], model: str = MODEL) -> dict[str, Any]:
    about = {"type": "model", "user_id": "u", "provider": PROVIDER, "model_type": "llm"}
    return {**about, "action": action, "model": model, "credentials": credentials}


def _invoke(
    credentials: dict[str, str], *, model: str = MODEL, prompt: str = "안녕하세요", stream: bool = True
) -> dict[str, Any]:
    question = call.Question(model, prompt, credentials, stream=stream)
    return call.request(PROVIDER, question) | {"model_parameters": {}}


def _pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1)
