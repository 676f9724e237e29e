"""The operator's two files, hosts.yml and site.yml, read strictly into one frozen Site."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Annotated

from llmflow_bundle.errors import Finding, SiteError
from pydantic import AfterValidator, Field

from llmflow_installer.document import (
    Address,
    Cidr,
    Cores,
    Document,
    HostName,
    NodePort,
    Port,
    Quantity,
    Strict,
    quantity,
    read_document,
    validated,
)
from llmflow_installer.inventory import Entry, Host, hosts_of, inventory_findings, read_entries

HOSTS_FILE, SITE_FILE = "hosts.yml", "site.yml"
NODE_PREFIX = 24  # pod addresses of one node; Kubernetes gives a node at most 110 pods


@dataclass(frozen=True)
class Ssh:
    """How hosts are reached; both files are absolute paths."""

    user: str
    private_key: Path
    known_hosts: Path


@dataclass(frozen=True)
class Network:
    """The address ranges of hosts, pods and services, which never overlap."""

    hosts: IPv4Network
    gateway: IPv4Address
    pods: IPv4Network
    services: IPv4Network


@dataclass(frozen=True)
class Cluster:
    """The Kubernetes API's `endpoint` (host:port) and whether control planes run ordinary pods."""

    endpoint: str
    schedule_on_control_plane: bool


@dataclass(frozen=True)
class Registry:
    """The host that serves the images, and the directory on it that holds them."""

    host: str
    address: IPv4Address
    port: int
    data: str

    @property
    def endpoint(self) -> str:
        """`address:port`, as container runtimes name it."""
        return f"{self.address}:{self.port}"


@dataclass(frozen=True)
class Served:
    """How an engine is served: sizes of a pod as Kubernetes quantities, GiB of key-value cache if it writes text."""

    replicas: int
    node_port: int
    cpu: str
    memory: str
    kv_cache_gib: float | None = None

    @property
    def millicores(self) -> int:
        """What a pod is promised: half of `cpu`, because on a small site the control plane is on the same host."""
        return round(self._cores * 500)

    @property
    def threads(self) -> int:
        """Threads of the computation: the whole cores of `cpu`, and one at least."""
        return max(1, int(self._cores))

    @property
    def _cores(self) -> float:
        return float(self.cpu[:-1]) / 1000 if self.cpu.endswith("m") else float(self.cpu)


@dataclass(frozen=True, kw_only=True)
class Stored(Served):
    """How a store is served: one pod on `host`, its data in the directory `data` there, `storage` at most."""

    host: str
    data: str
    storage: str

    @property
    def heap_mib(self) -> int:
        """What Java's objects get of the memory: two fifths, since as much again lies outside the heap."""
        return self._mib * 2 // 5

    @property
    def page_cache_mib(self) -> int:
        """What Neo4j's pages of the files get of the memory: a fifth."""
        return self._mib // 5

    @property
    def _mib(self) -> int:
        return quantity(self.memory) >> 20


@dataclass(frozen=True)
class Site:
    """Everything the operator decided: `organs` are the chosen ones by name, `warnings` don't stop an install."""

    directory: Path
    name: str
    ssh: Ssh
    network: Network
    cluster: Cluster
    registry: Registry
    organs: Mapping[str, Served]
    hosts: tuple[Host, ...]
    warnings: tuple[Finding, ...] = ()

    def in_group(self, group: str) -> tuple[Host, ...]:
        """The hosts of a group, in the inventory's order."""
        return tuple(host for host in self.hosts if group in host.groups)

    @property
    def first_control_plane(self) -> Host:
        """The host on which the cluster begins."""
        return self.in_group("control_plane")[0]

    def host(self, name: str) -> Host:
        """The host of that name; KeyError if there is none."""
        return {host.name: host for host in self.hosts}[name]


# What the YAML may say. Strict: a port is a number, a switch is true or false, an unknown key is a mistake.


Directory = Annotated[str, Field(pattern=r"^/[^\s]+$")]
STORE_MEMORY = 1 << 30


def _of_a_store(memory: str) -> str:
    if quantity(memory) < STORE_MEMORY:
        raise ValueError("a store needs 1Gi at least")
    return memory


class _SshYaml(Strict):
    user: str = "root"
    private_key: str = "ssh/id_ed25519"
    known_hosts: str = "ssh/known_hosts"


class _NetworkYaml(Strict):
    hosts: Cidr
    gateway: Address
    pods: Cidr = IPv4Network("10.244.0.0/16")
    services: Cidr = IPv4Network("10.96.0.0/16")


class _ClusterYaml(Strict):
    endpoint: Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]+:[0-9]{1,5}$")] | None = None
    schedule_on_control_plane: bool = False


class _RegistryYaml(Strict):
    host: str | None = None
    port: Port = 5000
    data: Directory = "/var/lib/llmflow"


class _ServedYaml(Strict):
    replicas: Annotated[int, Field(ge=1)] = 1
    node_port: NodePort
    cpu: Cores
    memory: Quantity


class _VllmYaml(_ServedYaml):
    node_port: NodePort = 30800
    cpu: Cores = "1"
    memory: Quantity = "8Gi"
    kv_cache_gib: Annotated[float, Field(gt=0)] = 1


class _VllmEmbeddingYaml(_ServedYaml):
    node_port: NodePort = 30801
    cpu: Cores = "250m"
    memory: Quantity = "2Gi"


class _VllmRerankYaml(_ServedYaml):
    node_port: NodePort = 30802
    cpu: Cores = "250m"
    memory: Quantity = "2Gi"


class _InfinityYaml(_ServedYaml):
    node_port: NodePort = 30803
    cpu: Cores = "250m"
    memory: Quantity = "2Gi"


class _UnstructuredYaml(_ServedYaml):
    node_port: NodePort = 30804
    cpu: Cores = "250m"
    memory: Quantity = "2Gi"


class _StoredYaml(Strict):
    node_port: NodePort
    cpu: Cores = "250m"
    memory: Annotated[Quantity, AfterValidator(_of_a_store)] = "2Gi"
    host: HostName | None = None
    data: Directory
    storage: Quantity = "10Gi"


class _Neo4jYaml(_StoredYaml):
    node_port: NodePort = 30687
    data: Directory = "/var/lib/llmflow-neo4j"


class _MilvusYaml(_StoredYaml):
    node_port: NodePort = 30530
    data: Directory = "/var/lib/llmflow-milvus"


class _OrgansYaml(Strict):
    vllm: _VllmYaml | None = None
    vllm_embedding: Annotated[_VllmEmbeddingYaml | None, Field(alias="vllm-embedding")] = None
    vllm_rerank: Annotated[_VllmRerankYaml | None, Field(alias="vllm-rerank")] = None
    infinity: _InfinityYaml | None = None
    unstructured: _UnstructuredYaml | None = None
    neo4j: _Neo4jYaml | None = None
    milvus: _MilvusYaml | None = None

    def chosen(self, home: str) -> dict[str, Served]:
        """The organs that are named, in this order; a store that names no host keeps its data on `home`."""
        given = self.model_dump(by_alias=True, exclude_none=True)
        return {
            organ: Stored(**{"replicas": 1, "host": home, **sizes}) if "storage" in sizes else Served(**sizes)
            for organ, sizes in given.items()
        }

    def stores(self) -> dict[str, _StoredYaml]:
        """The stores that are named."""
        named = {"neo4j": self.neo4j, "milvus": self.milvus}
        return {organ: given for organ, given in named.items() if given is not None}


class _SiteYaml(Strict):
    name: HostName
    ssh: _SshYaml = _SshYaml()
    network: _NetworkYaml
    cluster: _ClusterYaml = _ClusterYaml()
    registry: _RegistryYaml = _RegistryYaml()
    organs: _OrgansYaml = _OrgansYaml(vllm=_VllmYaml())


def load_site(directory: Path, *, check_files: bool = True) -> Site:
    """Read a site directory; raises SiteError with every finding, each with its file, line and column.

    `check_files=False` leaves out whether the SSH key files exist, for looking at an example.
    """
    directory = directory.absolute()
    hosts_document, site_document = (read_document(directory / name) for name in (HOSTS_FILE, SITE_FILE))
    findings: list[Finding] = []
    entries = read_entries(hosts_document, findings)
    wanted = validated(_SiteYaml, site_document, (), site_document.plain(), findings)
    hosts = hosts_of(entries)
    findings += inventory_findings(hosts_document, entries, hosts)
    if wanted is not None:
        findings += _site_findings(site_document, hosts_document, entries, wanted, hosts)
        if check_files:
            findings += _file_findings(site_document, wanted, directory)
    if any(finding.severity == "fail" for finding in findings) or wanted is None:
        mistakes = sum(finding.severity == "fail" for finding in findings)
        raise SiteError(
            "SITE-INVALID",
            f"the site has {mistakes} mistake{'s' if mistakes != 1 else ''}",
            where=str(directory),
            hint="mend each of the places named and run the command again; no host was touched",
            findings=findings,
        )
    return _site(directory, wanted, hosts, tuple(findings))


# site.yml against the inventory.


def _site_findings(
    document: Document,
    inventory: Document,
    entries: Sequence[Entry],
    wanted: _SiteYaml,
    hosts: Sequence[Host],
) -> Iterator[Finding]:
    networks = {name: getattr(wanted.network, name) for name in ("hosts", "pods", "services")}
    for (one, a), (two, b) in itertools.combinations(networks.items(), 2):
        if a.overlaps(b):
            yield Finding(
                "SITE-CIDR-OVERLAP",
                f"network.{one} {a} and network.{two} {b} overlap",
                document.where(("network", two)),
                "the three ranges must be apart",
            )
    if wanted.network.gateway not in wanted.network.hosts:
        yield Finding(
            "SITE-OUTSIDE-NETWORK",
            f"gateway {wanted.network.gateway} is outside network.hosts {wanted.network.hosts}",
            document.where(("network", "gateway")),
        )
    for entry in entries:
        if entry.given is None:
            continue
        where = inventory.where((*entry.at, "ansible_host"))
        if entry.given.ansible_host not in wanted.network.hosts:
            hint = f"change the address, or network.hosts in {SITE_FILE}"
            yield Finding(
                "SITE-OUTSIDE-NETWORK",
                f"host {entry.name} at {entry.given.ansible_host} is outside network.hosts",
                where,
                hint,
            )
        if entry.given.ansible_host == wanted.network.gateway:
            yield Finding(
                "SITE-ADDRESS-TWICE",
                f"host {entry.name} has the address of the gateway, {wanted.network.gateway}",
                where,
                "each needs its own",
            )
    known = sorted({entry.name for entry in entries})  # none: their group is already a finding
    if known and wanted.registry.host is not None and wanted.registry.host not in known:
        near = difflib.get_close_matches(wanted.registry.host, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"hosts are {', '.join(known)}"
        yield Finding(
            "SITE-UNKNOWN-HOST",
            f"registry.host {wanted.registry.host} is not in {HOSTS_FILE}",
            document.where(("registry", "host")),
            hint,
        )
    if len(hosts) > 2 ** max(0, NODE_PREFIX - wanted.network.pods.prefixlen):
        yield Finding(
            "SITE-PODS-TOO-SMALL",
            f"network.pods {wanted.network.pods} has no /{NODE_PREFIX} for each of {len(hosts)} hosts",
            document.where(("network", "pods")),
            "give a larger network, such as a /16",
        )
    yield from _port_findings(document, wanted)
    yield from _store_findings(document, wanted, hosts)


def _port_findings(document: Document, wanted: _SiteYaml) -> Iterator[Finding]:
    """Ports that are opened on every host, or on one, belong to one service each."""
    taken = {wanted.registry.port: "registry"}
    for organ, served in wanted.organs.chosen(home="").items():
        other = taken.setdefault(served.node_port, organ)
        if other != organ:
            yield Finding(
                "SITE-PORT-TWICE",
                f"{organ} and {other} both want port {served.node_port}",
                document.where(("organs", organ, "node_port")),
                "give each its own organs.<name>.node_port, from 30000 to 32767",
            )


def _store_findings(document: Document, wanted: _SiteYaml, hosts: Sequence[Host]) -> Iterator[Finding]:
    """A store's host takes pods, and no two stores write into one directory."""
    taken: dict[tuple[str, str], str] = {}
    homes = [host.name for host in hosts if _takes_pods(host, wanted.cluster)]
    for organ, given in wanted.organs.stores().items():
        if hosts and given.host is not None and given.host not in homes:
            near = difflib.get_close_matches(given.host, homes, n=1)
            yield Finding(
                "SITE-STORE-HOST",
                f"organs.{organ}.host {given.host} is no host that takes pods",
                document.where(("organs", organ, "host")),
                f"did you mean {near[0]!r}?" if near else f"these do: {', '.join(homes) or 'none'}",
            )
        home = given.host or next(iter(homes), "")
        other = taken.setdefault((home, given.data), organ)
        if other != organ:
            yield Finding(
                "SITE-STORE-DATA",
                f"{organ} and {other} both want to keep their data in {given.data}",
                document.where(("organs", organ, "data")),
                "give each its own organs.<name>.data",
            )


def _takes_pods(host: Host, cluster: _ClusterYaml) -> bool:
    return "control_plane" not in host.groups or cluster.schedule_on_control_plane


def _file_findings(document: Document, wanted: _SiteYaml, directory: Path) -> Iterator[Finding]:
    hints = {
        "private_key": "make one with ssh-keygen -t ed25519 and put its public half on every host",
        "known_hosts": "collect the hosts' keys with ssh-keyscan; compare fingerprints at each console",
    }
    for key, hint in hints.items():
        path = directory / getattr(wanted.ssh, key)
        if not path.is_file():
            yield Finding(
                "SITE-MISSING-FILE", f"ssh.{key}: {path} is not there", document.where(("ssh", key)), hint
            )


def _site(directory: Path, wanted: _SiteYaml, hosts: tuple[Host, ...], warnings: tuple[Finding, ...]) -> Site:
    pods = wanted.network.pods.subnets(new_prefix=NODE_PREFIX)
    hosts = tuple(
        Host(host.name, host.address, host.groups, host.port, cidr)
        for host, cidr in zip(hosts, pods, strict=False)
    )
    first = next(host for host in hosts if "control_plane" in host.groups)
    home = next((host for host in hosts if _takes_pods(host, wanted.cluster)), first)
    registry_host = next(host for host in hosts if host.name == (wanted.registry.host or first.name))
    return Site(
        directory=directory,
        name=wanted.name,
        ssh=Ssh(wanted.ssh.user, directory / wanted.ssh.private_key, directory / wanted.ssh.known_hosts),
        network=Network(
            **{name: getattr(wanted.network, name) for name in ("hosts", "gateway", "pods", "services")}
        ),
        cluster=Cluster(
            wanted.cluster.endpoint or f"{first.address}:6443", wanted.cluster.schedule_on_control_plane
        ),
        registry=Registry(
            registry_host.name, registry_host.address, wanted.registry.port, wanted.registry.data
        ),
        organs=wanted.organs.chosen(home.name),
        hosts=hosts,
        warnings=warnings,
    )
