"""The stores' chart as helm renders it: as each organ's values of a site fill it, and with values to be refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from llmflow_installer.site import load_site
from llmflow_installer.stores import STORES
from llmflow_installer.verify import MILVUS_PROBE
from ruamel.yaml import YAML
from support import helm
from support.charts import DIGEST, PLAYBOOKS, filled, hashed, merged, organ_of, pinned, references
from support.stand import EXAMPLES

CHART = PLAYBOOKS / "charts" / "store"
SITE = load_site(EXAMPLES / "three-node", check_files=False)
PORTS = {"neo4j": 7687, "milvus": 19530}


class Rendered:
    """The objects of one rendering."""

    def __init__(self, objects: list[dict[str, Any]]) -> None:
        self.objects = {found["kind"]: found for found in objects}
        self.template = self.objects["StatefulSet"]["spec"]["template"]
        self.pod = self.template["spec"]
        self.container = self.pod["containers"][0]
        self.env = {entry["name"]: entry["value"] for entry in self.container["env"]}
        self.volumes = {volume["name"]: volume for volume in self.pod["volumes"]}
        self.mounts = {mount["name"]: mount for mount in self.container["volumeMounts"]}

    def settings(self) -> dict[str, str]:
        """Neo4j's settings."""
        lines = self.objects["ConfigMap"]["data"]["neo4j.conf"].splitlines()
        pairs = (line.partition("=") for line in lines if not line.startswith("#"))
        return {name: value for name, _, value in pairs}


@pytest.fixture(scope="module")
def the_helm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return helm.find(tmp_path_factory.mktemp("helm"))
    except helm.Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture(params=STORES)
def organ(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def chart(the_helm: Path, organ: str) -> Rendered:
    """The chart of an organ as the three-node example has it."""
    return rendered(the_helm, organ)


def rendered(the_helm: Path, organ: str, changed: dict[str, Any] | None = None, **site: Any) -> Rendered:
    """The chart of an organ with the site's values, those in `changed` being others."""
    values = merged(YAML(typ="safe").load(template(organ, "values.yaml.j2", **site)), changed or {})
    return Rendered(helm.render(the_helm, CHART, json.dumps(values), organ))


def template(organ: str, name: str, **site: Any) -> str:
    """A template of the organ as Ansible fills it for a site, `site` being what is unlike the example."""
    given = {
        "organ_images": pinned(STORES),
        "secrets": {store.secret: f"password of {store.organ}" for store in STORES.values()},
        "pki": {"ca": "ca.crt"}
        | {name: {"certificate": f"{name}.crt", "key": f"{name}.key"} for name in STORES},
    }
    return filled(SITE, organ, name, given, **site)


def test_every_store_has_the_chart(organ: str) -> None:
    assert organ_of(organ).chart == "charts/store"


def test_the_pod_meets_the_restricted_pod_security_standard(chart: Rendered) -> None:
    pod, container = chart.pod["securityContext"], chart.container["securityContext"]
    assert (pod["runAsNonRoot"], pod["runAsUser"], pod["fsGroup"]) == (True, 65532, 65532)
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    kinds = {key for volume in chart.volumes.values() for key in volume if key != "name"}
    assert kinds <= {"persistentVolumeClaim", "secret", "emptyDir", "configMap"}
    assert chart.pod["automountServiceAccountToken"] is False
    assert chart.objects["ServiceAccount"]["automountServiceAccountToken"] is False


def test_the_password_is_a_file_and_nothing_else(chart: Rendered, organ: str) -> None:
    secret = chart.volumes["secrets"]["secret"]
    assert secret["secretName"] == f"{organ}-password"
    assert secret["items"] == [{"key": "password", "path": "password"}]
    assert "password of" not in json.dumps(chart.objects)
    assert not [name for name in chart.env if "PASSWORD" in name]


def test_the_secrets_have_the_names_that_the_chart_asks_for(chart: Rendered, organ: str) -> None:
    made = {s["metadata"]["name"]: s for s in YAML(typ="safe").load_all(template(organ, "secrets.yaml.j2"))}
    password = made[chart.volumes["secrets"]["secret"]["secretName"]]
    assert password["stringData"] == {"password": f"password of {organ}"}
    pair = made[chart.volumes["tls"]["secret"]["secretName"]]
    assert pair["type"] == "kubernetes.io/tls"
    assert pair["stringData"] == {
        "tls.crt": f"content of {organ}.crt",
        "tls.key": f"content of {organ}.key",
        "ca.crt": "content of ca.crt",
    }


def test_the_data_is_a_directory_of_one_host(the_helm: Path, organ: str) -> None:
    chart = rendered(the_helm, organ, host="worker2", data="/srv/data", storage="50Gi")
    volume, claim = (chart.objects[kind] for kind in ("PersistentVolume", "PersistentVolumeClaim"))
    assert volume["spec"]["local"] == {"path": "/srv/data"}
    assert volume["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    assert volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"] == [
        {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["worker2"]}]}
    ]
    assert volume["spec"]["capacity"] == claim["spec"]["resources"]["requests"] == {"storage": "50Gi"}
    assert claim["spec"]["volumeName"] == volume["metadata"]["name"]
    assert volume["spec"]["claimRef"]["name"] == claim["metadata"]["name"]
    assert chart.volumes["data"]["persistentVolumeClaim"] == {"claimName": claim["metadata"]["name"]}
    assert chart.mounts["data"] == {"name": "data", "mountPath": "/data"}


def test_no_two_pods_are_ever_at_work_on_the_data(chart: Rendered) -> None:
    assert chart.objects["StatefulSet"]["spec"]["replicas"] == 1
    assert chart.objects["StatefulSet"]["spec"]["podManagementPolicy"] == "Parallel"
    assert "Deployment" not in chart.objects


def test_no_two_stores_share_a_volume_or_a_selector(the_helm: Path) -> None:
    charts = [rendered(the_helm, name).objects for name in STORES]
    for kind in ("PersistentVolume", "PersistentVolumeClaim", "StatefulSet", "Service"):
        assert len({chart[kind]["metadata"]["name"] for chart in charts}) == len(STORES)
    selectors = {json.dumps(chart["StatefulSet"]["spec"]["selector"]) for chart in charts}
    assert len(selectors) == len(STORES)


def test_nothing_gets_out_and_only_the_site_gets_in(chart: Rendered) -> None:
    policy = chart.objects["NetworkPolicy"]["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["egress"] == []
    (rule,) = policy["ingress"]
    assert rule["ports"] == [{"port": "store", "protocol": "TCP"}]
    assert rule["from"] == [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "llmflow"}}},
        {"ipBlock": {"cidr": "10.78.0.0/24"}},
        {"ipBlock": {"cidr": "10.245.0.0/16"}},
    ]


def test_nobody_gets_in_where_nobody_is_named(the_helm: Path, organ: str) -> None:
    nobody = rendered(the_helm, organ, {"allowFrom": {"namespaces": [], "cidrs": []}})
    assert nobody.objects["NetworkPolicy"]["spec"]["ingress"] == []


def test_a_site_fills_the_values(the_helm: Path, organ: str) -> None:
    chart = rendered(the_helm, organ, node_port=30999, cpu="2500m", memory="8Gi")
    assert chart.container["resources"] == {
        "requests": {"cpu": "1250m", "memory": "8Gi"},
        "limits": {"memory": "8Gi"},
    }
    (port,) = chart.objects["Service"]["spec"]["ports"]
    assert (port["port"], port["nodePort"]) == (PORTS[organ], 30999)
    assert {"name": "store", "containerPort": PORTS[organ]} in chart.container["ports"]
    assert chart.container["image"].endswith(f"@{DIGEST}")


def test_neo4j_asks_for_tls_and_a_password_and_shares_its_memory(the_helm: Path) -> None:
    chart = rendered(the_helm, "neo4j", memory="10Gi")
    settings = chart.settings()
    assert settings["server.bolt.tls_level"] == "REQUIRED"
    assert settings["dbms.security.auth_enabled"] == "true"
    assert settings["dbms.usage_report.enabled"] == "false"
    assert settings["server.memory.pagecache.size"] == "2048m"
    assert chart.env["JDK_JAVA_OPTIONS"] == "-Xms4096m -Xmx4096m"
    assert chart.container["args"] == ["/data", "/configuration/neo4j.conf", "/secrets/password"]


def test_the_pod_is_made_anew_when_a_secret_or_a_setting_changes(the_helm: Path) -> None:
    before, after = (
        rendered(the_helm, "neo4j", memory=memory).template["metadata"] for memory in ("2Gi", "4Gi")
    )
    name = "llmflow.local/configuration-checksum"
    assert before["annotations"][name] != after["annotations"][name]
    assert before["annotations"]["llmflow.local/secrets-checksum"] == hashed("kind: Secret", "sha256")


def test_the_probe_of_milvus_is_in_its_image() -> None:
    (image,) = organ_of("milvus").supply.packages.images
    assert MILVUS_PROBE[: len(image.entrypoint)] == image.entrypoint
    assert MILVUS_PROBE[-1] == "probe"


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"image": "llmflow.local/neo4j:latest"}, "image"),
        ({"server": "qdrant"}, "server"),
        ({"replicas": 2}, "replicas"),
        ({"volume": {"path": "data"}}, "path"),
        ({"neo4j": {"heapMiB": 100}}, "heapMiB"),
        ({"service": {"nodePort": 80}}, "nodePort"),
        ({"tlsSecret": ""}, "tlsSecret"),
    ],
)
def test_wrong_values_are_refused(the_helm: Path, values: dict[str, Any], named: str) -> None:
    with pytest.raises(helm.Refused, match=named):
        rendered(the_helm, "neo4j", values)


def test_no_image_is_left_without_an_organ_that_runs_it() -> None:
    written = "".join(template(organ, "values.yaml.j2") for organ in STORES)
    assert [ref for ref in references(STORES) if f"{ref}@{DIGEST}" not in written] == []
