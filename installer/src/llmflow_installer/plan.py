"""What will be run: a pure function of the order, the variables and what the journal remembers."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmflow_installer.site import Served, Site, Stored
from llmflow_installer.stages import STAGES, Stage, named


@dataclass(frozen=True)
class Step:
    """A stage to look at: the digest of its inputs, and whether it is run without asking its check play."""

    stage: Stage
    digest: str
    forced: bool = False
    why: str = ""


@dataclass(frozen=True)
class Plan:
    """The steps in order, and the stages that must be done already because the order leaves them out."""

    steps: tuple[Step, ...]
    required: tuple[Stage, ...] = ()

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages of the steps."""
        return tuple(step.stage for step in self.steps)


def make_plan(
    variables: Mapping[str, Any], last: Mapping[str, str], *, only: str | None = None, force: bool = False
) -> Plan:
    """The plan for a site; `last` maps stages to the digests they last finished with.

    Raises SiteError for an unknown `only`.
    """
    chosen = STAGES if only is None else (named(only),)
    required = (
        ()
        if only is None
        else tuple(stage for stage in STAGES if stage.id in _all_needs(named(only)) and stage.playbook)
    )
    return Plan(tuple(_step(stage, variables, last.get(stage.id), force) for stage in chosen), required)


def _step(stage: Stage, variables: Mapping[str, Any], last: str | None, force: bool) -> Step:
    digest = digest_of(stage, variables)
    if force:
        return Step(stage, digest, forced=True, why="--force")
    if stage.inputs and last is not None and last != digest:
        return Step(stage, digest, forced=True, why="its inputs have changed since it last ran")
    return Step(stage, digest)


def _all_needs(stage: Stage) -> set[str]:
    found: set[str] = set()
    for need in stage.needs:
        found |= {need} | _all_needs(named(need))
    return found


def digest_of(stage: Stage, variables: Mapping[str, Any]) -> str:
    """SHA-256 over the values that the stage names as its inputs."""
    values = {name: _at(variables, name) for name in stage.inputs}
    return hashlib.sha256(json.dumps(values, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _at(variables: Mapping[str, Any], dotted: str) -> Any:
    value: Any = variables
    for key in dotted.split("."):
        value = value[key]
    return value


def _sizes(served: Served) -> dict[str, Any]:
    """What the organ's values are made of; a size that the organ does not have is left out."""
    given = {name: value for name, value in dataclasses.asdict(served).items() if value is not None}
    told = given | {"cpu_request": f"{served.millicores}m", "threads": served.threads}
    if isinstance(served, Stored):
        told |= {"heap_mib": served.heap_mib, "page_cache_mib": served.page_cache_mib}
    return told


def site_variables(site: Site) -> dict[str, Any]:
    """The `site` variable of every playbook (playbooks/README.md)."""
    return {
        "name": site.name,
        "ssh": {
            "user": site.ssh.user,
            "private_key": str(site.ssh.private_key),
            "known_hosts": str(site.ssh.known_hosts),
        },
        "network": {
            name: str(getattr(site.network, name)) for name in ("hosts", "gateway", "pods", "services")
        },
        "cluster": {
            "endpoint": site.cluster.endpoint,
            "schedule_on_control_plane": site.cluster.schedule_on_control_plane,
        },
        "registry": {
            "host": site.registry.host,
            "address": str(site.registry.address),
            "port": site.registry.port,
            "endpoint": site.registry.endpoint,
            "data": site.registry.data,
        },
        "organs": {organ: _sizes(served) for organ, served in site.organs.items()},
        "hosts": [
            {
                "name": host.name,
                "address": str(host.address),
                "groups": list(host.groups),
                "pod_cidr": str(host.pod_cidr),
            }
            for host in site.hosts
        ],
    }
