"""Debian packages with all they depend on, as apt sees them from an empty system.

apt runs with its own state (an empty dpkg status, its own lists and cache below CACHE/apt), the machine's own
sources and keyrings, and only the target's release. The machine itself is never looked at and never changed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from llmflow_bundle.cache import digest_of
from llmflow_bundle.errors import BundleError, Finding
from llmflow_bundle.model import DebSource, LockedArtifact, LockedSource
from llmflow_bundle.report import task
from llmflow_bundle.sources.base import Context, Draft, Resolved, run

TOOLS = ("apt-get", "apt-cache", "dpkg-deb")
RELEASES = {"debian-12": "bookworm"}
BATCH = 40  # packages a call of apt-get: few enough that a cut network loses little

Stanza = dict[str, str]

_updated: set[Path] = set()  # caches whose lists are of this run


def key(spec: DebSource, ctx: Context) -> str:
    """Digest of what is asked for; the answer is whatever the archive serves on the day of the lock."""
    return digest_of({"spec": spec.model_dump(mode="json"), "target": ctx.target.model_dump()})


def resolve(spec: DebSource, ctx: Context) -> Resolved:
    """Let apt compute the closure, fetch it, and read each package's licence."""
    apt = _Apt(spec.name, ctx)
    apt.update()
    wanted = sorted(set(spec.packages) | (apt.base() if spec.base else set()))
    stanzas = apt.stanzas(apt.closure(wanted))
    files = {name: _file(stanza) for name, stanza in stanzas.items()}
    _download(
        apt, ctx, [(n, s["Version"], files[n], s["SHA256"], int(s["Size"])) for n, s in stanzas.items()]
    )
    graph = _graph(stanzas)
    paths = {n: ctx.cache.blob(s["SHA256"]) for n, s in stanzas.items()}
    roots, via = _reach(graph, wanted)
    drafts = [
        Draft(
            n,
            s["Version"],
            files[n],
            s["SHA256"],
            int(s["Size"]),
            licence_of(n, paths) or spec.licence or "see its copyright file",
            via.get(n, ""),
            frozenset(roots[n]),
        )
        for n, s in sorted(stanzas.items())
    ]
    return Resolved(key(spec, ctx), tuple(drafts))


def fetch(locked: LockedSource, ctx: Context) -> None:
    """Download the locked versions that the cache lacks.

    Raises BundleError (BUNDLE-GONE) with every package whose locked version is served no more.
    """
    missing = [a for a in locked.artifacts if not ctx.cache.has(a.sha256, a.size)]
    here = [a for a in locked.artifacts if a not in missing]
    ctx.advance(sum(a.size for a in here), locked.name)
    if not missing:
        return
    apt = _Apt(locked.name, ctx)
    apt.update()
    _all_served(apt, locked, missing)
    _download(apt, ctx, [(a.name, a.version, a.file, a.sha256, a.size) for a in missing])


def _all_served(apt: _Apt, locked: LockedSource, missing: Sequence[LockedArtifact]) -> None:
    served: dict[str, set[str]] = defaultdict(set)
    names = {a.name for a in missing}
    for stanza in apt.available():
        if stanza.get("Package") in names:
            served[stanza["Package"]].add(stanza["Version"])
    findings = [
        Finding(
            "BUNDLE-GONE",
            f"{a.name} {a.version} is locked; served now: {', '.join(sorted(served[a.name])) or 'none'}",
            where=f"source {locked.name}",
            hint=f"llmflow bundle lock PROFILE --update {locked.name}",
        )
        for a in missing
        if a.version not in served[a.name]
    ]
    if findings:
        raise BundleError(
            "BUNDLE-GONE",
            f"Locked Debian packages that are not served any more: {len(findings)}",
            where=f"source {locked.name}",
            hint=f"`llmflow bundle lock PROFILE --update {locked.name}`, and review the difference",
            findings=findings,
        )


def _download(apt: _Apt, ctx: Context, wanted: Sequence[tuple[str, str, str, str, int]]) -> None:
    """Fetch (name, version, file, sha256, size), each into the cache as its batch lands."""
    todo = [w for w in wanted if not ctx.cache.has(w[3], w[4])]
    for start in range(0, len(todo), BATCH):
        batch = todo[start : start + BATCH]
        with ctx.cache.workdir("deb") as work:
            apt.get("download", *(f"{name}={version}" for name, version, *_ in batch), cwd=work)
            landed = {_name_version(p): p for p in work.glob("*.deb")}
            for name, version, file, sha256, size in batch:
                ctx.cache.add(landed[name, version], expect=sha256, name=file)
                ctx.advance(size, file)


def _name_version(path: Path) -> tuple[str, str]:
    name, version, _ = path.name.split("_")
    return name, unquote(version)


def _file(stanza: Stanza) -> str:
    return stanza["Filename"].rpartition("/")[2]


@dataclass
class _Apt:
    """apt with a state of its own, one per cache; `source` is named when it fails."""

    source: str
    ctx: Context
    options: list[str] = field(init=False)

    def __post_init__(self) -> None:
        root = self.ctx.cache.root / "apt"
        for folder in ("state/lists/partial", "cache/archives/partial", "no-preferences"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        (root / "status").touch()
        (root / "sources").mkdir(exist_ok=True)
        release = RELEASES[self.ctx.target.os]
        (root / "preferences").write_text(
            f"Package: *\nPin: release n={release}*\nPin-Priority: 500\n\n"
            "Package: *\nPin: release o=*\nPin-Priority: -1\n"
        )
        self._write_sources(root / "sources", release)
        chosen = {
            "Dir::Etc::sourcelist": root / "no-sources.list",
            "Dir::Etc::sourceparts": root / "sources",
            "Dir::State": root / "state",
            "Dir::State::lists": root / "state/lists",
            "Dir::State::status": root / "status",
            "Dir::Cache": root / "cache",
            "Dir::Etc::preferences": root / "preferences",
            "Dir::Etc::preferencesparts": root / "no-preferences",
            "APT::Architecture": self.ctx.target.arch,
            "APT::Architectures": self.ctx.target.arch,
            "APT::Install-Recommends": "false",
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
        }
        self.options = [part for name, value in chosen.items() for part in ("-o", f"{name}={value}")]

    def _write_sources(self, folder: Path, release: str) -> None:
        """Those of the machine's own sources that are the target's release, and no others."""
        text = run(["apt-config", "dump", "--format", "%f=%v%n", "Dir", "Dir::Etc"],
                   source=self.source, cwd=self.ctx.cache.root)  # fmt: skip
        settings = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
        etc = Path(settings.get("Dir", "/") or "/", settings.get("Dir::Etc", "etc/apt") or "etc/apt")
        main = etc / (settings.get("Dir::Etc::sourcelist") or "sources.list")
        parts = etc / (settings.get("Dir::Etc::sourceparts") or "sources.list.d")
        wanted = re.compile(rf"(^|\s){release}([-/]\S+)?(\s|$)")
        lines = [
            line
            for path in (main, *sorted(parts.glob("*.list")))
            if path.is_file()
            for line in path.read_text().splitlines()
            if line.startswith("deb ") and wanted.search(line)
        ]
        stanzas = [
            stanza
            for path in sorted(parts.glob("*.sources"))
            for stanza in re.split(r"\n\s*\n", path.read_text())
            if any(line.startswith("Suites:") and wanted.search(line) for line in stanza.splitlines())
        ]
        (folder / "target.list").write_text("\n".join(lines) + "\n")
        (folder / "target.sources").write_text("\n\n".join(stanzas) + "\n")

    def get(self, *arguments: str, cwd: Path | None = None) -> str:
        """Run apt-get; returns its stdout."""
        return run(
            ["apt-get", *self.options, "-q", *arguments], source=self.source, cwd=cwd or self.ctx.cache.root
        )

    def update(self) -> None:
        """Refresh the lists, once a process and one process at a time."""
        root = self.ctx.cache.root
        if root in _updated:
            return
        with (
            self.ctx.cache.lock("apt", self.ctx.report),
            task(self.ctx.report, "Reading Debian's package lists"),
        ):
            self.get("update")
            _updated.add(root)

    def available(self) -> Iterator[Stanza]:
        """Every package that is served, one at a time."""
        stanzas: list[Stanza] = []
        current: Stanza = {}
        last = ""

        def line(text: str) -> None:
            nonlocal current, last
            if text == "\n":
                if current.get("Package"):
                    stanzas.append(current)
                current = {}
            elif not text.startswith(" ") and (parts := text.rstrip("\n").split(": ", 1))[0] in _KEPT:
                last = parts[0]
                current[last] = parts[1] if len(parts) > 1 else ""

        run(
            ["apt-cache", *self.options, "dumpavail"],
            source=self.source,
            cwd=self.ctx.cache.root,
            on_output=line,
        )
        line("\n")
        yield from stanzas

    def base(self) -> set[str]:
        """What debootstrap installs before anything else: required and essential packages, and apt."""
        required = {
            s["Package"]
            for s in self.available()
            if s.get("Priority") == "required" or s.get("Essential") == "yes"
        }
        if "base-files" not in required:
            raise BundleError(
                "BUNDLE-NO-ARCHIVE",
                f"This machine's apt serves no {self.ctx.target.os}",
                where=f"source {self.source}",
                hint=f"add {RELEASES[self.ctx.target.os]} of your Debian mirror to apt's sources here",
            )
        # debootstrap merges /usr itself and asks for the package that says so.
        return required | {"apt", "usr-is-merged"}

    def closure(self, packages: Iterable[str]) -> dict[str, str]:
        """Names and versions that installing `packages` on an empty system takes."""
        text = self.get("install", "--print-uris", "-y", "--no-install-recommends", *packages)
        found = re.findall(r"^'[^']*' (\S+)_(\S+)_\S+\.deb \d+", text, re.M)
        return {name: unquote(version) for name, version in found}

    def stanzas(self, chosen: dict[str, str]) -> dict[str, Stanza]:
        """The archive's own words on each chosen package."""
        return {s["Package"]: s for s in self.available() if chosen.get(s["Package"]) == s["Version"]}


_KEPT = {
    "Package",
    "Version",
    "Filename",
    "Size",
    "SHA256",
    "Depends",
    "Pre-Depends",
    "Provides",
    "Priority",
    "Essential",
}


def _graph(stanzas: dict[str, Stanza]) -> dict[str, list[str]]:
    """Which chosen package needs which, alternatives and virtual packages included."""
    provides: dict[str, set[str]] = defaultdict(set)
    for name, stanza in stanzas.items():
        provides[name].add(name)
        for virtual in _names(stanza.get("Provides", "")):
            provides[virtual].add(name)
    return {
        name: sorted(
            {p for d in _names(f"{s.get('Depends', '')},{s.get('Pre-Depends', '')}") for p in provides[d]}
        )
        for name, s in stanzas.items()
    }


def _names(relations: str) -> list[str]:
    return [re.split(r"[\s(:\[]", part.strip())[0] for part in re.split(r"[,|]", relations) if part.strip()]


def _reach(graph: dict[str, list[str]], wanted: Sequence[str]) -> tuple[dict[str, set[str]], dict[str, str]]:
    """For each package the requests that lead to it, and the first package that asks for it."""
    roots: dict[str, set[str]] = defaultdict(set)
    via: dict[str, str] = {}
    for root in wanted:
        queue, seen = [root], {root}
        while queue:
            name = queue.pop(0)
            roots[name].add(root)
            for needed in graph.get(name, []):
                if needed not in seen:
                    seen.add(needed)
                    queue.append(needed)
                    if needed not in wanted:
                        via.setdefault(needed, name)
    return roots, via


# --- licences ---


def licence_of(name: str, paths: dict[str, Path]) -> str:
    """The licences that a package's copyright file names, joined by AND; "" where it can't be told."""
    text, hops = _copyright(name, paths), 0
    while text.startswith("->") and hops < 5:
        text, hops = _copyright(text[2:], paths), hops + 1
    named = {n for n in re.findall(r"^License:[ \t]*(\S.*?)[ \t]*$", text, re.M) if _SHORT_NAME.fullmatch(n)}
    if not named:
        named = set(re.findall(r"/usr/share/common-licenses/([A-Za-z0-9.+-]*[A-Za-z0-9+])", text))
    if not named:
        named = {name for words, name in _WORDS if words in " ".join(text.split())}
    return " AND ".join(sorted(named, key=lambda name: (name.lower(), name)))


_SHORT_NAME = re.compile(
    r"[A-Za-z0-9][\w.+/-]*( (and|or|with|AND|OR|exception|Bison|OpenSSL|[A-Za-z0-9][\w.+/-]*)){0,6}"
)
_WORDS = (
    ("PSF LICENSE AGREEMENT", "PSF-2.0"),
    ("PYTHON SOFTWARE FOUNDATION LICENSE", "PSF-2.0"),
    ("Lesser General Public License, version 2.1 (or, at your option, any later version)", "LGPL-2.1+"),
)


def _copyright(name: str, paths: dict[str, Path]) -> str:
    """A package's copyright file, or `->other` where its documentation is a link to another package's."""
    if name not in paths or shutil.which("dpkg-deb") is None:
        return ""
    command = ["dpkg-deb", "--fsys-tarfile", str(paths[name])]
    wanted, folder = f"./usr/share/doc/{name}/copyright", f"./usr/share/doc/{name}"
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            with tarfile.open(fileobj=process.stdout, mode="r|") as tree:
                for member in tree:
                    if member.name == wanted and member.isfile():
                        content = tree.extractfile(member)
                        return content.read(1 << 20).decode("utf-8", "replace") if content else ""
                    if member.issym() and member.name in (folder, wanted):
                        target = member.linkname.removesuffix("/copyright").rpartition("/")[2]
                        return f"->{target}"
        finally:
            process.kill()
    return ""
