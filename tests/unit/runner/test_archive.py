"""Archives: the same bytes for the same files, and nothing unpacked that should not be."""

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path

import pytest
from llmflow_bundle.errors import BundleError
from llmflow_runner import archive
from llmflow_runner.archive import Package

FILES = {"a/b.txt": b"1", "c": b"2"}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.difypkg"
    path.write_bytes(archive.write(FILES, b"comment"))
    assert archive.read(path) == Package(FILES, b"comment")
    archive.unpack(archive.read(path), tmp_path / "out")
    assert (tmp_path / "out" / "a" / "b.txt").read_bytes() == b"1"


def test_same_files_same_bytes() -> None:
    assert archive.write(FILES) == archive.write(dict(FILES))


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "a//x", "./x", "a\\x", "a/"])
def test_names_that_leave_the_folder(name: str, tmp_path: Path) -> None:
    assert refused(zipped({name: b"x"}), tmp_path) == ["PLUGIN-ARCHIVE"]


def test_a_symbolic_link(tmp_path: Path) -> None:
    entry = zipfile.ZipInfo("link")
    entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    assert refused(zipped({entry: b"/etc/passwd"}), tmp_path) == ["PLUGIN-ARCHIVE"]


@pytest.mark.filterwarnings("ignore:Duplicate name")  # which is what is tested
def test_a_name_twice(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as writer:
        writer.writestr("a", b"1")
        writer.writestr("a", b"2")
    assert refused(buffer.getvalue(), tmp_path) == ["PLUGIN-ARCHIVE"]


def test_a_file_that_unpacks_to_too_much(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as writer:
        writer.writestr("zeros", bytes(archive.LIMIT + 1))
    assert len(buffer.getvalue()) < 1 << 20
    assert refused(buffer.getvalue(), tmp_path) == ["PLUGIN-ARCHIVE"]


@pytest.mark.parametrize("content", [b"", b"not a ZIP", archive.write(FILES)[:-10]])
def test_what_is_no_archive(content: bytes, tmp_path: Path) -> None:
    assert refused(content, tmp_path) == ["PLUGIN-ARCHIVE"]


def zipped(files: dict[str, bytes] | dict[zipfile.ZipInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as writer:
        for name, content in files.items():
            writer.writestr(name, content)
    return buffer.getvalue()


def refused(content: bytes, folder: Path) -> list[str]:
    path = folder / "x.difypkg"
    path.write_bytes(content)
    with pytest.raises(BundleError) as error:
        archive.read(path)
    return [finding.id for finding in error.value.findings]
