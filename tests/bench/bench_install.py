"""How long an install takes beside a hand-run `kubeadm init` with its images imported already.

    python -m bench.bench_install BUNDLE

Both on the same rehearsal node, in one run: a clean install, a second install, then `kubeadm reset` and a plain
`kubeadm init` to a ready node with cluster DNS running. Prints JSON; seconds. Needs root.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from e2e.conftest import REPOSITORY, Journey, make_site

_INIT = """\
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: 10.79.0.2}
nodeRegistration: {criSocket: "unix:///run/containerd/containerd.sock", name: cp1, taints: []}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.36.3
networking: {podSubnet: 10.244.0.0/16, serviceSubnet: 10.96.0.0/16}
dns: {imageTag: v1.14.7}
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
localStorageCapacityIsolation: false
---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
conntrack: {maxPerCore: 0}
"""
_BY_HAND = (
    "kubeadm init --config=/run/init.yaml >/dev/null"
    " --ignore-preflight-errors=SystemVerification,Swap,DirAvailable--var-lib-etcd"
    " && export KUBECONFIG=/etc/kubernetes/admin.conf"
    " && kubectl wait --for=condition=Ready node --all --timeout=180s >/dev/null"
    " && kubectl -n kube-system rollout status deployment/coredns --timeout=180s >/dev/null"
)


def measure(bundle: Path) -> dict[str, Any]:
    """Seconds of the three, and the two ratios that are promised."""
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=REPOSITORY / "build"))
    journey = Journey(bundle, make_site(folder), folder / "state")
    try:
        journey.rehearse()
        first, stages = _install(journey)
        second, _ = _install(journey)
        by_hand = _kubeadm(journey)
    finally:
        journey.down()
        shutil.rmtree(folder)
    return {
        "install_seconds": round(first, 1),
        "stages": stages,
        "second_install_seconds": round(second, 1),
        "kubeadm_init_seconds": round(by_hand, 1),
        "install_to_kubeadm": round(first / by_hand, 2),
        "second_to_first": round(second / first, 3),
    }


def _install(journey: Journey) -> tuple[float, dict[str, float]]:
    started = time.monotonic()
    done = journey.install()
    seconds = time.monotonic() - started
    if done.returncode != 0:
        raise SystemExit(done.stderr[-2000:])
    return seconds, {one["stage"]: one["seconds"] for one in json.loads(done.stdout)["results"]}


def _kubeadm(journey: Journey) -> float:
    journey.ssh("kubeadm reset --force --cri-socket=unix:///run/containerd/containerd.sock >/dev/null 2>&1")
    journey.ssh(f"cat > /run/init.yaml <<'END'\n{_INIT}END")
    started = time.monotonic()
    journey.ssh(_BY_HAND)
    return time.monotonic() - started


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(Path(sys.argv[1]).absolute()), indent=2) + "\n")
