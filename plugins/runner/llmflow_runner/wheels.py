"""The wheels that a package installs from: those a hashed requirements.txt names, fetched once, verified."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmflow_bundle.errors import BundleError, Finding
from llmflow_bundle.report import Reporter, task
from packaging.requirements import InvalidRequirement, Requirement
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

AMD64 = "amd64"
PYTHON = "3.12"  # what Dify's plugin daemon runs
OPTIONS = "--no-index --find-links=./wheels/"  # the first line of a package's requirements.txt
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}  # the manifest's names of architectures → Python's
LEGACY = ("manylinux2014", "manylinux2010", "manylinux1", "linux")


@dataclass(frozen=True)
class Pin:
    """One locked requirement: name==version and the SHA-256 digests of its files on all platforms."""

    name: str
    version: Version
    digests: frozenset[str]
    line: str

    def is_met_by(self, filename: str, digest: str, arch: str = AMD64) -> bool:
        """Whether a file is a wheel of this pin for an architecture."""
        try:
            name, version, _, tags = parse_wheel_filename(filename)
        except InvalidWheelFilename:
            return False
        return (
            name == self.name
            and version == self.version
            and digest in self.digests
            and any(fits(tag, arch) for tag in tags)
        )


def pins(text: str) -> tuple[Pin, ...]:
    """The pins of a hashed requirements.txt; raises BundleError (PLUGIN-REQUIREMENTS) for unlocked lines."""
    joined = text.replace("\\\n", " ")
    lines = [line.split(" #")[0].strip() for line in joined.splitlines()]
    found = {line: _pin(line) for line in lines if line and not line.startswith(("#", "-"))}
    if wrong := [line for line, pin in found.items() if pin is None]:
        findings = [Finding("PLUGIN-REQUIREMENTS", f"Not locked: {line[:80]}") for line in wrong]
        raise BundleError(
            "PLUGIN-REQUIREMENTS",
            "requirements.txt must pin every requirement with == and hashes",
            hint="lock it again with the command in requirements.in",
            findings=findings,
        )
    return tuple(pin for pin in found.values() if pin is not None)


def platforms(arch: str) -> tuple[str, ...]:
    """The platform tags that run in the daemon's image, whose glibc is 2.39."""
    machine = MACHINES[arch]
    return (
        *(f"manylinux_2_{minor}_{machine}" for minor in range(5, 40)),
        *(f"{old}_{machine}" for old in LEGACY),
    )


def fits(tag: Tag, arch: str = AMD64) -> bool:
    """Whether a wheel's tag runs on CPython 3.12, Linux and an architecture."""
    minor = tag.interpreter[3:]
    stable = tag.abi == "abi3" and tag.interpreter.startswith("cp3") and minor.isdigit() and int(minor) <= 12
    python = stable or (tag.interpreter, tag.abi) in {
        ("cp312", "cp312"), ("cp312", "none"), ("py3", "none"), ("py312", "none"),
    }  # fmt: skip
    return python and tag.platform in ("any", *platforms(arch))


def runs(filename: str, arch: str = AMD64) -> bool:
    """Whether a wheel, by its name, runs in the daemon's image on an architecture."""
    try:
        return any(fits(tag, arch) for tag in parse_wheel_filename(filename)[3])
    except InvalidWheelFilename:
        return False


def gather(wanted: Sequence[Pin], cache: Path, report: Reporter, arch: str = AMD64) -> list[Path]:
    """The wheel of each pin, from `cache` or fetched into it; raises BundleError (PLUGIN-WHEEL-MISSING)."""
    cache.mkdir(parents=True, exist_ok=True)
    have = _matched(wanted, cache, arch)
    missing = [pin for pin in wanted if pin not in have]
    if missing:
        with task(report, f"Fetching wheels for {arch}", len(missing)) as progress:
            _fetch(missing, cache, arch)
            progress.advance(len(missing))
        have = _matched(wanted, cache, arch)
    if lost := [pin for pin in wanted if pin not in have]:
        raise _missing(lost)
    return sorted(have.values())


def sha256(path: Path) -> str:
    """A file's SHA-256 as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _pin(line: str) -> Pin | None:
    try:
        requirement = Requirement(line.split(" --hash")[0])
    except InvalidRequirement:
        return None
    digests, specifiers = frozenset(HASH.findall(line)), list(requirement.specifier)
    if not digests or [s.operator for s in specifiers] != ["=="] or requirement.url or requirement.marker:
        return None
    return Pin(canonicalize_name(requirement.name), Version(specifiers[0].version), digests, line)


def _matched(wanted: Iterable[Pin], cache: Path, arch: str) -> dict[Pin, Path]:
    """Which pins have their wheel in the cache; a file altered since it was fetched does not count."""
    by_name: dict[str, list[Path]] = {}
    for path in sorted(cache.glob("*.whl")):
        by_name.setdefault(canonicalize_name(path.name.split("-")[0]), []).append(path)
    return {
        pin: path
        for pin in wanted
        for path in by_name.get(pin.name, ())
        if pin.is_met_by(path.name, sha256(path), arch)
    }


def _fetch(missing: Sequence[Pin], cache: Path, arch: str) -> None:
    """Let pip fetch wheels for the daemon's platform, with this machine's index settings and our hashes."""
    with tempfile.TemporaryDirectory(dir=cache, prefix=".fetch-") as scratch:
        folder = Path(scratch)
        (folder / "requirements.txt").write_text("".join(f"{pin.line}\n" for pin in missing))
        command = [
            sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes",
            "--only-binary=:all:", "--python-version", PYTHON, "--implementation", "cp",
            "--abi", "cp312", "--abi", "abi3", "--abi", "none",
            *(word for platform in platforms(arch) for word in ("--platform", platform)),
            "--dest", scratch, "-r", str(folder / "requirements.txt"),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise _missing(missing, done.stderr.strip().splitlines()[-1:])
        for wheel in folder.glob("*.whl"):
            wheel.replace(cache / wheel.name)


def _missing(lost: Sequence[Pin], said: Sequence[str] = ()) -> BundleError:
    findings = [Finding("PLUGIN-WHEEL-MISSING", f"No wheel of {pin.name} {pin.version}") for pin in lost]
    return BundleError(
        "PLUGIN-WHEEL-MISSING",
        "Wheels that requirements.txt names could not be fetched",
        where=" ".join(said),
        hint="packages are made on a connected machine; check pip's own index settings there",
        findings=findings,
    )
