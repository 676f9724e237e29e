"""Requests as the daemon says them, and answers as one document."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from llmflow_bundle.errors import BundleError
from llmflow_runner import actions

Small = Callable[[str], dict[str, bytes]]
FORM = {"url": "http://x.internal", "api_key": "k"}
MESSAGES = [{"role": "user", "content": "안녕"}]
MODEL = {"model": "m"}


def message(kind: str, meta: Any = None, **said: Any) -> dict[str, Any]:
    return {"type": kind, "message": said, "meta": meta}


REQUESTS: tuple[tuple[str, str, dict[str, Any], str], ...] = (
    ("tools", "invoke_tool", {"tool": "look"}, "ToolInvokeRequest"),
    ("tools", "validate_tool_credentials", {}, "ToolValidateCredentialsRequest"),
    ("tools", "get_tool_runtime_parameters", {"tool": "look"}, "ToolGetRuntimeParametersRequest"),
    ("tools", "fetch_parameter_options", {"provider_action": "look", "parameter": "p"},
     "DynamicParameterFetchParameterOptionsRequest"),
    ("model", "validate_provider_credentials", {}, "ModelValidateProviderCredentialsRequest"),
    ("model", "validate_model_credentials", MODEL, "ModelValidateModelCredentialsRequest"),
    ("model", "invoke_llm", {**MODEL, "prompt_messages": MESSAGES}, "ModelInvokeLLMRequest"),
    ("model", "start_polling", {**MODEL, "prompt_messages": MESSAGES}, "ModelStartPollingRequest"),
    ("model", "check_polling", {**MODEL, "plugin_state": {"a": 1}}, "ModelCheckPollingRequest"),
    ("model", "get_llm_num_tokens", {**MODEL, "prompt_messages": MESSAGES}, "ModelGetLLMNumTokens"),
    ("model", "invoke_text_embedding", {**MODEL, "texts": ["가"]}, "ModelInvokeTextEmbeddingRequest"),
    ("model", "get_text_embedding_num_tokens", {**MODEL, "texts": ["가"]}, "ModelGetTextEmbeddingNumTokens"),
    ("model", "invoke_multimodal_embedding", {**MODEL, "documents": []},
     "ModelInvokeMultimodalEmbeddingRequest"),
    ("model", "invoke_rerank", {**MODEL, "query": "q", "docs": ["가"]}, "ModelInvokeRerankRequest"),
    ("model", "invoke_tts", {**MODEL, "content_text": "가"}, "ModelInvokeTTSRequest"),
    ("model", "get_tts_model_voices", MODEL, "ModelGetTTSVoices"),
    ("model", "invoke_speech2text", {**MODEL, "file": "00"}, "ModelInvokeSpeech2TextRequest"),
    ("model", "invoke_moderation", {**MODEL, "text": "가"}, "ModelInvokeModerationRequest"),
    ("model", "get_ai_model_schemas", MODEL, "ModelGetAIModelSchemas"),
    ("agent", "invoke_agent_strategy", {"agent_strategy_params": {"a": 1}}, "AgentInvokeRequest"),
    ("tools", "invoke_endpoint", {"path": "/ask"}, "EndpointInvokeRequest"),
    ("tools", "get_authorization_url", {"redirect_uri": "u"}, "OAuthGetAuthorizationUrlRequest"),
    ("datasource", "get_credentials", {"redirect_uri": "u", "path": "/?code=1"}, "OAuthGetCredentialsRequest"),
    ("datasource", "validate_datasource_credentials", {}, "DatasourceValidateCredentialsRequest"),
    ("datasource", "invoke_website_datasource_get_crawl", {}, "DatasourceCrawlWebsiteRequest"),
    ("datasource", "invoke_online_document_datasource_get_pages", {}, "DatasourceGetPagesRequest"),
    ("datasource", "invoke_online_document_datasource_get_page_content",
     {"page": {"workspace_id": "w", "page_id": "p", "type": "page"}}, "DatasourceGetPageContentRequest"),
    ("datasource", "invoke_online_drive_browse_files", {}, "DatasourceOnlineDriveBrowseFilesRequest"),
    ("datasource", "invoke_online_drive_download_file", {"request": {"id": "f"}},
     "DatasourceOnlineDriveDownloadFileRequest"),
    ("trigger", "validate_trigger_credentials", {}, "TriggerValidateProviderCredentialsRequest"),
    ("trigger", "invoke_trigger_event", {"body": {"a": 1}}, "TriggerInvokeEventRequest"),
    ("trigger", "dispatch_trigger_event", {"method": "POST", "path": "/hook"}, "TriggerDispatchEventRequest"),
    ("trigger", "subscribe_trigger", {"parameters": {"kinds": ["made"]}}, "TriggerSubscribeRequest"),
    ("trigger", "unsubscribe_trigger", {}, "TriggerUnsubscribeRequest"),
    ("trigger", "refresh_trigger", {}, "TriggerRefreshRequest"),
    ("trigger", "fetch_parameter_options", {"provider_action": "made", "parameter": "p"},
     "DynamicParameterFetchParameterOptionsRequest"),
)  # fmt: skip
SDK = """\
import json, sys
from dify_plugin.core.entities.plugin import request as sdk

actions = [str(action) for kind in sdk.PluginAccessAction.__args__ for action in kind]
read = [getattr(sdk, name).model_validate(asked).model_dump(mode="json") for name, asked in json.load(sys.stdin)]
print(json.dumps([actions, read]))
"""


def test_the_sdk_reads_what_is_sent(small_package: Small) -> None:
    """In a process of its own: importing the SDK changes Python's sockets."""
    sent = [
        (reads, actions.request(action, said, FORM, small_package(of)))
        for of, action, said, reads in REQUESTS
    ]
    done = subprocess.run(
        [sys.executable, "-c", SDK], input=json.dumps(sent), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    known, read = json.loads(done.stdout)
    assert set(known) == set(actions.ACTIONS)
    names = {
        "provider": "small", "agent_strategy_provider": "small", "agent_strategy": "plan", "datasource": "pages",
        "event": "made",
    }  # fmt: skip
    for (_, action, _, _), one in zip(REQUESTS, read, strict=True):
        assert (one["type"], one["action"]) == (actions.ACTIONS[action].type, action)
        assert {key: one[key] for key in names if key in one}.items() <= names.items()
        assert one.get("credentials", FORM) == one.get("settings", FORM) == FORM


def test_an_endpoint_s_request_is_raw_http(small_package: Small) -> None:
    said = {"method": "POST", "path": "/ask?a=1", "headers": {"X-A": "b"}, "body": {"질문": 1}}
    raw = bytes.fromhex(
        actions.request("invoke_endpoint", said, {}, small_package("tools"))["raw_http_request"]
    )
    head, _, body = raw.decode().partition("\r\n\r\n")
    assert head.splitlines() == [
        "POST /ask?a=1 HTTP/1.1",
        "Content-Type: application/json",
        "Host: llmflow",
        "X-A: b",
        "Content-Length: 13",
    ]
    assert body == '{"질문": 1}'


@pytest.mark.parametrize(
    ("of", "action"),
    [
        ("model", "invoke_tool"),
        ("tools", "invoke_llm"),
        ("tools", "invoke_agent_strategy"),
        ("datasource", "invoke_trigger_event"),
        ("trigger", "invoke_online_drive_browse_files"),
        ("agent", "fetch_parameter_options"),
    ],
)
def test_what_the_package_has_not(of: str, action: str, small_package: Small) -> None:
    with pytest.raises(BundleError) as error:
        actions.request(action, {}, {}, small_package(of))
    assert error.value.id == "PLUGIN-NO-PROVIDER"


def test_a_tool_s_answer_as_one_document() -> None:
    said = [
        message("text", text="안"),
        message("text", text="녕"),
        message("json", json_object={"a": 1}),
        message("variable", variable_name="v", variable_value=[1], stream=False),
        message("variable", variable_name="s", variable_value="가", stream=True),
        message("variable", variable_name="s", variable_value="나", stream=True),
        message(
            "log", id="1", label="l", parent_id=None, error=None, status="start", data={"x": 1}, metadata=None
        ),
        message("link", text="http://x.internal"),
        message("retriever_resources", retriever_resources=[{"position": 1}], context="c"),
        message("blob", {"mime_type": "text/plain"}, blob="AA=="),
        message("blob_chunk", id="f", sequence=0, total_length=2, blob="AQ==", end=False),
        message("blob_chunk", {"filename": "f"}, id="f", sequence=1, total_length=2, blob="Ag==", end=True),
    ]
    assert actions.together("invoke_tool", said) == {
        "text": "안녕",
        "json": [{"a": 1}],
        "variables": {"v": [1], "s": "가나"},
        "logs": [{"id": "1", "label": "l", "status": "start", "data": {"x": 1}}],
        "links": ["http://x.internal"],
        "resources": [{"position": 1}],
        "files": [{"mime_type": "text/plain", "base64": "AA=="}, {"filename": "f", "base64": "AQI="}],
    }


@pytest.mark.parametrize(
    ("content", "kind", "body"),
    [
        (b'{"a": 1}', "application/json; charset=utf-8", {"a": 1}),
        (b"not JSON", "application/json", {"base64": "bm90IEpTT04="}),
        ("글".encode(), "text/plain", "글"),
        (b"\xff", "image/png", {"base64": "/w=="}),
    ],
)
def test_an_endpoint_s_answer_as_one_document(content: bytes, kind: str, body: Any) -> None:
    said: list[Mapping[str, Any]] = [
        {"status": 201, "headers": {"Content-Type": kind}, "result": content[:1].hex()},
        {"status": None, "headers": None, "result": content[1:].hex()},
    ]
    answer = actions.together("invoke_endpoint", said)
    assert (answer["status"], answer["body"]) == (201, body)


def test_a_language_model_s_answer_as_one_document() -> None:
    call = {"id": "c", "function": {"name": "f", "arguments": "{}"}}
    said: list[Mapping[str, Any]] = [
        {"delta": {"message": {"content": "네", "tool_calls": []}, "usage": None, "finish_reason": None}},
        {
            "delta": {
                "message": {"content": "", "tool_calls": [call]},
                "usage": {"t": 1},
                "finish_reason": "stop",
            }
        },
    ]
    assert actions.together("invoke_llm", said) == {
        "text": "네",
        "tool_calls": [call],
        "finish_reason": "stop",
        "usage": {"t": 1},
    }


@pytest.mark.parametrize(
    ("said", "whole"), [([{"num_tokens": 3}], {"num_tokens": 3}), ([], []), ([1, 2], [1, 2])]
)
def test_other_answers_stay_as_they_are(said: list[Any], whole: Any) -> None:
    assert actions.together("get_llm_num_tokens", said) == whole
