"""Where artifacts come from: one module a kind, each able to resolve (online) and to fetch what is locked."""

from __future__ import annotations

from typing import Any, Protocol, cast

from llmflow_bundle.model import BuiltSource, Kind, LockedSource, PypiSource, Source
from llmflow_bundle.sources import built, deb, file, go, maven, pypi
from llmflow_bundle.sources.base import Context, Resolved


class SourceKind(Protocol):
    """What each module of this package offers."""

    TOOLS: tuple[str, ...]

    def key(self, spec: Any, ctx: Context) -> str:
        """Digest of all that decides the outputs, told without network."""

    def resolve(self, spec: Any, ctx: Context) -> Resolved:
        """Resolve the recipe to artifacts; they are in the cache afterwards where that took fetching."""

    def fetch(self, locked: LockedSource, ctx: Context) -> None:
        """Bring what the lock names into the cache."""


_KINDS = {"go": go, "pypi": pypi, "maven": maven, "deb": deb, "file": file, "built": built}


def of(kind: Kind) -> SourceKind:
    """The module for a kind."""
    return cast(SourceKind, _KINDS[kind])


def tools(source: Source) -> tuple[str, ...]:
    """The clients that a source needs on the build machine to be resolved or fetched."""
    if isinstance(source, BuiltSource):
        return () if "/" in source.command[0] else (source.command[0],)  # with a slash it is among its inputs
    if isinstance(source, PypiSource) and source.lock_file:
        return ()  # resolved already; pip is part of the Python that runs this
    return of(source.kind).TOOLS
