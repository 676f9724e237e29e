"""What the installer needs to know of a bundle: where it is, what it holds, how much room that takes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmflow_bundle import layout

if TYPE_CHECKING:
    from llmflow_bundle.bundle import Bundle


@dataclass(frozen=True)
class OrganSupply:
    """One organ in the bundle: its version and the references of its images."""

    version: str
    images: tuple[str, ...]


@dataclass(frozen=True)
class Supplies:
    """A bundle as the installer sees it.

    `digest` is the SHA-256 of its signed root, so it names every byte; `images` maps full references to
    manifest digests; `image_bytes` is the size of all image blobs, each counted once.
    """

    path: Path
    name: str
    version: str
    profile: str
    os: str
    arch: str
    digest: str
    images: Mapping[str, str]
    organs: Mapping[str, OrganSupply]
    image_bytes: int

    @property
    def playbooks(self) -> Path:
        """The directory of the bundle's playbooks."""
        return self.path / layout.PLAYBOOKS


def supplies_of(bundle: Bundle) -> Supplies:
    """Read what the installer needs from an opened bundle."""
    index = json.loads(bundle.file(layout.INDEX).read_text())
    images = {
        entry["annotations"][layout.REF_NAME]: entry["digest"]
        for entry in index["manifests"]
        if layout.REF_NAME in entry.get("annotations", {})
    }
    sizes = (file.size for name, file in bundle.root.files.items() if name.startswith(f"{layout.BLOBS}/"))
    return Supplies(
        path=bundle.path,
        name=bundle.root.name,
        version=bundle.root.version,
        profile=bundle.root.profile,
        os=bundle.root.target.os,
        arch=bundle.root.target.arch,
        digest=hashlib.sha256((bundle.path / layout.ROOT).read_bytes()).hexdigest(),
        images=images,
        organs={
            organ.name: OrganSupply(organ.version, _references(bundle, organ.name))
            for organ in bundle.lock.organs
        },
        image_bytes=sum(sizes),
    )


def _references(bundle: Bundle, organ: str) -> tuple[str, ...]:
    return tuple(image.ref for image in bundle.lock.images if image.organ == organ)


def bundle_variables(supplies: Supplies) -> dict[str, Any]:
    """The `bundle` variable of every playbook (playbooks/README.md)."""
    return {
        "path": str(supplies.path),
        "name": supplies.name,
        "version": supplies.version,
        "profile": supplies.profile,
        "digest": supplies.digest,
        "images": dict(supplies.images),
        "organs": {
            name: {"version": organ.version, "images": list(organ.images)}
            for name, organ in supplies.organs.items()
        },
    }
