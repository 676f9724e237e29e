"""What an installed host is, reduced to what two installs must agree on."""

from __future__ import annotations

import json

from e2e.conftest import Journey

_FILES = (
    "cd / && find etc/llmflow etc/containerd etc/cni usr/local/bin opt/cni/bin etc/systemd/system"
    " etc/sysctl.d var/lib/llmflow/bundle"
    " -type f ! -name '*.pem' | sort | xargs sha256sum"
)
_KUBECTL = "kubectl --kubeconfig=/etc/kubernetes/admin.conf"
_OBJECTS = (
    f"{_KUBECTL} get -A deployments,daemonsets,services,networkpolicies,serviceaccounts,namespaces -o json"
)
_SECRETS = (
    f"{_KUBECTL} -n llmflow get secrets -o jsonpath='{{range .items[*]}}{{.metadata.name}} {{.type}} {{end}}'"
)
_RELEASES = "helm --kubeconfig=/etc/kubernetes/admin.conf -n llmflow list -o json"


def end_state(journey: Journey) -> dict[str, object]:
    """Files by digest, objects by name and image, releases by chart; nothing that a clock or a dice decides."""
    objects = json.loads(journey.ssh(_OBJECTS))["items"]
    return {
        "files": journey.ssh(_FILES).splitlines(),
        "objects": sorted(_object(one) for one in objects),
        "secrets": sorted(
            name for name in journey.ssh(_SECRETS).split() if not name.startswith("sh.helm.release")
        ),
        "releases": [
            (one["name"], one["chart"], one["status"]) for one in json.loads(journey.ssh(_RELEASES))
        ],
        "enabled": journey.ssh("systemctl list-unit-files --state=enabled --no-legend --plain").splitlines(),
    }


def _object(one: dict[str, dict[str, dict[str, dict[str, list[dict[str, str]]]]]]) -> list[str]:
    pod = one.get("spec", {}).get("template", {}).get("spec", {})
    images = [container["image"] for container in pod.get("containers", [])]
    return [
        str(one["kind"]),
        str(one["metadata"].get("namespace", "")),
        str(one["metadata"]["name"]),
        *images,
    ]
