"""What was asked for, what it is done with, and what became of it: the nouns that verbs on a site share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from llmflow_installer.ansible import Job
from llmflow_installer.certificates import Pki
from llmflow_installer.journal import Journal
from llmflow_installer.site import Site
from llmflow_installer.state import SiteState
from llmflow_installer.supplies import Supplies
from llmflow_installer.verify import Verified
from llmflow_installer.world import World


@dataclass(frozen=True)
class InstallOrder:
    """What the operator asked for: `only` is one stage's id, `force` plays stages that are done."""

    site_directory: Path
    bundle_directory: Path
    key: Path | None = None
    dry_run: bool = False
    only: str | None = None
    force: bool = False


@dataclass(frozen=True)
class StageResult:
    """What became of a stage: `outcome` is done already, ran, or would run."""

    stage: str
    outcome: str
    seconds: float = 0.0
    ok: int = 0
    changed: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Installed:
    """What an install did, and the answer that the platform gave if it was asked."""

    site: str
    bundle: str
    run_directory: Path
    results: tuple[StageResult, ...]
    verified: Verified | None = None

    @property
    def changed(self) -> int:
        """Changes on all hosts; 0 when there was nothing to do."""
        return sum(result.changed for result in self.results)


@dataclass(frozen=True)
class Work:
    """What every verb on a site needs once site and bundle are read and the site's lock is held."""

    site: Site
    supplies: Supplies
    state: SiteState
    journal: Journal
    pki: Pki
    secrets: dict[str, str]
    job: Job
    world: World
