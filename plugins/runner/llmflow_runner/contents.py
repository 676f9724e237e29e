"""What a wheel says about itself: name, version, what it requires, under which licence it is."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32

from packaging.markers import InvalidMarker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from llmflow_runner.wheels import MACHINES

LICENCE_FILE = re.compile(
    r"\.dist-info/(?:licenses/.+|(?:LICEN[CS]E|COPYING|NOTICE|AUTHORS)[^/]*)$", re.IGNORECASE
)
LONGEST_NAME = 80  # letters of a field that names a licence; longer ones hold its text
CLASSIFIER = "License :: "
SPDX = {  # how makers have called licences before there were identifiers, in small letters
    "mit license": "MIT",
    "the mit license": "MIT",
    "apache software license": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "3-clause bsd license": "BSD-3-Clause",
    "bsd 3-clause": "BSD-3-Clause",
    "bsd-3-clause license": "BSD-3-Clause",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
    "isc license (iscl)": "ISC",
    "the unlicense (unlicense)": "Unlicense",
}
NOBODY = {"", "unknown", "other", "dual license", "osi approved"}  # what names no licence


@dataclass(frozen=True)
class Wheel:
    """A wheel's own words; `licence` is "" where it states none."""

    file: str
    name: str
    version: Version
    requires: tuple[Requirement, ...]
    licence: str
    licence_files: tuple[str, ...]


class Unreadable(Exception):
    """A file that calls itself a wheel and is none."""


def read(file: str, content: bytes) -> Wheel:
    """Read a wheel's metadata; raises Unreadable."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
            path = next(
                name for name in names if name.endswith(".dist-info/METADATA") and name.count("/") == 1
            )
            said = BytesParser(policy=compat32).parsebytes(archive.read(path))
        return Wheel(
            file,
            canonicalize_name(str(said["Name"])),
            Version(str(said["Version"])),
            tuple(Requirement(line) for line in said.get_all("Requires-Dist", [])),
            licence(said),
            tuple(sorted(name for name in names if LICENCE_FILE.search(name) and not name.endswith("/"))),
        )
    except (zipfile.BadZipFile, StopIteration, InvalidRequirement, InvalidVersion, InvalidMarker) as exc:
        raise Unreadable(f"{file}: {exc or 'no METADATA'}") from exc


def texts(content: bytes, wheel: Wheel) -> dict[str, str]:
    """The texts of a wheel's licence files."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name).decode(errors="replace") for name in wheel.licence_files}


def licence(said: Message) -> str:
    """The licence that metadata states: as an expression, as a name, or as classifiers; "" where it states none."""
    if expression := str(said["License-Expression"] or "").strip():
        return expression
    lines = [line.strip() for line in str(said["License"] or "").splitlines() if line.strip()]
    first = lines[0] if lines and len(lines[0]) <= LONGEST_NAME else ""
    classified = [
        line.rpartition(" :: ")[2]
        for line in map(str, said.get_all("Classifier", []))
        if line.startswith(CLASSIFIER)
    ]
    named = [first] if len(lines) == 1 else []
    for names in (
        named,
        classified,
        [first],
    ):  # a field of several lines holds a text, which may begin with its name
        if stated := [SPDX.get(name.casefold(), name) for name in names if name.casefold() not in NOBODY]:
            return " AND ".join(stated)
    return ""


def reached(
    roots: Iterable[Requirement], wheels: Mapping[str, Wheel], arch: str, instead: Mapping[str, Requirement]
) -> tuple[set[str], list[str]]:
    """The names that `roots` lead to on an architecture, and what keeps them from resolving.

    `instead` has the requirements that the plugin sets in the place of others' of the same name.
    """
    found: set[str] = set()
    problems: list[str] = []
    waiting = [(requirement, "requirements.in", frozenset[str]()) for requirement in roots]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        required, by, extras = waiting.pop()
        requirement = instead.get(canonicalize_name(required.name), required)
        if not _asked(requirement, arch, extras):
            continue
        name = canonicalize_name(requirement.name)
        wheel = wheels.get(name)
        if wheel is None:
            problems.append(f"{by} requires {requirement.name}, of which there is no wheel")
            continue
        if not requirement.specifier.contains(wheel.version, prereleases=True):
            problems.append(f"{by} requires {requirement}, and the wheel is of {wheel.version}")
        found.add(name)
        chosen = frozenset(requirement.extras)
        if (name, chosen) not in seen:
            seen.add((name, chosen))
            waiting += [(below, name, chosen) for below in wheel.requires]
    return found, sorted(set(problems))


def _asked(requirement: Requirement, arch: str, extras: frozenset[str]) -> bool:
    """Whether a requirement counts where the daemon runs plugins."""
    if requirement.marker is None:
        return True
    there = {
        "implementation_name": "cpython", "implementation_version": "3.12.3", "os_name": "posix",
        "platform_machine": MACHINES[arch], "platform_python_implementation": "CPython",
        "platform_release": "", "platform_system": "Linux", "platform_version": "",
        "python_full_version": "3.12.3", "python_version": "3.12", "sys_platform": "linux",
    }  # fmt: skip
    return any(requirement.marker.evaluate({**there, "extra": extra}) for extra in {*extras, ""})
