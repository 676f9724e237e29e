"""`llmflow bundle`: lock, build, verify, why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from llmflow_bundle import console, dirs, intent, lock, machine
from llmflow_bundle.cache import Cache
from llmflow_bundle.fetch import context, fetch
from llmflow_bundle.model import Lock
from llmflow_bundle.report import Noted, Reporter, amount
from llmflow_bundle.sources.base import Context
from llmflow_bundle.why import why as reasons

app = typer.Typer(no_args_is_help=True, help="Lock, build and verify bundles.")

Packer = Callable[[Lock, Path, Cache, Reporter], list[Path]]
_pack_plugins: Packer | None = None


def use_packer(packer: Packer) -> None:
    """Pack plugins with `packer` when a bundle is built: who knows plugins depends on this package, not the reverse."""
    global _pack_plugins
    _pack_plugins = packer


ProfileArgument = Annotated[
    str, typer.Argument(metavar="PROFILE", help="a profile of offline-bundle/bundle.yaml")
]


@app.command("lock")
def lock_command(
    profile: ProfileArgument,
    update: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="resolve this organ or source anew; `all` for everything"),
    ] = None,
) -> None:
    """Resolve a profile's intent to facts: versions, digests, sizes, licences, who needs what."""
    repository, report = dirs.repository_root(), console.reporter()
    loaded = intent.load(repository, profile)
    path = lock.lock_path(repository, profile)
    previous = lock.read(path) if path.is_file() else None
    ctx = _context(loaded, report)
    made = _with_digests(lock.make(loaded, ctx, previous, update or ()), ctx)
    changed = lock.write(made, path)
    report(Noted(f"{path.relative_to(repository)}: {'written' if changed else 'nothing has changed'}"))
    report(Noted(_summary(made)))


@app.command("build")
def build_command(
    profile: ProfileArgument,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="where to build the bundle")] = Path(
        "bundle"
    ),
) -> None:
    """Fetch what the lock names and assemble a signed bundle out of it."""
    from llmflow_bundle.assemble import assemble  # it takes a while to import and only this needs it
    from llmflow_bundle.minisign import generate

    repository, report = dirs.repository_root(), console.reporter()
    machine.require_tools([machine.Tool("gpg", "gnupg", "signs the bundle's package repository")], report)
    loaded = intent.load(repository, profile)
    path = lock.lock_path(repository, profile)
    locked = lock.read(path)
    cache = Cache(dirs.cache_dir())
    lock.check_fresh(locked, loaded, context(repository, locked, cache, report))
    fetch(locked, repository, cache, report)
    plugins = _pack_plugins(locked, repository, cache, report) if _pack_plugins else []
    assemble(
        locked, path.read_bytes(), cache, out, generate(dirs.config_dir()), report,
        repository=repository, plugins=plugins,
    )  # fmt: skip
    typer.echo(out)


@app.command("verify")
def verify_command(
    bundle: Annotated[Path, typer.Argument(metavar="DIR", help="a bundle's directory")],
    key: Annotated[
        Path | None,
        typer.Option("--key", metavar="FILE", help="public key that signed it; default: the trusted one"),
    ] = None,
) -> None:
    """Check a bundle's signature, then every byte of it."""
    from llmflow_bundle.minisign import PublicKey
    from llmflow_bundle.verify import verify_bundle

    verify_bundle(bundle, PublicKey.load(key) if key else None, console.reporter())


@app.command("why")
def why_command(
    name: Annotated[
        str, typer.Argument(metavar="NAME|REF|DIGEST", help="organ, image, source, file, package, digest")
    ],
    profile: Annotated[str, typer.Option("--profile", "-p", metavar="PROFILE")] = "lab",
) -> None:
    """Say which organ needs something, and through what."""
    locked = lock.read(lock.lock_path(dirs.repository_root(), profile))
    for line in reasons(locked, name):
        typer.echo(line)


def _context(loaded: intent.Loaded, report: Reporter) -> Context:
    cache = Cache(dirs.cache_dir())
    repository = loaded.repository
    target, toolchain = loaded.profile.target, loaded.toolchain
    return Context(cache, repository, repository, repository / lock.LOCKS, target, toolchain, report)


def _with_digests(made: Lock, ctx: Context) -> Lock:
    """The lock with digests of its new images: their sources are fetched, their layers built for it."""
    from llmflow_bundle.images import with_digests  # only this needs it

    fixed = {source.name for source in made.sources if source.reproducible}
    new = [image for image in made.images if lock.countable(image, fixed)]
    needed = {name for image in new for name in lock.image_sources(image)} & fixed
    if not new:
        return made
    fetch(made, ctx.repository, ctx.cache, ctx.report, only=needed)
    counted = with_digests(made.model_copy(update={"images": tuple(new)}), ctx)
    by_ref = {image.ref: image for image in counted.images}
    return made.model_copy(update={"images": tuple(by_ref.get(i.ref, i) for i in made.images)})


def _summary(made: Lock) -> str:
    artifacts = {a.sha256: a.size for source in made.sources for a in source.artifacts}
    return (
        f"{len(made.organs)} organs, {len(made.images)} images, {len(artifacts)} files, "
        f"{amount(sum(artifacts.values()), 'bytes')} to fetch"
    )
