"""Bring what a lock names into the cache: kinds side by side, resumable, each blob verified as it lands."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from llmflow_bundle import sources
from llmflow_bundle.cache import Cache
from llmflow_bundle.errors import BundleError
from llmflow_bundle.intent import ORGANS
from llmflow_bundle.lock import LANES, LOCKS, require_tools, run_lanes
from llmflow_bundle.model import Lock, LockedSource, inputs_of
from llmflow_bundle.report import Reporter, Task, amount, task
from llmflow_bundle.sources.base import Context

HEADROOM = 2.2
"""Bytes of disk wanted per byte to fetch: a blob beside the client's own copy, and a build's scratch."""


def context(repository: Path, lock: Lock, cache: Cache, report: Reporter) -> Context:
    """The context in which the sources of a lock are fetched."""
    known = {source.name: source for source in lock.sources}
    return Context(
        cache, repository, repository, repository / LOCKS, lock.target, lock.toolchain, report, known
    )


def fetch(
    lock: Lock, repository: Path, cache: Cache, report: Reporter, only: Collection[str] | None = None
) -> None:
    """Fetch or build what the cache lacks; a second call finds everything and does nothing.

    `only` limits it to these sources and what they are built from.
    Raises BundleError: BUNDLE-DISK-FULL before anything starts where the space can't do, BUNDLE-TOOL-MISSING,
    and what the sources raise. Whatever was fetched by then stays.
    """
    wanted = [source for source in lock.sources if only is None or source.name in with_inputs(lock, only)]
    missing = [source for source in wanted if not is_here(source, cache)]
    total = sum(a.size for source in wanted for a in source.artifacts)
    with task(report, "Fetching", total, "bytes") as progress:
        shared = _Shared(progress)
        shared.advance(sum(a.size for s in wanted if s not in missing for a in s.artifacts), "")
        if missing:
            require_space(missing, cache)
            require_tools([source.spec for source in missing], report)
            ctx = replace(context(repository, lock, cache, report), advance=shared.advance)
            _fetch_all(missing, ctx, repository)
        progress.detail = _detail(wanted, missing, total)


def with_inputs(lock: Lock, names: Collection[str]) -> set[str]:
    """The named sources and all that they are built from."""
    found: set[str] = set()
    todo = set(names)
    while todo:
        found |= todo
        todo = {
            name for source in lock.sources if source.name in todo for name in inputs_of(source.spec)
        } - found
    return found


def is_here(source: LockedSource, cache: Cache) -> bool:
    """Whether all of a source's outputs are in the cache."""
    if not source.reproducible:
        return cache.built(source.key) is not None
    return all(cache.has(a.sha256, a.size) for a in source.artifacts)


def require_space(missing: Sequence[LockedSource], cache: Cache) -> None:
    """Raise BundleError (BUNDLE-DISK-FULL) where the cache's disk can't take what is still to come."""
    blobs = {a.sha256: a.size for s in missing for a in s.artifacts if not cache.has(a.sha256, a.size)}
    wanted = int(sum(blobs.values()) * HEADROOM)
    if wanted > cache.free():
        raise BundleError(
            "BUNDLE-DISK-FULL",
            f"Fetching needs {amount(wanted, 'bytes')} of disk, {amount(cache.free(), 'bytes')} are free",
            where=str(cache.root),
            hint="free some space, or point LLMFLOW_CACHE at a larger disk",
        )


def _fetch_all(missing: Sequence[LockedSource], ctx: Context, repository: Path) -> None:
    def one(source: LockedSource) -> None:
        local = replace(
            ctx, organ_dir=repository / ORGANS / source.organ
        )  # file sources lie beside organ.yaml
        with ctx.cache.lock(f"source-{source.name}", ctx.report):
            sources.of(source.kind).fetch(source, local)

    lanes: dict[str, list[LockedSource]] = defaultdict(list)
    for source in missing:
        lanes[LANES.get(source.kind, "rest")].append(source)
    built = _in_order(lanes.pop("built", []))
    for group in (list(lanes.values()), [built]):
        run_lanes([[partial(one, source) for source in lane] for lane in group])


def _in_order(built: list[LockedSource]) -> list[LockedSource]:
    """Built sources after the built sources that they need."""
    waiting, done = list(built), list[LockedSource]()
    names = {source.name for source in built}
    while waiting:
        placed = {source.name for source in done}
        ready = [s for s in waiting if all(n not in names or n in placed for n in inputs_of(s.spec))]
        if not ready:
            return done + waiting
        done += ready
        waiting = [s for s in waiting if s not in ready]
    return done


def _detail(wanted: Sequence[LockedSource], missing: Sequence[LockedSource], total: int) -> str:
    count = sum(len(source.artifacts) for source in wanted)
    done = f"{count} files, {amount(total, 'bytes')}"
    return (
        f"{done}, all were here"
        if not missing
        else f"{done}, {len(missing)} of {len(wanted)} sources fetched"
    )


class _Shared:
    """One progress for all lanes."""

    def __init__(self, progress: Task) -> None:
        self._progress, self._guard = progress, threading.Lock()

    def advance(self, n: int, item: str) -> None:
        """Move on by `n` bytes."""
        with self._guard:
            self._progress.advance(n, item)
