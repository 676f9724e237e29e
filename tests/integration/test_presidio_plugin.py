"""The Presidio package as it ships, installed with the network refused, asked as the daemon asks it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from llmflow_bundle.dirs import cache_dir
from llmflow_bundle.report import Recording
from llmflow_runner import archive, check, environment, pack, sign
from llmflow_runner.daemon import Plugin, PluginError

PLUGIN = Path(__file__).resolve().parents[2] / "plugins/presidio"
KEY, SECRET = "endpoint-key", "a secret of some length"
POLICY = (
    "{format: 1, revision: r1, entities: {KR_RRN: block, PHONE_NUMBER: {action: mask, keep: 4}, PERSON: tokenise, "
    "IBAN_CODE: replace}, roles: {agent: [PERSON]}}"
)
SETTINGS = {"api_key": KEY, "policy": POLICY, "secret": SECRET, "tenant": "acme", "fail_closed": True}
CREDENTIALS = {"policy": POLICY, "secret": SECRET, "tenant": "acme", "unmask_key": "unmask"}
TEXT = "홍길동 과장의 번호는 010-1234-5678입니다."


class DifyStorage:
    """Dify's storage for plugins, as its daemon serves it: values in hex, a missing key an error."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def __call__(self, asked: dict[str, Any]) -> Iterator[Any]:
        """Answer one call of the plugin's."""
        if asked["type"] != "storage":
            raise LookupError(f"no {asked['type']} here")
        request = asked["request"]
        key = request["key"]
        match request["opt"]:
            case "set":
                self.kept[key] = request["value"]
                yield {"data": "ok"}
            case "get":
                yield {"data": self.kept[key]}
            case "exist":
                yield {"data": key in self.kept, "exist_num": int(key in self.kept)}
            case "del":
                yield {"data": "ok", "deleted_num": int(self.kept.pop(key, None) is not None)}


class Asked:
    """A running package, asked as the daemon asks it."""

    def __init__(self, plugin: Plugin) -> None:
        self.plugin, self.dify = plugin, DifyStorage()

    def moderate(self, body: Any, key: str = KEY, **settings: Any) -> tuple[int, Any]:
        """Status and body of the moderation endpoint."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = (
            "POST /moderation HTTP/1.1",
            "Host: x",
            f"Authorization: Bearer {key}",
            f"Content-Length: {len(content)}",
        )
        head = "\r\n".join((*lines, "", ""))
        request = {
            "type": "endpoint", "action": "invoke_endpoint", "user_id": "", "settings": {**SETTINGS, **settings},
            "raw_http_request": (head.encode() + content).hex(),
        }  # fmt: skip
        said = list(self.plugin.ask(request, dify=self.dify))
        text = b"".join(bytes.fromhex(one["result"]) for one in said if one.get("result"))
        return said[0]["status"], json.loads(text)

    def tool(self, name: str, **parameters: Any) -> tuple[str, Any]:
        """The text and the JSON that a tool answers."""
        request = {
            "type": "tool", "action": "invoke_tool", "user_id": "u", "provider": "presidio", "tool": name,
            "credentials": CREDENTIALS, "credential_type": "api-key", "tool_parameters": parameters,
        }  # fmt: skip
        said = list(self.plugin.ask(request, dify=self.dify))
        found = {one["type"]: one["message"] for one in said if one["type"] in ("text", "json")}
        return found["text"]["text"], found["json"]["json_object"]


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    key = sign.signing_key(tmp_path_factory.mktemp("keys"))
    path = pack.pack(PLUGIN, tmp_path_factory.mktemp("out"), key, cache_dir(), Recording())
    package = archive.read(path)
    assert [one for one in check.check(path, key.public_key()) if one.severity == "fail"] == []
    assert not any("spacy" in name or "numpy" in name for name in package.files)
    with (
        environment.installed(package, tmp_path_factory.mktemp("empty"), False, Recording()) as place,
        Plugin(place) as plugin,
    ):
        yield Asked(plugin)


def test_a_form_is_checked_before_it_is_saved(asked: Asked) -> None:
    request = {
        "type": "tool", "action": "validate_tool_credentials", "user_id": "u", "provider": "presidio",
        "credentials": CREDENTIALS,
    }  # fmt: skip
    assert next(iter(asked.plugin.ask(request)))["result"] is True
    for field, wrong, says in (
        ("policy", "{format: 1, revision: r1, entities: {FOO: mask}, x: 1}", "FOO"),
        ("secret", "", "secret"),
        ("secret", "short", "16"),
    ):
        with pytest.raises(PluginError, match=says):
            list(asked.plugin.ask({**request, "credentials": {**CREDENTIALS, field: wrong}}))


def test_dify_s_three_points(asked: Asked) -> None:
    assert asked.moderate({"point": "ping", "params": {}}) == (200, {"result": "pong"})
    told = _input(asked, {"name": TEXT, "count": 3}, "주민번호 900101-1234568")
    assert (told["flagged"], told["action"]) == (True, "direct_output")
    told = _input(asked, {"name": TEXT, "count": 3}, "안녕하세요")
    assert (told["flagged"], told["action"], told["inputs"]["count"]) == (True, "overridden", 3)
    assert told["inputs"]["name"].endswith("***-****-5678입니다.")
    _, told = asked.moderate(
        {"point": "app.external_data_tool.query", "params": {"query": "010-1234-5678로"}}
    )
    assert told == {"result": "***-****-5678로"}


def test_a_stream_is_masked_alike_as_it_grows(asked: Asked) -> None:
    whole = f"{TEXT} 계좌는 DE89370400440532013000으로 보내 주세요. " * 20
    shown = ""
    for end in range(300, len(whole) + 300, 300):
        status, told = asked.moderate({"point": "app.moderation.output", "params": {"text": whole[:end]}})
        assert status == 200
        settled = shown[: max(0, len(shown) - 400)]
        assert told["text"].startswith(settled)
        shown = told["text"]
    assert shown.count("<국제계좌번호>") == shown.count("<PERSON_") == 20
    assert "010-1234" not in shown


def test_no_answer_is_an_error_of_the_server(asked: Asked) -> None:
    assert asked.moderate({"point": "ping"}, key="other")[0] == 403
    assert asked.moderate({"point": "ping"}, key="", api_key="")[0] == 403
    assert asked.moderate(b"{nothing")[0] == 400
    assert asked.moderate(b"[" * 100_000)[0] == 400
    output = {"point": "app.moderation.output", "params": {"text": TEXT}}
    status, told = asked.moderate(output, policy="{format: 9}")
    assert (status, told["flagged"], told["action"], told["text"]) == (200, True, "direct_output", "")
    status, told = asked.moderate(output, policy="{format: 9}", fail_closed=False)
    assert (status, told["flagged"], told["text"]) == (200, False, TEXT)


def test_tools_find_mask_and_turn_back(asked: Asked) -> None:
    _, told = asked.tool("scan", text=TEXT)
    assert told["counts"] == {"PERSON": 1, "PHONE_NUMBER": 1}
    masked, told = asked.tool("mask", text=TEXT)
    assert told["counts"] == {"PERSON:tokenise": 1, "PHONE_NUMBER:mask": 1}
    assert "홍길동" not in masked
    assert "홍길동".encode().hex() not in str(asked.dify.kept)
    back, told = asked.tool("unmask", text=masked, role="agent", key="unmask")
    assert (back.startswith("홍길동"), told["restored"]) == (True, 1)
    with pytest.raises(PluginError, match="key"):
        asked.tool("unmask", text=masked, role="agent", key="other")


def _input(asked: Asked, inputs: Any, query: str) -> Any:
    params = {"app_id": "app", "inputs": inputs, "query": query}
    status, told = asked.moderate({"point": "app.moderation.input", "params": params})
    assert (status, set(told)) == (200, {"flagged", "action", "preset_response", "inputs", "query"})
    return told
