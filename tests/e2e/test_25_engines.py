"""Every engine on one host: installed side by side, asked for what it does, through the packed plugins too."""

from __future__ import annotations

import json
import math
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from llmflow_installer.engines import ENGINES
from llmflow_installer.verify import ALIKE, PASSAGES, QUERY, RIGHT, SENTENCES

from e2e.conftest import Journey, travelling

pytestmark = [pytest.mark.root, pytest.mark.timeout(1800)]
PORTS = {"vllm": 30800, "vllm-embedding": 30801, "vllm-rerank": 30802, "infinity": 30803}
EMBEDDING, RERANKING = (
    [organ for organ, engine in ENGINES.items() if engine.does(ability)] for ability in ("embed", "rerank")
)


@pytest.fixture(scope="module")
def journey(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journey]:
    with travelling(bundle, tmp_path_factory.mktemp("engines"), tuple(ENGINES)) as one:
        one.rehearse()
        yield one


@pytest.fixture(scope="module")
def installed(journey: Journey) -> dict[str, Any]:
    done = journey.install()
    assert done.returncode == 0, done.stderr[-4000:]
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def key(journey: Journey, organ: str) -> str:
    secrets = json.loads((journey.state / "sites/e2e/secrets.json").read_text())
    return str(secrets[ENGINES[organ].secret])


def authority(journey: Journey) -> Path:
    return journey.state / "sites/e2e/pki/ca.crt"


def client_of(journey: Journey) -> httpx.Client:
    """A client that trusts the site's authority alone."""
    return httpx.Client(verify=ssl.create_default_context(cafile=authority(journey)), trust_env=False)


def called(journey: Journey, organ: str, scratch: Path, kind: str, model: str, *texts: str) -> Any:
    """What the organ's plugin, packed in the bundle, answers to Dify."""
    (scratch / "key").write_text(key(journey, organ))
    package = next((journey.bundle / "plugins").glob(f"llmflow-{ENGINES[organ].plugin}-*.difypkg"))
    done = journey.llmflow(
        "plugin", "call", str(package), *texts, "--type", kind, "--model", model,
        "--endpoint", f"https://10.79.0.2:{PORTS[organ]}/v1", "--api-key-file", str(scratch / "key"),
        "--ca-file", str(authority(journey)), "--key", str(journey.bundle / "plugins/plugin-signing.pub.pem"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_engine_was_asked_for_what_it_does(installed: dict[str, Any]) -> None:
    checks = installed["verified"]["checks"]
    for engine in ENGINES.values():
        assert f"{engine.title} refuses whoever has no key" in checks
    assert len([check for check in checks if "embeds" in check]) == len(EMBEDDING)
    assert len([check for check in checks if "ranks" in check]) == len(RERANKING)


@pytest.mark.parametrize("path", ["/rerank", "/score", "/tokenize", "/v1/rerank", "/v2/rerank"])
def test_no_path_of_vllm_works_without_the_key(
    journey: Journey, installed: dict[str, Any], path: str
) -> None:
    body = {"model": "scripted-reranker", "query": QUERY, "documents": list(PASSAGES)}
    with client_of(journey) as client:
        url = f"https://10.79.0.2:{PORTS['vllm-rerank']}{path}"
        assert client.post(url, json=body).status_code == 401
        with_key = client.post(
            url, json=body, headers={"Authorization": f"Bearer {key(journey, 'vllm-rerank')}"}
        )
        assert with_key.status_code != 401


@pytest.mark.parametrize("organ", EMBEDDING)
def test_the_packed_plugin_embeds(
    journey: Journey, installed: dict[str, Any], organ: str, tmp_path: Path
) -> None:
    answer = called(journey, organ, tmp_path, "text-embedding", "all-MiniLM-L6-v2", *SENTENCES)
    vectors = answer["embeddings"]
    assert {len(vector) for vector in vectors} == {384}
    alike = math.sumprod(*(vectors[place] for place in ALIKE))
    assert alike > math.sumprod(vectors[0], vectors[2])


@pytest.mark.parametrize("organ", RERANKING)
def test_the_packed_plugin_ranks(
    journey: Journey, installed: dict[str, Any], organ: str, tmp_path: Path
) -> None:
    answer = called(journey, organ, tmp_path, "rerank", "scripted-reranker", QUERY, *PASSAGES)
    best = max(answer["docs"], key=lambda one: float(one["score"]))
    assert (best["index"], best["text"]) == (RIGHT, PASSAGES[RIGHT])


def test_two_engines_with_one_model_give_one_vector(journey: Journey, installed: dict[str, Any]) -> None:
    vectors = []
    with client_of(journey) as client:
        for organ in EMBEDDING:
            response = client.post(
                f"https://10.79.0.2:{PORTS[organ]}/v1/embeddings",
                json={"model": "all-MiniLM-L6-v2", "input": SENTENCES[0]},
                headers={"Authorization": f"Bearer {key(journey, organ)}"},
            )
            vectors.append(response.raise_for_status().json()["data"][0]["embedding"])
    assert vectors[0] == pytest.approx(vectors[1], abs=1e-3)


def test_a_second_install_changes_nothing(journey: Journey, installed: dict[str, Any]) -> None:
    done = journey.install()
    assert done.returncode == 0, done.stderr[-4000:]
    assert json.loads(done.stdout)["changed"] == 0


def test_nothing_left_the_host(journey: Journey, installed: dict[str, Any]) -> None:
    assert journey.ledger() == {"attempts": [], "questions": []}
