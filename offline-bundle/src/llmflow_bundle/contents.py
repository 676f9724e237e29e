"""What a bundle will hold: every file with its digest, before one of them is written.

No big file is read for it: digests come from the lock, finished layers and the records of unpacked trees.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from llmflow_bundle import debian_repo, images, layout, oci, runtime, sbom
from llmflow_bundle.cache import STAMP_NS, Cache, Output, sha256_of
from llmflow_bundle.dirs import config_dir
from llmflow_bundle.errors import BundleError
from llmflow_bundle.images import Supply
from llmflow_bundle.model import HOST_PACKAGES, Lock
from llmflow_bundle.oci import Entry
from llmflow_bundle.report import Reporter, amount, task
from llmflow_bundle.tree import choose, extract, folder_entries

TREES = "trees"
"""The cache's folder of unpacked trees: `<key>/` and what is in it as `<key>.json`."""

SPARE = 64 << 20  # bytes to leave free on a disk that is written to

_IGNORED = ("__pycache__", "*/__pycache__", ".*", "*/.*")


@dataclass(frozen=True)
class Item:
    """A file of the bundle before it is there: linked from `source`, or written from `content`."""

    sha256: str
    size: int
    mode: int
    source: Path | None = None
    content: bytes = b""

    @classmethod
    def data(cls, content: bytes, mode: int = 0o644) -> Item:
        """A small file made here."""
        return cls(hashlib.sha256(content).hexdigest(), len(content), mode, content=content)


@dataclass(frozen=True)
class Plan:
    """Everything a bundle will hold but root and signature: files by path, links as path → target."""

    files: Mapping[str, Item]
    links: Mapping[str, str]


def plan_contents(
    lock: Lock, lock_text: bytes, cache: Cache, report: Reporter, repository: Path, plugins: Sequence[Path]
) -> Plan:
    """Everything that belongs into the bundle of a lock whose sources are fetched; missing layers are built.

    Raises BundleError: what the parts raise, BUNDLE-CLASH.
    """
    supply = Supply.of(lock, cache)
    files: dict[str, Item] = {}
    links: dict[str, str] = {}
    parts: tuple[Callable[[], Iterator[tuple[str, Item | str]]], ...] = (
        lambda: iter([(layout.LOCK, Item.data(lock_text))]),
        lambda: _images(lock, supply, report),
        lambda: _binaries(lock, supply),
        lambda: _packages(supply),
        lambda: _wheels(lock, supply),
        lambda: _models(lock, supply),
        lambda: _plugins(plugins),
        lambda: _installer(lock, supply, report),
        lambda: _folder(repository / layout.PLAYBOOKS, layout.PLAYBOOKS),
        lambda: _folder(repository / layout.INVENTORIES, layout.INVENTORIES),
        lambda: iter([(layout.SBOM, Item.data(sbom.render(lock, hashlib.sha256(lock_text).hexdigest())))]),
    )
    for part in parts:
        for path, item in part():
            if path in files or path in links:
                raise BundleError(
                    "BUNDLE-CLASH",
                    f"two things want to be {path} in the bundle",
                    where=path,
                    hint="give one of them another name in its organ.yaml",
                )
            if isinstance(item, str):
                links[path] = item
            else:
                files[path] = item
    return Plan(files, links)


def _images(lock: Lock, supply: Supply, report: Reporter) -> Iterator[tuple[str, Item]]:
    if not lock.images:
        return
    store = images.store(supply.cache)
    check_space(store.folder, sum(_missing_layers(lock, supply, store)), "the layers that are to be built")
    made = [images.build_image(image, supply, store, report) for image in lock.images]
    blobs = {blob.hex: blob for image in made for blob in image.blobs()}
    for blob in blobs.values():
        yield layout.blob(blob.hex), Item(blob.hex, blob.size, 0o644, store.path(blob))
    yield layout.INDEX, Item.data(oci.index_json(made))
    yield layout.OCI_LAYOUT, Item.data(oci.LAYOUT_FILE)


def _missing_layers(lock: Lock, supply: Supply, store: oci.LayerStore) -> Iterator[int]:
    seen = set()
    for layer in (layer for image in lock.images for layer in image.layers):
        key = images.layer_plan(layer, supply, supply.cache.root).key
        if key not in seen and store.find(key) is None:
            seen.add(key)
            yield images.input_size(layer, supply)


def _binaries(lock: Lock, supply: Supply) -> Iterator[tuple[str, Item]]:
    for binary in lock.binaries:
        for path, file in _placed(supply, binary.source, f"{layout.BIN}/{binary.to}"):
            yield path, _blob(supply, file, 0o755)


def _models(lock: Lock, supply: Supply) -> Iterator[tuple[str, Item]]:
    for model in lock.models:
        for path, file in _placed(supply, model.source, f"{layout.MODELS}/{model.to}"):
            yield path, _blob(supply, file)


def _wheels(lock: Lock, supply: Supply) -> Iterator[tuple[str, Item]]:
    names = sorted({name for organ in lock.organs for name in organ.wheels})
    found = {file.file: file for name in names for file in supply.find(name)[2]}
    for file in found.values():
        yield f"{layout.WHEELS}/{file.file}", _blob(supply, file)


def _packages(supply: Supply) -> Iterator[tuple[str, Item]]:
    if HOST_PACKAGES not in supply.sources:
        return
    debs = {
        file.file: debian_repo.Deb(supply.cache.blob(file.sha256), file.sha256, file.size)
        for file in supply.find(HOST_PACKAGES)[2]
    }
    made = debian_repo.repository(debs, config_dir())
    for path, deb in made.pool.items():
        yield f"{layout.APT}/{path}", Item(deb.sha256, deb.size, 0o644, deb.path)
    for path, content in made.indexes.items():
        yield f"{layout.APT}/{path}", Item.data(content)


def _plugins(plugins: Sequence[Path]) -> Iterator[tuple[str, Item]]:
    for plugin in plugins:
        yield f"{layout.PLUGINS}/{plugin.name}", Item(sha256_of(plugin), plugin.stat().st_size, 0o644, plugin)


def _installer(lock: Lock, supply: Supply, report: Reporter) -> Iterator[tuple[str, Item | str]]:
    if lock.installer is None:
        return
    debs, wheels = (
        {file.file: file for file in supply.find(name)[2]}
        for name in (lock.installer.runtime, lock.installer.site_packages)
    )
    runtime_key = oci.input_key("runtime", runtime.FORMAT, {name: file.sha256 for name, file in debs.items()})
    wheels_key = oci.input_key("site-packages", {name: file.sha256 for name, file in wheels.items()})
    yield from _tree(
        supply.cache,
        runtime_key,
        lambda scratch: runtime.runtime_tree(_paths(supply, debs), scratch),
        layout.RUNTIME,
        report,
    )
    yield from _tree(
        supply.cache,
        wheels_key,
        lambda _: runtime.site_packages(_paths(supply, wheels)),
        layout.SITE_PACKAGES,
        report,
    )
    yield from _contents(runtime.own_files(version("llmflow")))


def _folder(folder: Path, prefix: str) -> Iterator[tuple[str, Item | str]]:
    if folder.is_dir():
        for path, item in _contents(choose(folder_entries(folder), exclude=_IGNORED)):
            yield f"{prefix}/{path}", item


def _contents(entries: Iterable[Entry]) -> Iterator[tuple[str, Item | str]]:
    """Entries that are read now: what is ours and small, and may change under a link."""
    for entry in entries:
        if entry.open is not None:
            with entry.open() as file:
                yield entry.path, Item.data(file.read(), entry.mode)
        elif not entry.is_dir:
            yield entry.path, entry.target


def _placed(supply: Supply, reference: str, to: str) -> Iterator[tuple[str, Output]]:
    """Where each file of a source or output goes: a single one to `to` itself, a folder's below it."""
    _, output, files = supply.find(reference)
    for file in files:
        rest = file.file[len(output) :].strip("/") if output else file.file
        yield (f"{to}/{rest}" if rest else to), file


def _blob(supply: Supply, file: Output, mode: int | None = None) -> Item:
    return Item(
        file.sha256, file.size, mode or (0o755 if file.executable else 0o644), supply.cache.blob(file.sha256)
    )


def _paths(supply: Supply, files: Mapping[str, Output]) -> dict[str, Path]:
    return {name: supply.cache.blob(file.sha256) for name, file in files.items()}


def check_space(folder: Path, needed: int, what: str) -> None:
    """Raise BundleError BUNDLE-DISK-FULL unless the folder's disk has `needed` bytes free, and some more."""
    free = shutil.disk_usage(folder).free
    if needed and needed + SPARE > free:
        raise BundleError(
            "BUNDLE-DISK-FULL",
            f"{what} needs {amount(needed + SPARE, 'bytes')}, {amount(free, 'bytes')} are free",
            where=str(folder),
            hint="free some space, or choose a folder on another disk; what is done already is kept",
        )


# --- unpacked trees, kept in the cache ---


@dataclass(frozen=True)
class Tree:
    """What an unpacked tree holds: path → digest, size, mode of a file; path → target of a link."""

    files: dict[str, tuple[str, int, int]]
    links: dict[str, str]


def _tree(
    cache: Cache, key: str, entries: Callable[[Path], list[Entry]], prefix: str, report: Reporter
) -> Iterator[tuple[str, Item | str]]:
    folder, record = cache.root / TREES / key, cache.root / TREES / f"{key}.json"
    known = Tree(**json.loads(record.read_bytes())) if record.exists() else None
    if known is None or not _is_whole(folder, known):
        with cache.workdir("tree") as work, task(report, f"Unpacking {prefix}"):
            extract(entries(work / "scratch"), work / "tree")
            known = _stamped(work / "tree")
            shutil.rmtree(folder, ignore_errors=True)
            folder.parent.mkdir(parents=True, exist_ok=True)
            (work / "tree").replace(folder)
            oci.write_if_different(record, oci.compact_json(asdict(known)))
    for path, (digest, size, mode) in known.files.items():
        yield f"{prefix}/{path}", Item(digest, size, mode, folder / path)
    for path, target in known.links.items():
        yield f"{prefix}/{path}", target


def _is_whole(folder: Path, tree: Tree) -> bool:
    """Whether no file is gone or was touched, as through a bundle that links it."""
    for path, (_, size, _) in tree.files.items():
        try:
            found = (folder / path).stat(follow_symlinks=False)
        except FileNotFoundError:
            return False
        if (found.st_size, found.st_mtime_ns) != (size, STAMP_NS):
            return False
    return True


def _stamped(folder: Path) -> Tree:
    """The tree in a folder, its files given plain modes and the cache's time."""
    tree = Tree({}, {})
    for entry in folder_entries(folder):
        if entry.open is not None:
            path = folder / entry.path
            path.chmod(entry.mode)
            os.utime(path, ns=(STAMP_NS, STAMP_NS))
            tree.files[entry.path] = (sha256_of(path), entry.size, entry.mode)
        elif not entry.is_dir:
            tree.links[entry.path] = entry.target
    return tree
