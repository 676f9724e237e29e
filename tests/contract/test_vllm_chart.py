"""The chart of vLLM as helm renders it: with its own values, with a site's, with values to be refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import jinja2
import pytest
from ruamel.yaml import YAML
from support import helm

ORGAN = Path(__file__).parents[2] / "playbooks" / "organs" / "vllm"
DIGEST = f"sha256:{'a' * 64}"
IMAGES = ("llmflow.local/vllm:0.32.0-cpu", "llmflow.local/models/scripted-qwen:1")
SITE = {
    "site": {"network": {"hosts": "10.77.0.0/24", "pods": "10.244.0.0/16"}},
    "organ_images": {ref: f"{ref}@{DIGEST}" for ref in IMAGES},
    "organ_site": {"replicas": 2, "node_port": 30999, "cpu": "2500m", "memory": "8Gi", "kv_cache_gib": 0.5},
    "organ_manifest": "kind: Secret",
    "secrets": {"vllm_api_key": "not-to-be-seen"},
    "pki": {"vllm": {"certificate": "vllm.crt", "key": "vllm.key"}},
}


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


@pytest.fixture(scope="module")
def the_helm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return helm.find(tmp_path_factory.mktemp("helm"))
    except helm.Missing as missing:
        pytest.skip(str(missing))


def rendered(the_helm: Path, values: dict[str, Any] | str | None = None) -> Rendered:
    text = values if isinstance(values, str) else json.dumps(values or {})
    return Rendered(helm.render(the_helm, ORGAN / "chart", text))


def template(name: str) -> str:
    """A template of the organ as Ansible fills it for SITE."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, autoescape=False)  # noqa: S701 - YAML, not HTML
    environment.filters |= {"to_json": json.dumps, "hash": _hash}
    environment.globals["lookup"] = lambda _plugin, path: f"content of {path}"
    return environment.from_string((ORGAN / name).read_text(encoding="utf-8")).render(SITE)


def _hash(text: str, algorithm: str) -> str:
    return hashlib.new(algorithm, text.encode()).hexdigest()


def test_the_pod_meets_the_restricted_pod_security_standard(the_helm: Path) -> None:
    chart = rendered(the_helm)
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
    assert kinds == {"image", "secret", "emptyDir"}


def test_the_pod_has_no_token_and_no_key_on_its_command_line(the_helm: Path) -> None:
    chart = rendered(the_helm)
    assert chart.pod["automountServiceAccountToken"] is False
    assert chart.objects["ServiceAccount"]["automountServiceAccountToken"] is False
    assert chart.env["VLLM_API_KEY"]["valueFrom"] == {
        "secretKeyRef": {"name": "vllm-api-key", "key": "api-key"}
    }
    assert not [argument for argument in chart.container["args"] if "api-key" in argument]


def test_every_probe_asks_for_health_over_tls(the_helm: Path) -> None:
    container = rendered(the_helm).container
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"] == {"path": "/health", "port": "https", "scheme": "HTTPS"}


def test_the_model_is_a_read_only_image_volume(the_helm: Path) -> None:
    chart = rendered(the_helm)
    assert chart.volumes["model"]["image"]["reference"] == IMAGES[1]
    mount = next(m for m in chart.container["volumeMounts"] if m["name"] == "model")
    assert mount == {"name": "model", "mountPath": "/model", "readOnly": True}
    assert chart.container["args"][0] == "/model"


def test_services_of_the_namespace_do_not_become_settings_of_vllm(the_helm: Path) -> None:
    assert rendered(the_helm).pod["enableServiceLinks"] is False


def test_nobody_gets_in_and_nothing_gets_out_by_default(the_helm: Path) -> None:
    policy = rendered(the_helm).objects["NetworkPolicy"]["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert (policy["ingress"], policy["egress"]) == ([], [])


def test_no_object_is_a_hook_or_a_secret(the_helm: Path) -> None:
    for kind, found in rendered(the_helm).objects.items():
        assert kind != "Secret"
        assert "helm.sh/hook" not in found["metadata"].get("annotations", {})


def test_a_single_replica_has_no_disruption_budget(the_helm: Path) -> None:
    chart = rendered(the_helm, {"replicas": 1})
    assert "PodDisruptionBudget" not in chart.objects
    assert chart.objects["Deployment"]["spec"]["strategy"] == {"type": "Recreate"}


def test_a_site_fills_the_values(the_helm: Path) -> None:
    chart = rendered(the_helm, template("values.yaml.j2"))
    assert chart.container["image"] == f"{IMAGES[0]}@{DIGEST}"
    assert chart.volumes["model"]["image"]["reference"] == f"{IMAGES[1]}@{DIGEST}"
    assert chart.argument("kv-cache-memory-bytes") == str(512 << 20)
    assert chart.env["OMP_NUM_THREADS"]["value"] == "2"
    assert chart.container["resources"] == {
        "requests": {"cpu": "1250m", "memory": "8Gi"},
        "limits": {"memory": "8Gi"},
    }
    assert chart.objects["Service"]["spec"]["ports"][0]["nodePort"] == 30999
    assert chart.objects["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1
    sources = chart.objects["NetworkPolicy"]["spec"]["ingress"][0]["from"]
    assert {"ipBlock": {"cidr": "10.77.0.0/24"}} in sources


def test_pods_are_made_anew_when_a_secret_changes(the_helm: Path) -> None:
    chart = rendered(the_helm, template("values.yaml.j2"))
    annotations = chart.objects["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert annotations == {"llmflow.local/secrets-checksum": _hash("kind: Secret", "sha256")}


def test_the_secrets_have_the_names_that_the_chart_asks_for(the_helm: Path) -> None:
    made = {s["metadata"]["name"]: s for s in YAML(typ="safe").load_all(template("secrets.yaml.j2"))}
    chart = rendered(the_helm)
    asked = chart.env["VLLM_API_KEY"]["valueFrom"]["secretKeyRef"]
    assert made[asked["name"]]["stringData"] == {asked["key"]: "not-to-be-seen"}
    pair = made[chart.volumes["tls"]["secret"]["secretName"]]
    assert (pair["type"], sorted(pair["stringData"])) == ("kubernetes.io/tls", ["tls.crt", "tls.key"])


def test_a_gpu_changes_resources_and_arguments(the_helm: Path) -> None:
    chart = rendered(the_helm, {"gpu": {"count": 2}})
    assert chart.container["resources"]["limits"]["nvidia.com/gpu"] == 2
    assert chart.argument("tensor-parallel-size") == "2"
    assert "--enforce-eager" not in chart.container["args"]
    assert "OMP_NUM_THREADS" not in chart.env


def test_a_cluster_service_has_no_node_port(the_helm: Path) -> None:
    service = rendered(the_helm, {"service": {"type": "ClusterIP"}}).objects["Service"]["spec"]
    assert service["type"] == "ClusterIP"
    assert "nodePort" not in service["ports"][0]


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"image": "llmflow.local/vllm:latest"}, "image"),
        ({"image": "vllm:0.32.0"}, "image"),
        ({"extraArgs": ["--api-key=secret"]}, "extraArgs"),
        ({"replica": 2}, "replica"),
        ({"service": {"nodePort": 80}}, "nodePort"),
        ({"resources": {"limits": {"memory": "plenty"}}}, "memory"),
    ],
)
def test_wrong_values_are_refused(the_helm: Path, values: dict[str, Any], named: str) -> None:
    with pytest.raises(helm.Refused, match=named):
        rendered(the_helm, values)


def test_the_images_are_those_the_organ_makes() -> None:
    organ = YAML(typ="safe").load((ORGAN / "organ.yaml").read_text(encoding="utf-8"))
    assert tuple(image["ref"] for image in organ["supply"]["packages"]["images"]) == IMAGES
    values = YAML(typ="safe").load((ORGAN / "chart" / "values.yaml").read_text(encoding="utf-8"))
    assert (values["image"], values["model"]["image"]) == IMAGES
