"""Answer why something is in the bundle: which organ needs it, and through what."""

from __future__ import annotations

from collections.abc import Iterator

from llmflow_bundle.errors import BundleError
from llmflow_bundle.model import HOST_PACKAGES, BuiltSource, Copy, Lock, LockedArtifact, LockedSource


def why(lock: Lock, asked: str) -> list[str]:
    """Lines that say why the bundle holds `asked`: an organ, image, source, file, package or digest.

    Raises BundleError (BUNDLE-UNKNOWN) where the lock has no such thing.
    """
    lines = [*_organs(lock, asked), *_images(lock, asked), *_sources(lock, asked), *_artifacts(lock, asked)]
    if not lines:
        near = sorted({a.name for s in lock.sources for a in s.artifacts if asked.lower() in a.name.lower()})
        hint = (
            f"did you mean {', '.join(near[:8])}?"
            if near
            else "ask for an organ, image, source, package or digest"
        )
        raise BundleError("BUNDLE-UNKNOWN", f"The lock of {lock.profile} has no {asked}", hint=hint)
    return lines


def _organs(lock: Lock, asked: str) -> Iterator[str]:
    for organ in lock.organs:
        if organ.name == asked:
            yield f"organ {organ.name} {organ.version} ({organ.licence}), as profile {lock.profile} has it"
            yield f"  {organ.why}"


def _images(lock: Lock, asked: str) -> Iterator[str]:
    for image in lock.images:
        layers = [layer.digest for layer in image.layers]
        if asked in (image.ref, image.digest) or (asked and asked in layers):
            yield f"image {image.ref} {image.digest}".rstrip()
            yield f"  needed by organ {image.organ}"
            yield f"  made of {', '.join(sorted(_parts(lock, image.ref)))}"


def _parts(lock: Lock, ref: str) -> set[str]:
    layers = next(image.layers for image in lock.images if image.ref == ref)
    return {step.source for layer in layers for step in layer.steps if isinstance(step, Copy)}


def _sources(lock: Lock, asked: str) -> Iterator[str]:
    for source in lock.sources:
        if source.name == asked:
            yield f"source {source.name} ({source.kind}) of {source.organ}, {len(source.artifacts)} files"
            yield from (f"  {use}" for use in _uses(lock, source.name, ""))


def _artifacts(lock: Lock, asked: str) -> Iterator[str]:
    wanted = asked.removeprefix("sha256:")
    for source in lock.sources:
        for artifact in source.artifacts:
            if wanted in (artifact.name, artifact.file, artifact.sha256, f"{source.name}/{artifact.file}"):
                yield f"{artifact.file} {artifact.version} ({artifact.licence}), sha256 {artifact.sha256}"
                yield f"  needed by {', '.join(artifact.needed_by)}, in source {source.name} ({source.kind})"
                if chain := _chain(source, artifact):
                    yield f"  through {' → '.join(chain)}"
                yield from (f"  {use}" for use in _uses(lock, source.name, artifact.file))


def _chain(source: LockedSource, artifact: LockedArtifact) -> list[str]:
    """What asked for it, and what asked for that, outermost first."""
    by_name = {a.name: a for a in source.artifacts}
    chain: list[str] = []
    while artifact.via and artifact.via not in chain:
        chain.insert(0, artifact.via)
        if artifact.via not in by_name:
            break
        artifact = by_name[artifact.via]
    return chain


def _uses(lock: Lock, source: str, file: str) -> Iterator[str]:
    """Where the bundle has a source's output."""

    def matches(ref: str) -> bool:
        name, _, output = ref.partition("/")
        return name == source and (not file or not output or file == output or file.startswith(f"{output}/"))

    yield from (f"→ bin/{b.to}" for b in lock.binaries if matches(b.source))
    for image in lock.images:
        if any(matches(part) for part in _parts(lock, image.ref)):
            yield f"→ image {image.ref}"
    yield from (f"→ models/{m.to}" for m in lock.models if matches(m.source))
    if source == HOST_PACKAGES:
        yield "→ apt/"
    if lock.installer and source in (lock.installer.runtime, lock.installer.site_packages):
        yield "→ installer/"
    for other in lock.sources:
        refs = other.spec.inputs.values() if isinstance(other.spec, BuiltSource) else ()
        if any(matches(ref) for ref in refs):
            yield f"→ source {other.name}, built from it"
