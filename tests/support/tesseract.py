"""The real Tesseract with Korean, and Korean fonts for pages to recognise.

They are Debian 12's packages, fetched by apt as the machine has it set up, and unpacked once under
cache_dir()/integration: nothing is installed. $LLMFLOW_TEST_TESSERACT names a Tesseract that is there.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from llmflow_bundle.dirs import cache_dir

READY = "LLMFLOW_TEST_TESSERACT"
# What is read, and how well, depends on these: they are pinned by their SHA-256.
PINNED = {
    "tesseract-ocr": "311fed91c7311cfee54c28a0f21d700377b8131a9d114628d36d2563f99e1730",
    "libtesseract5": "19b1719f30235eaf209866b219d4dbdd4dddd813758a8d5b9715c78c40702ff1",
    "tesseract-ocr-kor": "2440d76b2c1570d7b42bc18dd2cc2f7b1a0e706e823dae9548358cc9bfb39701",
    "tesseract-ocr-eng": "9242d054563262398f8cf41fbd96fcc72f9dde70db16de18539882a6cff74f9d",
    "tesseract-ocr-osd": "72cc0ba5a04e4d38e5d7901ae2f0319f4941fddaa4a77d1a86110909c036bacb",
    "fonts-nanum": "5e86c346e6485b694e1f0ebd27132892fcf014d1b975de4fd21d1654ddf37043",
    "fonts-noto-cjk": "4a2515eb6db3978b897fef9709ed0d2b1f4c6c4df4d83d6c4ef65f71f1b1f502",
    "fonts-unfonts-core": "aa3674928f81920dff1705f9948d29ff86e73f56500a55ba00f093d2f724c7bb",
}
# Security updates replace these; that they are Debian's is apt's to check.
LIBRARIES = ("liblept5", "libwebpmux3", "libwebp7", "libopenjp2-7", "libarchive13", "liblcms2-2")
SHIM = """#!/bin/sh
LD_LIBRARY_PATH={root}/usr/lib/x86_64-linux-gnu TESSDATA_PREFIX={root}/usr/share/tesseract-ocr/5/tessdata \\
  exec {root}/usr/bin/tesseract "$@"
"""


class Missing(Exception):
    """What this machine lacks for a real Tesseract."""


@dataclass(frozen=True)
class Tesseract:
    """A program that recognises Korean and English, and the folder of the fonts."""

    program: Path
    fonts: Path

    def font(self, name: str) -> Path:
        """A font by the name of its file."""
        return next(self.fonts.rglob(name))


def real_tesseract() -> Tesseract:
    """Tesseract from the cache, fetched where it is not there yet; raises Missing where that cannot be."""
    root = cache_dir() / "integration"
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes may come at once
        unpacked = _unpacked(root)
    program = Path(os.environ.get(READY) or unpacked / "tesseract")
    done = subprocess.run([program, "--list-langs"], capture_output=True, text=True, check=False)
    if not {"kor", "eng", "osd"} <= set(done.stdout.split()):
        raise Missing(f"{program} has not kor, eng and osd:\n{done.stdout}{done.stderr}")
    return Tesseract(program, unpacked / "usr/share/fonts")


def _unpacked(root: Path) -> Path:
    name = hashlib.sha256("".join((*PINNED.values(), *LIBRARIES)).encode()).hexdigest()[:16]
    kept = root / f"tesseract-{name}"
    if not kept.is_dir():
        for tool in ("apt-get", "dpkg-deb"):
            if shutil.which(tool) is None:
                raise Missing(f"A real Tesseract is unpacked from Debian's packages, which needs {tool}")
        with tempfile.TemporaryDirectory(dir=root, prefix=".tesseract-") as scratch:
            made = Path(scratch) / "root"
            for package in _fetched(Path(scratch)):
                _run(["dpkg-deb", "-x", str(package), str(made)], made.parent)
            shim = made / "tesseract"
            shim.write_text(SHIM.format(root=kept))
            shim.chmod(0o755)
            made.rename(kept)
    return kept


def _fetched(folder: Path) -> list[Path]:
    _run(["apt-get", "download", "-q", *PINNED, *LIBRARIES], folder)
    packages = sorted(folder.glob("*.deb"))
    for package in packages:
        wanted = PINNED.get(package.name.partition("_")[0])
        if wanted and hashlib.sha256(package.read_bytes()).hexdigest() != wanted:
            raise Missing(f"{package.name} is not the package that the tests were measured with")
    return packages


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Missing(f"{' '.join(command[:2])} failed:\n{done.stderr[-2000:]}")
