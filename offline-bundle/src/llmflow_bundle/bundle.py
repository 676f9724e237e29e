"""Opening a bundle: nothing of it is used before the signature of its root is checked.

The root lists every other file with its digest, so what is read afterwards (lock, image index, manifests) is
checked against the root as it is read. `verify.verify_bundle` checks all the rest.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from llmflow_bundle import layout
from llmflow_bundle.dirs import config_dir
from llmflow_bundle.errors import BundleError
from llmflow_bundle.minisign import TRUSTED_FILE, PublicKey, verify_content
from llmflow_bundle.model import Lock, LockedImage, Root

SCHEMA = 1
KEY_VARIABLE = "LLMFLOW_BUNDLE_KEY"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}

_ROOT_LIMIT = 256 << 20  # bytes: a root of a million files
_SIGNATURE_LIMIT = 16 << 10
_COPY_AGAIN = "copy the bundle again from its builder"


@dataclass(frozen=True)
class Bundle:
    """A bundle whose root signature is good: its folder, root, lock, and images as the bundle holds them."""

    path: Path
    root: Root
    lock: Lock
    images: tuple[LockedImage, ...]

    def file(self, relative: str) -> Path:
        """The path of a file or folder that the root lists; BundleError BUNDLE-FILE-UNKNOWN."""
        top = relative.rstrip("/")
        known = (
            top in self.root.files
            or top in self.root.links
            or any(name.startswith(f"{top}/") for name in self.root.files)
        )
        if not known:
            raise BundleError(
                "BUNDLE-FILE-UNKNOWN",
                f"the bundle has no {relative}",
                where=str(self.path),
                hint="build it with a profile that includes what is asked for",
            )
        return self.path / top


def open_bundle(path: Path, key: PublicKey | None = None) -> Bundle:
    """Check the root's signature, its schema and that it is made for this machine, and read root and lock.

    `key` is the trusted key; without it, that of `trusted_key()`. Raises BundleError.
    """
    root = read_root(path, key or trusted_key())
    lock = _read_lock(_read_listed(path, root, layout.LOCK), path / layout.LOCK)
    return Bundle(path, root, lock, _images(path, root, lock))


def trusted_key() -> PublicKey:
    """The key that bundles must be signed with: $LLMFLOW_BUNDLE_KEY's file, else trusted.pub.

    Raises BundleError BUNDLE-KEY-MISSING.
    """
    named = os.environ.get(KEY_VARIABLE)
    path = Path(named) if named else config_dir() / TRUSTED_FILE
    if not path.exists():
        raise BundleError(
            "BUNDLE-KEY-MISSING",
            "no trusted key: a bundle's origin can't be checked",
            where=str(path),
            hint=f"put the builder's public key (bundle.pub) there, or name it in {KEY_VARIABLE}; "
            "compare its number with the printed one",
        )
    return PublicKey.load(path)


def read_root(path: Path, key: PublicKey) -> Root:
    """The root, after its signature, schema and architecture are checked; BundleError."""
    content = _read(
        path / layout.ROOT,
        _ROOT_LIMIT,
        "BUNDLE-NOT-FOUND",
        "this is not a bundle, or its copy is not complete",
    )
    signature = _read(
        path / layout.SIGNATURE, _SIGNATURE_LIMIT, "BUNDLE-SIGNATURE-MISSING", "the bundle is not signed"
    )
    verify_content(content, signature.decode(errors="replace"), key, str(path / layout.ROOT))
    return parse_root(content, str(path / layout.ROOT))


def parse_root(content: bytes, where: str) -> Root:
    """The root of its JSON; BundleError: BUNDLE-SCHEMA, BUNDLE-ARCHITECTURE or BUNDLE-ROOT-UNREADABLE."""
    try:
        raw = json.loads(content)
        _check_schema(raw, where)
        _check_architecture(raw, where)
        return Root.model_validate(raw)
    except (ValueError, KeyError, TypeError) as error:  # pydantic's ValidationError is a ValueError
        raise BundleError(
            "BUNDLE-ROOT-UNREADABLE",
            f"the root is signed but malformed: {error}",
            where=where,
            hint="build the bundle again",
        ) from error


def machine_architecture() -> str:
    """This machine's architecture, by Debian's name where it has one."""
    return ARCHITECTURES.get(platform.machine(), platform.machine())


def _check_schema(raw: Any, where: str) -> None:
    if raw["schema"] != SCHEMA:
        raise BundleError(
            "BUNDLE-SCHEMA",
            f"the bundle has format {raw['schema']}, this installer reads format {SCHEMA}",
            where=where,
            hint="run the installer that came with the bundle: its `llmflow`",
        )


def _check_architecture(raw: Any, where: str) -> None:
    wanted, here = raw["target"]["arch"], machine_architecture()
    if wanted != here:
        raise BundleError(
            "BUNDLE-ARCHITECTURE",
            f"the bundle is for {wanted}, this machine is {here}",
            where=where,
            hint=f"use a bundle whose profile has the target arch {here}",
        )


def _read(path: Path, limit: int, missing: str, what: str) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except FileNotFoundError as error:
        raise BundleError(missing, what, where=str(path), hint=_COPY_AGAIN) from error
    except OSError as error:
        raise BundleError(
            "BUNDLE-UNREADABLE",
            f"cannot be read: {error.strerror}",
            where=str(path),
            hint="check the disk and its mount",
        ) from error
    if len(content) > limit:
        raise BundleError("BUNDLE-ALTERED", f"larger than {limit} bytes", where=str(path), hint=_COPY_AGAIN)
    return content


def _read_listed(path: Path, root: Root, relative: str) -> bytes:
    listed = root.files.get(relative)
    if listed is None:
        raise BundleError(
            "BUNDLE-FILE-UNKNOWN",
            f"the bundle's root does not list {relative}",
            where=str(path),
            hint="build the bundle again",
        )
    content = _read(path / relative, listed.size, "BUNDLE-MISSING", f"{relative} is missing")
    if hashlib.sha256(content).hexdigest() != listed.sha256:
        raise BundleError(
            "BUNDLE-ALTERED",
            f"{relative} is not what was signed",
            where=str(path / relative),
            hint=_COPY_AGAIN,
        )
    return content


def _read_lock(content: bytes, where: Path) -> Lock:
    try:
        return Lock.model_validate(YAML(typ="safe").load(content))
    except (YAMLError, ValidationError) as error:
        raise BundleError(
            "BUNDLE-LOCK-UNREADABLE",
            f"the lock can't be read: {error}",
            where=str(where),
            hint="build the bundle again",
        ) from error


def _images(path: Path, root: Root, lock: Lock) -> tuple[LockedImage, ...]:
    """The lock's images with the digest and size that the bundle gives them.

    The lock leaves those open whose sources are not reproducible.
    """
    if layout.INDEX not in root.files:
        return ()
    index = json.loads(_read_listed(path, root, layout.INDEX))
    manifests = {entry["annotations"][layout.REF_NAME]: entry for entry in index["manifests"]}
    return tuple(_image(path, root, image, manifests) for image in lock.images)


def _image(path: Path, root: Root, image: LockedImage, manifests: dict[str, Any]) -> LockedImage:
    if image.ref not in manifests:
        raise BundleError(
            "BUNDLE-IMAGE-MISSING",
            f"the bundle has no image {image.ref}",
            where=str(path / layout.INDEX),
            hint="build the bundle again",
        )
    entry = manifests[image.ref]
    manifest = json.loads(_read_listed(path, root, layout.blob(entry["digest"])))
    size = entry["size"] + manifest["config"]["size"] + sum(layer["size"] for layer in manifest["layers"])
    return image.model_copy(update={"digest": entry["digest"], "size": size})
