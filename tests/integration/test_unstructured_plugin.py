"""The Unstructured package as it ships: installed with the network refused, asked as the daemon asks, both engines."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from llmflow_bundle.dirs import cache_dir
from llmflow_bundle.report import Recording
from llmflow_graphrag import documents
from llmflow_runner import archive, check, environment, pack, sign
from llmflow_runner.daemon import Plugin, PluginError
from support import hostile_documents
from support.dify_files import DifyFiles, dify_files
from support.made_hwp import OUTLINE_1, Hwp
from support.made_hwpx import Hwpx
from support.made_office import png, zipped

PLUGIN = Path(__file__).resolve().parents[2] / "plugins/unstructured"
UNPACKED = 52_428_800  # bytes: MAX_PLUGIN_PACKAGE_SIZE of Dify's daemon
PROSE = "한빛 프로젝트의 담당 부서는 플랫폼개발팀이다."
KEY = "service-key"


class Asked:
    """A running package, asked as the daemon asks it."""

    def __init__(self, plugin: Plugin, dify: DifyFiles, credentials: dict[str, str] | None = None) -> None:
        self.plugin, self.dify, self.credentials = plugin, dify, credentials or {}

    def messages(self, tool: str, **parameters: Any) -> list[dict[str, Any]]:
        """All that a tool says."""
        request = {
            "type": "tool", "action": "invoke_tool", "user_id": "u", "provider": "unstructured", "tool": tool,
            "credentials": self.credentials, "credential_type": "api-key", "tool_parameters": parameters,
        }  # fmt: skip
        return list(self.plugin.ask(request, dify=self.dify))

    def parse(self, held: dict[str, bytes], **parameters: Any) -> list[dict[str, Any]]:
        """What the tool that parses says about files."""
        self.dify.held |= {f"/{number}": data for number, data in enumerate(held.values())}
        files = [self.dify.file(f"/{number}", name) for number, name in enumerate(held)]
        return self.messages("parse", files=files, **parameters)

    def validate(self, **change: str) -> Any:
        """Whether a form may be saved."""
        request = {
            "type": "tool", "action": "validate_tool_credentials", "user_id": "u", "provider": "unstructured",
            "credentials": {**self.credentials, **change},
        }  # fmt: skip
        return next(iter(self.plugin.ask(request)))["result"]


def of(messages: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [one["message"] for one in messages if one["type"] == kind]


def variable(messages: list[dict[str, Any]], name: str) -> Any:
    return next(one["variable_value"] for one in of(messages, "variable") if one["variable_name"] == name)


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plugin]:
    key = sign.signing_key(tmp_path_factory.mktemp("keys"))
    path = pack.pack(PLUGIN, tmp_path_factory.mktemp("out"), key, cache_dir(), Recording())
    package = archive.read(path)
    assert check.check(path, key.public_key()) == []
    assert sum(map(len, package.files.values())) <= UNPACKED
    empty = tmp_path_factory.mktemp("empty")
    with environment.installed(package, empty, False, Recording()) as place, Plugin(place) as running:
        yield running


@pytest.fixture
def asked(plugin: Plugin) -> Iterator[Asked]:
    with dify_files({}) as dify:
        yield Asked(plugin, dify)


@contextmanager
def service(place: Path) -> Iterator[str]:
    """The API that the appliance runs, out of the same package."""
    environment_ = {**os.environ, "UNSTRUCTURED_API_KEY": KEY, "PYTHONPATH": str(PLUGIN)}
    command = [sys.executable, "-m", "llmflow_unstructured.service", "--host", "127.0.0.1", "--port", "0"]
    process = subprocess.Popen(command, cwd=place, env=environment_, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        port = next(line for line in process.stderr if "listening" in line).split()[-1]
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode == 0


def test_a_form_is_tried_out_before_it_is_saved(asked: Asked) -> None:
    assert asked.validate() is True
    for change, says in (
        ({"endpoint_url": "http://127.0.0.1:1"}, "No connection"),
        ({"endpoint_url": "nowhere"}, "Server address"),
        ({"memory": "much"}, "Memory"),
    ):
        with pytest.raises(PluginError, match=says):
            asked.validate(**change)


def test_many_files_become_markdown_and_elements_that_graphrag_takes(asked: Asked) -> None:
    held = {
        "규정.hwpx": Hwpx()
        .paragraph("총칙", OUTLINE_1, 1)
        .paragraph(PROSE)
        .table([["항목", "값"], ["차원", "1"]])
        .content(),
        "규정.hwp": Hwp().paragraph(PROSE).content(),
        "묶음.zip": zipped({"a.csv": b"x,y\n1,2\n", "b.bin": bytes(64)}),
        "bad.docx": b"PK\x03\x04",
    }
    said = asked.parse(held, as_files=True)
    (text,) = [one["text"] for one in of(said, "text")]
    assert "# 1. 총칙" in text
    assert "| 항목 | 값 |" in text
    told = variable(said, "documents")
    assert [(one["filename"], one["state"]) for one in told] == [
        ("규정.hwpx", "complete"),
        ("규정.hwp", "complete"),
        ("묶음.zip", "partial"),
        ("bad.docx", "failed"),
    ]
    elements = variable(said, "elements")
    taken = documents.from_elements("a", elements, title="a")
    assert taken.text.count(PROSE) == 2
    assert of(said, "json")[0]["json_object"]["elements"] == elements
    assert any(one["type"] in ("blob", "blob_chunk") for one in said)
    assert {one["label"] for one in of(said, "log")} == set(held)


def test_a_second_time_is_not_read_again(asked: Asked) -> None:
    held = {"a.txt": f"{PROSE} {os.urandom(8).hex()}".encode()}
    for cached in (False, True):
        (document,) = variable(asked.parse(held), "documents")
        assert document["cached"] is cached


def test_pictures_are_handed_to_dify(asked: Asked) -> None:
    held = {"a.hwpx": Hwpx().paragraph(PROSE).picture(png(3, 3)).content()}
    (text,) = [one["text"] for one in of(asked.parse(held, pictures=True), "text")]
    assert "](http://dify/1)" in text
    assert png(3, 3) in asked.dify.taken[0]


def test_chunks_are_what_knowledge_bases_take(asked: Asked) -> None:
    made = Hwpx().paragraph("총칙", OUTLINE_1, 1)
    for _ in range(20):
        made.paragraph(PROSE)
    elements = variable(asked.parse({"a.hwpx": made.content()}), "elements")
    said = asked.messages("chunk", elements=elements, size=200, overlap=20, headings=True)
    texts = variable(said, "result")
    assert len(texts) > 1
    assert all(text.startswith("1. 총칙") for text in texts)
    (section,) = variable(said, "parent_child")["parent_child_chunks"]
    assert section["child_contents"] == texts
    with pytest.raises(PluginError, match="list"):
        asked.messages("chunk", elements="no list")


def test_what_can_be_read_of_nothing_is_said(asked: Asked) -> None:
    with pytest.raises(PluginError, match="binary"):
        asked.parse({"a.bin": bytes(range(256))})
    with pytest.raises(PluginError, match="at least one file"):
        asked.messages("parse", files=[])


def test_a_document_too_large_for_a_message_comes_as_files(asked: Asked) -> None:
    rows = "\n".join(f"{number},{'가' * 40}" for number in range(40_000))
    said = asked.parse({"a.csv": f"번호,값\n{rows}\n".encode()})
    assert variable(said, "elements") == []
    assert of(said, "text") == []
    assert variable(said, "documents")[0]["state"] == "complete"
    assert asked.validate() is True  # the plugin lives


def test_the_appliances_service_gives_the_same(asked: Asked, tmp_path: Path) -> None:
    held = {
        name: data
        for name, data in hostile_documents.sound().items()
        if name in ("a.hwp", "a.docx", "a.xlsx")
    }
    here = variable(asked.parse(held), "elements")
    with service(tmp_path) as url:
        remote = Asked(asked.plugin, asked.dify, {"endpoint_url": url, "api_key": KEY})
        assert remote.validate() is True
        with pytest.raises(PluginError, match="API key"):
            remote.validate(api_key="wrong")
        there = variable(remote.parse(held), "elements")
        assert httpx.get(f"{url}/healthcheck").json()["healthcheck"].endswith("OK!")
    assert [(one["type"], one["text"]) for one in there] == [(one["type"], one["text"]) for one in here]


def test_requests_side_by_side_do_not_stop_one_another(asked: Asked) -> None:
    held = {name: hostile_documents.sound()[name] for name in ("a.docx", "a.pptx", "a.hwpx", "a.eml")}
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: variable(asked.parse(held), "documents"), range(4)))
    assert all(one["state"] == "complete" for answer in answers for one in answer)
