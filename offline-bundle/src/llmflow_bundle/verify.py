"""Checking every byte of a bundle against its signed root: all that differs is named at once."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path, PurePosixPath
from typing import TypeVar

from llmflow_bundle import layout
from llmflow_bundle.bundle import read_root, trusted_key
from llmflow_bundle.errors import BundleError, Finding
from llmflow_bundle.minisign import PublicKey
from llmflow_bundle.model import Root, RootFile
from llmflow_bundle.report import Reporter, task

CHUNK = 1 << 20
UNLISTED = frozenset({layout.ROOT, layout.SIGNATURE})
T = TypeVar("T")
_COPY = "copy this file again from the builder's bundle"
_REMOVE = "remove it, and find out who put it there"


def verify_bundle(path: Path, key: PublicKey | None, report: Reporter, below: Sequence[str] = ()) -> Root:
    """Check the signature, then names, links, modes, sizes and every byte; returns the root.

    `key` is the trusted key; without it, that of `trusted_key()`. `below` limits it to the files under these
    folders. Raises BundleError: the signature's id, or BUNDLE-ALTERED whose findings name every missing, altered,
    extra and misplaced file.
    """
    root = read_root(path, key or trusted_key())
    found = _found(path)
    if below:
        root = root.model_copy(
            update={"files": _under(root.files, below), "links": _under(root.links, below)}
        )
        found = _under(found, below)
    findings = [*_names(root, found), *_links(path, root, found), *_shapes(root, found)]
    findings += _contents(path, root, found, report)
    if findings:
        raise BundleError(
            "BUNDLE-ALTERED",
            f"{len(findings)} of {len(root.files) + len(root.links)} files are not as they were signed",
            where=str(path),
            hint="copy the named files again from the builder's bundle, then run `llmflow bundle verify`",
            findings=sorted(findings, key=lambda finding: (finding.where, finding.id)),
        )
    return root


def _under(named: dict[str, T], folders: Sequence[str]) -> dict[str, T]:
    return {
        name: one for name, one in named.items() if name.startswith(tuple(f"{folder}/" for folder in folders))
    }


def _found(path: Path) -> dict[str, os.stat_result]:
    try:
        return dict(_walk(path, ""))
    except OSError as error:
        raise BundleError(
            "BUNDLE-UNREADABLE",
            f"a folder cannot be read: {error.strerror}",
            where=str(error.filename),
            hint="check the disk and its mount, and that you may read it",
        ) from error


def _walk(folder: Path, prefix: str) -> Iterator[tuple[str, os.stat_result]]:
    """Relative path and status of everything that is no folder; links are not followed."""
    with os.scandir(folder) as items:
        for item in items:
            relative = f"{prefix}{item.name}"
            if item.is_dir(follow_symlinks=False):
                yield from _walk(Path(item.path), f"{relative}/")
            else:
                yield relative, item.stat(follow_symlinks=False)


def _names(root: Root, found: dict[str, os.stat_result]) -> Iterator[Finding]:
    for name in (*root.files, *root.links):
        if name not in found:
            yield Finding("BUNDLE-MISSING", f"{name} is missing", name, _COPY)
    for name in found.keys() - root.files.keys() - root.links.keys() - UNLISTED:
        yield Finding("BUNDLE-EXTRA", f"{name} does not belong to the bundle", name, _REMOVE)


def _links(path: Path, root: Root, found: dict[str, os.stat_result]) -> Iterator[Finding]:
    for name, target in root.links.items():
        if name not in found:
            continue
        if not stat.S_ISLNK(found[name].st_mode):
            yield Finding("BUNDLE-LINK", f"{name} should be a link to {target}", name, _COPY)
        elif (there := str((path / name).readlink())) != target:
            yield Finding("BUNDLE-LINK", f"{name} leads to {there}, not to {target}", name, _COPY)
        elif leads_out(name, target):
            yield Finding(
                "BUNDLE-LINK", f"{name} leads out of the bundle: {target}", name, "build the bundle again"
            )


def leads_out(name: str, target: str) -> bool:
    """Whether a link at `name` with this target leaves the folder that both are relative to."""
    parts = os.path.normpath(PurePosixPath(name).parent / target).split("/")
    return target.startswith("/") or parts[0] == ".."


def _shapes(root: Root, found: dict[str, os.stat_result]) -> Iterator[Finding]:
    """Files that can be told from their status: no regular file, another size, another mode."""
    for name, listed in root.files.items():
        status = found.get(name)
        if status is None:
            continue
        if not stat.S_ISREG(status.st_mode):
            yield Finding("BUNDLE-ALTERED", f"{name} is no regular file any more", name, _COPY)
        elif status.st_size != listed.size:
            yield Finding(
                "BUNDLE-ALTERED", f"{name} has {status.st_size} bytes instead of {listed.size}", name, _COPY
            )
        elif _mode_differs(status.st_mode, listed):
            wanted = listed.mode or "0644"
            yield Finding(
                "BUNDLE-MODE",
                f"{name} has mode {stat.S_IMODE(status.st_mode):04o} instead of {wanted}",
                name,
                f"chmod {wanted} {name}",
            )


def _mode_differs(mode: int, listed: RootFile) -> bool:
    # A medium may be read-only and an umask may hide the file from others: what counts is whether it may be
    # run, by whose rights, and who may change it.
    wanted = int(listed.mode or "0644", 8)
    return bool(mode & 0o100) != bool(wanted & 0o100) or bool(mode & ~wanted & 0o7022)


def _contents(path: Path, root: Root, found: dict[str, os.stat_result], report: Reporter) -> list[Finding]:
    sound = {
        name: listed
        for name, listed in root.files.items()
        if name in found and stat.S_ISREG(found[name].st_mode) and found[name].st_size == listed.size
    }
    findings = []
    total = sum(listed.size for listed in sound.values())
    # Largest first: the last thread to finish then has little left to do.
    order = sorted(sound, key=lambda name: (-sound[name].size, name))
    with (
        task(report, "Verifying the bundle", total, "bytes") as progress,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        running = {pool.submit(_digest, path / name): name for name in order}
        for done in as_completed(running):
            name = running[done]
            if (finding := _compare(name, done.result(), sound[name].sha256)) is not None:
                findings.append(finding)
            progress.advance(sound[name].size, name)
        progress.detail = f"{len(sound)} files"
    return findings


def _compare(name: str, digest: str | OSError, wanted: str) -> Finding | None:
    if isinstance(digest, OSError):
        return Finding(
            "BUNDLE-UNREADABLE", f"{name} cannot be read: {digest.strerror}", name, "check the disk; " + _COPY
        )
    return (
        None
        if digest == wanted
        else Finding("BUNDLE-ALTERED", f"{name} has other content than was signed", name, _COPY)
    )


def _digest(path: Path) -> str | OSError:
    digest = hashlib.sha256()
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            size = os.fstat(descriptor).st_size
            if size > CHUNK:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)
            buffer = bytearray(min(CHUNK, max(size, 1)))
            view = memoryview(buffer)
            while count := file.readinto(buffer):
                digest.update(view[:count])
    except OSError as error:
        return error
    return digest.hexdigest()
