"""The engines' chart as helm renders it: as each organ's values of a site fill it, and with values to be refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from llmflow_installer.engines import ENGINES
from llmflow_installer.site import load_site
from ruamel.yaml import YAML
from support import helm
from support.charts import DIGEST, PLAYBOOKS, filled, hashed, merged, organ_of, pinned, references
from support.stand import EXAMPLES

CHART = PLAYBOOKS / "charts" / "engine"
SITE = load_site(EXAMPLES / "single-node", check_files=False)


class Rendered:
    """The objects of one rendering."""

    def __init__(self, objects: list[dict[str, Any]]) -> None:
        self.objects = {found["kind"]: found for found in objects}
        self.pod = self.objects["Deployment"]["spec"]["template"]["spec"]
        self.container = self.pod["containers"][0]
        self.env = {entry["name"]: entry for entry in self.container["env"]}
        self.volumes = {volume["name"]: volume for volume in self.pod["volumes"]}

    def argument(self, name: str) -> str:
        """The value of `--name=value`."""
        said = (str(argument).partition("=") for argument in self.container["args"])
        return next(value for key, _, value in said if key == f"--{name}")

    def key(self) -> Any:
        """Where the container's key comes from."""
        return next(entry for name, entry in self.env.items() if name.endswith("_API_KEY"))["valueFrom"]


@pytest.fixture(scope="module")
def the_helm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return helm.find(tmp_path_factory.mktemp("helm"))
    except helm.Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture(params=ENGINES)
def organ(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def chart(the_helm: Path, organ: str) -> Rendered:
    """The chart of an organ as the single-node example has it."""
    return rendered(the_helm, organ)


def rendered(
    the_helm: Path, organ: str = "vllm", changed: dict[str, Any] | None = None, **site: Any
) -> Rendered:
    """The chart of an organ with the site's values, those in `changed` being others."""
    values = merged(YAML(typ="safe").load(template(organ, "values.yaml.j2", **site)), changed or {})
    return Rendered(helm.render(the_helm, CHART, json.dumps(values), organ))


def template(organ: str, name: str, **site: Any) -> str:
    """A template of the organ as Ansible fills it for a site, `site` being what is unlike the example."""
    given = {
        "organ_images": pinned(ENGINES),
        "secrets": {engine.secret: f"key of {engine.organ}" for engine in ENGINES.values()},
        "pki": {name: {"certificate": f"{name}.crt", "key": f"{name}.key"} for name in ENGINES},
    }
    return filled(SITE, organ, name, given, **site)


def mounted(organ: str) -> list[str]:
    """Names of the models that are images of their own; one that reads is in its engine's."""
    return [model.name for model in ENGINES[organ].models if model.ability != "read"]


def test_every_engine_has_the_chart(organ: str) -> None:
    assert organ_of(organ).chart == "charts/engine"


def test_the_pod_meets_the_restricted_pod_security_standard(chart: Rendered) -> None:
    pod, container = chart.pod["securityContext"], chart.container["securityContext"]
    assert (pod["runAsNonRoot"], pod["runAsUser"], pod["seccompProfile"]) == (
        True, 65532, {"type": "RuntimeDefault"},
    )  # fmt: skip
    assert container == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    kinds = {key for volume in chart.volumes.values() for key in volume if key != "name"}
    assert kinds <= {"image", "secret", "emptyDir"}


def test_the_pod_has_no_token_and_no_key_on_its_command_line(chart: Rendered, organ: str) -> None:
    assert chart.pod["automountServiceAccountToken"] is False
    assert chart.objects["ServiceAccount"]["automountServiceAccountToken"] is False
    assert chart.key() == {"secretKeyRef": {"name": f"{organ}-api-key", "key": "api-key"}}
    assert not [argument for argument in chart.container["args"] if "api-key" in argument]


def test_every_probe_asks_for_health_over_tls(chart: Rendered, organ: str) -> None:
    asked = {"path": ENGINES[organ].health, "port": "https", "scheme": "HTTPS"}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert chart.container[probe]["httpGet"] == asked
    files = [argument.partition("=")[2] for argument in chart.container["args"] if "=/tls/" in str(argument)]
    assert files == ["/tls/tls.crt", "/tls/tls.key"]


def test_services_of_the_namespace_do_not_become_settings(chart: Rendered) -> None:
    assert chart.pod["enableServiceLinks"] is False


def test_nothing_gets_out_and_only_the_site_gets_in(chart: Rendered) -> None:
    policy = chart.objects["NetworkPolicy"]["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["egress"] == []
    assert policy["ingress"][0]["from"] == [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "llmflow"}}},
        {"ipBlock": {"cidr": "10.77.0.0/24"}},
        {"ipBlock": {"cidr": "10.244.0.0/16"}},
    ]


def test_nobody_gets_in_where_nobody_is_named(the_helm: Path) -> None:
    nobody = rendered(the_helm, changed={"allowFrom": {"namespaces": [], "cidrs": []}})
    assert nobody.objects["NetworkPolicy"]["spec"]["ingress"] == []


def test_no_object_is_a_hook_or_a_secret(chart: Rendered) -> None:
    for kind, found in chart.objects.items():
        assert kind != "Secret"
        assert "helm.sh/hook" not in found["metadata"].get("annotations", {})


def test_no_two_releases_take_each_others_pods(the_helm: Path) -> None:
    selectors = [
        rendered(the_helm, organ).objects["Deployment"]["spec"]["selector"]["matchLabels"]
        for organ in ENGINES
    ]
    assert len({json.dumps(selector) for selector in selectors}) == len(ENGINES)


def test_models_are_read_only_image_volumes_by_digest(chart: Rendered, organ: str) -> None:
    names = [name.lower() for name in mounted(organ)]
    mounts = {mount["name"]: mount for mount in chart.container["volumeMounts"]}
    for number, name in enumerate(names):
        assert chart.volumes[f"model-{number}"]["image"]["reference"] == (
            f"llmflow.local/models/{name}:1@{DIGEST}"
        )
        assert mounts[f"model-{number}"] == {
            "name": f"model-{number}",
            "mountPath": f"/models/{number}",
            "readOnly": True,
        }
    assert len(chart.volumes) == len(names) + len({"tls", "scratch", "shared-memory"})
    assert chart.container["image"].endswith(f"@{DIGEST}")


def test_models_have_the_names_that_the_installer_asks_for(chart: Rendered, organ: str) -> None:
    names = mounted(organ)
    if "INFINITY_SERVED_MODEL_NAME" in chart.env:
        assert chart.env["INFINITY_SERVED_MODEL_NAME"]["value"] == ";".join(names)
        assert chart.env["INFINITY_MODEL_ID"]["value"] == ";".join(f"/models/{n}" for n in range(len(names)))
    elif names:
        assert chart.container["args"][0] == "/models/0"
        assert [chart.argument("served-model-name")] == names


@pytest.mark.parametrize("organ", ["vllm", "vllm-embedding", "vllm-rerank"])
def test_vllm_asks_for_the_key_on_every_path(the_helm: Path, organ: str) -> None:
    assert rendered(the_helm, organ).argument("middleware") == "llmflow_key.Key"


def test_a_server_of_vectors_or_scores_is_vllms_pooling_runner(the_helm: Path) -> None:
    for organ in ("vllm-embedding", "vllm-rerank"):
        assert rendered(the_helm, organ).argument("runner") == "pooling"
    assert not [word for word in rendered(the_helm).container["args"] if word.startswith("--runner")]


def test_a_single_replica_has_no_disruption_budget(chart: Rendered) -> None:
    assert "PodDisruptionBudget" not in chart.objects
    assert chart.objects["Deployment"]["spec"]["strategy"] == {"type": "Recreate"}


def test_a_site_fills_the_values(the_helm: Path) -> None:
    chart = rendered(the_helm, replicas=2, node_port=30999, cpu="2500m", memory="8Gi", kv_cache_gib=0.5)
    assert chart.argument("kv-cache-memory-bytes") == str(512 << 20)
    assert chart.env["OMP_NUM_THREADS"]["value"] == "2"
    assert chart.container["resources"] == {
        "requests": {"cpu": "1250m", "memory": "8Gi"},
        "limits": {"memory": "8Gi"},
    }
    assert chart.objects["Service"]["spec"]["ports"][0]["nodePort"] == 30999
    assert chart.objects["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1


def test_pods_are_made_anew_when_a_secret_changes(chart: Rendered) -> None:
    annotations = chart.objects["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert annotations == {"llmflow.local/secrets-checksum": hashed("kind: Secret", "sha256")}


def test_the_secrets_have_the_names_that_the_chart_asks_for(chart: Rendered, organ: str) -> None:
    made = {s["metadata"]["name"]: s for s in YAML(typ="safe").load_all(template(organ, "secrets.yaml.j2"))}
    asked = chart.key()["secretKeyRef"]
    assert made[asked["name"]]["stringData"] == {asked["key"]: f"key of {organ}"}
    pair = made[chart.volumes["tls"]["secret"]["secretName"]]
    assert pair["type"] == "kubernetes.io/tls"
    assert pair["stringData"] == {
        "tls.crt": f"content of {organ}.crt",
        "tls.key": f"content of {organ}.key",
    }


def test_a_gpu_changes_resources_and_arguments(the_helm: Path) -> None:
    chart = rendered(the_helm, changed={"gpus": 2})
    assert chart.container["resources"]["limits"]["nvidia.com/gpu"] == 2
    assert chart.argument("tensor-parallel-size") == "2"
    assert "--enforce-eager" not in chart.container["args"]
    assert "OMP_NUM_THREADS" not in chart.env
    assert rendered(the_helm, "infinity", {"gpus": 1}).env["INFINITY_DEVICE"]["value"] == "cuda"


def test_a_cluster_service_has_no_node_port(the_helm: Path) -> None:
    service = rendered(the_helm, changed={"service": {"type": "ClusterIP"}}).objects["Service"]["spec"]
    assert service["type"] == "ClusterIP"
    assert "nodePort" not in service["ports"][0]


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"image": "llmflow.local/vllm:latest"}, "image"),
        ({"image": "vllm:0.32.0"}, "image"),
        ({"extraArgs": ["--api-key=secret"]}, "extraArgs"),
        ({"replica": 2}, "replica"),
        ({"server": "tei"}, "server"),
        ({"models": []}, "models"),
        ({"models": [{"image": "llmflow.local/models/a:1", "name": "a", "dtype": "auto"}] * 2}, "models"),
        ({"service": {"nodePort": 80}}, "nodePort"),
        ({"resources": {"limits": {"memory": "plenty"}}}, "memory"),
    ],
)
def test_wrong_values_are_refused(the_helm: Path, values: dict[str, Any], named: str) -> None:
    with pytest.raises(helm.Refused, match=named):
        rendered(the_helm, changed=values)


def test_no_image_is_left_without_an_organ_that_runs_it() -> None:
    written = "".join(template(organ, "values.yaml.j2") for organ in ENGINES)
    assert [ref for ref in references(ENGINES) if f"{ref}@{DIGEST}" not in written] == []
