"""The GraphRAG package as it ships, against a real Neo4j and milvus-lite's server, asked as the daemon asks."""

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
from support.dify_models import EMBEDDER, DifyModels
from support.milvus_servers import real_milvus
from support.neo4j_server import real_neo4j
from support.vllm_server import Missing

PLUGIN = Path(__file__).resolve().parents[2] / "plugins/graphrag"
UNPACKED = 52_428_800  # bytes: MAX_PLUGIN_PACKAGE_SIZE of Dify's daemon
PROVIDER = "graphrag"
FORM = {"workspace": "handbook", "access": "everyone", "embedder": EMBEDDER}
KEY = "endpoint-key"
TEXTS = {
    "project.md": "# 한빛 프로젝트\n\n한빛 프로젝트의 담당 부서는 플랫폼개발팀이다.",
    "team.md": "# 플랫폼개발팀\n\n플랫폼개발팀은 판교 사옥에 있고 팀장은 정하윤이다.",
    "canteen.md": "# 구내식당\n\n구내식당은 매일 열두 시에 연다.",
}


class Asked:
    """A running package with its stores, asked as the daemon asks it."""

    def __init__(self, plugin: Plugin, credentials: dict[str, str]) -> None:
        self.plugin, self.credentials, self.dify = plugin, credentials, DifyModels()

    def tool(self, name: str, **parameters: Any) -> Any:
        """The JSON that a tool answers."""
        request = {
            "type": "tool", "action": "invoke_tool", "user_id": "u", "provider": PROVIDER, "tool": name,
            "credentials": self.credentials, "credential_type": "api-key", "tool_parameters": {**FORM, **parameters},
        }  # fmt: skip
        said = list(self.plugin.ask(request, dify=self.dify))
        return next(one["message"]["json_object"] for one in said if one["type"] == "json")

    def retrieve(self, body: Any, key: str = KEY, **settings: Any) -> tuple[int, Any]:
        """Status and body of the external knowledge endpoint."""
        content = json.dumps(body).encode()
        lines = (
            "POST /retrieval HTTP/1.1",
            "Host: x",
            f"Authorization: Bearer {key}",
            f"Content-Length: {len(content)}",
        )
        head = "\r\n".join((*lines, "", ""))
        kept = {
            **self.credentials,
            "api_key": KEY,
            "workspaces": "handbook",
            "embedder": EMBEDDER,
            **settings,
        }
        request = {
            "type": "endpoint", "action": "invoke_endpoint", "user_id": "", "settings": kept,
            "raw_http_request": (head.encode() + content).hex(),
        }  # fmt: skip
        said = list(self.plugin.ask(request, dify=self.dify))
        text = b"".join(bytes.fromhex(one["result"]) for one in said if one.get("result"))
        return said[0]["status"], json.loads(text)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    key = sign.signing_key(tmp_path_factory.mktemp("keys"))
    path = pack.pack(PLUGIN, tmp_path_factory.mktemp("out"), key, cache_dir(), Recording())
    package = archive.read(path)
    assert check.check(path, key.public_key()) == []
    assert sum(map(len, package.files.values())) <= UNPACKED
    try:
        with (
            real_neo4j() as neo4j,
            real_milvus("lite") as milvus,
            environment.installed(package, tmp_path_factory.mktemp("empty"), False, Recording()) as place,
            Plugin(place) as plugin,
        ):
            credentials = {
                "neo4j_address": neo4j.address, "neo4j_user": "neo4j", "neo4j_password": neo4j.password,
                "milvus_address": milvus.address, "tenant": "acme",
            }  # fmt: skip
            yield Asked(plugin, credentials)
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def filled(asked: Asked) -> Asked:
    for id_, text in TEXTS.items():
        (done,) = asked.tool("ingest", text=text, document_id=id_)["documents"]
        assert (done["state"], done["added"]) == ("new", 1), done
    return asked


def test_a_form_is_tried_out_before_it_is_saved(asked: Asked) -> None:
    request = {
        "type": "tool", "action": "validate_tool_credentials", "user_id": "u", "provider": PROVIDER,
        "credentials": asked.credentials,
    }  # fmt: skip
    assert next(iter(asked.plugin.ask(request)))["result"] is True
    for field, wrong, says in (
        ("neo4j_password", "wrong", "password"),
        ("milvus_address", "http://127.0.0.1:1", "Milvus"),
        ("tenant", "", "tenant"),
    ):
        with pytest.raises(PluginError, match=says) as told:
            list(asked.plugin.ask({**request, "credentials": {**asked.credentials, field: wrong}}))
        assert asked.credentials["neo4j_password"] not in told.value.text


def test_two_hops_with_citations_and_no_language_model(filled: Asked) -> None:
    answer = filled.tool("query", query="한빛 프로젝트 담당 부서의 팀장은 누구인가?", limit=2)
    assert [one["document"] for one in answer["passages"]] == ["project.md", "team.md"]
    for one in answer["passages"]:
        assert TEXTS[one["document"]][one["start"] : one["end"]] == one["text"]
    assert answer["llm_calls"] == 0
    assert "llm" not in filled.dify.asked


def test_a_second_time_asks_no_model(filled: Asked) -> None:
    before = filled.dify.asked["text_embedding"]
    (done,) = filled.tool("ingest", text=TEXTS["team.md"], document_id="team.md")["documents"]
    assert (done["state"], filled.dify.asked["text_embedding"]) == ("unchanged", before)


def test_the_graph_is_shown_listed_and_checked(filled: Asked) -> None:
    assert {one["id"] for one in filled.tool("status")["documents"]} == set(TEXTS)
    assert filled.tool("status", check=True)["check"]["sound"]
    around = filled.tool("inspect", entity="플랫폼개발팀")
    assert around["passages"] == 2


def test_dify_binds_it_as_external_knowledge(filled: Asked) -> None:
    trial = {"knowledge_id": "", "query": "", "retrieval_setting": {"top_k": 1, "score_threshold": 0.0}}
    asked = {
        "knowledge_id": "handbook",
        "query": "구내식당은 언제 여나",
        "retrieval_setting": {"top_k": 1, "score_threshold": 0.1},
    }
    assert filled.retrieve(trial) == (200, {"records": []})
    status, body = filled.retrieve(asked)
    (record,) = body["records"]
    assert (status, record["title"]) == (200, "구내식당")
    assert 0.0 < record["score"] <= 1.0
    assert record["metadata"]["document"] == "canteen.md"
    assert filled.retrieve(asked, key="wrong")[0] == 403
    assert filled.retrieve(asked, key="", api_key="")[0] == 403
    assert filled.retrieve({**asked, "knowledge_id": "other"})[0] == 404
    assert filled.retrieve([])[0] == 400
    assert (
        filled.retrieve(
            {**asked, "metadata_condition": {"conditions": [{"name": "a", "comparison_operator": "?"}]}}
        )[0]
        == 400
    )
    down = filled.retrieve(asked, milvus_address="http://127.0.0.1:1")
    assert (down[0], down[1]["records"]) == (200, [])


def test_another_tenant_finds_nothing(filled: Asked) -> None:
    other = Asked(filled.plugin, {**filled.credentials, "tenant": "globex"})
    assert other.tool("query", query="구내식당")["passages"] == []
    assert other.tool("status")["documents"] == []


def test_what_is_deleted_is_gone(filled: Asked) -> None:
    told = filled.tool("delete", document_ids="canteen.md, nothing")["documents"]
    assert told[0] == {"document": "canteen.md", "chunks": 1}
    assert "no document" in told[1]["why"]
    assert "canteen.md" not in str(filled.tool("query", query="구내식당은 언제 여나"))
