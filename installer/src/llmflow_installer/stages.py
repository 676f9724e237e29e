"""The table of stages: what an operator sees, what the journal records, what playbooks/ holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from llmflow_bundle.errors import SiteError


@dataclass(frozen=True)
class Stage:
    """One step of an install.

    `playbook` is relative to playbooks/ ("" for the one that is Python), `needs` are stages that must be done
    before, `inputs` the dotted names of the variables in its digest: when one changes, the stage runs again.
    """

    id: str
    title: str
    playbook: str
    needs: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()

    @property
    def check(self) -> str:
        """The play that tells whether this stage is already done, relative to playbooks/."""
        return self.playbook.removesuffix(".yml") + ".check.yml"


STAGES: tuple[Stage, ...] = (
    Stage(
        "hosts", "Hosts prepared", "stages/10-hosts.yml",
        inputs=("site.hosts", "site.network", "bundle.digest"),
    ),
    Stage(
        "registry", "Registry serves the images", "stages/20-registry.yml", needs=("hosts",),
        inputs=("site.registry", "bundle.digest"),
    ),
    Stage(
        "cluster", "Kubernetes runs", "stages/30-cluster.yml", needs=("hosts", "registry"),
        inputs=("site.hosts", "site.network", "site.cluster", "site.registry", "bundle.digest"),
    ),
    Stage(
        "network", "Pods reach each other", "stages/40-network.yml", needs=("cluster",),
        inputs=("site.hosts", "site.network", "bundle.digest"),
    ),
    Stage(
        "organs", "Organs run", "stages/50-organs.yml", needs=("network",),
        inputs=("site.organs", "site.cluster", "bundle.digest"),
    ),
    Stage("verify", "Questions are answered", "", needs=("organs",)),
)  # fmt: skip

PLAYED = tuple(stage for stage in STAGES if stage.playbook)


def named(stage_id: str, stages: Sequence[Stage] = STAGES) -> Stage:
    """The stage of that id; raises SiteError with the nearest name where there is none."""
    for stage in stages:
        if stage.id == stage_id:
            return stage
    ids = [stage.id for stage in stages]
    near = get_close_matches(stage_id, ids, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"stages are {', '.join(ids)}"
    raise SiteError("SITE-UNKNOWN-STAGE", f"there is no stage {stage_id!r}", where="--stage", hint=hint)
