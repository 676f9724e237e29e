"""Files that are checked in, beside organ.yaml or elsewhere in the repository."""

from __future__ import annotations

import os
from pathlib import Path

from llmflow_bundle.cache import digest_of, sha256_of
from llmflow_bundle.errors import BundleError
from llmflow_bundle.model import FileSource, LockedSource
from llmflow_bundle.sources.base import Context, Draft, Resolved

TOOLS: tuple[str, ...] = ()
LEFT_OUT = frozenset({"__pycache__", ".DS_Store"})


def files_of(spec: FileSource, ctx: Context) -> dict[str, Path]:
    """Output name → file. Raises BundleError (BUNDLE-FILE-MISSING) where there is nothing."""
    top = (ctx.repository if spec.of == "repository" else ctx.organ_dir) / spec.path
    if top.is_file():
        return {top.name: top}
    found = {}
    for folder, folders, names in os.walk(top):
        folders[:] = sorted(set(folders) - LEFT_OUT)
        for name in sorted(set(names) - LEFT_OUT):
            path = Path(folder, name)
            found[path.relative_to(top).as_posix()] = path
    if not found:
        raise BundleError(
            "BUNDLE-FILE-MISSING",
            f"Source {spec.name} names {spec.path}, which is not there or is empty",
            where=(ctx.organ_dir / "organ.yaml").relative_to(ctx.repository).as_posix(),
            hint="correct the path: it is relative to organ.yaml's folder, or with `of: repository` to the repository",
        )
    return found


def key(spec: FileSource, ctx: Context) -> str:
    """Digest of the recipe and of the files' contents."""
    digests = {name: sha256_of(path) for name, path in files_of(spec, ctx).items()}
    return digest_of({"spec": spec.model_dump(mode="json", exclude_defaults=True), "files": digests})


def resolve(spec: FileSource, ctx: Context) -> Resolved:
    """Copy the files into the cache."""
    outputs = [ctx.cache.copy_in(path, name=name) for name, path in files_of(spec, ctx).items()]
    drafts = (Draft(o.file, "", o.file, o.sha256, o.size, spec.licence) for o in outputs)
    return Resolved(key(spec, ctx), tuple(drafts))


def fetch(locked: LockedSource, ctx: Context) -> None:
    """Copy in what the cache lacks; refuses a file that differs from the lock."""
    assert isinstance(locked.spec, FileSource)  # noqa: S101 - chosen by kind
    files: dict[str, Path] | None = None
    for artifact in locked.artifacts:
        if not ctx.cache.has(artifact.sha256, artifact.size):
            files = files or files_of(locked.spec, ctx)
            if artifact.file not in files:
                raise BundleError("BUNDLE-FILE-MISSING", f"{artifact.file} of source {locked.name} is gone",
                                  where=locked.spec.path, hint="restore it, or lock again")  # fmt: skip
            ctx.cache.copy_in(files[artifact.file], expect=artifact.sha256, name=artifact.file)
        ctx.advance(artifact.size, artifact.file)
