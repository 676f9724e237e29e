"""Both stores on one host: installed, asked by their own clients, their pods made anew with the data kept."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from llmflow_installer.stores import STORES
from neo4j import Driver, GraphDatabase, TrustCustomCAs
from neo4j.exceptions import AuthError
from pymilvus import MilvusClient, MilvusException

from e2e.conftest import Journey, travelling

pytestmark = [pytest.mark.root, pytest.mark.timeout(1800)]
ADDRESS = "10.79.0.2"
PORTS = {"neo4j": 30687, "milvus": 30530}
KUBECTL = "kubectl --kubeconfig=/etc/kubernetes/admin.conf --namespace=llmflow"


@pytest.fixture(scope="module")
def journey(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journey]:
    with travelling(bundle, tmp_path_factory.mktemp("stores"), tuple(STORES)) as one:
        one.rehearse()
        yield one


@pytest.fixture(scope="module")
def installed(journey: Journey) -> dict[str, Any]:
    done = journey.install()
    assert done.returncode == 0, done.stderr[-4000:]
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def password(journey: Journey, organ: str) -> str:
    secrets = json.loads((journey.state / "sites/e2e/secrets.json").read_text())
    return str(secrets[STORES[organ].secret])


def authority(journey: Journey) -> Path:
    return journey.state / "sites/e2e/pki/ca.crt"


def graph(journey: Journey, password: str) -> Driver:
    return GraphDatabase.driver(
        f"bolt://{ADDRESS}:{PORTS['neo4j']}",
        auth=("neo4j", password),
        encrypted=True,
        trusted_certificates=TrustCustomCAs(str(authority(journey))),
    )


def vectors(journey: Journey, token: str) -> MilvusClient:
    return MilvusClient(
        f"https://{ADDRESS}:{PORTS['milvus']}",
        token=token,
        server_pem_path=str(authority(journey)),
        timeout=20,
    )


def make_anew(journey: Journey, organ: str) -> None:
    """Delete the pod of a store and wait for the next one, and for the node's port to lead to it."""
    pod = f"pod/{organ}-0"
    journey.ssh(f"{KUBECTL} delete {pod}")
    journey.ssh(f"{KUBECTL} wait --for=create --timeout=60s {pod}")
    journey.ssh(f"{KUBECTL} wait --for=condition=Ready --timeout=110s {pod}")
    knock = f"until (</dev/tcp/{ADDRESS}/{PORTS[organ]}) 2>/dev/null; do sleep 0.1; done"
    journey.ssh(f"timeout 60 bash -c {shlex.quote(knock)}")


def test_both_were_asked_for_what_they_do(installed: dict[str, Any]) -> None:
    checks = installed["verified"]["checks"]
    assert "Neo4j refuses a wrong password" in checks
    assert "Neo4j writes and reads with the site's password" in checks
    assert "Milvus keeps and finds vectors, and refuses a wrong password" in checks


def test_neo4j_keeps_what_was_written_when_its_pod_is_made_anew(
    journey: Journey, installed: dict[str, Any]
) -> None:
    with graph(journey, password(journey, "neo4j")) as driver:
        driver.execute_query("CREATE CONSTRAINT FOR (n:Kept) REQUIRE n.key IS UNIQUE")
        driver.execute_query("CREATE (:Kept {key: 1, text: $text})", text="번들은 서명되어 있다")
    make_anew(journey, "neo4j")
    with graph(journey, password(journey, "neo4j")) as driver:
        records, _, _ = driver.execute_query("MATCH (n:Kept {key: 1}) RETURN n.text AS text")
        constraints, _, _ = driver.execute_query("SHOW CONSTRAINTS YIELD labelsOrTypes")
    assert [record["text"] for record in records] == ["번들은 서명되어 있다"]
    assert [record["labelsOrTypes"] for record in constraints] == [["Kept"]]


@pytest.mark.parametrize("wrong", ["neo4j", "", "wrong"])
def test_neo4j_refuses_a_wrong_password(journey: Journey, installed: dict[str, Any], wrong: str) -> None:
    with graph(journey, wrong) as driver, pytest.raises(AuthError):
        driver.verify_connectivity()


def test_milvus_keeps_what_was_inserted_when_its_pod_is_made_anew(
    journey: Journey, installed: dict[str, Any]
) -> None:
    token = f"root:{password(journey, 'milvus')}"
    with closing(vectors(journey, token)) as client:
        client.create_collection("kept", dimension=4, metric_type="COSINE")
        client.insert("kept", [{"id": 7, "vector": [0.0, 1.0, 0.0, 0.0], "text": "벡터"}])
    make_anew(journey, "milvus")
    with closing(vectors(journey, token)) as client:
        client.load_collection("kept")
        found = client.search("kept", [[0.0, 1.0, 0.0, 0.0]], limit=1, output_fields=["text"])
    assert [(hit["id"], hit["entity"]["text"]) for hit in found[0]] == [(7, "벡터")]


@pytest.mark.parametrize("token", ["", "root:Milvus", "root:wrong"])
def test_milvus_refuses_a_wrong_password(journey: Journey, installed: dict[str, Any], token: str) -> None:
    with pytest.raises(MilvusException):
        vectors(journey, token).list_collections()


def test_no_log_has_a_password(journey: Journey, installed: dict[str, Any]) -> None:
    for organ in STORES:
        log = journey.ssh(f"{KUBECTL} logs {organ}-0")
        assert log
        assert password(journey, organ) not in log
        assert password(journey, organ) not in journey.ssh("ps -eo args")


def test_a_second_install_changes_nothing(journey: Journey, installed: dict[str, Any]) -> None:
    done = journey.install()
    assert done.returncode == 0, done.stderr[-4000:]
    assert json.loads(done.stdout)["changed"] == 0


def test_nothing_left_the_host(journey: Journey, installed: dict[str, Any]) -> None:
    assert journey.ledger() == {"attempts": [], "questions": []}
