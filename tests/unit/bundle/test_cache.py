"""The cache believes no byte it has not checked, and leaves nothing half-written."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from pathlib import Path

import pytest
from llmflow_bundle.cache import Cache, disk_full_is_named
from llmflow_bundle.errors import BundleError
from llmflow_bundle.report import Noted, Recording


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def stored(cache: Cache, data: bytes) -> str:
    return cache.put(data)


def test_a_blob_is_found_by_its_digest(cache: Cache) -> None:
    digest = stored(cache, b"hello")
    assert digest == hashlib.sha256(b"hello").hexdigest()
    assert cache.has(digest, 5)
    assert not cache.has(digest.replace(digest[0], "x"), 5)


def test_a_blob_altered_through_a_link_is_not_believed(cache: Cache, tmp_path: Path) -> None:
    digest = stored(cache, b"hello")
    link = tmp_path / "in-a-bundle"
    link.hardlink_to(cache.blob(digest))
    link.write_bytes(b"jello")
    assert not cache.has(digest, 5)
    assert not cache.blob(digest).exists()


def test_a_touched_blob_is_hashed_again_and_kept(cache: Cache) -> None:
    digest = stored(cache, b"hello")
    os.utime(cache.blob(digest))
    assert cache.has(digest, 5)


def test_a_file_with_another_digest_is_refused(cache: Cache) -> None:
    with cache.workdir("test") as work:
        (work / "x.whl").write_bytes(b"hello")
        with pytest.raises(BundleError, match=r"x\.whl") as caught:
            cache.add(work / "x.whl", expect="0" * 64)
    assert caught.value.id == "BUNDLE-DIGEST"
    assert not any((cache.root / "blobs" / "sha256").iterdir())


def test_the_same_bytes_keep_their_file(cache: Cache) -> None:
    first = cache.blob(stored(cache, b"hello")).stat().st_ino
    assert cache.blob(stored(cache, b"hello")).stat().st_ino == first


def test_what_was_built_is_remembered_while_all_of_it_is_there(cache: Cache) -> None:
    with cache.workdir("test") as work:
        (work / "tool").write_bytes(b"hello")
        (work / "tool").chmod(0o755)
        output = cache.add(work / "tool")
    cache.remember("k" * 64, [output])
    assert cache.built("k" * 64) == (output,)
    assert output.executable
    cache.blob(output.sha256).unlink()
    assert cache.built("k" * 64) is None


def test_the_leftovers_of_a_killed_run_are_removed(cache: Cache) -> None:
    dead = cache.root / "tmp" / "999999999-go-x"
    alive = cache.root / "tmp" / f"{os.getpid()}-go-x"
    for folder in (dead, alive):
        folder.mkdir()
    Cache(cache.root)
    assert (dead.exists(), alive.exists()) == (False, True)


def test_two_do_not_work_on_one_source_at_once(cache: Cache) -> None:
    order: list[str] = []
    report = Recording()

    def second() -> None:
        with Cache(cache.root).lock("go", report):
            order.append("second")

    with cache.lock("go"):
        waiting = threading.Thread(target=second)
        waiting.start()
        while not report.events:
            waiting.join(0.01)
        order.append("first")
    waiting.join()
    assert order == ["first", "second"]
    assert isinstance(report.events[0], Noted)


def test_a_full_disk_has_a_name(tmp_path: Path) -> None:
    with pytest.raises(BundleError) as caught, disk_full_is_named(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.id == "BUNDLE-DISK-FULL"
    with pytest.raises(OSError, match="denied"), disk_full_is_named(tmp_path):
        raise OSError(errno.EACCES, "denied")
