"""A signed apt repository of one suite, for apt and debootstrap: same packages and key, same bytes.

    apt/dists/bookworm/{Release,Release.gpg,InRelease,main/binary-amd64/Packages}
    apt/pool/<name>_<version>_<arch>.deb
    apt/llmflow.gpg                     public key, for `signed-by`

Dates are constants, signatures carry their time: one long ago is good on a host whose clock was reset.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from llmflow_bundle.errors import BundleError
from llmflow_bundle.oci import link_or_copy, write_if_different
from llmflow_bundle.sources.base import missing_tool
from llmflow_bundle.tree import deb_control

KEY_FILE = "apt.key"
PUBLIC_KEY = "llmflow.gpg"
SUITE = "bookworm"

_OWNER = "LLMFlow bundle"
_BORN, _SIGNED = "20000101T000000", "20000102T000000"  # in gpg's form; a key must be older than what it signs
_DATE = "Sun, 02 Jan 2000 00:00:00 UTC"


@dataclass(frozen=True)
class Deb:
    """A package of the pool: its file, and the digest and size that the lock gives."""

    path: Path
    sha256: str
    size: int


@dataclass(frozen=True)
class Repository:
    """A repository's files by path inside it: packages to be linked, indexes and signatures as bytes."""

    pool: Mapping[str, Deb]
    indexes: Mapping[str, bytes]


def repository(debs: Mapping[str, Deb], config: Path) -> Repository:
    """The repository of the packages (file name → package), signed by the key in `config`.

    Raises BundleError: BUNDLE-DEB-UNREADABLE, BUNDLE-APT-KEY, BUNDLE-TOOL-MISSING.
    """
    paragraphs: dict[tuple[str, str, str], str] = {}
    pool = {}
    for name, deb in debs.items():
        control = deb_control(name, deb.path)
        fields = _fields(control)
        identity = (fields["Package"], fields["Version"], fields["Architecture"])
        path = f"pool/{identity[0]}_{identity[1].partition(':')[2] or identity[1]}_{identity[2]}.deb"
        pool[path] = deb
        paragraphs[identity] = f"{control}\nFilename: {path}\nSize: {deb.size}\nSHA256: {deb.sha256}\n\n"
    # An empty line after the last paragraph too: debootstrap drops what has none.
    packages = "".join(text for _, text in sorted(paragraphs.items())).encode()
    return Repository(pool, _indexes(packages, config))


def write_repository(folder: Path, made: Repository) -> None:
    """Make `folder` the repository, packages hard-linked where the disk allows it."""
    for name, deb in made.pool.items():
        link_or_copy(deb.path, folder / name)
    for name, content in made.indexes.items():
        write_if_different(folder / name, content)


def _indexes(packages: bytes, config: Path) -> dict[str, bytes]:
    release = _release(packages)
    with _keyring(config) as gpg:
        clear = gpg(["--clearsign"], release)
        detached = gpg(["--detach-sign", "--armor"], release)
        public = gpg(["--export"], b"")
    return {
        PUBLIC_KEY: public,
        f"dists/{SUITE}/main/binary-amd64/Packages": packages,
        f"dists/{SUITE}/Release": release,
        f"dists/{SUITE}/InRelease": clear,
        f"dists/{SUITE}/Release.gpg": detached,
    }


def _release(packages: bytes) -> bytes:
    index = "main/binary-amd64/Packages"
    lines = (
        "Origin: LLMFlow",
        "Label: LLMFlow",
        f"Suite: {SUITE}",
        f"Codename: {SUITE}",
        f"Date: {_DATE}",
        "Architectures: amd64",
        "Components: main",
        "SHA256:",
        f" {hashlib.sha256(packages).hexdigest()} {len(packages)} {index}",
        # Not last: clear-signing drops the last newline, and debootstrap then the last line.
        "Description: packages of an LLMFlow bundle",
    )
    return ("\n".join(lines) + "\n").encode()


def _fields(control: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in control.splitlines() if not line.startswith((" ", "\t")))
    return {name: value.strip() for name, _, value in pairs}


class _Gpg:
    """gpg in a home of its own, at a fixed time."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def __call__(self, arguments: list[str], content: bytes, at: str = _SIGNED) -> bytes:
        command = [
            "gpg",
            "--homedir",
            str(self._home),
            "--batch",
            "--quiet",
            "--no-tty",
            "--faked-system-time",
            f"{at}!",
        ]
        done = subprocess.run([*command, *arguments], input=content, capture_output=True, check=False)
        if done.returncode != 0:
            raise BundleError(
                "BUNDLE-APT-KEY",
                f"gpg {arguments[0]} failed: {done.stderr.decode(errors='replace').strip()}",
                hint=f"install gpg; the configuration folder's {KEY_FILE} must be what an earlier build made",
            )
        return done.stdout


@contextmanager
def _keyring(config: Path) -> Iterator[_Gpg]:
    if shutil.which("gpg") is None:
        raise missing_tool("gpg", ["the bundle's package repository"])
    # A home below the system's temporary folder: gpg-agent's socket path has a limit of about 100 bytes.
    with tempfile.TemporaryDirectory(prefix="llmflow-gpg-", ignore_cleanup_errors=True) as home:
        gpg = _Gpg(Path(home))
        try:
            _load_key(gpg, config)
            yield gpg
        finally:
            subprocess.run(
                ["gpgconf", "--homedir", home, "--kill", "gpg-agent"], capture_output=True, check=False
            )


def _load_key(gpg: _Gpg, config: Path) -> None:
    path = config / KEY_FILE
    if path.exists():
        gpg(["--import"], path.read_bytes())
        return
    gpg(["--passphrase", "", "--quick-generate-key", _OWNER, "ed25519", "sign", "never"], b"", at=_BORN)
    config.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = config / f".{KEY_FILE}.{secrets.token_hex(4)}"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(gpg(["--export-secret-keys", "--armor"], b""))
    draft.replace(path)
