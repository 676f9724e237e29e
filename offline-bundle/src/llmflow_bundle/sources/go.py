"""Commands built from Go modules, bit for bit the same on every machine.

A module of our own requires the upstream module and, where upstream replaces its staging modules by folders,
replaces them by their published versions. Its go.mod, go.sum and tools.go live in `locks/go/<name>/`.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from llmflow_bundle.cache import Output, digest_of, sha256_of
from llmflow_bundle.errors import BundleError
from llmflow_bundle.model import GoSource, LockedSource
from llmflow_bundle.report import task
from llmflow_bundle.sources.base import Context, Draft, Resolved, run

TOOLS = ("go",)
MODULE_FILES = ("go.mod", "go.sum", "tools.go")


def key(spec: GoSource, ctx: Context) -> str:
    """Digest of everything that decides the binaries: module graph, commands, flags, toolchain."""
    folder = ctx.locks / "go" / spec.name
    files = {n: sha256_of(folder / n) if (folder / n).is_file() else "" for n in MODULE_FILES}
    return digest_of(
        {"spec": spec.model_dump(mode="json"), "files": files, "flags": _flags(spec), "env": _env(ctx)}
    )


def resolve(spec: GoSource, ctx: Context) -> Resolved:
    """Write the module files, build the commands and record their digests."""
    folder = ctx.locks / "go" / spec.name
    with ctx.cache.workdir(spec.name) as work:
        _download(spec, ctx, work)  # says that a module is not to be had, which `tidy -e` keeps to itself
        _write_module(spec, ctx, work)
        (work / "go.sum").touch()
        run(["go", "mod", "tidy", "-e"], source=spec.name, cwd=work, env={**_env(ctx), "GOFLAGS": "-mod=mod"})
        folder.mkdir(parents=True, exist_ok=True)
        for name in MODULE_FILES:
            shutil.copyfile(work / name, folder / name)
    made = key(spec, ctx)
    outputs = ctx.cache.built(made) or _build(spec, ctx, made)
    artifacts = (Draft(o.file, spec.version, o.file, o.sha256, o.size, spec.licence) for o in outputs)
    return Resolved(made, tuple(artifacts), ctx.toolchain.go)


def fetch(locked: LockedSource, ctx: Context) -> None:
    """Build what the cache lacks; refuses a binary that differs from the lock (BUNDLE-NOT-REPRODUCED)."""
    assert isinstance(locked.spec, GoSource)  # noqa: S101 - chosen by kind
    if all(ctx.cache.has(a.sha256, a.size) for a in locked.artifacts):
        ctx.advance(sum(a.size for a in locked.artifacts), locked.name)
        return
    built = {o.file: o for o in _build(locked.spec, ctx, key(locked.spec, ctx))}
    differing = [a for a in locked.artifacts if a.file not in built or built[a.file].sha256 != a.sha256]
    if differing:
        names = ", ".join(a.file for a in differing)
        raise BundleError(
            "BUNDLE-NOT-REPRODUCED",
            f"Building {locked.name} gave other bytes than the lock says for {names}",
            where=f"source {locked.name}, toolchain {ctx.toolchain.go}",
            hint=f"see what `go env` sets on this machine; if the change is meant, "
            f"`llmflow bundle lock --update {locked.name}`",
        )
    ctx.advance(sum(a.size for a in locked.artifacts), locked.name)


def _env(ctx: Context) -> dict[str, str]:
    """Go's environment; each value is set so that neither the shell's nor `go env -w`'s takes part."""
    return {
        "GOTOOLCHAIN": ctx.toolchain.go,
        "GOFLAGS": "-mod=readonly",
        "GOWORK": "off",
        "CGO_ENABLED": "0",
        "GOOS": "linux",
        "GOARCH": ctx.target.arch,
        "GOAMD64": "v1",
        "GOFIPS140": "off",
    }


def _flags(spec: GoSource) -> list[str]:
    stamps = [f"-X {name}={value}" for name, value in spec.stamp.items()]
    tags = ["-tags", ",".join(spec.tags)] if spec.tags else []
    return ["-trimpath", "-buildvcs=false", *tags, "-ldflags", " ".join(["-s -w", *stamps])]


def _packages(spec: GoSource) -> list[str]:
    """Import paths of the commands."""
    wanted = [(spec.module, c) for c in spec.commands]
    wanted += [(m.module, c) for m in spec.modules for c in m.commands]
    return [module if command in (".", "") else f"{module}/{command}" for module, command in wanted]


def _write_module(spec: GoSource, ctx: Context, work: Path) -> None:
    requires = [(spec.module, spec.version), *((m.module, m.version) for m in spec.modules)]
    lines = [
        f"module llmflow.invalid/{spec.name}",
        "",
        f"go {ctx.toolchain.go.removeprefix('go')}",
        "",
        "require (",
    ]
    lines += [f"\t{module} {version}" for module, version in requires]
    lines += [")"]
    if spec.staging:
        lines += ["", "replace (", *_staging(spec, ctx, work), ")"]
    (work / "go.mod").write_text("\n".join(lines) + "\n")
    imports = "".join(f'\t_ "{package}"\n' for package in sorted(_packages(spec)))
    (work / "tools.go").write_text(f"//go:build tools\n\npackage tools\n\nimport (\n{imports})\n")


def _staging(spec: GoSource, ctx: Context, work: Path) -> list[str]:
    """A replacement by a published version for each staging folder of the module's own go.mod."""
    version = spec.staging_version or "v0." + spec.version.removeprefix("v").partition(".")[2]
    go_mod = Path(_download(spec, ctx, work)["GoMod"]).read_text()
    pattern = re.compile(rf"^\s*(?:replace\s+)?({re.escape(spec.staging or '')}\S*)\s+=>\s+\./", re.M)
    names = pattern.findall(go_mod)
    if not names:
        raise BundleError(
            "BUNDLE-NO-STAGING",
            f"{spec.module} {spec.version} replaces no module called {spec.staging}…",
            where=f"source {spec.name}",
            hint="remove `staging` from organ.yaml, or correct it",
        )
    return [f"\t{name} => {name} {version}" for name in names]


def _download(spec: GoSource, ctx: Context, work: Path) -> dict[str, str]:
    text = run(["go", "mod", "download", "-json", f"{spec.module}@{spec.version}"],
               source=spec.name, cwd=work, env={**_env(ctx), "GOFLAGS": "-mod=mod"})  # fmt: skip
    facts: dict[str, str] = json.loads(text)
    return facts


def _build(spec: GoSource, ctx: Context, made: str) -> tuple[Output, ...]:
    """Run the one `go build`, move its binaries into the cache, remember them by key."""
    with ctx.cache.workdir(spec.name) as work, task(ctx.report, f"Building {spec.name}") as progress:
        for name in MODULE_FILES:
            shutil.copyfile(ctx.locks / "go" / spec.name / name, work / name)
        out = work / "out"
        out.mkdir()
        run(
            ["go", "build", "-v", *_flags(spec), "-o", "out/", *_packages(spec)],
            source=spec.name,
            cwd=work,
            env=_env(ctx),
            drop=("GOEXPERIMENT",),
            on_line=lambda line: progress.advance(1, line),
        )
        outputs = [ctx.cache.add(p, name=spec.rename.get(p.name, p.name)) for p in sorted(out.iterdir())]
        if spec.files:
            folder = Path(_download(spec, ctx, work)["Dir"])
            outputs += [
                ctx.cache.copy_in(folder / path, name=name) for name, path in sorted(spec.files.items())
            ]
        progress.detail = f"{len(outputs)} files"
        ctx.cache.remember(made, outputs)
    return tuple(sorted(outputs, key=lambda o: o.file))
