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

PYTHON = "3.12"  # what Dify's plugin daemon runs
OPTIONS = "--no-index --find-links=./wheels/"  # the first line of a package's requirements.txt
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
PLATFORMS = (
    *(f"manylinux_2_{minor}_x86_64" for minor in range(5, 40)),  # to glibc 2.39, the daemon image's
    "manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64", "linux_x86_64",
)  # fmt: skip


@dataclass(frozen=True)
class Pin:
    """One locked requirement: name==version and the SHA-256 digests of its files on all platforms."""

    name: str
    version: Version
    digests: frozenset[str]
    line: str

    def is_met_by(self, filename: str, digest: str) -> bool:
        """Whether a file is a wheel of this pin for our platform."""
        try:
            name, version, _, tags = parse_wheel_filename(filename)
        except InvalidWheelFilename:
            return False
        return (
            name == self.name and version == self.version and digest in self.digests and any(map(fits, tags))
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


def fits(tag: Tag) -> bool:
    """Whether a wheel's tag runs on CPython 3.12, Linux, x86-64."""
    minor = tag.interpreter[3:]
    stable = tag.abi == "abi3" and tag.interpreter.startswith("cp3") and minor.isdigit() and int(minor) <= 12
    python = stable or (tag.interpreter, tag.abi) in {
        ("cp312", "cp312"), ("cp312", "none"), ("py3", "none"), ("py312", "none"),
    }  # fmt: skip
    return python and tag.platform in ("any", *PLATFORMS)


def gather(wanted: Sequence[Pin], cache: Path, report: Reporter) -> list[Path]:
    """The wheel of each pin, from `cache` or fetched into it; raises BundleError (PLUGIN-WHEEL-MISSING)."""
    cache.mkdir(parents=True, exist_ok=True)
    have = _matched(wanted, cache)
    missing = [pin for pin in wanted if pin not in have]
    if missing:
        with task(report, "Fetching wheels", len(missing)) as progress:
            _fetch(missing, cache)
            progress.advance(len(missing))
        have = _matched(wanted, cache)
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


def _matched(wanted: Iterable[Pin], cache: Path) -> dict[Pin, Path]:
    """Which pins have their wheel in the cache; a file altered since it was fetched does not count."""
    by_name: dict[str, list[Path]] = {}
    for path in sorted(cache.glob("*.whl")):
        by_name.setdefault(canonicalize_name(path.name.split("-")[0]), []).append(path)
    return {
        pin: path
        for pin in wanted
        for path in by_name.get(pin.name, ())
        if pin.is_met_by(path.name, sha256(path))
    }


def _fetch(missing: Sequence[Pin], cache: Path) -> None:
    """Let pip fetch wheels for the daemon's platform, with this machine's index settings and our hashes."""
    with tempfile.TemporaryDirectory(dir=cache, prefix=".fetch-") as scratch:
        folder = Path(scratch)
        (folder / "requirements.txt").write_text("".join(f"{pin.line}\n" for pin in missing))
        command = [
            sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes",
            "--only-binary=:all:", "--python-version", PYTHON, "--implementation", "cp",
            "--abi", "cp312", "--abi", "abi3", "--abi", "none",
            *(word for platform in PLATFORMS for word in ("--platform", platform)),
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
