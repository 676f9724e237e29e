"""Packages with a datasource and with a trigger: what the checker finds nothing in starts with the real SDK, and
answers every action of its kind.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from llmflow_bundle.dirs import cache_dir
from llmflow_bundle.report import Recording
from llmflow_runner import actions, archive, check, environment, pack, sign
from llmflow_runner.archive import Package
from llmflow_runner.daemon import Plugin, PluginError

ROOT = Path(__file__).parents[2]
CASES = ROOT / "tests/cases/plugins"
SDK = ROOT / "plugins/vllm"  # whose requirements are those of the SDK
FORM = {"token": "t"}
PAGE = {"workspace_id": "w", "page_id": "1", "type": "page"}
HOOK = {"method": "POST", "path": "/hook", "body": {"name": "보고서", "folder": "가"}}
ENDPOINT = "http://localhost/triggers"  # Dify's, where nothing else is said


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> rsa.RSAPrivateKey:
    return sign.signing_key(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def packages(key: rsa.RSAPrivateKey, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = {}
    for kind in ("datasource", "trigger"):
        folder = tmp_path_factory.mktemp("source") / kind
        shutil.copytree(CASES / f"echo_{kind}", folder)
        for name in ("requirements.in", "requirements.txt"):
            shutil.copy(SDK / name, folder / name)
        made[kind] = pack.pack(folder, tmp_path_factory.mktemp("out"), key, cache_dir(), Recording())
    return made


@pytest.fixture(scope="module")
def running(
    packages: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, tuple[Package, Plugin]]]:
    """Both, installed from their own wheels and started."""
    with ExitStack() as stack:
        empty = tmp_path_factory.mktemp("empty")
        yield {kind: stack.enter_context(_started(path, empty)) for kind, path in packages.items()}


@pytest.mark.parametrize("kind", ["datasource", "trigger"])
def test_the_checker_finds_nothing(kind: str, packages: dict[str, Path], key: rsa.RSAPrivateKey) -> None:
    assert check.check(packages[kind], key.public_key()) == []


@pytest.mark.parametrize(
    ("action", "said", "wanted"),
    [
        ("validate_datasource_credentials", {}, {"result": True}),
        ("invoke_online_document_datasource_get_page_content", {"page": PAGE},
         {"text": "", "variables": {"content": "page 1 of w"}}),
        ("validate_trigger_credentials", {}, {"result": True}),
        ("invoke_trigger_event", {**HOOK, "payload": {"n": 2}},
         {"variables": {"name": "보고서", "n": 2}, "cancelled": False}),
        ("invoke_trigger_event", {**HOOK, "parameters": {"folder": "나"}}, {"variables": {}, "cancelled": True}),
        ("dispatch_trigger_event", HOOK,
         {"user_id": "", "events": ["made"], "payload": {"n": 1},
          "response": {"status": 202, "headers": {"Content-Type": "text/plain; charset=utf-8", "Content-Length": "5"},
                       "body": "taken"}}),
        ("subscribe_trigger", {"parameters": {"kinds": ["made"]}},
         {"subscription": {"expires_at": -1, "endpoint": ENDPOINT, "parameters": {"kinds": ["made"]},
                           "properties": {"secret": "s"}}}),
        ("unsubscribe_trigger", {}, {"subscription": {"success": True, "message": "gone"}}),
        ("refresh_trigger", {}, {"subscription": {"expires_at": -1, "endpoint": ENDPOINT, "parameters": None,
                                                  "properties": {}}}),
    ],
)  # fmt: skip
def test_an_action(
    action: str, said: dict[str, Any], wanted: Any, running: dict[str, tuple[Package, Plugin]]
) -> None:
    assert _asked(running, action, said, FORM) == wanted


def test_pages_of_a_datasource(running: dict[str, tuple[Package, Plugin]]) -> None:
    asked = {"datasource_parameters": {"space": "one"}}
    said = _asked(running, "invoke_online_document_datasource_get_pages", asked, FORM)
    assert said["result"][0]["pages"][0]["page_name"] == "한빛 (one)"


@pytest.mark.parametrize("action", ["validate_datasource_credentials", "validate_trigger_credentials"])
def test_credentials_that_are_refused(action: str, running: dict[str, tuple[Package, Plugin]]) -> None:
    with pytest.raises(PluginError, match="the token is wrong"):
        _asked(running, action, {}, {"token": "wrong"})


@contextmanager
def _started(path: Path, cache: Path) -> Iterator[tuple[Package, Plugin]]:
    package = archive.read(path)
    with environment.installed(package, cache, False, Recording()) as place, Plugin(place) as plugin:
        yield package, plugin


def _asked(
    running: Mapping[str, tuple[Package, Plugin]],
    action: str,
    said: Mapping[str, Any],
    form: Mapping[str, Any],
) -> Any:
    package, plugin = running[actions.ACTIONS[action].type]
    return actions.together(action, plugin.ask(actions.request(action, said, form, package.files), 60))
