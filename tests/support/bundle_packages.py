"""Small Debian packages and wheels, made in memory for the tests."""

import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import zstandard

Member = tuple[str, bytes | str | None, int]

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "xz": lzma.compress,
    "zst": lambda data: zstandard.compress(data),
    "": lambda data: data,
}


def make_deb(path: Path, name: str, members: Sequence[Member], compression: str = "xz") -> Path:
    """A .deb; a member is path, content (or `"-> link"`, `"= hard link"`, None for a folder) and mode."""
    control = f"Package: {name}\nVersion: 1:2.0-1\nArchitecture: amd64\nDescription: a test\n more of it\n"
    suffix = f".{compression}" if compression else ""
    parts = {
        "debian-binary": b"2.0\n",
        f"control.tar{suffix}": COMPRESS[compression](_tar([("./control", control.encode(), 0o644)])),
        f"data.tar{suffix}": COMPRESS[compression](_tar(members)),
    }
    with path.open("wb") as file:
        file.write(b"!<arch>\n")
        for part, content in parts.items():
            file.write(f"{part:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode())
            file.write(content + b"\n" * (len(content) % 2))
    return path


def make_wheel(path: Path, files: dict[str, bytes], executable: Sequence[str] = ()) -> Path:
    """A wheel with the given files."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o100755 if name in executable else 0o100644) << 16
            archive.writestr(info, content)
    return path


def _tar(members: Sequence[Member]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content, mode in members:
            info = tarfile.TarInfo(name)
            info.mode, info.mtime = mode, 1_700_000_000
            match content:
                case None:
                    info.type = tarfile.DIRTYPE
                    tar.addfile(info)
                case bytes():
                    info.size = len(content)
                    tar.addfile(info, io.BytesIO(content))
                case str():
                    kind, _, info.linkname = content.partition(" ")
                    info.type = {"->": tarfile.SYMTYPE, "=": tarfile.LNKTYPE, "c": tarfile.CHRTYPE}[kind]
                    tar.addfile(info)
    return buffer.getvalue()
