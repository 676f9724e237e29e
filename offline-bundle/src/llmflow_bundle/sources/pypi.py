"""Wheels from the Python package index that this machine's own clients are set up for.

uv resolves; pip downloads, by exact digest. Nothing is installed on this machine and nothing is run.
"""

from __future__ import annotations

import re
import sys
import zipfile
from collections.abc import Iterator, Sequence
from email.parser import HeaderParser
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from llmflow_bundle.cache import digest_of, sha256_of
from llmflow_bundle.errors import BundleError
from llmflow_bundle.model import LockedArtifact, LockedSource, PypiSource
from llmflow_bundle.report import task
from llmflow_bundle.sources.base import Context, Draft, Resolved, run

TOOLS = ("uv",)
GLIBC = {"debian-12": 36}
MACHINE = {"amd64": "x86_64"}
BATCH_BYTES = 64 << 20  # what a cut network may lose
BATCH = 24
IGNORED = (
    "PIP_FIND_LINKS",
    "PIP_NO_INDEX",
    "PIP_TARGET",
    "PIP_REQUIRE_VIRTUALENV",
    "UV_FIND_LINKS",
    "PYTHONPATH",
)


def key(spec: PypiSource, ctx: Context) -> str:
    """Digest of what is asked for and of the hashed requirements it resolved to."""
    asked = [p for p in (spec.requirements, spec.overrides) if p]
    files = {p: sha256_of(ctx.organ_dir / p) for p in asked if (ctx.organ_dir / p).is_file()}
    locked = lock_file(spec, ctx)
    files["lock"] = sha256_of(locked) if locked.is_file() else ""
    return digest_of(
        {"spec": spec.model_dump(mode="json"), "files": files, "target": ctx.target.model_dump()}
    )


def lock_file(spec: PypiSource, ctx: Context) -> Path:
    """Where the hashed requirements are: the file the organ names, else the one that `bundle lock` writes."""
    return ctx.repository / spec.lock_file if spec.lock_file else ctx.locks / "pypi" / f"{spec.name}.txt"


def resolve(spec: PypiSource, ctx: Context) -> Resolved:
    """Resolve where the organ gives plain requirements, then fetch the wheel that fits the target of each."""
    if spec.requirements:
        _compile(spec, ctx)
    left_out = {canonicalize_name(name) for name in spec.exclude}
    pins = [pin for pin in parse(lock_file(spec, ctx), spec.python) if pin.name not in left_out]
    drafts = {pin.name: draft for pin in pins if (draft := _still_here(pin, spec, ctx))}
    missing = [pin for pin in pins if pin.name not in drafts]
    with task(ctx.report, f"Fetching wheels of {spec.name}", len(pins)) as progress:
        progress.advance(len(drafts))
        for start in range(0, len(missing), BATCH):
            for path, pin in _download(spec.name, spec.python, ctx, missing[start : start + BATCH]):
                file = path.name
                drafts[pin.name] = _draft(pin, file, ctx.cache.add(path).sha256, spec, ctx)
                progress.advance(1, file)
    return Resolved(key(spec, ctx), tuple(drafts[name] for name in sorted(drafts)))


def _still_here(pin: Pin, spec: PypiSource, ctx: Context) -> Draft | None:
    """The pin's wheel, if the last lock had it and the cache still does."""
    for source in ctx.before.values():
        for a in source.artifacts:
            same = a.name == pin.name and f"sha256:{a.sha256}" in pin.hashes
            python = source.spec.python if isinstance(source.spec, PypiSource) else ""
            if same and python == spec.python and ctx.cache.has(a.sha256, a.size):
                return _draft(pin, a.file, a.sha256, spec, ctx)
    return None


def _draft(pin: Pin, file: str, sha256: str, spec: PypiSource, ctx: Context) -> Draft:
    path = ctx.cache.blob(sha256)
    licence = licence_of(path) or spec.licence or "not stated"
    version = str(parse_wheel_filename(file)[1])
    return Draft(pin.name, version, file, sha256, path.stat().st_size, licence, pin.via)


def fetch(locked: LockedSource, ctx: Context) -> None:
    """Download the wheels that the cache lacks, in batches that each land whole."""
    assert isinstance(locked.spec, PypiSource)  # noqa: S101 - chosen by kind
    missing = [a for a in locked.artifacts if not ctx.cache.has(a.sha256, a.size)]
    ctx.advance(sum(a.size for a in locked.artifacts if a not in missing), locked.name)
    for batch in _batches(missing):
        pins = [Pin(a.name, a.version, (f"sha256:{a.sha256}",), "") for a in batch]
        sizes = {a.file: a for a in batch}
        for path, _ in _download(locked.name, locked.spec.python, ctx, pins):
            artifact = sizes[path.name]
            ctx.cache.add(path, expect=artifact.sha256)
            ctx.advance(artifact.size, artifact.file)


def _batches(artifacts: Sequence[LockedArtifact]) -> Iterator[list[LockedArtifact]]:
    """Few enough files and bytes at a time."""
    batch: list[LockedArtifact] = []
    for artifact in artifacts:
        if batch and (len(batch) == BATCH or sum(a.size for a in batch) + artifact.size > BATCH_BYTES):
            yield batch
            batch = []
        batch.append(artifact)
    if batch:
        yield batch


# --- hashed requirements ---


class Pin:
    """One line of a hashed requirements file: canonical name, version, allowed hashes, what asked for it."""

    def __init__(self, name: str, version: str, hashes: tuple[str, ...], via: str) -> None:
        self.name, self.version, self.hashes, self.via = name, version, hashes, via

    def line(self) -> str:
        """As pip reads it."""
        return f"{self.name}=={self.version} " + " ".join(f"--hash={h}" for h in self.hashes)


def parse(path: Path, python: str) -> list[Pin]:
    """Pins of a hashed requirements file that apply to a Linux with CPython `python`.

    Raises BundleError (BUNDLE-REQUIREMENTS) where the file is missing or a line is not pinned and hashed.
    """
    if not path.is_file():
        raise BundleError("BUNDLE-REQUIREMENTS", f"{path.name} is not there", where=path.name,
                          hint="run `llmflow bundle lock`, or correct `lock_file` in organ.yaml")  # fmt: skip
    pins = []
    for text, via in _logical_lines(path.read_text()):
        spec, *hashes = re.split(r"\s+--hash=", text)
        requirement = Requirement(spec)
        pinned = [s.version for s in requirement.specifier if s.operator == "=="]
        if len(pinned) != 1 or not hashes:
            raise BundleError("BUNDLE-REQUIREMENTS", f"{spec} is not pinned with hashes", where=path.name,
                              hint="compile it with `uv pip compile --generate-hashes`")  # fmt: skip
        if requirement.marker is None or requirement.marker.evaluate(_environment(python)):
            name = canonicalize_name(requirement.name)
            pins.append(Pin(name, pinned[0], tuple(h.strip() for h in hashes), via))
    return pins


def _environment(python: str) -> dict[str, str]:
    here = {key: str(value) for key, value in default_environment().items()}
    return here | {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "implementation_version": f"{python}.0",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
        "platform_machine": "x86_64",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "extra": "",
    }


def _logical_lines(text: str) -> Iterator[tuple[str, str]]:
    """(requirement with its hashes on one line, first package of the `# via` remark)."""
    current, via, in_via = "", "", False
    for line in [*text.splitlines(), "end"]:
        stripped = line.strip()
        if stripped.startswith("#"):
            remark = stripped.lstrip("# ")
            if remark.startswith("via"):
                in_via, remark = True, remark[3:].strip()
            if in_via and remark and not via and not remark.startswith("-"):
                via = remark.split()[0]
            continue
        if not stripped:
            continue
        if not line.startswith((" ", "\t")):
            if current:
                yield current, via
            current, via, in_via = "", "", False
        current += stripped.removesuffix("\\").strip() + " "


# --- clients ---


def _compile(spec: PypiSource, ctx: Context) -> None:
    """Write locks/pypi/<name>.txt out of the organ's requirements."""
    assert spec.requirements is not None  # noqa: S101 - checked by the caller
    target = lock_file(spec, ctx)
    target.parent.mkdir(parents=True, exist_ok=True)
    platform = f"{MACHINE[ctx.target.arch]}-manylinux_2_{GLIBC[ctx.target.os]}"
    options = [
        "--generate-hashes",
        "--no-emit-index-url",
        "--no-emit-find-links",
        "--no-header",
        "--quiet",
        "--python-version",
        spec.python,
        "--python-platform",
        platform,
        "--only-binary",
        ":all:",
    ]
    if spec.overrides:
        options += ["--override", spec.overrides]
    for name in spec.exclude:
        options += ["--no-emit-package", name]
    with ctx.cache.workdir(spec.name) as work, task(ctx.report, f"Resolving {spec.name}"):
        if target.is_file() and not ctx.fresh:
            (work / "lock.txt").write_bytes(target.read_bytes())  # uv then keeps versions that still fit
        run(
            ["uv", "pip", "compile", *options, spec.requirements, "-o", str(work / "lock.txt")],
            source=spec.name,
            cwd=ctx.organ_dir,
            env=_index(spec.name, ctx),
            drop=IGNORED,
        )
        target.write_text((work / "lock.txt").read_text())


def _index(source: str, ctx: Context) -> dict[str, str]:
    """pip's index for uv, which does not read pip's settings."""
    listed = run(
        [sys.executable, "-m", "pip", "config", "list"], source=source, cwd=ctx.cache.root, drop=IGNORED
    )
    found = dict(
        re.findall(r"^(?:global|install|:env:)\.(index-url|extra-index-url|cert)='(.*)'$", listed, re.M)
    )
    names = {"index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX", "cert": "SSL_CERT_FILE"}
    return {names[setting]: value for setting, value in found.items()}


def _download(source: str, python: str, ctx: Context, pins: Sequence[Pin]) -> Iterator[tuple[Path, Pin]]:
    """Let pip fetch the wheels of `pins`; yields each with its pin while its folder still exists."""
    tag = python.replace(".", "")
    machine = MACHINE[ctx.target.arch]
    platforms = [f"manylinux_2_{n}_{machine}" for n in range(GLIBC[ctx.target.os], 4, -1)]
    platforms += [
        f"manylinux2014_{machine}",
        f"manylinux2010_{machine}",
        f"manylinux1_{machine}",
        f"linux_{machine}",
    ]
    fits = [
        "--only-binary=:all:",
        "--implementation",
        "cp",
        "--python-version",
        python,
        "--abi",
        f"cp{tag}",
        "--abi",
        "abi3",
        "--abi",
        "none",
        *(part for p in platforms for part in ("--platform", p)),
    ]
    with ctx.cache.workdir(source) as work:
        (work / "pins.txt").write_text("".join(pin.line() + "\n" for pin in pins))
        run(
            [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "--no-cache-dir",
                "--require-hashes",
                *fits,
                "--progress-bar",
                "off",
                "-r",
                "pins.txt",
                "-d",
                "wheels",
            ],
            source=source,
            cwd=work,
            drop=IGNORED,
            env={"TMPDIR": str(work)},
        )
        landed: dict[str, Path] = {
            canonicalize_name(p.name.split("-")[0]): p for p in (work / "wheels").glob("*.whl")
        }
        for pin in pins:
            if pin.name not in landed:
                raise BundleError(
                    "BUNDLE-NO-WHEEL",
                    f"{pin.name} {pin.version} has no wheel for {ctx.target.os}",
                    where=f"source {source}",
                    hint="choose another version, or exclude it",
                )
            yield landed[pin.name], pin


# --- licences ---

_CLASSIFIER = "License :: OSI Approved :: "


def licence_of(wheel: Path) -> str:
    """The licence that a wheel states in its metadata, or as the title of its licence file; else ""."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = [n for n in names if re.fullmatch(r"[^/]+\.dist-info/METADATA", n)]
        text = archive.read(metadata[0]).decode("utf-8", "replace") if metadata else ""
        files = sorted(n for n in names if _LICENCE_FILE.match(n))
        titles = [_title(archive.read(n)[:2000].decode("utf-8", "replace")) for n in files]
    facts = HeaderParser().parsestr(text)
    if expression := str(facts["License-Expression"] or "").strip():
        return expression
    stated = str(facts["License"] or "").strip()
    if stated and stated != "UNKNOWN" and (short := _title(stated) if "\n" in stated else stated[:80]):
        return short
    classifiers = [
        str(c).removeprefix(_CLASSIFIER) for c in facts.get_all("Classifier", []) if _CLASSIFIER in str(c)
    ]
    return " AND ".join(sorted(classifiers) or sorted({t for t in titles if t}))


_LICENCE_FILE = re.compile(r"^[^/]+\.dist-info/(licen[cs]es/)?[^/]*(LICEN[CS]E|COPYING)[^/]*$", re.I)
_WORDS = (
    ("Permission is hereby granted, free of charge", "MIT"),
    ("Redistribution and use in source and binary forms", "BSD"),
)


def _title(text: str) -> str:
    """Which licence a text is: its first line if that says so, else by its first sentence; else ""."""
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    if lines and len(lines[0]) <= 60 and re.search(r"licen[cs]e", lines[0], re.I):
        return lines[0]
    whole = " ".join(lines)
    return next((name for words, name in _WORDS if words in whole), "")
