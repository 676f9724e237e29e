"""What a package installs from: requirements.txt and wheels/ must be the same, whole, needed and under a licence."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from llmflow_bundle.errors import BundleError, Finding
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from llmflow_runner import contents, wheels
from llmflow_runner.contents import Unreadable, Wheel
from llmflow_runner.wheels import Pin

Files = Mapping[str, bytes]

ASKED, LOCKED, FOLDER = "requirements.in", "requirements.txt", "wheels/"
SETTINGS = "uv.toml"  # of the uv that installs: requirements that are left out or set otherwise
OVERRIDES = "override-dependencies"
PACK = "pack again: llmflow plugin pack"
LOCK = f"lock again with the command in the head of {ASKED}"


def supply_findings(files: Files, arches: Sequence[str]) -> Iterator[Finding]:
    """The daemon must find requirements.txt alone, and in wheels/ exactly what it names."""
    for name in ("pyproject.toml", "uv.lock"):
        if name in files:
            yield _required(f"{name} would make the daemon ask the internet", "leave it out of the package")
    text = files.get(LOCKED, b"").decode(errors="replace")
    if text.splitlines()[:1] != [wheels.OPTIONS]:
        yield _required(f"{LOCKED} must begin with {wheels.OPTIONS}", PACK)
    try:
        wanted = wheels.pins(text)
    except BundleError as error:
        yield from error.findings
        return
    yield from _match_findings(files, wanted, arches)
    yield from closure_findings(files, arches)
    for wheel in read(files)[0]:
        if not wheel.licence:
            yield Finding(
                "PLUGIN-LICENCE",
                f"{wheel.name} {wheel.version} states no licence",
                where=f"{FOLDER}{wheel.file}",
                hint="ask its makers, or use another library: nobody may hand on what has no licence",
            )


def closure_findings(files: Files, arches: Sequence[str]) -> Iterator[Finding]:
    """What requirements.in asks for resolves from the wheels alone, and needs them all."""
    found, unreadable = read(files)
    yield from unreadable
    try:
        asked, instead = roots(files), overrides(files)
    except BundleError as error:
        yield Finding(error.id, error.what, where=error.where, hint=error.hint)
        return
    if not asked:
        yield _required(f"{ASKED} asks for nothing", "write down what the plugin imports", ASKED)
        return
    for arch in arches:
        here = for_arch(found, arch)
        reached, problems = contents.reached(asked, here, arch, instead)
        for problem in problems:
            yield _required(f"On {arch}, {problem}", LOCK)
        for name in sorted(set(here) - reached):
            what = f"{here[name].file} is carried for nothing: no requirement leads to it"
            yield _required(what, LOCK, f"{FOLDER}{here[name].file}")


def roots(files: Files) -> tuple[Requirement, ...]:
    """What the plugin itself asks for; raises BundleError (PLUGIN-REQUIREMENTS)."""
    lines = files.get(ASKED, b"").decode(errors="replace").splitlines()
    asked = [line.split(" #")[0].strip() for line in lines]
    try:
        return tuple(Requirement(line) for line in asked if line and not line.startswith(("#", "-")))
    except InvalidRequirement as exc:
        raise BundleError(
            "PLUGIN-REQUIREMENTS", f"{ASKED} can't be read: {exc}", where=ASKED, hint="one requirement a line"
        ) from exc


def overrides(files: Files) -> dict[str, Requirement]:
    """What the daemon's uv requires in the place of what wheels ask for, by name; raises BundleError."""
    try:
        said = tomllib.loads(files.get(SETTINGS, b"").decode())
        asked = [Requirement(line) for line in said.pop(OVERRIDES, [])]
        if said:
            raise ValueError(f"it may set {OVERRIDES}, and not {', '.join(sorted(said))}")
    except (ValueError, TypeError, InvalidRequirement) as exc:
        raise BundleError(
            "PLUGIN-REQUIREMENTS",
            f"{SETTINGS} can't be read: {exc}",
            where=SETTINGS,
            hint="write it as uv reads it",
        ) from exc
    return {canonicalize_name(requirement.name): requirement for requirement in asked}


def read(files: Files) -> tuple[tuple[Wheel, ...], list[Finding]]:
    """The package's wheels, and findings about those that are none."""
    found, wrong = [], []
    for name, content in files.items():
        if not name.startswith(FOLDER) or not name.endswith(".whl"):
            continue
        try:
            found.append(contents.read(PurePosixPath(name).name, content))
        except Unreadable as exc:
            wrong.append(
                _required(f"A wheel can't be read: {exc}", "fetch it again: empty the cache's wheels/")
            )
    return tuple(found), wrong


def for_arch(found: Sequence[Wheel], arch: str) -> dict[str, Wheel]:
    """The wheels that run on an architecture, by name."""
    return {wheel.name: wheel for wheel in found if wheels.runs(wheel.file, arch)}


def _match_findings(files: Files, wanted: Sequence[Pin], arches: Sequence[str]) -> Iterator[Finding]:
    """Every pin has its wheel, and every file there is the wheel of a pin."""
    there = {
        PurePosixPath(name).name: hashlib.sha256(content).hexdigest()
        for name, content in files.items()
        if name.startswith(FOLDER)
    }
    for arch in arches:
        for pin in wanted:
            if sum(pin.is_met_by(name, digest, arch) for name, digest in there.items()) != 1:
                what = f"{FOLDER} must hold one wheel of {pin.name} {pin.version} with a locked hash"
                yield _required(f"{what} that runs on {arch}", PACK)
    for name, digest in sorted(there.items()):
        if not name.endswith(".whl"):
            yield _required(
                f"{FOLDER}{name} is no wheel: to build one, the daemon would ask the internet", PACK
            )
        elif not any(pin.is_met_by(name, digest, arch) for pin in wanted for arch in arches):
            yield _required(f"{FOLDER}{name} is not what {LOCKED} locks", PACK)


def _required(what: str, hint: str, where: str = LOCKED) -> Finding:
    return Finding("PLUGIN-REQUIREMENTS", what, where=where, hint=hint)
