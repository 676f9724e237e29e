"""The lock's images out of the cache: each layer's steps become entries, identical layers are built once."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from llmflow_bundle import oci
from llmflow_bundle.cache import Cache, Output
from llmflow_bundle.errors import BundleError
from llmflow_bundle.model import (
    Copy,
    Directory,
    Link,
    Lock,
    LockedImage,
    LockedLayer,
    LockedSource,
    PypiSource,
    Step,
    Text,
)
from llmflow_bundle.oci import Entry, LayerPlan, LayerStore
from llmflow_bundle.report import Reporter
from llmflow_bundle.sources.base import Context
from llmflow_bundle.tree import below, choose, deb_entries, wheel_entries

STORE = "layers"
"""The cache's folder of finished layers."""


@dataclass(frozen=True)
class Supply:
    """Sources by name and the cache that holds their outputs."""

    sources: Mapping[str, LockedSource]
    cache: Cache

    @classmethod
    def of(cls, lock: Lock, cache: Cache) -> Supply:
        """The lock's sources."""
        return cls({source.name: source for source in lock.sources}, cache)

    def find(self, reference: str) -> tuple[LockedSource, str, tuple[Output, ...]]:
        """The source that `<source>[/<output>]` names, the output's name, and the files that are meant.

        Raises BundleError: BUNDLE-NO-OUTPUT.
        """
        name, _, output = reference.partition("/")
        source = self.sources.get(name)
        files = self.cache.outputs(source) if source else ()
        meant = tuple(
            file for file in files if not output or file.file == output or file.file.startswith(f"{output}/")
        )
        if source is None or not meant:
            raise BundleError(
                "BUNDLE-NO-OUTPUT",
                f"There is no {reference}",
                where="lock.yaml",
                hint="run `llmflow bundle lock`",
            )
        return source, output, meant


def store(cache: Cache) -> LayerStore:
    """The cache's finished layers."""
    return LayerStore(cache.root / STORE)


def build_image(image: LockedImage, supply: Supply, layers: LayerStore, report: Reporter) -> oci.Image:
    """The image, its layers from the store or built now.

    Raises BundleError BUNDLE-NOT-REPRODUCED if its digest is not the lock's.
    """
    config = oci.ImageConfig(**image.config.model_dump())
    made = layers.image(
        image.ref, [build_layer(layer, supply, layers, image.ref, report) for layer in image.layers], config
    )
    if image.digest and made.manifest.digest != image.digest:
        raise BundleError(
            "BUNDLE-NOT-REPRODUCED",
            f"image {image.ref} came out as {made.manifest.digest}, the lock says {image.digest}",
            where=f"organ {image.organ}",
            hint="another version of zstandard or Python? If the change is meant, run `llmflow bundle lock`",
        )
    return made


def build_layer(
    layer: LockedLayer, supply: Supply, layers: LayerStore, name: str, report: Reporter
) -> oci.Layer:
    """The layer from the store, or built now."""
    with supply.cache.workdir("layer") as scratch:
        return layers.layer(layer_plan(layer, supply, scratch, name), report)


def with_digests(lock: Lock, ctx: Context) -> Lock:
    """The lock with the digests and sizes of its layers and images, all sources being fetched.

    Those that hold anything from a source that is not reproducible stay open: "" and 0.
    """
    supply, layers = Supply.of(lock, ctx.cache), store(ctx.cache)
    return lock.model_copy(
        update={"images": tuple(_with_digest(image, supply, layers, ctx.report) for image in lock.images)}
    )


def _with_digest(image: LockedImage, supply: Supply, layers: LayerStore, report: Reporter) -> LockedImage:
    opened = image.model_copy(update={"digest": "", "size": 0})
    made: list[LockedLayer] = []
    for layer in image.layers:
        if _is_fixed(layer, supply):
            built = build_layer(layer, supply, layers, image.ref, report)
            made.append(layer.model_copy(update={"digest": built.diff_id, "size": built.tar_size}))
        else:
            made.append(layer.model_copy(update={"digest": "", "size": 0}))
    if not all(layer.digest for layer in made):
        return opened.model_copy(update={"layers": tuple(made)})
    whole = build_image(opened, supply, layers, report)
    size = sum(blob.size for blob in whole.blobs())
    return image.model_copy(update={"digest": whole.manifest.digest, "size": size, "layers": tuple(made)})


def _is_fixed(layer: LockedLayer, supply: Supply) -> bool:
    copies = (step.source.partition("/")[0] for step in layer.steps if isinstance(step, Copy))
    return all(name in supply.sources and supply.sources[name].reproducible for name in copies)


def layer_plan(layer: LockedLayer, supply: Supply, scratch: Path, name: str = "") -> LayerPlan:
    """What the layer's steps put into it; packages are unpacked below `scratch`."""
    key = oci.input_key(*(part for step in layer.steps for part in _state(step, supply)))
    return LayerPlan(key, lambda: _entries(layer.steps, supply, scratch), name)


def input_size(layer: LockedLayer, supply: Supply) -> int:
    """Bytes of the files that go into a layer, as they lie in the cache: about what the layer will take."""
    copies = [step for step in layer.steps if isinstance(step, Copy)]
    return sum(file.size for copy in copies for file in supply.find(copy.source)[2])


def _state(step: Step, supply: Supply) -> Iterator[object]:
    yield step.model_dump(mode="json", by_alias=True)
    if isinstance(step, Copy):
        source, _, files = supply.find(step.source)
        yield [
            source.kind,
            [[file.file, file.sha256, file.executable] for file in _of_packages(step, source, files)],
        ]


def _entries(steps: tuple[Step, ...], supply: Supply, scratch: Path) -> Iterator[Entry]:
    for number, step in enumerate(steps):
        match step:
            case Copy():
                yield from _copied(step, supply, scratch / str(number))
            case Directory():
                user, _, group = step.owner.partition(":")
                yield Entry.folder(step.directory.strip("/"), int(step.mode, 8), (int(user), int(group)))
            case Text():
                yield Entry.data(step.to.strip("/"), step.text.encode(), int(step.mode, 8))
            case Link():
                yield Entry.link(step.link.strip("/"), step.target)


def _copied(step: Copy, supply: Supply, scratch: Path) -> list[Entry]:
    source, output, files = supply.find(step.source)
    if not output and source.kind in ("deb", "pypi"):
        chosen = {file.file: supply.cache.blob(file.sha256) for file in _of_packages(step, source, files)}
        tree = (
            deb_entries(chosen, scratch)
            if source.kind == "deb"
            else wheel_entries(chosen, _interpreter(source))
        )
    elif (len(files) == 1 and files[0].file == output) or (
        len(files) == 1 and not output and "/" not in files[0].file
    ):
        mode = int(step.mode, 8) if step.mode else _mode(files[0])
        return [Entry.file(step.to.strip("/"), supply.cache.blob(files[0].sha256), mode)]
    else:
        inner = len(output) + 1 if output else 0
        tree = [Entry.file(file.file[inner:], supply.cache.blob(file.sha256), _mode(file)) for file in files]
    return below(choose(tree, step.include, step.exclude), step.to)


def _of_packages(step: Copy, source: LockedSource, files: tuple[Output, ...]) -> tuple[Output, ...]:
    if not (step.packages or step.except_packages):
        return files
    names = {artifact.file: artifact.name for artifact in source.artifacts}
    wanted = _any_of(step.packages or ("*",))
    unwanted = _any_of(step.except_packages)
    return tuple(file for file in files if wanted(names[file.file]) and not unwanted(names[file.file]))


def _any_of(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    return lambda name: any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _interpreter(source: LockedSource) -> str:
    assert isinstance(source.spec, PypiSource)  # noqa: S101 - chosen by kind
    return f"/usr/bin/python{source.spec.python}"


def _mode(file: Output) -> int:
    return 0o755 if file.executable else 0o644
