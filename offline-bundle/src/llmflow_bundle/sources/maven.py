"""Jars from the Maven repository that this machine's own Maven is set up for.

Maven runs on a generated pom with a local repository below CACHE/maven, so the user's own stays as it is.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from llmflow_bundle.cache import digest_of
from llmflow_bundle.errors import BundleError
from llmflow_bundle.model import LockedSource, MavenSource
from llmflow_bundle.report import task
from llmflow_bundle.sources.base import Context, Draft, Resolved, run

TOOLS = ("mvn",)
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
NAMES = ("-Dmdep.prependGroupId=true", "-DincludeScope=runtime")


@dataclass(frozen=True)
class Coordinate:
    """group:artifact:version with an extension and, where there is one, a classifier."""

    group: str
    artifact: str
    version: str
    extension: str = "jar"
    classifier: str = ""

    @classmethod
    def parse(cls, text: str) -> Coordinate:
        """From group:artifact:version[:extension[:classifier]]; BundleError (BUNDLE-COORDINATE) otherwise."""
        parts = text.split(":")
        if not 3 <= len(parts) <= 5 or not all(parts):
            raise BundleError(
                "BUNDLE-COORDINATE",
                f"{text} is no Maven coordinate",
                where="organ.yaml",
                hint="write group:artifact:version, or group:artifact:version:extension",
            )
        return cls(*parts)

    @property
    def file(self) -> str:
        """The file name that Maven gives its copy."""
        tail = f"-{self.classifier}" if self.classifier else ""
        return f"{self.group}.{self.artifact}-{self.version}{tail}.{self.extension}"

    @property
    def name(self) -> str:
        """Group and artifact, with what tells it from its siblings."""
        tail = f":{self.extension}" if self.extension != "jar" or self.classifier else ""
        return f"{self.group}:{self.artifact}{tail}" + (f":{self.classifier}" if self.classifier else "")

    def dependency(self, alone: bool) -> str:
        """As a pom asks for it; `alone` without what it depends on."""
        extra = f"<type>{escape(self.extension)}</type>"
        if self.classifier:
            extra += f"<classifier>{escape(self.classifier)}</classifier>"
        if alone:
            every = "<exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion>"
            extra += f"<exclusions>{every}</exclusions>"
        return (
            f"<dependency><groupId>{escape(self.group)}</groupId>"
            f"<artifactId>{escape(self.artifact)}</artifactId>"
            f"<version>{escape(self.version)}</version>{extra}</dependency>"
        )


def key(spec: MavenSource, ctx: Context) -> str:  # noqa: ARG001 - every kind has the same signature
    """Digest of what is asked for: Maven's versions don't move."""
    return digest_of({"spec": spec.model_dump(mode="json")})


def resolve(spec: MavenSource, ctx: Context) -> Resolved:
    """Let Maven find everything the coordinates need at run time, and fetch it."""
    wanted = [Coordinate.parse(text) for text in spec.coordinates]
    with ctx.cache.workdir(spec.name) as work, task(ctx.report, f"Resolving {spec.name}"):
        _pom(work, wanted, alone=False)
        _mvn(
            spec.name,
            ctx,
            work,
            f"{PLUGIN}:tree",
            "-DoutputFile=tree.txt",
            "-DoutputType=text",
            "-Dscope=runtime",
        )
        found = parse_tree((work / "tree.txt").read_text())
        _mvn(spec.name, ctx, work, f"{PLUGIN}:copy-dependencies", "-DoutputDirectory=jars", *NAMES)
        drafts = []
        for coordinate, via in found:
            licence = (
                licence_of(coordinate, ctx) or jar_licence(work / "jars" / coordinate.file) or spec.licence
            )
            output = ctx.cache.add(work / "jars" / coordinate.file)
            drafts.append(Draft(coordinate.name, coordinate.version, output.file, output.sha256, output.size,
                                licence or "not stated", via))  # fmt: skip
    return Resolved(key(spec, ctx), tuple(sorted(drafts, key=lambda d: d.file)))


def fetch(locked: LockedSource, ctx: Context) -> None:
    """Download the locked files that the cache lacks, each by its own coordinate."""
    missing = [a for a in locked.artifacts if not ctx.cache.has(a.sha256, a.size)]
    ctx.advance(sum(a.size for a in locked.artifacts if a not in missing), locked.name)
    if not missing:
        return
    with ctx.cache.workdir(locked.name) as work:
        _pom(work, [_coordinate(a.name, a.version) for a in missing], alone=True)
        _mvn(locked.name, ctx, work, f"{PLUGIN}:copy-dependencies", "-DoutputDirectory=jars", *NAMES)
        for artifact in missing:
            ctx.cache.add(work / "jars" / artifact.file, expect=artifact.sha256)
            ctx.advance(artifact.size, artifact.file)


def _coordinate(name: str, version: str) -> Coordinate:
    group, artifact, *rest = name.split(":")
    return Coordinate(group, artifact, version, *rest)


def _pom(work: Path, wanted: Sequence[Coordinate], *, alone: bool) -> None:
    dependencies = "".join(c.dependency(alone) for c in wanted)
    (work / "pom.xml").write_text(
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>llmflow</groupId><artifactId>llmflow</artifactId><version>1</version>"
        "<packaging>pom</packaging>"
        f"<dependencies>{dependencies}</dependencies></project>"
    )


def _mvn(source: str, ctx: Context, work: Path, *arguments: str) -> None:
    local = ctx.cache.root / "maven"
    with ctx.cache.lock("maven", ctx.report):  # Maven's local repository is not safe for two at once
        run(["mvn", "-B", "-q", "-ntp", f"-Dmaven.repo.local={local}", *arguments], source=source, cwd=work)


_TREE = re.compile(r"^(?P<indent>[|+\\ -]*)(?P<coordinate>[\w.-]+(?::[\w.-]+){3,5})")


def parse_tree(text: str) -> list[tuple[Coordinate, str]]:
    """(coordinate, what asked for it) of each line but the first, sorted by file name."""
    found: list[tuple[Coordinate, str]] = []
    above: list[tuple[int, str]] = []
    for line in text.splitlines()[1:]:
        match = _TREE.match(line)
        if match is None:
            continue
        group, artifact, extension, *rest = match["coordinate"].split(":")
        classifier, version = (rest[0], rest[1]) if len(rest) == 3 else ("", rest[0])
        depth = len(match["indent"])
        above = [entry for entry in above if entry[0] < depth]
        coordinate = Coordinate(group, artifact, version, extension, classifier)
        found.append((coordinate, above[-1][1] if above else ""))
        above.append((depth, coordinate.name))
    return sorted(found, key=lambda pair: pair[0].file)


def licence_of(coordinate: Coordinate, ctx: Context) -> str:
    """The licences that its pom, or a parent's, names; "" where none does."""
    group, artifact, version = coordinate.group, coordinate.artifact, coordinate.version
    for _ in range(8):
        folder = ctx.cache.root / "maven" / group.replace(".", "/") / artifact / version
        path = folder / f"{artifact}-{version}.pom"
        if not path.is_file():
            return ""
        root = ElementTree.parse(path).getroot()  # noqa: S314 - Maven has parsed it already
        if names := _texts(root, "licenses", "license", "name"):
            return " OR ".join(names)
        parent = [_texts(root, "parent", field) for field in ("groupId", "artifactId", "version")]
        if not all(parent):
            return ""
        group, artifact, version = (field[0] for field in parent)
    return ""


def _texts(root: ElementTree.Element, *path: str) -> list[str]:
    nodes: Iterable[ElementTree.Element] = [root]
    for name in path:
        nodes = [child for node in nodes for child in node if child.tag.rpartition("}")[2] == name]
    return [" ".join(node.text.split()) for node in nodes if node.text]


def jar_licence(jar: Path) -> str:
    """The Bundle-License of a jar's manifest, if it has one."""
    if not zipfile.is_zipfile(jar):
        return ""
    with zipfile.ZipFile(jar) as archive:
        if "META-INF/MANIFEST.MF" not in archive.namelist():
            return ""
        text = archive.read("META-INF/MANIFEST.MF").decode("utf-8", "replace").replace("\r\n ", "")
    found = re.search(r"^Bundle-License:\s*(.+?)\s*$", text, re.M)
    return found[1] if found and "://" not in found[1] else ""
