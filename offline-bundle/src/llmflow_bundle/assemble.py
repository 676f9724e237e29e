"""Cache → bundle: plan every file with its digest, link what the cache holds, sign the root, rename.

Blobs, packages, wheels and models are hard links into the cache where the disk is the same; nothing is
compressed again. Work goes on in `<out>.partial`, which an interrupted run leaves for the next one. A bundle
that is already what the plan says is not touched.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from llmflow_bundle import layout, minisign, oci
from llmflow_bundle.cache import Cache, disk_full_is_named
from llmflow_bundle.contents import Item, Plan, check_space, plan_contents
from llmflow_bundle.dirs import repository_root
from llmflow_bundle.errors import BundleError
from llmflow_bundle.model import Lock, Root, RootFile
from llmflow_bundle.report import Noted, Reporter, amount, task

PARTIAL = ".partial"
PREVIOUS = ".previous"


def assemble(
    lock: Lock,
    lock_text: bytes,
    cache: Cache,
    out: Path,
    signing_key: minisign.SecretKey,
    report: Reporter,
    *,
    repository: Path | None = None,
    plugins: Sequence[Path] = (),
) -> Root:
    """Make `out` the bundle of a lock whose sources are fetched; returns its root.

    `lock_text` is the lock file's content, `plugins` are .difypkg files, playbooks and inventories come from
    `repository`. Raises BundleError: what the parts raise, BUNDLE-DISK-FULL, BUNDLE-CLASH, BUNDLE-OUT-TAKEN.
    """
    out = out.absolute()
    _check_out(out)
    with cache.lock(f"assemble-{out.name}", report), disk_full_is_named(out):
        planned = plan_contents(lock, lock_text, cache, report, repository or repository_root(), plugins)
        root = _root(lock, lock_text, planned)
        content = oci.compact_json(root.model_dump(mode="json", by_alias=True, exclude_none=True))
        signature = _signature(content, root, signing_key, cache)
        signed = Plan(
            {**planned.files, layout.ROOT: Item.data(content), layout.SIGNATURE: Item.data(signature)},
            planned.links,
        )
        if _is_there(signed, out):
            report(Noted(f"{out} is already this bundle: nothing to do"))
        else:
            _write(signed, out, report)
            report(Noted(f"{out} is signed with key {signing_key.public.name}"))
    return root


# --- root and signature ---


def _root(lock: Lock, lock_text: bytes, plan: Plan) -> Root:
    listed = {
        path: RootFile(size=item.size, sha256=item.sha256, mode="0755" if item.mode & 0o100 else None)
        for path, item in plan.files.items()
    }
    return Root(
        name=f"llmflow-{lock.profile}",
        version=version("llmflow"),
        profile=lock.profile,
        target=lock.target,
        lock=hashlib.sha256(lock_text).hexdigest(),
        files=listed,
        links=dict(plan.links),
    )


def _signature(content: bytes, root: Root, key: minisign.SecretKey, cache: Cache) -> bytes:
    with cache.workdir("sign") as work:
        file = work / layout.ROOT
        file.write_bytes(content)
        return minisign.sign(file, key, f"{root.name} {root.version} lock:{root.lock[:16]}").encode()


# --- writing ---


def _check_out(out: Path) -> None:
    """Refuse a place that holds something else than a bundle: it would be replaced as a whole."""
    if out.is_mount() or not out.name:
        what, hint = "this is where a disk is mounted", "name a folder on it that need not exist yet"
    elif (out.exists() or out.is_symlink()) and not _is_replaceable(out):
        what, hint = "there is something here that is no bundle", "name another folder, or move this away"
    else:
        return
    raise BundleError("BUNDLE-OUT-TAKEN", what, where=str(out), hint=hint)


def _is_replaceable(out: Path) -> bool:
    return out.is_dir() and not out.is_symlink() and (not any(out.iterdir()) or (out / layout.ROOT).is_file())


def _is_there(plan: Plan, out: Path) -> bool:
    """Whether `out` holds exactly the plan, told without reading what the cache holds."""
    if not (out / layout.ROOT).is_file():
        return False
    return (
        all(_same(item, out / path) for path, item in plan.files.items())
        and not _others(plan, out)
        and _links_same(plan, out)
    )


def _same(item: Item, target: Path) -> bool:
    if item.source is not None:
        return oci.same_file(item.source.stat(), target, item.mode)
    try:
        mode = target.stat(follow_symlinks=False).st_mode
        return mode & 0o7777 == item.mode and not target.is_symlink() and target.read_bytes() == item.content
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return False


def _links_same(plan: Plan, out: Path) -> bool:
    return all(
        (out / path).is_symlink() and str((out / path).readlink()) == target
        for path, target in plan.links.items()
    )


def _others(plan: Plan, folder: Path) -> list[Path]:
    """What is in the folder but not in the plan."""
    skip = len(str(folder)) + 1
    names = (
        f"{top}/{name}"[skip:]
        for top, folders, files in os.walk(folder)
        for name in _leaves(top, folders, files)
    )
    return [folder / name for name in names if name not in plan.files and name not in plan.links]


def _leaves(top: str, folders: list[str], files: list[str]) -> list[str]:
    return [*files, *(name for name in folders if Path(top, name).is_symlink())]


def _write(plan: Plan, out: Path, report: Reporter) -> None:
    partial = out.with_name(out.name + PARTIAL)
    partial.mkdir(parents=True, exist_ok=True)
    check_space(partial, sum(_to_be_copied(plan, partial)), "the bundle")
    for path in _others(plan, partial):
        path.unlink()
    total = sum(item.size for item in plan.files.values())
    with task(report, "Assembling the bundle", total, "bytes") as progress:
        for name, target in plan.links.items():
            _link(partial / name, target)
        for name, item in plan.files.items():
            if name not in (layout.ROOT, layout.SIGNATURE):
                _place(item, partial / name)
            progress.advance(item.size, name)
        for name in (layout.ROOT, layout.SIGNATURE):  # last: a bundle with a root is a whole one
            _place(plan.files[name], partial / name)
        progress.detail = f"{len(plan.files)} files, {amount(total, 'bytes')}"
    _drop_empty(partial)
    _swap(partial, out)


def _place(item: Item, target: Path) -> None:
    if item.source is not None:
        oci.link_or_copy(item.source, target, item.mode)
    else:
        oci.write_if_different(target, item.content, item.mode)


def _link(path: Path, target: str) -> None:
    if not (path.is_symlink() and str(path.readlink()) == target):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(target)


def _to_be_copied(plan: Plan, partial: Path) -> Iterator[int]:
    """Bytes that hard links don't save: other disks, other modes, content made here."""
    device = partial.stat().st_dev
    for path, item in plan.files.items():
        if item.source is None:
            yield item.size
        elif not oci.same_file(have := item.source.stat(), partial / path, item.mode):
            linked = have.st_dev == device and have.st_mode & 0o7777 == item.mode
            yield 0 if linked else item.size


def _drop_empty(folder: Path) -> None:
    for top, folders, files in os.walk(folder, topdown=False):
        if (not files and not folders) or not any(Path(top).iterdir()):
            Path(top).rmdir()


def _swap(partial: Path, out: Path) -> None:
    previous = out.with_name(out.name + PREVIOUS)
    if (previous / layout.ROOT).is_file():  # left by a run that was interrupted just here
        shutil.rmtree(previous)
    if out.exists():
        out.rename(previous)
    partial.rename(out)
    shutil.rmtree(previous, ignore_errors=True)
