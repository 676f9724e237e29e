"""Files made by a command out of declared inputs, in a directory that holds nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from llmflow_bundle.cache import Output, digest_of
from llmflow_bundle.errors import BundleError
from llmflow_bundle.model import BuiltSource, FileSource, LockedSource
from llmflow_bundle.report import task
from llmflow_bundle.sources.base import Context, Draft, Resolved, run
from llmflow_bundle.tree import deb_entries, extract, wheel_entries

TOOLS: tuple[str, ...] = ()  # the recipe's own command


def key(spec: BuiltSource, ctx: Context) -> str:
    """Digest of the recipe and of every input."""
    inputs = {place: _state(ref, ctx) for place, ref in spec.inputs.items()}
    return digest_of({"spec": spec.model_dump(mode="json"), "inputs": inputs})


def resolve(spec: BuiltSource, ctx: Context) -> Resolved:
    """Run a reproducible recipe and record what it left; of another, lock only what goes in."""
    made = key(spec, ctx)
    if not spec.reproducible:
        return Resolved(made, ())
    outputs = ctx.cache.built(made) or _build(spec, ctx, made)
    drafts = (Draft(o.file, spec.version, o.file, o.sha256, o.size, spec.licence) for o in outputs)
    return Resolved(made, tuple(drafts))


def fetch(locked: LockedSource, ctx: Context) -> None:
    """Run the recipe where the cache lacks its outputs; refuses other bytes than the lock's."""
    assert isinstance(locked.spec, BuiltSource)  # noqa: S101 - chosen by kind
    if not locked.reproducible:
        if ctx.cache.built(locked.key) is None:
            _build(locked.spec, ctx, locked.key)
        return
    if not all(ctx.cache.has(a.sha256, a.size) for a in locked.artifacts):
        built = {o.file: o.sha256 for o in _build(locked.spec, ctx, locked.key)}
        differing = [a.file for a in locked.artifacts if built.get(a.file) != a.sha256]
        if differing:
            raise BundleError(
                "BUNDLE-NOT-REPRODUCED",
                f"Recipe {locked.name} gave other bytes than the lock says for {', '.join(differing)}",
                where=f"source {locked.name}: {' '.join(locked.spec.command)}",
                hint=f"another compiler? If it is meant, `llmflow bundle lock --update {locked.name}`",
            )
    ctx.advance(sum(a.size for a in locked.artifacts), locked.name)


def _state(ref: str, ctx: Context) -> object:
    """What an input is made of, without needing its bytes."""
    source, output = find(ref, ctx)
    if not source.reproducible:
        return source.key
    return {a.file: a.sha256 for a in source.artifacts if not output or _within(a.file, output)}


def find(ref: str, ctx: Context) -> tuple[LockedSource, str]:
    """The source and the output that `<source>[/<output>]` names.

    Raises BundleError (BUNDLE-NO-OUTPUT) where there is no such thing.
    """
    name, _, output = ref.partition("/")
    source = ctx.known.get(name)
    known = source is not None and (
        not output or not source.reproducible or any(_within(a.file, output) for a in source.artifacts)
    )
    if source is None or not known:
        raise BundleError(
            "BUNDLE-NO-OUTPUT",
            f"There is no {ref}",
            where="inputs of a built source",
            hint="name a source, or a source and one of its outputs: llmflow bundle why SOURCE",
        )
    return source, output


def _within(file: str, output: str) -> bool:
    return file == output or file.startswith(f"{output}/")


def _build(spec: BuiltSource, ctx: Context, made: str) -> tuple[Output, ...]:
    with ctx.cache.workdir(spec.name) as work, task(ctx.report, f"Building {spec.name}") as progress:
        for place, ref in spec.inputs.items():
            materialise(ref, work / place, ctx)
        home = work / ".home"
        home.mkdir()
        run(spec.command, source=spec.name, cwd=work, on_line=lambda line: progress.advance(1, line[:80]),
            env={"HOME": str(home), "SOURCE_DATE_EPOCH": "0", "PYTHONDONTWRITEBYTECODE": "1", **spec.env},
            drop=("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CFLAGS", "LDFLAGS"))  # fmt: skip
        outputs = [o for name in spec.outputs for o in _collect(spec, work, name, ctx)]
        ctx.cache.remember(made, outputs)
    return tuple(sorted(outputs, key=lambda o: o.file))


def _collect(spec: BuiltSource, work: Path, name: str, ctx: Context) -> list[Output]:
    top = work / name
    files = [top] if top.is_file() else sorted(p for p in top.rglob("*") if p.is_file())
    if not files:
        raise BundleError("BUNDLE-NO-OUTPUT", f"Recipe {spec.name} left no {name}",
                          where=" ".join(spec.command), hint="correct `outputs` or the command")  # fmt: skip
    return [ctx.cache.add(path, name=path.relative_to(work).as_posix()) for path in files]


def materialise(ref: str, to: Path, ctx: Context) -> None:
    """Put a source or an output at `to`: file, folder, a deb source's tree, a pypi source's site-packages."""
    source, output = find(ref, ctx)
    outputs = ctx.cache.outputs(source)
    to.parent.mkdir(parents=True, exist_ok=True)
    if not output and source.kind == "deb":
        with ctx.cache.workdir("deb-tree") as scratch:
            extract(deb_entries({o.file: ctx.cache.blob(o.sha256) for o in outputs}, scratch), to)
    elif not output and source.kind == "pypi":
        extract(wheel_entries({o.file: ctx.cache.blob(o.sha256) for o in outputs}), to)
    elif not output and isinstance(source.spec, FileSource) and _is_one_file(source.spec, outputs):
        _place(ctx.cache.blob(outputs[0].sha256), to)
    else:
        for o in outputs:
            if not output or _within(o.file, output):
                rest = o.file if not output else o.file[len(output) :].lstrip("/")
                _place(ctx.cache.blob(o.sha256), to / rest if rest else to)


def _is_one_file(spec: FileSource, outputs: Sequence[Output]) -> bool:
    return [o.file for o in outputs] == [PurePosixPath(spec.path).name]


def _place(blob: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(blob, to)
