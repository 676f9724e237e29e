"""A site on disk, a bundle's summary and a world of fakes: what tests of the installer stand on."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from llmflow_bundle.report import Recording
from llmflow_installer.engines import ENGINES
from llmflow_installer.facts import UnansweredError
from llmflow_installer.inventory import Host
from llmflow_installer.site import Site
from llmflow_installer.stores import STORES
from llmflow_installer.supplies import OrganSupply, Supplies
from llmflow_installer.verify import ALIKE, RIGHT, SCANNED, Ways
from llmflow_installer.work import InstallOrder
from llmflow_installer.world import FakeAnsible, World

from support.fake_stores import FakeStores

EXAMPLES = Path(__file__).resolve().parents[2] / "inventories"
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@dataclass
class FakeClock:
    """Each look at it is one second later."""

    time: datetime = START

    def __call__(self) -> datetime:
        self.time += timedelta(seconds=1)
        return self.time


@dataclass
class FakeHosts:
    """Answers the probe for each host with sound facts, changed by `facts`, or with an error."""

    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    errors: dict[str, UnansweredError] = field(default_factory=dict)

    def __call__(self, site: Site, host: Host) -> tuple[str, float, float]:
        if host.name in self.errors:
            raise self.errors[host.name]
        return json.dumps(sound_facts(host.name) | self.facts.get(host.name, {})), 1000.0, 1000.2


def sound_facts(name: str) -> dict[str, Any]:
    """What the probe prints on a host that has nothing wrong."""
    system = ("/", "/var/lib/containerd", "/var/lib/kubelet", "/var/lib/etcd", "/var/log")
    paths = (*system, "/var/lib/llmflow", "/var/lib/llmflow-neo4j", "/var/lib/llmflow-milvus")
    return {
        "python": "3.11.2",
        "os": "debian",
        "os_version": "12",
        "arch": "x86_64",
        "kernel": "6.1.0",
        "hostname": name,
        "cpus": 8,
        "memory": 32 << 30,
        "swap": 0,
        "cgroup": 2,
        "root": True,
        "systemd": True,
        "spaces": {path: {"device": 1, "free": 500 << 30} for path in paths},
        "ports": [22],
        "features": {"overlay": True, "bridge": True, "veth": True, "nf_tables": True},
        "resolvers": ["10.78.0.1"],
        "default_route": True,
        "addresses": [],
        "leftovers": [],
        "processes": [],
        "marker": "",
        "time": 1000.1,
    }


def working_platform(request: httpx.Request) -> httpx.Response:
    """A platform in which everything works: a registry, and engines that each do what any of them does."""
    match request.url.path:
        case "/v2/" | "/health" | "/healthcheck":
            return httpx.Response(200)
        case "/v1/models" if "Authorization" not in request.headers:
            return httpx.Response(401)
        case "/general/v0/general" if "unstructured-api-key" not in request.headers:
            return httpx.Response(401)
        case "/general/v0/general":
            return httpx.Response(200, json=[{"type": "NarrativeText", "text": SCANNED}])
        case "/v1/models":
            return httpx.Response(200, json={"data": [{"id": "scripted-qwen"}]})
        case "/v1/chat/completions":
            pieces = [{"choices": [{"delta": {"content": text}}]} for text in ("서울", "입니다.")]
            lines = [f"data: {json.dumps(piece)}\n\n" for piece in pieces]
            return httpx.Response(200, text="".join([*lines, "data: [DONE]\n\n"]))
        case "/v1/embeddings":
            return httpx.Response(200, json={"data": vectors(len(json.loads(request.content)["input"]))})
        case "/v1/rerank":
            places = range(len(json.loads(request.content)["documents"]))
            ranked = [{"index": place, "relevance_score": float(place == RIGHT)} for place in places]
            return httpx.Response(200, json={"results": ranked})
    return httpx.Response(404)


def vectors(count: int, dimensions: int = 384) -> list[dict[str, Any]]:
    """Vectors at right angles, but two that are alike; the last comes first, as a server may send them."""
    axes = [ALIKE[0] if place in ALIKE else place for place in range(count)]
    made = [[float(axis == i) for i in range(dimensions)] for axis in axes]
    return [{"index": place, "embedding": vector} for place, vector in reversed(list(enumerate(made)))]


def copy_of(example: str, to: Path) -> Path:
    """An example site with key files, so that it is complete."""
    (to / "ssh").mkdir(parents=True)
    for file in ("hosts.yml", "site.yml"):
        (to / file).write_text((EXAMPLES / example / file).read_text(encoding="utf-8"), encoding="utf-8")
    for file in ("id_ed25519", "known_hosts"):
        (to / "ssh" / file).touch()
    return to


def some_supplies(path: Path, image_bytes: int = 2 << 30) -> Supplies:
    """A small bundle as the installer sees it; nothing of it is on the disk."""
    pause = "registry.k8s.io/pause:3.10.2"
    return Supplies(
        path=path,
        name="llmflow",
        version="0.1.0",
        profile="lab",
        os="debian-12",
        arch="amd64",
        digest="d" * 64,
        images={pause: "sha256:" + "a" * 64},
        organs={"kubernetes": OrganSupply("v1.36.3", (pause,))}
        | {organ: OrganSupply("0.32.0", ()) for organ in (*ENGINES, *STORES)},
        image_bytes=image_bytes,
    )


@dataclass
class Stand:
    """A test's stand: the fakes, the world made of them, and what was reported."""

    order: InstallOrder
    ansible: FakeAnsible
    hosts: FakeHosts
    clock: FakeClock
    report: Recording
    state: Path
    supplies: Supplies
    platform: Callable[[httpx.Request], httpx.Response] = working_platform
    stores: FakeStores = field(default_factory=FakeStores)

    @property
    def world(self) -> World:
        @contextmanager
        def http(_ca: Path) -> Iterator[httpx.Client]:
            with httpx.Client(transport=httpx.MockTransport(self.platform)) as client:
                yield client

        ways = Ways(http, self.stores.dial, self.stores.inside)
        return World(
            lambda _path, _key: self.supplies, self.hosts, self.ansible, ways, self.clock, self.state
        )
