"""Load bundle.yaml and the organs of a profile; every mistake found at once, each with its file and line."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from llmflow_bundle.cache import digest_of
from llmflow_bundle.dirs import INTENT
from llmflow_bundle.errors import BundleError, Finding
from llmflow_bundle.model import (
    HOST_PACKAGES,
    BuiltSource,
    Copy,
    DebSource,
    FileSource,
    Intent,
    Organ,
    PackagesSupply,
    Profile,
    PypiSource,
    Shared,
    Source,
    Step,
    Toolchain,
    inputs_of,
)  # fmt: skip

PLAYBOOKS = Path("playbooks")
ORGANS = PLAYBOOKS / "organs"
PLUGINS = Path("plugins")
PLUGIN_PYTHON = "3.12"  # what Dify's plugin daemon runs
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Declared:
    """A source, who declares it (an organ, or `plugin-<name>`), and the folder its paths are relative to."""

    owner: str
    folder: Path
    source: Source


@dataclass(frozen=True)
class Loaded:
    """A profile with its organs, checked among themselves."""

    repository: Path
    name: str
    profile: Profile
    toolchain: Toolchain
    organs: tuple[Organ, ...]

    def organ_dir(self, organ: str) -> Path:
        """The folder of an organ."""
        return self.repository / ORGANS / organ

    def sources(self) -> Iterator[Declared]:
        """Every source: the organs' (built ones after their inputs), host packages, plugins' wheels."""
        declared = [
            Declared(organ.name, ORGANS / organ.name, source)
            for organ in self.organs
            for source in organ.supply.packages.sources
        ]
        yield from in_order([*declared, *self._host_packages(), *self._plugins()])

    def _host_packages(self) -> Iterator[Declared]:
        """The deb source of all organs' host packages; its owner is the first that has any."""
        asking = [organ for organ in self.organs if organ.supply.packages.host_packages]
        names = tuple(sorted({name for organ in asking for name in organ.supply.packages.host_packages}))
        if asking:
            source = DebSource(kind="deb", name=HOST_PACKAGES, packages=names, base=True)
            yield Declared(asking[0].name, ORGANS / asking[0].name, source)

    def _plugins(self) -> Iterator[Declared]:
        """The wheels that plugin packages carry, as their own requirements.txt locks them."""
        for plugin in self.profile.plugins:
            lock_file = (PLUGINS / plugin / "requirements.txt").as_posix()
            source = PypiSource(
                kind="pypi", name=plugin_source(plugin), python=PLUGIN_PYTHON, lock_file=lock_file
            )
            yield Declared(source.name, PLUGINS / plugin, source)

    def digest(self, keys: Mapping[str, str]) -> str:
        """Digest of profile, organs and sources' keys (which cover the files beside organ.yaml)."""
        organs = [organ.model_dump(mode="json") for organ in self.organs]
        facts = {"profile": self.profile.model_dump(mode="json"), "toolchain": self.toolchain.go}
        return digest_of({**facts, "organs": organs, "keys": dict(keys)})


def plugin_source(plugin: str) -> str:
    """Name of the source that holds a plugin's wheels."""
    return f"plugin-{plugin}"


def in_order(declared: Sequence[Declared]) -> list[Declared]:
    """Declared order, but a built source after all it is built from; what runs in a circle is left out."""
    done: dict[str, Declared] = {}
    waiting = list(declared)
    while waiting:
        ready = [d for d in waiting if all(name in done for name in inputs_of(d.source))]
        if not ready:
            break
        done.update({d.source.name: d for d in ready})
        waiting = [d for d in waiting if d.source.name not in done]
    return list(done.values())


def load(repository: Path, profile: str) -> Loaded:
    """Read bundle.yaml and the profile's organs.

    Raises BundleError (BUNDLE-INTENT) with a finding for every mistake in any of the files.
    """
    findings: list[Finding] = []
    intent = read(repository, INTENT, Intent, findings)
    if intent is None:
        raise _wrong(findings)
    if profile not in intent.profiles:
        raise BundleError("BUNDLE-PROFILE", f"There is no profile called {profile}", where=str(INTENT),
                          hint=f"choose one of: {', '.join(sorted(intent.profiles))}")  # fmt: skip
    chosen = intent.profiles[profile]
    organs = [read(repository, ORGANS / name / "organ.yaml", Organ, findings) for name in chosen.organs]
    loaded = Loaded(repository, profile, chosen, intent.toolchain, tuple(o for o in organs if o is not None))
    if None not in organs:
        findings += _cross_check(loaded)
    if findings:
        raise _wrong(findings)
    return replace(loaded, organs=_with_shared_layers(loaded.organs))


def _shared_layers(organs: Iterable[Organ]) -> dict[str, tuple[Step, ...]]:
    """The layers that any image may name."""
    return {name: steps for organ in organs for name, steps in organ.supply.packages.layers.items()}


def _with_shared_layers(organs: tuple[Organ, ...]) -> tuple[Organ, ...]:
    """The organs with the steps of shared layers where images name them: equal steps make one layer."""
    layers = _shared_layers(organs)

    def steps(layer: Iterable[Step]) -> Iterator[Step]:
        for step in layer:
            yield from layers[step.layer] if isinstance(step, Shared) else (step,)

    def one(organ: Organ) -> Organ:
        packages = organ.supply.packages
        images = tuple(
            image.model_copy(update={"layers": tuple(tuple(steps(layer)) for layer in image.layers)})
            for image in packages.images
        )
        supply = organ.supply.model_copy(update={"packages": packages.model_copy(update={"images": images})})
        return organ.model_copy(update={"supply": supply})

    return tuple(one(organ) for organ in organs)


def _wrong(findings: list[Finding]) -> BundleError:
    count = f"{len(findings)} mistake{'s' if len(findings) != 1 else ''}"
    return BundleError(
        "BUNDLE-INTENT",
        f"{count} in what the bundle should hold",
        hint="mend the files and run again",
        findings=findings,
    )


# --- YAML with lines ---


def read(repository: Path, path: Path, model: type[M], findings: list[Finding]) -> M | None:
    """Parse one file strictly; adds to `findings` and returns None where it can't be taken as a `model`."""
    try:
        text = (repository / path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = "is not there" if isinstance(error, FileNotFoundError) else f"cannot be read: {error}"
        findings.append(Finding("BUNDLE-INTENT", f"{path} {reason}", where=str(path)))
        return None
    try:
        tree = YAML(typ="rt").load(io.StringIO(text))
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        findings.append(Finding("BUNDLE-INTENT", f"not YAML: {error.problem}", where=f"{path}:{line}"))
        return None
    except YAMLError as error:
        findings.append(Finding("BUNDLE-INTENT", f"not YAML: {error}", where=str(path)))
        return None
    try:
        return model.model_validate(plain(tree))
    except ValidationError as error:
        for mistake in _first_causes(error.errors()):
            place, line = locate(tree, mistake["loc"])
            findings.append(Finding("BUNDLE-INTENT", f"{place}: {_say(mistake)}", where=f"{path}:{line}"))
        return None


def _first_causes(mistakes: Sequence[Any]) -> Iterator[Any]:
    """Without "too short" of a list whose items are what is wrong."""
    for mistake in mistakes:
        loc = mistake["loc"]
        deeper = any(len(m["loc"]) > len(loc) and m["loc"][: len(loc)] == loc for m in mistakes)
        if not (deeper and mistake["type"] == "too_short"):
            yield mistake


def _say(mistake: Mapping[str, Any]) -> str:
    if mistake["type"] == "extra_forbidden":
        return "there is no such key"
    if mistake["type"] == "missing":
        return "is missing"
    text = str(mistake["msg"]).removeprefix("Value error, ")
    value = mistake.get("input")
    return f"{text}, not {value!r}" if isinstance(value, str | int | float | bool) else text


def plain(node: Any) -> Any:
    """ruamel's tree as ordinary lists, dicts and scalars."""
    if isinstance(node, CommentedMap):
        return {str(k): plain(v) for k, v in node.items()}
    if isinstance(node, CommentedSeq):
        return [plain(v) for v in node]
    if isinstance(node, bool) or node is None:
        return node
    for kind in (int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return str(node)


def locate(tree: Any, loc: tuple[int | str, ...]) -> tuple[str, int]:
    """A pydantic location as a dotted path that exists in the file, and its line from 1.

    Parts of the location that only name a member of a union are passed over.
    """
    node, line, parts = tree, 1, list[str]()
    for index, part in enumerate(loc):
        if isinstance(node, CommentedMap) and part in node:
            line = node.lc.key(part)[0] + 1
            node = node[part]
        elif isinstance(node, CommentedSeq) and isinstance(part, int) and part < len(node):
            line = node.lc.item(part)[0] + 1
            node = node[part]
        elif index < len(loc) - 1 or part in ("[key]", *_UNION):
            continue  # the name of a union's member
        parts.append(str(part))
    return ".".join(parts) or "the file", line


_UNION = ("go", "pypi", "maven", "deb", "file", "built", "copy", "directory", "text", "link", "layer")


# --- what one file cannot know ---


def _cross_check(loaded: Loaded) -> list[Finding]:
    return [
        Finding("BUNDLE-INTENT", what, where=str(ORGANS / organ / "organ.yaml") if organ else str(INTENT))
        for organ, what in _mistakes(loaded)
    ]


def _mistakes(loaded: Loaded) -> Iterator[tuple[str, str]]:
    """(organ or "", what is wrong)."""
    owners: dict[str, str] = {HOST_PACKAGES: "the bundle itself"}
    for organ in loaded.organs:
        for source in organ.supply.packages.sources:
            if source.name in owners:
                yield organ.name, f"source {source.name} is already a source of {owners[source.name]}"
            owners.setdefault(source.name, organ.name)
    for name, organ in zip(loaded.profile.organs, loaded.organs, strict=True):
        if organ.name != name:
            yield name, f"name is {organ.name}, but the folder is {name}"
        for place, ref in references(organ.supply.packages):
            if ref.partition("/")[0] not in owners:
                yield (
                    name,
                    f"{place} names {ref}, but no organ of the profile has a source {ref.partition('/')[0]}",
                )
        for path in _files_of(organ):
            if not (loaded.repository / path).exists():
                yield name, f"{path} is not there"
        for layer in dict.fromkeys(_named_layers(organ)):
            if layer not in _shared_layers(loaded.organs):
                yield name, f"an image names the layer {layer}, which no organ of the profile has"
    yield from _twice(loaded)
    placed = {declared.source.name for declared in loaded.sources()}
    for organ in loaded.organs:
        for source in organ.supply.packages.sources:
            if source.name not in placed and all(i in owners for i in inputs_of(source)):
                yield organ.name, f"source {source.name} is built from itself"
    for plugin in loaded.profile.plugins:
        for name in ("manifest.yaml", "requirements.txt"):
            if not (loaded.repository / PLUGINS / plugin / name).is_file():
                yield "", f"plugin {plugin} has no {PLUGINS / plugin / name}"


def references(supply: PackagesSupply) -> Iterator[tuple[str, str]]:
    """(where, `<source>[/<output>]`) of everything that an organ takes from a source."""
    for image in supply.images:
        for layer in image.layers:
            yield from ((f"image {image.ref}", step.source) for step in layer if isinstance(step, Copy))
    for name, layer in supply.layers.items():
        yield from ((f"layer {name}", step.source) for step in layer if isinstance(step, Copy))
    yield from (("binaries", binary.source) for binary in supply.binaries)
    yield from (("models", model.source) for model in supply.models)
    yield from (("wheels", name) for name in supply.wheels)
    if supply.installer:
        yield from (("installer", n) for n in (supply.installer.runtime, supply.installer.site_packages))
    for source in supply.sources:
        if isinstance(source, BuiltSource):
            yield from ((f"source {source.name}", ref) for ref in source.inputs.values())


def _files_of(organ: Organ) -> Iterator[Path]:
    """Files and folders that an organ names, relative to the repository."""
    if organ.chart:
        yield PLAYBOOKS / organ.chart
    for source in organ.supply.packages.sources:
        if isinstance(source, FileSource):
            yield Path(source.path) if source.of == "repository" else ORGANS / organ.name / source.path
        elif isinstance(source, PypiSource):
            yield from (ORGANS / organ.name / p for p in (source.requirements, source.overrides) if p)


def _named_layers(organ: Organ) -> Iterator[str]:
    """Layers that an organ's images take by name."""
    for image in organ.supply.packages.images:
        for layer in image.layers:
            yield from (step.layer for step in layer if isinstance(step, Shared))


def _twice(loaded: Loaded) -> Iterator[tuple[str, str]]:
    seen: dict[tuple[str, str], str] = {}
    for organ in loaded.organs:
        supply = organ.supply.packages
        things = [("image", i.ref) for i in supply.images] + [("binary", b.to) for b in supply.binaries]
        things += [("layer", name) for name in supply.layers]
        things += [("model", m.to) for m in supply.models] + (
            [("the", "installer")] if supply.installer else []
        )
        for thing in things:
            if thing in seen:
                yield organ.name, f"{thing[0]} {thing[1]} is already in {seen[thing]}"
            seen.setdefault(thing, organ.name)
