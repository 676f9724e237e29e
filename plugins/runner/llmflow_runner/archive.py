"""A .difypkg as a ZIP file: written the same bytes for the same files, read with suspicion."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from llmflow_bundle.errors import BundleError, Finding

LIMIT = 50 << 20  # bytes, packed and unpacked: the plugin daemon's own default
VERIFICATION = ".verification.dify.json"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment that a ZIP file can tell


@dataclass(frozen=True)
class Package:
    """An opened package: its files in the order of the archive, and the archive's comment."""

    files: Mapping[str, bytes]
    comment: bytes = b""


def write(files: Mapping[str, bytes], comment: bytes = b"") -> bytes:
    """The archive of `files` in their order; stored, since the wheels in it are compressed already."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system, entry.external_attr = 3, 0o100644 << 16  # a plain Unix file
            archive.writestr(entry, content)
        archive.comment = comment
    return buffer.getvalue()


def read(path: Path) -> Package:
    """Open a package; raises BundleError (PLUGIN-ARCHIVE) with all that makes it unfit to be unpacked."""
    if path.stat().st_size > LIMIT:
        raise _unfit(path, [_finding(path, f"It is larger than {LIMIT >> 20} MiB")])
    try:
        with zipfile.ZipFile(path) as archive:
            if findings := _entry_findings(path, archive.infolist()):
                raise _unfit(path, findings)
            return Package(
                {entry.filename: archive.read(entry) for entry in archive.infolist()}, archive.comment
            )
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as exc:
        raise _unfit(path, [_finding(path, f"It is not a ZIP file that can be read: {exc}")]) from exc


def unpack(package: Package, into: Path) -> None:
    """Write a package's files under the empty directory `into`."""
    for name, content in package.files.items():
        target = into / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def _entry_findings(path: Path, entries: list[zipfile.ZipInfo]) -> list[Finding]:
    findings = [
        _finding(path, f"The entry {entry.filename!r} has an unsafe name or is not a plain file")
        for entry in entries
        if not _plain(entry)
    ]
    names = [entry.filename for entry in entries]
    findings += [
        _finding(path, f"The entry {n!r} occurs twice") for n in sorted(set(names)) if names.count(n) > 1
    ]
    if (size := sum(entry.file_size for entry in entries)) > LIMIT:
        findings.append(_finding(path, f"Unpacked it has {size >> 20} MiB, more than {LIMIT >> 20} MiB"))
    return findings


def _plain(entry: zipfile.ZipInfo) -> bool:
    parts = PurePosixPath(entry.filename).parts
    kind = entry.external_attr >> 16 & 0o170000
    safe = entry.filename == "/".join(parts) and ".." not in parts and "\\" not in entry.filename
    return safe and not entry.filename.startswith("/") and not entry.is_dir() and kind in (0, 0o100000)


def _finding(path: Path, what: str) -> Finding:
    return Finding(
        "PLUGIN-ARCHIVE", what, where=path.name, hint="build the package again: llmflow plugin pack"
    )


def _unfit(path: Path, findings: list[Finding]) -> BundleError:
    return BundleError(
        "PLUGIN-ARCHIVE",
        f"{path.name} is not a plugin package that can be unpacked",
        where=str(path),
        findings=findings,
    )
