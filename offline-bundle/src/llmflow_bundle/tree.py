"""Debian packages and wheels as the entries of a layer, without root and without running anything of theirs.

`deb_entries` merges packages into one tree as dpkg would on a merged-/usr system; maintainer scripts and
alternatives are not run. `wheel_entries` installs wheels as `pip install --target` lays them out. Both yield
`oci.Entry`, whose content is read where it lies: a wheel's from the zip, a deb's from a scratch folder.
"""

from __future__ import annotations

import configparser
import contextlib
import fnmatch
import gzip
import io
import lzma
import os
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import IO, cast

import zstandard

from llmflow_bundle.errors import BundleError
from llmflow_bundle.oci import CHUNK, Entry, ordered

MERGED = ("bin", "sbin", "lib", "lib64")
"""Folders that are symlinks into /usr on every Debian since 12."""

UNUSED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "usr/share/lintian")
"""Left out of unpacked packages; the copyright files in usr/share/doc stay, as their licences ask."""


def deb_entries(debs: Mapping[str, Path], scratch: Path) -> list[Entry]:
    """The merged tree of .deb files (file name → where it lies).

    Contents are staged in `scratch`, which must outlive the entries.
    Raises BundleError: BUNDLE-DEB-UNREADABLE.
    """
    entries: dict[str, Entry] = {}
    scratch.mkdir(parents=True, exist_ok=True)
    for name, deb in sorted(debs.items()):
        try:
            with deb.open("rb") as file, _tar_of(file, "data.tar") as tar:
                _unpack(tar, entries, scratch)
        except _UNREADABLE as error:
            raise _unreadable_deb(name, deb, error) from error
    for top in MERGED:
        if any(path.startswith(f"usr/{top}/") for path in entries):
            entries[top] = Entry.link(top, f"usr/{top}")
    return list(entries.values())


def deb_control(name: str, deb: Path) -> str:
    """The control paragraph of a .deb file, without its final newline; BundleError BUNDLE-DEB-UNREADABLE."""
    try:
        with deb.open("rb") as file, _tar_of(file, "control.tar") as tar:
            for member in tar:
                content = tar.extractfile(member) if member.name in ("control", "./control") else None
                if content is not None:
                    return content.read(_CONTROL_LIMIT).decode().strip("\n")
    except _UNREADABLE as error:
        raise _unreadable_deb(name, deb, error) from error
    raise _unreadable_deb(name, deb, ValueError("no control file in it"))


def wheel_entries(wheels: Mapping[str, Path], interpreter: str = "/usr/bin/python3") -> list[Entry]:
    """Wheels (file name → where it lies) as `pip install --target` lays them out: scripts in bin/.

    Where two wheels hold one path, the later by file name wins (pip lets the last installed win).
    Raises BundleError: BUNDLE-WHEEL-UNREADABLE.
    """
    entries: dict[str, Entry] = {}
    for name, wheel in sorted(wheels.items()):
        try:
            for entry in _wheel(zipfile.ZipFile(wheel), interpreter):
                entries[entry.path] = entry
        except (zipfile.BadZipFile, configparser.Error, UnicodeDecodeError, OSError) as error:
            raise BundleError(
                "BUNDLE-WHEEL-UNREADABLE",
                f"{name} is not a wheel that can be unpacked: {error}",
                where=str(wheel),
                hint="remove it from the cache and fetch it again",
            ) from error
    return list(entries.values())


def folder_entries(folder: Path) -> list[Entry]:
    """A folder's files, folders and links; files are 0755 where executable by their owner, else 0644."""
    return list(_walk(folder, ""))


def choose(entries: Iterable[Entry], include: Sequence[str] = (), exclude: Sequence[str] = ()) -> list[Entry]:
    """Entries whose path is like one of `include` (all, if there are none) and like none of `exclude`.

    Patterns are shell patterns over the whole path, `*` crossing slashes; a folder's covers what is in it.
    """
    wanted, unwanted = _matcher(include), _matcher(exclude)
    return [entry for entry in entries if (not include or wanted(entry.path)) and not unwanted(entry.path)]


def below(entries: Iterable[Entry], prefix: str) -> list[Entry]:
    """The entries moved under an absolute path of the image."""
    top = prefix.strip("/")
    return [replace(entry, path=f"{top}/{entry.path}") for entry in entries] if top else list(entries)


def extract(entries: Iterable[Entry], folder: Path) -> None:
    """Write entries below `folder`, which need not exist; owners stay those of the caller.

    Raises BundleError: BUNDLE-LAYER-CLASH or BUNDLE-LAYER-PATH before anything is written.
    """
    in_order = ordered(entries)
    folder.mkdir(parents=True, exist_ok=True)
    for entry in in_order:
        path = folder / entry.path
        if entry.is_dir:
            path.mkdir(exist_ok=True)
        elif entry.open is None:
            path.symlink_to(entry.target)
        else:
            with entry.open() as content, path.open("xb") as file:
                _pour(content, file)
            path.chmod(entry.mode & 0o777)


def inside(entries: Iterable[Entry]) -> list[Entry]:
    """The entries as a tree that may be moved: links made relative, those that lead out of it dropped."""
    tree = list(entries)
    links = {entry.path: entry.target for entry in tree if entry.open is None and not entry.is_dir}
    paths = {entry.path for entry in ordered(tree)}
    kept = []
    for entry in tree:
        if entry.path not in links:
            kept.append(entry)
        elif (target := _resolve(entry.path, links)) in paths:
            kept.append(replace(entry, target=os.path.relpath(target, PurePosixPath(entry.path).parent)))
    return kept


# --- Debian packages ---


_UNREADABLE = (tarfile.TarError, lzma.LZMAError, zstandard.ZstdError, EOFError, KeyError, ValueError, OSError)
_CONTROL_LIMIT = 1 << 20  # bytes; the largest of Debian's is below 100 KiB


def _unreadable_deb(name: str, deb: Path, error: Exception) -> BundleError:
    return BundleError(
        "BUNDLE-DEB-UNREADABLE",
        f"{name} is not a Debian package that can be unpacked: {error}",
        where=str(deb),
        hint="remove it from the cache and fetch it again",
    )


@contextlib.contextmanager
def _tar_of(file: IO[bytes], member: str) -> Iterator[tarfile.TarFile]:
    name, size = _find_member(file, member)
    part = io.BufferedReader(_Part(file, size), CHUNK)
    plain = _DECOMPRESS[PurePosixPath(name).suffix](part)
    with plain, tarfile.open(fileobj=plain, mode="r|", bufsize=CHUNK) as tar:
        yield tar


def _find_member(file: IO[bytes], prefix: str) -> tuple[str, int]:
    """Go to the content of the first ar member whose name starts with `prefix`; its name and size."""
    if file.read(8) != b"!<arch>\n":
        raise ValueError("no ar archive")
    while header := file.read(60):
        name, size = header[:16].decode("ascii").rstrip(" /"), int(header[48:58])
        if name.startswith(prefix):
            return name, size
        file.seek(size + size % 2, os.SEEK_CUR)
    raise ValueError(f"no {prefix} in it")


class _Part(io.RawIOBase):
    """The next `size` bytes of a file as a file."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._left = file, size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override] # the stub wants WriteableBuffer
        data = self._file.read(min(len(buffer), self._left))
        self._left -= len(data)
        buffer[: len(data)] = data
        return len(data)


def _unzstd(part: IO[bytes]) -> IO[bytes]:
    return cast(IO[bytes], zstandard.ZstdDecompressor().stream_reader(part))


def _unxz(part: IO[bytes]) -> IO[bytes]:
    return cast(IO[bytes], lzma.open(part))


def _ungzip(part: IO[bytes]) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(part))


_DECOMPRESS: dict[str, Callable[[IO[bytes]], IO[bytes]]] = {
    ".zst": _unzstd,
    ".xz": _unxz,
    ".gz": _ungzip,
    ".tar": lambda part: part,
}


def _unpack(tar: tarfile.TarFile, entries: dict[str, Entry], scratch: Path) -> None:
    for member in tar:
        path = _merged(member.name)
        if path == "." or _unused(path):
            continue
        entry = _deb_entry(tar, member, path, entries, scratch)
        there = entries.get(path)
        if there is not None and not (there.is_dir and entry.is_dir):
            raise ValueError(f"it holds /{path}, as another package does")
        entries[path] = entry


def _deb_entry(
    tar: tarfile.TarFile, member: tarfile.TarInfo, path: str, entries: dict[str, Entry], scratch: Path
) -> Entry:
    if member.isdir():
        return Entry.folder(path, member.mode)
    if member.issym():
        return Entry.link(path, member.linkname)
    if member.islnk():
        return replace(entries[_merged(member.linkname)], path=path)
    if not member.isfile():
        raise ValueError(f"/{path} is neither file, folder nor link")
    # Staged under a number: a hostile name or link of the package can't lead the write elsewhere.
    staged = scratch / f"{len(entries):06d}-{os.urandom(4).hex()}"
    content = tar.extractfile(member)
    assert content is not None  # noqa: S101 - it is a regular file
    with staged.open("xb") as file:
        _pour(content, file)
    return Entry.file(path, staged, member.mode)


def _merged(name: str) -> str:
    path = str(PurePosixPath(name.lstrip("/")))
    top, _, rest = path.partition("/")
    return f"usr/{path}" if top in MERGED else path if rest or top else "."


def _unused(path: str) -> bool:
    return path.startswith(tuple(f"{folder}/" for folder in UNUSED)) and not path.endswith("/copyright")


# --- wheels ---


def _wheel(archive: zipfile.ZipFile, interpreter: str) -> Iterator[Entry]:
    for info in archive.infolist():
        if info.is_dir():
            continue
        path, is_script = _place(info.filename)
        if path is None:
            continue
        if is_script:
            yield Entry.data(path, _with_shebang(archive.read(info), interpreter), 0o755)
        else:
            executable = info.external_attr >> 16 & 0o111
            yield Entry(path, 0o755 if executable else 0o644, info.file_size, _opener(archive, info))
    yield from _console_scripts(archive, interpreter)


def _opener(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], IO[bytes]]:
    return lambda: archive.open(info)


def _place(name: str) -> tuple[str | None, bool]:
    """Where a wheel's file goes, or None for what is left out; and whether it is a script."""
    top, _, rest = name.partition("/")
    if not top.endswith(".data"):
        return name, False
    scheme, _, path = rest.partition("/")
    match scheme:
        case "purelib" | "platlib" | "data":
            return path, False
        case "scripts":
            return f"bin/{path}", True
        case _:  # headers: nothing is compiled against an installed image
            return None, False


def _with_shebang(script: bytes, interpreter: str) -> bytes:
    first, newline, rest = script.partition(b"\n")
    return b"#!" + interpreter.encode() + newline + rest if first.startswith(b"#!python") else script


def _console_scripts(archive: zipfile.ZipFile, interpreter: str) -> Iterator[Entry]:
    for name in archive.namelist():
        if name.endswith(".dist-info/entry_points.txt") and name.count("/") == 1:
            points = configparser.ConfigParser(delimiters=("=",), interpolation=None)
            points.optionxform = str  # type: ignore[assignment,method-assign] # command names keep their case
            points.read_string(archive.read(name).decode())
            if points.has_section("console_scripts"):
                for command, target in points.items("console_scripts"):
                    yield Entry.data(f"bin/{command}", _launcher(target, interpreter), 0o755)


def _launcher(target: str, interpreter: str) -> bytes:
    module, _, attribute = target.partition("[")[0].strip().partition(":")
    first = attribute.partition(".")[0]
    return (
        f"#!{interpreter}\nimport sys\n\nfrom {module} import {first}\n\nsys.exit({attribute}())\n".encode()
    )


# --- helpers ---


def _walk(folder: Path, prefix: str) -> Iterator[Entry]:
    for item in sorted(os.scandir(folder), key=lambda item: item.name):
        path = f"{prefix}{item.name}"
        if item.is_symlink():
            yield Entry.link(path, str(Path(item.path).readlink()))
        elif item.is_dir():
            yield Entry.folder(path)
            yield from _walk(Path(item.path), f"{path}/")
        else:
            yield Entry.file(path, Path(item.path), 0o755 if item.stat().st_mode & 0o100 else 0o644)


def _matcher(patterns: Sequence[str]) -> Callable[[str], bool]:
    rules = [pattern.strip("/") for pattern in patterns]

    def matches(path: str) -> bool:
        return any(
            fnmatch.fnmatchcase(path, rule) or fnmatch.fnmatchcase(path, f"{rule}/*") for rule in rules
        )

    return matches


def _resolve(path: str, links: dict[str, str]) -> str:
    """Where a path leads once every link on it is followed, relative to the tree's root; "" for a circle."""
    todo, done, hops = list(PurePosixPath(path).parts), PurePosixPath(), 0
    while todo:
        part = todo.pop(0)
        if part in ("..", "/"):
            done = done.parent if part == ".." else PurePosixPath()
        elif (target := links.get(str(done / part))) is None:
            done /= part
        elif (hops := hops + 1) > 40:
            return ""
        else:
            todo = [*PurePosixPath(target).parts, *todo]
    return str(done)


def _pour(source: IO[bytes], target: IO[bytes]) -> None:
    while chunk := source.read(CHUNK):
        target.write(chunk)
