"""What hosts must be before anything is changed on them: rules as data, each a small pure function."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from llmflow_bundle.errors import Finding, Severity
from llmflow_bundle.report import amount

from llmflow_installer.document import quantity
from llmflow_installer.facts import HostFacts
from llmflow_installer.inventory import Host
from llmflow_installer.site import Site, Stored
from llmflow_installer.supplies import Supplies

GIB = 1024**3
SYSTEMS = {"debian-12": ("debian", "12")}
MACHINES = {"amd64": "x86_64"}
CONTROL_PLANE_MEMORY = 1700 * 1024**2  # what kubeadm refuses to go below
WORKER_MEMORY = 1 * GIB
CONTROL_PLANE_CPUS = 2  # likewise
CONTROL_PLANE_MILLICORES = 850  # that kubeadm's pods and two of cluster DNS ask for
CLOCK_WARN, CLOCK_FAIL = 2.0, 60.0  # seconds; etcd complains above one, certificates are backdated by an hour
UNPACKED = 3  # image blobs are kept as they came and unpacked beside, at about twice their compressed size
GROWTH = 2 * GIB  # logs, etcd, kubelet: what a host needs beside images in its first weeks
EVERY_HOST_PORTS = {10250: "kubelet", 10256: "kube-proxy"}
CONTROL_PLANE_PORTS = {
    6443: "kube-apiserver",
    2379: "etcd",
    2380: "etcd",
    10257: "kube-controller-manager",
    10259: "kube-scheduler",
}
NEEDED_FEATURES = {
    "overlay": "containers' file systems",
    "bridge": "pod network",
    "veth": "pod network",
    "nf_tables": "service addresses",
}


@dataclass(frozen=True)
class Case:
    """What a rule looks at."""

    site: Site
    supplies: Supplies
    facts: tuple[HostFacts, ...]

    def pairs(self) -> Iterator[tuple[Host, HostFacts]]:
        """Each host that could be examined, with its facts."""
        for fact in self.facts:
            if fact.python:
                yield self.site.host(fact.name), fact


@dataclass(frozen=True)
class Complaint:
    """What a rule found: on which host ("" for the site), what, and what to do."""

    host: str
    what: str
    hint: str = ""
    severity: Severity | None = None


@dataclass(frozen=True)
class Rule:
    """A rule: its id with a page in the reference, what it makes sure of, and how bad its complaints are."""

    id: str
    title: str
    check: Callable[[Case], Iterator[Complaint]]
    severity: Severity = "fail"


def preflight(site: Site, supplies: Supplies, facts: Sequence[HostFacts]) -> tuple[Finding, ...]:
    """Everything that every rule has to say, in the order of the rules and of the hosts."""
    case = Case(site, supplies, tuple(facts))
    return tuple(_finding(rule, complaint) for rule in RULES for complaint in rule.check(case))


def _finding(rule: Rule, complaint: Complaint) -> Finding:
    where = f"host {complaint.host}" if complaint.host else "the site"
    return Finding(rule.id, complaint.what, where, complaint.hint, complaint.severity or rule.severity)


def _organs(case: Case) -> Iterator[Complaint]:
    for organ in sorted(set(case.site.organs) - set(case.supplies.organs)):
        held = ", ".join(case.supplies.organs)
        hint = f"build a bundle whose profile has it; profile {case.supplies.profile} has {held}"
        yield Complaint("", f"the site wants the organ {organ}, the bundle does not hold it", hint)


def _python(case: Case) -> Iterator[Complaint]:
    for fact in case.facts:
        if not fact.python:
            yield Complaint(
                fact.name,
                "python3 is not installed",
                "install Debian's python3 from your installation medium",
            )


def _root(case: Case) -> Iterator[Complaint]:
    for host, fact in case.pairs():
        if not fact.root:
            yield Complaint(
                host.name,
                f"{case.site.ssh.user} does not become root",
                "allow passwordless sudo, or set ssh.user to root",
            )


def _operating_system(case: Case) -> Iterator[Complaint]:
    wanted = SYSTEMS[case.supplies.os]
    for host, fact in case.pairs():
        if (fact.os, fact.os_version) != wanted:
            yield Complaint(
                host.name,
                f"runs {fact.os} {fact.os_version}, this bundle is for {' '.join(wanted)}",
                "install that system, or build a bundle for this one",
            )


def _architecture(case: Case) -> Iterator[Complaint]:
    wanted = MACHINES[case.supplies.arch]
    for host, fact in case.pairs():
        if fact.arch != wanted:
            yield Complaint(
                host.name,
                f"is a {fact.arch} machine, this bundle is for {wanted}",
                "build a bundle for this architecture",
            )


def _systemd(case: Case) -> Iterator[Complaint]:
    for host, fact in case.pairs():
        if not fact.systemd:
            yield Complaint(
                host.name,
                "is not run by systemd",
                "boot it with systemd as init: services of the platform are its units",
            )


def _cpus(case: Case) -> Iterator[Complaint]:
    for host, fact in case.pairs():
        if "control_plane" in host.groups and fact.cpus < CONTROL_PLANE_CPUS:
            yield Complaint(
                host.name,
                f"has {fact.cpus} CPU, a control plane needs {CONTROL_PLANE_CPUS}",
                "give it more CPUs",
            )


def _memory(case: Case) -> Iterator[Complaint]:
    for host, fact in case.pairs():
        needed = CONTROL_PLANE_MEMORY if "control_plane" in host.groups else WORKER_MEMORY
        if fact.memory < needed:
            yield Complaint(
                host.name, f"has {_size(fact.memory)} of memory, needs {_size(needed)}", "give it more memory"
            )


def _room_for_organs(case: Case) -> Iterator[Complaint]:
    """Each organ's pod must fit on some host that takes pods, and all pods together on all of them."""
    organs = case.site.organs
    if not organs:
        return
    workers = [
        fact
        for host, fact in case.pairs()
        if "control_plane" not in host.groups or case.site.cluster.schedule_on_control_plane
    ]
    if not workers:
        yield Complaint(
            "",
            "no host may run ordinary pods",
            "add a worker, or set cluster.schedule_on_control_plane: true",
        )
        return
    largest, total = (measure(fact.memory for fact in workers) for measure in (max, sum))
    for organ, served in organs.items():
        if quantity(served.memory) > largest:
            yield Complaint(
                "",
                f"organs.{organ}.memory is {served.memory}, the largest host has {_size(largest)}",
                "lower it in site.yml, or add memory to a host",
            )
    pods = ", ".join(f"{organ} {served.replicas} × {served.memory}" for organ, served in organs.items())
    wanted = sum(quantity(served.memory) * served.replicas for served in organs.values())
    if wanted > total:
        yield Complaint(
            "",
            f"the organs need {_size(wanted)} of memory together ({pods}), hosts for pods have {_size(total)}",
            "lower memory or replicas under organs in site.yml, leave an organ out, or add a worker",
        )
    yield from _room_on_one_host(case)
    promised = sum(served.millicores * served.replicas for served in organs.values())
    left = sum(fact.cpus * 1000 - _own_millicores(case.site.host(fact.name)) for fact in workers)
    if promised > left:
        yield Complaint(
            "",
            f"the organs are promised {promised / 1000:.2f} CPUs together, hosts for pods have {left / 1000:.2f} left",
            "lower cpu or replicas under organs in site.yml, leave an organ out, or add a worker",
        )


def _room_on_one_host(case: Case) -> Iterator[Complaint]:
    """Stores run where their data is, and nowhere else."""
    for host, fact in case.pairs():
        stores = stored_on(case.site, host)
        wanted = sum(quantity(stored.memory) for stored in stores.values())
        if wanted > fact.memory:
            named = ", ".join(f"{organ} {stored.memory}" for organ, stored in stores.items())
            yield Complaint(
                host.name,
                f"the stores on it need {_size(wanted)} of memory ({named}), it has {_size(fact.memory)}",
                "name another host under organs.<store>.host, or lower their memory",
            )


def stored_on(site: Site, host: Host) -> dict[str, Stored]:
    """The stores that keep their data on a host."""
    stores = {organ: served for organ, served in site.organs.items() if isinstance(served, Stored)}
    return {organ: stored for organ, stored in stores.items() if stored.host == host.name}


def _own_millicores(host: Host) -> int:
    """What Kubernetes promises to its own pods on a host."""
    return CONTROL_PLANE_MILLICORES if "control_plane" in host.groups else 0


def _disk(case: Case) -> Iterator[Complaint]:
    """Room on each file system for all that goes there; directories that share one add up."""
    for host, fact in case.pairs():
        spaces = fact.spaces or {}
        needs: dict[int, dict[str, int]] = defaultdict(dict)
        for path, size in disk_needs(case.site, case.supplies, host, fact).items():
            if path in spaces:
                needs[spaces[path].device][path] = size
        for device, together in needs.items():
            free = next(
                space.free for path, space in spaces.items() if space.device == device and path in together
            )
            total = sum(together.values())
            if free < total:
                parts = ", ".join(f"{path} {_size(size)}" for path, size in together.items())
                yield Complaint(
                    host.name,
                    f"needs {_size(total)} of disk ({parts}), has {_size(free)} free",
                    "free some, or mount a larger disk there",
                )


def disk_needs(site: Site, supplies: Supplies, host: Host, fact: HostFacts) -> dict[str, int]:
    """Bytes to be written below each directory of a host; where this very site is, only room to grow."""
    if fact.belongs_to(site):
        return {"/var/lib/containerd": GROWTH // 4}
    needs = {
        "/var/lib/containerd": supplies.image_bytes * UNPACKED,
        "/var/lib/kubelet": GROWTH // 2,
        "/var/log": GROWTH // 2,
    }
    if "control_plane" in host.groups:
        needs["/var/lib/etcd"] = GROWTH
    if host.name == site.registry.host:
        needs[site.registry.data] = supplies.image_bytes
    for stored in stored_on(site, host).values():
        needs[stored.data] = needs.get(stored.data, 0) + quantity(stored.storage)
    return needs


def _clock(case: Case) -> Iterator[Complaint]:
    for host, fact in case.pairs():
        surely = max(0.0, abs(fact.clock_skew) - fact.clock_error)
        if surely > CLOCK_WARN:
            direction = "ahead of" if fact.clock_skew > 0 else "behind"
            severity: Severity = "fail" if surely > CLOCK_FAIL else "warn"
            yield Complaint(
                host.name,
                f"its clock is {surely:.0f} s {direction} this machine's",
                "set both by one time server (chrony)",
                severity,
            )


def _ports(case: Case) -> Iterator[Complaint]:
    for host, fact in case.pairs():
        if fact.belongs_to(case.site):
            continue  # our own services listen there
        wanted = dict(EVERY_HOST_PORTS)
        wanted |= {served.node_port: organ for organ, served in case.site.organs.items()}
        if "control_plane" in host.groups:
            wanted |= CONTROL_PLANE_PORTS
        if host.name == case.site.registry.host:
            wanted[case.site.registry.port] = "registry"
        if taken := sorted(set(wanted) & set(fact.ports)):
            named = ", ".join(f"{port} ({wanted[port]})" for port in taken)
            yield Complaint(
                host.name,
                f"something listens on {named} already",
                "find it with `ss -ltnp` and stop it, or change the port in site.yml",
            )


def _swap(case: Case) -> Iterator[Complaint]:
    for host, fact in case.pairs():
        if fact.swap:
            yield Complaint(
                host.name,
                f"has {_size(fact.swap)} of swap; pods will never use it, but their memory limits mean less",
                "swapoff -a, and take it out of /etc/fstab",
            )


def _cgroup(case: Case) -> Iterator[Complaint]:
    for host, fact in case.pairs():
        if fact.cgroup != 2:
            yield Complaint(
                host.name,
                f"uses cgroup v{fact.cgroup}, which Kubernetes supports for old systems only",
                "boot without systemd.unified_cgroup_hierarchy=0",
            )


def _kernel(case: Case) -> Iterator[Complaint]:
    for host, fact in case.pairs():
        for name, purpose in NEEDED_FEATURES.items():
            works = (fact.features or {}).get(name)
            if works is False:
                yield Complaint(
                    host.name,
                    f"kernel {fact.kernel} has no {name}, needed for {purpose}",
                    f"boot a kernel with it; try `modprobe {name}`",
                )
            elif works is None:
                yield Complaint(
                    host.name,
                    f"could not tell whether kernel {fact.kernel} has {name}, needed for {purpose}",
                    f"try `modprobe {name}`",
                    "warn",
                )


def _resolver(case: Case) -> Iterator[Complaint]:
    for host, fact in case.pairs():
        if outside := [server for server in fact.resolvers if is_outside(server)]:
            yield Complaint(
                host.name,
                f"asks name servers on the internet: {', '.join(outside)}",
                "name your own network's in /etc/resolv.conf, or none: each look-up waits for a timeout",
            )


def is_outside(server: str) -> bool:
    """Whether a name server's address is one of the internet's; a zone such as `%eth0` is passed over."""
    try:
        return ip_address(server.partition("%")[0]).is_global
    except ValueError:
        return False


def _leftovers(case: Case) -> Iterator[Complaint]:
    for host, fact in case.pairs():
        if fact.marker and not fact.belongs_to(case.site):
            yield Complaint(
                host.name,
                f"belongs to the site {fact.marker!r}",
                "take it out of that site first, or correct hosts.yml",
            )
        elif not fact.marker and (
            found := (*fact.leftovers, *(f"a running {name}" for name in fact.processes))
        ):
            severity: Severity = "fail" if _is_cluster(fact) else "warn"
            yield Complaint(
                host.name,
                f"was used for containers before: {', '.join(found)}",
                "install the system anew, or remove what is left (kubeadm reset)",
                severity,
            )


def _is_cluster(fact: HostFacts) -> bool:
    return bool(
        {path for path in fact.leftovers if path != "/etc/cni/net.d"}
        or {"kubelet", "k3s", "k0s", "rke2", "etcd"} & set(fact.processes)
    )


def _route(case: Case) -> Iterator[Complaint]:
    for host, fact in case.pairs():
        if not fact.default_route:
            yield Complaint(
                host.name,
                "has no default route, without which kubeadm finds no address",
                f"ip route add default via {case.site.network.gateway} (nothing needs to answer there)",
            )


def _hostnames(case: Case) -> Iterator[Complaint]:
    seen: dict[str, str] = {}
    for host, fact in case.pairs():
        other = seen.setdefault(fact.hostname, host.name)
        if other != host.name:
            yield Complaint(
                host.name,
                f"is called {fact.hostname!r} like {other}",
                f"hostnamectl set-hostname {host.name}",
            )


def _address(case: Case) -> Iterator[Complaint]:
    for host, fact in case.pairs():
        if fact.addresses and str(host.address) not in fact.addresses:
            yield Complaint(
                host.name,
                f"does not have the address {host.address} itself (it has {', '.join(fact.addresses)})",
                "name its own address: forwarded ones don't work in a cluster",
            )


RULES: tuple[Rule, ...] = (
    Rule("PREFLIGHT-ORGAN", "the bundle holds what the site wants", _organs),
    Rule("PREFLIGHT-PYTHON", "every host has python3", _python),
    Rule("PREFLIGHT-ROOT", "the installer becomes root", _root),
    Rule("PREFLIGHT-OS", "hosts run the system the bundle is for", _operating_system),
    Rule("PREFLIGHT-ARCH", "hosts are of the bundle's architecture", _architecture),
    Rule("PREFLIGHT-SYSTEMD", "hosts are run by systemd", _systemd),
    Rule("PREFLIGHT-CPU", "control planes have CPUs enough", _cpus),
    Rule("PREFLIGHT-MEMORY", "hosts have memory enough", _memory),
    Rule("PREFLIGHT-CAPACITY", "hosts can hold the organs", _room_for_organs),
    Rule("PREFLIGHT-DISK", "every file system has room for what goes there", _disk),
    Rule("PREFLIGHT-CLOCK", "clocks agree", _clock),
    Rule("PREFLIGHT-PORT", "ports are free", _ports),
    Rule("PREFLIGHT-SWAP", "swap is off", _swap, "warn"),
    Rule("PREFLIGHT-CGROUP", "cgroup v2 is in use", _cgroup, "warn"),
    Rule("PREFLIGHT-KERNEL", "the kernel has what containers need", _kernel),
    Rule("PREFLIGHT-RESOLVER", "name servers are on the own network", _resolver, "warn"),
    Rule("PREFLIGHT-LEFTOVERS", "no other cluster is on the hosts", _leftovers),
    Rule("PREFLIGHT-ROUTE", "hosts have a default route", _route),
    Rule("PREFLIGHT-HOSTNAME", "host names differ", _hostnames),
    Rule("PREFLIGHT-ADDRESS", "hosts have the addresses the inventory says", _address),
)


def _size(size: int) -> str:
    return amount(size, "bytes")
