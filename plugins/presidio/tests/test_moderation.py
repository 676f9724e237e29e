"""Dify's moderation API: every key at every time, whatever is sent, and lines without text."""

from __future__ import annotations

import json
import logging
import uuid
from types import SimpleNamespace
from typing import Any

import pytest
from llmflow_kit import bearer
from llmflow_presidio import plugin
from llmflow_presidio.errors import BadRequest, NotAllowed
from test_policy import SECRET, Drawer

POLICY = (
    "{format: 1, revision: r1, entities: {KR_RRN: block, PHONE_NUMBER: {action: mask, keep: 4}, PERSON: tokenise}, "
    "roles: {agent: [PERSON], nobody: []}, apps: {dry: {mode: dry-run}}}"
)
SETTINGS = {"policy": POLICY, "secret": SECRET, "tenant": "acme", "unmask_key": "key"}
INPUT, OUTPUT, TOOL = plugin.POINTS
KEYS = {
    INPUT: {"flagged", "action", "preset_response", "inputs", "query"},
    OUTPUT: {"flagged", "action", "preset_response", "text"},
    TOOL: {"result"},
}
PRIVATE = "홍길동 님의 번호는 010-1234-5678"


class Broken(Drawer):
    """Storage that does not answer."""

    def set(self, key: str, val: bytes) -> None:
        raise ConnectionError(PRIVATE)


@pytest.fixture
def session() -> Any:
    return _session(Drawer())


def test_ping(session: Any) -> None:
    assert plugin.respond({"point": "ping", "params": {}}, {}, session) == (200, {"result": "pong"})


@pytest.mark.parametrize(
    "params",
    [
        {},
        None,
        [],
        "x",
        {"inputs": None, "query": None, "text": None, "app_id": None},
        {"inputs": [1], "query": 5, "text": ["a"], "app_id": {}},
    ],
)
@pytest.mark.parametrize("point", plugin.POINTS)
def test_every_key_is_there_whatever_is_sent(point: str, params: Any, session: Any) -> None:
    status, body = plugin.respond({"point": point, "params": params}, SETTINGS, session)
    assert (status, set(body)) == (200, KEYS[point])
    assert all(isinstance(body[name], str) for name in set(body) - {"flagged", "inputs"})
    assert isinstance(body.get("inputs", {}), dict)
    json.dumps(body)


@pytest.mark.parametrize(
    "body", [None, 1, "ping", [], {}, {"point": None}, {"point": "app.other"}, {"point": []}]
)
def test_what_is_no_request_is_refused(body: Any, session: Any) -> None:
    assert plugin.respond(body, SETTINGS, session)[0] == 400


def test_an_output_is_overridden_or_blocked(session: Any) -> None:
    told = _ask(session, OUTPUT, text=PRIVATE)
    assert told["flagged"]
    assert told["action"] == "overridden"
    assert told["text"].startswith("<PERSON_")
    assert told["text"].endswith("***-****-5678")
    told = _ask(session, OUTPUT, text="번호 900101-1234568")
    assert (told["flagged"], told["action"], bool(told["preset_response"])) == (True, "direct_output", True)
    told = _ask(session, OUTPUT, text="날씨가 좋다")
    assert (told["flagged"], told["text"]) == (False, "날씨가 좋다")


def test_inputs_keep_their_shape(session: Any) -> None:
    file = {"dify_model_identity": "__dify__file__", "url": "http://h/010-1234-5678"}
    inputs = {
        "n": 7,
        "b": True,
        "x": None,
        "f": file,
        "deep": [{"t": "010-1234-5678"}, 3.5],
        "id": 9001011234568.0,
    }
    told = _ask(session, INPUT, inputs=inputs, query="안녕")
    assert told["inputs"] == {**inputs, "deep": [{"t": "***-****-5678"}, 3.5]}
    assert told["query"] == "안녕"
    for value in (9001011234568, "주민번호 9001011234568"):
        assert _ask(session, INPUT, inputs={"id": value}, query="")["action"] == "direct_output"


def test_a_variable_s_tool_answers_with_the_question_as_a_model_may_see_it(session: Any) -> None:
    assert _ask(session, TOOL, query="010-1234-5678로") == {"result": "***-****-5678로"}


def test_a_dry_run_changes_nothing_and_tells(session: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "llmflow_presidio.audit"):
        told = _ask(session, OUTPUT, text=PRIVATE, app_id="dry")
    assert (told["flagged"], told["text"]) == (False, PRIVATE)
    (line,) = [json.loads(record.message) for record in caplog.records]
    assert (line["dry_run"], line["outcome"], line["app"]) == (True, "change", "dry")
    assert line["found"] == {"PERSON:tokenise": 1, "PHONE_NUMBER:mask": 1}
    assert session.storage == {}


@pytest.mark.parametrize("storage", [Drawer, Broken])
def test_no_line_holds_text(storage: type[Drawer], caplog: pytest.LogCaptureFixture) -> None:
    session = _session(storage())
    with caplog.at_level(logging.DEBUG):
        _ask(session, OUTPUT, text=PRIVATE)
        _ask(session, INPUT, inputs={"a": PRIVATE}, query=PRIVATE)
    assert caplog.records
    for part in ("홍길동", "1234", "5678"):
        assert part not in caplog.text


def test_what_can_t_be_checked_is_held_back_unless_told_otherwise() -> None:
    session = _session(Broken())
    request = {"point": OUTPUT, "params": {"text": PRIVATE + " 씨", "app_id": "x"}}
    fresh = {**SETTINGS, "tenant": "never seen before"}
    for closed, action in ((True, True), ("false", False), (False, False), ("", True)):
        status, body = plugin.respond(request, {**fresh, "fail_closed": closed}, session)
        assert (status, set(body), body["flagged"]) == (200, KEYS[OUTPUT], action)
        assert (body["text"] == "") == action
    huge = {"point": INPUT, "params": {"query": "가" * 1_000_001}}
    assert plugin.respond(huge, SETTINGS, session)[1]["flagged"]
    assert plugin.respond(request, {"policy": "{format: 2}"}, session)[1]["flagged"]
    nested: Any = "x"
    for _ in range(100):
        nested = [nested]
    assert plugin.respond({"point": INPUT, "params": {"inputs": {"a": nested}}}, SETTINGS, session)[1][
        "flagged"
    ]


def test_a_key_is_wanted() -> None:
    assert bearer.allowed("Bearer key", "key")
    for header, key in (("Bearer key", ""), ("Bearer ", ""), ("", ""), ("key", "key"), ("Bearer kéy", "key")):
        assert not bearer.allowed(header, key)


def test_tokens_are_turned_back_for_who_may_see_them(session: Any) -> None:
    masked = _ask(session, OUTPUT, text=PRIVATE)["text"]
    found = plugin.unmask(masked, SETTINGS, {"key": "key", "role": "agent"}, session)
    assert found.text.startswith("홍길동")
    assert plugin.unmask(masked, SETTINGS, {"key": "key", "role": "nobody"}, session).refused == 1
    with pytest.raises(NotAllowed):
        plugin.unmask(masked, SETTINGS, {"key": "other", "role": "agent"}, session)
    with pytest.raises(NotAllowed):
        plugin.unmask(masked, {**SETTINGS, "unmask_key": ""}, {"key": "", "role": "agent"}, session)
    with pytest.raises(BadRequest, match="agent"):
        plugin.unmask(masked, SETTINGS, {"key": "key", "role": "boss"}, session)


def test_what_the_tools_tell(session: Any) -> None:
    checker = plugin.checker(SETTINGS, session, "")
    told = plugin.scanned(checker, {"text": PRIVATE})
    assert told["counts"] == {"PERSON": 1, "PHONE_NUMBER": 1}
    assert "홍길동" not in json.dumps(told, ensure_ascii=False)
    masked = plugin.masked(checker, {"text": "주민번호 900101-1234568"})
    assert (masked["blocked"], "900101" in masked["text"]) == (True, False)
    with pytest.raises(BadRequest):
        plugin.masked(checker, {"text": None})


def _ask(session: Any, point: str, **params: Any) -> dict[str, Any]:
    status, body = plugin.respond({"point": point, "params": {"app_id": "app", **params}}, SETTINGS, session)
    assert (status, set(body)) == (200, KEYS[point])
    return body


def _session(storage: Drawer) -> Any:
    """What a plugin sees of a session."""
    return SimpleNamespace(storage=storage, app_id="app", endpoint_id=str(uuid.uuid4()))
