"""OCI images and layouts, byte for byte the same from the same input.

A layer is a tar (sorted names, owner 0:0, time 0, PAX headers only where needed), compressed by zstd at fixed
parameters. Tar, both digests and compression happen in one pass over the content, so that a layer of
5 GB needs a few MiB of memory and no second reading. A finished layer is kept in the cache under a key that
describes its input; the second build of the same input opens nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import secrets
import shutil
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO, cast

import zstandard

from llmflow_bundle.cache import STAMP_NS, sha256_of
from llmflow_bundle.errors import BundleError
from llmflow_bundle.layout import BLOBS, INDEX, OCI_LAYOUT, REF_NAME
from llmflow_bundle.report import Reporter, task

MEDIA_LAYER = "application/vnd.oci.image.layer.v1.tar+zstd"
MEDIA_CONFIG = "application/vnd.oci.image.config.v1+json"
MEDIA_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
MEDIA_INDEX = "application/vnd.oci.image.index.v1+json"

LAYER_FORMAT = f"tar+zstd-3/zstandard-{zstandard.__version__}/1"
"""Goes into every layer's key: another compressor or another way to write the tar makes other bytes."""

LAYOUT_FILE = b'{"imageLayoutVersion":"1.0.0"}'
"""What a layout's `oci-layout` holds."""

CHUNK = 1 << 20
# One worker or more give the same bytes (zstd cuts its jobs by size); none at all gives others. So never 0.
_THREADS = max(1, min(4, os.cpu_count() or 1))


@dataclass(frozen=True)
class Entry:
    """One path of a layer: a file with its content, a folder, or a symlink.

    `path` is relative with forward slashes; `open` yields exactly `size` bytes of a file.
    """

    path: str
    mode: int
    size: int = 0
    open: Callable[[], IO[bytes]] | None = None
    target: str = ""
    is_dir: bool = False
    owner: tuple[int, int] = (0, 0)

    @classmethod
    def file(cls, path: str, source: Path, mode: int) -> Entry:
        """A file whose content is `source`."""
        return cls(path, mode, source.stat().st_size, lambda: source.open("rb"))

    @classmethod
    def data(cls, path: str, content: bytes, mode: int = 0o644) -> Entry:
        """A file of a few bytes that are known already."""
        return cls(path, mode, len(content), lambda: io.BytesIO(content))

    @classmethod
    def link(cls, path: str, target: str) -> Entry:
        """A symlink."""
        return cls(path, 0o777, target=target)

    @classmethod
    def folder(cls, path: str, mode: int = 0o755, owner: tuple[int, int] = (0, 0)) -> Entry:
        """A folder with a mode of its own; parents appear by themselves with 0755."""
        return cls(path, mode, is_dir=True, owner=owner)


@dataclass(frozen=True)
class Blob:
    """A content-addressed file: `sha256:<hex>` digest, size in bytes, media type."""

    digest: str
    size: int
    media_type: str

    @property
    def hex(self) -> str:
        """The digest without its algorithm."""
        return self.digest.removeprefix("sha256:")

    def descriptor(self) -> dict[str, Any]:
        """The blob as an OCI descriptor."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


@dataclass(frozen=True)
class Layer:
    """A finished layer: the compressed blob, and the digest and size of the tar inside."""

    blob: Blob
    diff_id: str
    tar_size: int


@dataclass(frozen=True)
class LayerPlan:
    """What a layer will hold: `key` describes all of the input, `entries` is called if no layer has it."""

    key: str
    entries: Callable[[], Iterable[Entry]]
    name: str = ""


@dataclass(frozen=True)
class ImageConfig:
    """How a container of the image starts; empty fields are left out."""

    entrypoint: Sequence[str] = ()
    cmd: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    workdir: str = ""


@dataclass(frozen=True)
class Image:
    """A finished image: its reference, its manifest and every blob that the manifest names."""

    ref: str
    manifest: Blob
    config: Blob
    layers: tuple[Layer, ...]

    def blobs(self) -> tuple[Blob, ...]:
        """Manifest, config and layers."""
        return (self.manifest, self.config, *(layer.blob for layer in self.layers))


def input_key(*parts: object) -> str:
    """The sha256 of JSON-able parts and of the layer format: a key for `LayerPlan`."""
    return hashlib.sha256(compact_json([LAYER_FORMAT, *parts])).hexdigest()


def compact_json(value: object) -> bytes:
    """Sorted, compact UTF-8 JSON: one value has one form."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


class LayerStore:
    """Finished blobs by digest, and which layer came of which input: a folder that outlives builds.

    `blobs/sha256/<hex>` are the blobs, `keys/<key>.json` the layers' records.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._blobs = folder / "blobs" / "sha256"
        self._keys = folder / "keys"
        for path in (self._blobs, self._keys):
            path.mkdir(parents=True, exist_ok=True)

    def path(self, blob: Blob) -> Path:
        """Where a blob lies; never write to it."""
        return self._blobs / blob.hex

    def has(self, blob: Blob) -> bool:
        """Whether the blob is here and whole; one that was touched is hashed, and dropped if it changed."""
        path = self.path(blob)
        try:
            found = path.stat()
        except FileNotFoundError:
            return False
        if found.st_size == blob.size and found.st_mtime_ns == STAMP_NS:
            return True
        if found.st_size != blob.size or sha256_of(path) != blob.hex:
            path.unlink()
            return False
        os.utime(path, ns=(STAMP_NS, STAMP_NS))
        return True

    def find(self, key: str) -> Layer | None:
        """The layer of an input key, if its blob is still whole."""
        try:
            record = json.loads((self._keys / f"{key}.json").read_bytes())
        except FileNotFoundError:
            return None
        layer = Layer(Blob(**record["blob"]), record["diff_id"], record["tar_size"])
        return layer if self.has(layer.blob) else None

    def layer(self, plan: LayerPlan, report: Reporter) -> Layer:
        """The plan's layer: from the cache, or built now in one pass."""
        if (found := self.find(plan.key)) is not None:
            return found
        with self._draft() as (draft, file):
            layer = write_layer(plan.entries(), file, report, plan.name or plan.key[:12])
            self._keep(draft, layer.blob)
        record = self._keys / f".{plan.key}.{secrets.token_hex(4)}"
        record.write_bytes(compact_json(asdict(layer)))
        record.replace(self._keys / f"{plan.key}.json")
        return layer

    def put(self, content: bytes, media_type: str) -> Blob:
        """Keep a small blob."""
        blob = Blob(f"sha256:{hashlib.sha256(content).hexdigest()}", len(content), media_type)
        if not self.has(blob):
            with self._draft() as (draft, file):
                file.write(content)
                file.flush()
                self._keep(draft, blob)
        return blob

    def image(
        self, ref: str, layers: Sequence[Layer], config: ImageConfig, architecture: str = "amd64"
    ) -> Image:
        """The image of given layers: writes config and manifest."""
        document = {
            "architecture": architecture,
            "os": "linux",
            "config": _config_section(config),
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        }
        config_blob = self.put(compact_json(document), MEDIA_CONFIG)
        manifest = {
            "schemaVersion": 2,
            "mediaType": MEDIA_MANIFEST,
            "config": config_blob.descriptor(),
            "layers": [layer.blob.descriptor() for layer in layers],
        }
        return Image(ref, self.put(compact_json(manifest), MEDIA_MANIFEST), config_blob, tuple(layers))

    def _keep(self, draft: Path, blob: Blob) -> None:
        draft.chmod(0o644)
        os.utime(draft, ns=(STAMP_NS, STAMP_NS))
        draft.replace(self.path(blob))

    @contextlib.contextmanager
    def _draft(self) -> Iterator[tuple[Path, BinaryIO]]:
        draft = self.folder / f".draft-{secrets.token_hex(8)}"
        try:
            with draft.open("xb") as file:
                yield draft, file
        finally:
            draft.unlink(missing_ok=True)


def write_layer(entries: Iterable[Entry], file: BinaryIO, report: Reporter, name: str = "layer") -> Layer:
    """Write a compressed layer to `file` in one pass over the entries' content."""
    in_order = ordered(entries)
    total = sum(entry.size for entry in in_order)
    compressed = _HashingFile(file)
    packer = zstandard.ZstdCompressor(compression_params=_parameters())
    with task(report, f"Building layer {name}", total, "bytes") as progress:
        # Writing and telling is all that tarfile and zstandard ask of these files.
        stream = packer.stream_writer(cast(IO[bytes], compressed), closefd=False)
        plain = _HashingFile(stream)
        with stream, tarfile.open(fileobj=cast(IO[bytes], plain), mode="w", format=tarfile.PAX_FORMAT) as tar:
            tar.copybufsize = CHUNK  # type: ignore[attr-defined] # the stub lacks it
            for entry in in_order:
                _add(tar, entry)
                tar.getmembers().clear()  # else a layer of 60 000 files keeps 60 000 headers
                progress.advance(entry.size, entry.path)
    file.flush()
    blob = Blob(f"sha256:{compressed.digest.hexdigest()}", compressed.size, MEDIA_LAYER)
    return Layer(blob, f"sha256:{plain.digest.hexdigest()}", plain.size)


def index_json(images: Iterable[Image]) -> bytes:
    """The index of an image layout that holds the images."""
    manifests = [_index_entry(image) for image in sorted(images, key=lambda image: image.ref)]
    return compact_json({"schemaVersion": 2, "mediaType": MEDIA_INDEX, "manifests": manifests})


def write_layout(folder: Path, images: Sequence[Image], store: LayerStore) -> None:
    """Make `folder` an OCI image layout of the images, their blobs hard-linked from the store."""
    for image in images:
        for blob in image.blobs():
            link_or_copy(store.path(blob), folder / BLOBS / blob.hex)
    write_if_different(folder / INDEX, index_json(images))
    write_if_different(folder / OCI_LAYOUT, LAYOUT_FILE)


def link_or_copy(source: Path, target: Path, mode: int | None = None) -> bool:
    """Make `target` the same file as `source`, by a hard link where mode and device allow it, else by a copy.

    False where the target already is that file, or a copy with its size and time.
    """
    have = source.stat()
    wanted = have.st_mode & 0o7777 if mode is None else mode
    if same_file(have, target, wanted):
        return False
    target.unlink(missing_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    if have.st_mode & 0o7777 == wanted:
        with contextlib.suppress(OSError):  # another device, or a file system without links: copy
            target.hardlink_to(source)
            return True
    draft = target.with_name(f".{target.name}.part")
    shutil.copyfile(source, draft)
    draft.chmod(wanted)
    os.utime(draft, ns=(have.st_atime_ns, have.st_mtime_ns))
    draft.replace(target)
    return True


def same_file(have: os.stat_result, target: Path, mode: int) -> bool:
    """Whether `target` is the file of that status, or a copy with its size and time, and has the mode."""
    try:
        there = target.stat(follow_symlinks=False)
    except FileNotFoundError:
        return False
    linked = (there.st_dev, there.st_ino) == (have.st_dev, have.st_ino)
    copied = (there.st_size, there.st_mtime_ns) == (have.st_size, have.st_mtime_ns)
    return (linked or copied) and there.st_mode & 0o7777 == mode


def write_if_different(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a small file unless it holds these bytes already."""
    if not (path.is_file() and not path.is_symlink() and path.read_bytes() == content):
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.part")
        draft.write_bytes(content)
        draft.chmod(mode)
        draft.replace(path)
    elif path.stat().st_mode & 0o7777 != mode:
        path.chmod(mode)


def _parameters() -> zstandard.ZstdCompressionParameters:
    return zstandard.ZstdCompressionParameters.from_level(
        3, threads=_THREADS, write_checksum=1, write_content_size=0
    )


def _config_section(config: ImageConfig) -> dict[str, Any]:
    section = {
        "User": config.user,
        "Env": [f"{name}={value}" for name, value in sorted(config.env.items())],
        "Entrypoint": list(config.entrypoint),
        "Cmd": list(config.cmd),
        "WorkingDir": config.workdir,
    }
    return {name: value for name, value in section.items() if value}


def _index_entry(image: Image) -> dict[str, Any]:
    platform = {"architecture": "amd64", "os": "linux"}
    return {**image.manifest.descriptor(), "annotations": {REF_NAME: image.ref}, "platform": platform}


def ordered(entries: Iterable[Entry]) -> list[Entry]:
    """Entries by name with their missing parent folders.

    Raises BundleError: BUNDLE-LAYER-CLASH, BUNDLE-LAYER-PATH.
    """
    by_path: dict[str, Entry] = {}
    for entry in entries:
        path = _checked(entry.path)
        there = by_path.get(path)
        if there is not None and not _agree(there, entry):
            raise _clash(f"two sources put something at /{path}", path)
        by_path[path] = entry
    for path in list(by_path):
        for parent in _parents(path):
            if not by_path.setdefault(parent, Entry.folder(parent)).is_dir:
                raise _clash(f"/{parent} is a file or link and also holds /{path}", path)
    return [by_path[path] for path in sorted(by_path)]


def _agree(one: Entry, other: Entry) -> bool:
    same_link = bool(one.target) and one.target == other.target
    return (one.is_dir and other.is_dir) or same_link


def _parents(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path


def _clash(what: str, path: str) -> BundleError:
    return BundleError(
        "BUNDLE-LAYER-CLASH", what, where=path, hint="leave it out of one of them, or give it another `to`"
    )


def _checked(path: str) -> str:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or str(pure) in ("", "."):
        raise BundleError(
            "BUNDLE-LAYER-PATH",
            f"a layer may not hold the path {path!r}",
            where=path,
            hint="the package is malformed or hostile: look at its file list",
        )
    return str(pure)


def _add(tar: tarfile.TarFile, entry: Entry) -> None:
    info = tarfile.TarInfo(str(PurePosixPath(entry.path)))
    info.mode = entry.mode & 0o7777
    info.uid, info.gid = entry.owner
    if entry.is_dir:
        info.type = tarfile.DIRTYPE
        tar.addfile(info)
    elif entry.open is None:
        info.type, info.linkname = tarfile.SYMTYPE, entry.target
        tar.addfile(info)
    else:
        info.size = entry.size
        with entry.open() as content:
            tar.addfile(info, content)


class _HashingFile:
    """Passes writes on, hashing and counting them."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.digest = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        self._inner.write(data)
        self.size += len(data)
        return len(data)

    def tell(self) -> int:
        return self.size
