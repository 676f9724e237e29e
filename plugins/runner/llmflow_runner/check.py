"""Everything that is wrong with a package, found without running it.

The daemon notices little when a package is installed, the SDK the rest when it starts, or later; here all
of it comes at once.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from cryptography.hazmat.primitives.asymmetric import rsa
from llmflow_bundle.errors import Finding

from llmflow_runner import (
    archive,
    datasources,
    declaration,
    fields,
    homes,
    materials,
    permissions,
    pictures,
    sign,
    sources,
    supply,
    texts,
    triggers,
    wheels,
)
from llmflow_runner.archive import Package
from llmflow_runner.datasources import Datasource, DatasourceProvider
from llmflow_runner.declaration import (
    AgentProvider,
    AgentStrategy,
    Endpoint,
    EndpointGroup,
    I18n,
    Manifest,
    ModelProvider,
    Place,
    Tool,
    ToolProvider,
    Unfit,
)
from llmflow_runner.sources import Sources
from llmflow_runner.triggers import Event, TriggerProvider

Files = Mapping[str, bytes]

EXCLUSIVE = {
    "models",
    "agent_strategies",
    "datasources",
    "triggers",
}  # only tools and endpoints may share a package
MODEL_BASES = {  # SDK class → the model type that it makes
    "LargeLanguageModel": "llm",
    "TextEmbeddingModel": "text-embedding",
    "RerankModel": "rerank",
    "Speech2TextModel": "speech2text",
    "ModerationModel": "moderation",
    "TTSModel": "tts",
}
Listed = (
    type[Tool] | type[AgentStrategy] | type[Datasource] | type[Event]
)  # what a provider lists the files of
ENTRYPOINT = "main.py"
MANIFEST = "manifest.yaml"


def check(path: Path, key: rsa.RSAPublicKey) -> list[Finding]:
    """Every finding about a package; raises BundleError only where it cannot be opened at all."""
    return [*findings(archive.read(path), key)]


def findings(package: Package, key: rsa.RSAPublicKey) -> Iterator[Finding]:
    """Every finding about an opened package."""
    files, code = package.files, sources.read(package.files)
    if not sign.verified(package, key):
        yield Finding(
            "PLUGIN-SIGNATURE",
            "The signature is missing, or not of this key over these files",
            hint="sign with the private half of the key that the plugin daemon trusts: llmflow plugin pack",
        )
    arches: tuple[str, ...] = (wheels.AMD64,)
    try:
        manifest = declaration.load(files, MANIFEST, Manifest)
    except Unfit as unfit:
        yield from unfit.findings
    else:
        arches = manifest.meta.arch
        yield from _Declared(files, code, manifest).findings()
        yield from permissions.permission_findings(manifest, code, Place(files, MANIFEST))
    yield from _entrypoint_findings(files, code)
    yield from _import_findings(files, code)
    yield from texts.text_findings(files)
    yield from pictures.picture_findings(files)
    yield from supply.supply_findings(files, arches)
    yield from materials.material_findings(files)
    yield from homes.home_findings(code, {wheel.name for wheel in supply.read(files)[0]})


class _Declared:
    """What the manifest and the files that it names declare, held against the code that is there."""

    def __init__(self, files: Files, code: Sources, manifest: Manifest) -> None:
        self._files, self._code, self._manifest = files, code, manifest

    def findings(self) -> Iterator[Finding]:
        """Every finding about the manifest, and about each provider."""
        manifest, place = self._manifest, Place(self._files, MANIFEST)
        kinds = manifest.plugins.kinds()
        plugins = place.below("plugins")
        if not kinds:
            yield plugins.wrong("The manifest declares no provider: name one under plugins")
        if len(kinds) > 1 and EXCLUSIVE & set(kinds):
            hint = "only tools and endpoints may share one: make two plugins"
            yield plugins.wrong(f"{' and '.join(sorted(kinds))} cannot share a package", hint)
        for kind, paths in kinds.items():
            if len(paths) > 1:
                yield plugins.below(kind).wrong(f"Only the last of several {kind} survives an installation")
        yield from self._icons(MANIFEST, (manifest.icon, manifest.icon_dark))
        if manifest.privacy and manifest.privacy not in self._files:
            yield _absent(manifest.privacy, str(place.below("privacy")))
        looks = {
            "models": self._model,
            "tools": self._tools,
            "endpoints": self._endpoints,
            "agent_strategies": self._agents,
            "datasources": self._datasources,
            "triggers": self._triggers,
        }
        for kind, look in looks.items():
            for path in kinds.get(kind, ()):
                try:
                    yield from look(path)
                except Unfit as unfit:
                    yield from unfit.findings

    def _model(self, path: str) -> Iterator[Finding]:
        """The provider of a model plugin: its form, its icons, its classes."""
        provider, place = declaration.load(self._files, path, ModelProvider), Place(self._files, path)
        icons = (
            provider.icon_small,
            provider.icon_large,
            provider.icon_small_dark,
            provider.icon_large_dark,
        )
        for icon in filter(None, icons):
            yield from self._icons(path, _languages(icon))
        if "customizable-model" in provider.configurate_methods and provider.model_credential_schema is None:
            yield place.below("configurate_methods").wrong(
                "customizable-model needs a model_credential_schema"
            )
        yield from fields.form_findings(provider, place)
        python, where = provider.extra.python, place.below("extra", "python")
        yield from self._one_class(python.provider_source, {"ModelProvider"}, where.below("provider_source"))
        found = set()
        for index, source in enumerate(python.model_sources):
            there = where.below("model_sources", index)
            yield from self._one_class(source, set(MODEL_BASES), there)
            found |= {MODEL_BASES[base] for base in self._code.kinds(source, set(MODEL_BASES))}
            if not self._code.maps_errors(source, set(MODEL_BASES)):
                yield sources.code(
                    "The model does not say which of Dify's errors each of its own is",
                    source,
                    f"define {sources.MAPPING}, or mix in llmflow_kit.dify.Translated",
                )
        for type_ in sorted(set(provider.supported_model_types) - found):
            yield where.wrong(f"No model source holds a class for the model type {type_}")

    def _tools(self, path: str) -> Iterator[Finding]:
        """A tool provider: its icon, its class, its settings, and each of its tools."""
        provider, place = declaration.load(self._files, path, ToolProvider), Place(self._files, path)
        yield from self._icons(path, (provider.identity.icon, provider.identity.icon_dark))
        yield from self._one_class(
            provider.extra.python.source, {"ToolProvider"}, place.below("extra", "python")
        )
        forms: dict[str | int, tuple[str, declaration.Setting]] = {
            name: (name, setting) for name, setting in provider.credentials_for_provider.items()
        }
        yield from fields.setting_findings(forms, place.below("credentials_for_provider"), self._manifest)
        yield from fields.oauth_findings(provider.oauth_schema, place.below("oauth_schema"), self._manifest)
        yield from self._listed(provider.tools, Tool, {"Tool"}, place.below("tools"))

    def _agents(self, path: str) -> Iterator[Finding]:
        """A provider of agent strategies: its icon, and each strategy's class and parameters."""
        provider, place = declaration.load(self._files, path, AgentProvider), Place(self._files, path)
        yield from self._icons(path, (provider.identity.icon, provider.identity.icon_dark))
        if provider.extra:
            where = place.below("extra", "python")
            yield from self._one_class(provider.extra.python.source, {"AgentProvider"}, where)
        yield from self._listed(
            provider.strategies, AgentStrategy, {"AgentStrategy"}, place.below("strategies")
        )

    def _datasources(self, path: str) -> Iterator[Finding]:
        """A provider of datasources: its icon, its class, its credentials, and each datasource's class of its type."""
        provider, place = (
            declaration.load(self._files, path, DatasourceProvider),
            Place(self._files, path),
        )
        yield from self._icons(path, (provider.identity.icon,))
        yield from self._one_class(
            provider.extra.python.source, {"DatasourceProvider"}, place.below("extra", "python")
        )
        credentials = fields.listed(provider.credentials_schema)
        yield from fields.setting_findings(credentials, place.below("credentials_schema"), self._manifest)
        yield from fields.oauth_findings(provider.oauth_schema, place.below("oauth_schema"), self._manifest)
        base = datasources.BASES[provider.provider_type]
        yield from self._listed(provider.datasources, Datasource, {base}, place.below("datasources"))

    def _triggers(self, path: str) -> Iterator[Finding]:
        """A provider of triggers: its icons, its classes, how one subscribes, and each of its events."""
        provider, place = declaration.load(self._files, path, TriggerProvider), Place(self._files, path)
        yield from self._icons(path, (provider.identity.icon, provider.identity.icon_dark))
        source, where = provider.extra.python.source, place.below("extra", "python")
        yield from self._one_class(source, {"Trigger"}, where)
        settings = fields.listed(provider.subscription_schema)
        yield from fields.setting_findings(settings, place.below("subscription_schema"), self._manifest)
        constructor, there = provider.subscription_constructor, place.below("subscription_constructor")
        if constructor:
            yield from self._one_class(source, {triggers.CONSTRUCTOR}, there)
            credentials = there.below("credentials_schema")
            yield from fields.setting_findings(
                fields.listed(constructor.credentials_schema), credentials, self._manifest
            )
            yield from fields.oauth_findings(
                constructor.oauth_schema, there.below("oauth_schema"), self._manifest
            )
            yield from fields.parameter_findings(
                constructor.parameters, there.below("parameters"), self._manifest
            )
        elif self._code.kinds(source, {triggers.CONSTRUCTOR}):
            hint = "declare subscription_constructor, or Dify offers no form for it"
            yield where.wrong(f"{source} can subscribe to events, which {path} does not say", hint)
        yield from self._listed(provider.events, Event, {"Event"}, place.below("events"))

    def _listed(self, paths: Sequence[str], kind: Listed, bases: set[str], by: Place) -> Iterator[Finding]:
        """The files that a provider lists: each one's class and parameters, and no name twice."""
        names = []
        for at in paths:
            try:
                one = declaration.load(self._files, at, kind)
            except Unfit as unfit:
                yield from unfit.findings
                continue
            names.append(one.identity.name)
            there = Place(self._files, at)
            yield from self._icons(at, (getattr(one.identity, "icon", None),))
            yield from self._one_class(one.extra.python.source, bases, there.below("extra", "python"))
            yield from fields.parameter_findings(one.parameters, there.below("parameters"), self._manifest)
        yield from _twice(names, str(by.at[-1]), by)

    def _endpoints(self, path: str) -> Iterator[Finding]:
        """A group of endpoints: its settings, and each endpoint's class."""
        group, place = declaration.load(self._files, path, EndpointGroup), Place(self._files, path)
        if not self._manifest.resource.allows("endpoint"):
            where = Place(self._files, MANIFEST, ("resource", "permission"))
            yield where.wrong("Endpoints need resource.permission.endpoint", "set enabled: true")
        settings = fields.listed(group.settings)
        yield from fields.setting_findings(settings, place.below("settings"), self._manifest)
        ways = []
        for at in group.endpoints:
            try:
                endpoint = declaration.load(self._files, at, Endpoint)
            except Unfit as unfit:
                yield from unfit.findings
                continue
            ways.append(f"{endpoint.method} {endpoint.path}")
            where = Place(self._files, at, ("extra", "python"))
            yield from self._one_class(endpoint.extra.python.source, {"Endpoint"}, where)
        yield from _twice(ways, "endpoints", place.below("endpoints"))

    def _one_class(self, source: str, bases: set[str], by: Place) -> Iterator[Finding]:
        """The SDK wants exactly one class of the kind in each module, and counts those that it imports."""
        if source not in self._files:
            yield _absent(source, str(by))
            return
        found = self._code.kinds(source, bases)
        if len(found) != 1:
            yield sources.code(
                f"There must be one class of {' or '.join(sorted(bases))}, not {len(found)}",
                source,
                "the SDK counts imported classes, too: import modules instead",
            )

    def _icons(self, by: str, names: tuple[str | None, ...]) -> Iterator[Finding]:
        for name in filter(None, names):
            yield from pictures.icon_findings(self._files, by, name)


def _entrypoint_findings(files: Files, code: Sources) -> Iterator[Finding]:
    if ENTRYPOINT not in files:
        yield _absent(ENTRYPOINT, MANIFEST)
    if not any(name.startswith("_assets/") for name in files):
        yield _absent("_assets/", "the SDK, which lists it at every start")
    for name, problem in code.broken.items():
        yield sources.code(f"It does not parse: {problem}", name)


def _import_findings(files: Files, code: Sources) -> Iterator[Finding]:
    """Our own packages that modules import must be inside: the kit is copied in when a plugin is staged."""
    inside = {PurePosixPath(name).parts[0] for name in files if name.endswith("/__init__.py")}
    for module in code.modules.values():
        tops = {name.split(".")[0]: line for name, line in module.imports.items()}
        for top in sorted(set(tops) - inside - sys.stdlib_module_names):
            if top.startswith("llmflow_"):
                yield sources.code(f"It imports {top}, which is not in the package", module.at(tops[top]))


def _twice(names: list[str], of: str, place: Place) -> Iterator[Finding]:
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield place.wrong(f"There are two {of} called {name}")


def _languages(text: I18n) -> tuple[str | None, ...]:
    return (text.en_US, text.zh_Hans, text.ja_JP, text.pt_BR)


def _absent(name: str, by: str) -> Finding:
    return Finding("PLUGIN-FILE-MISSING", f"{name} is not in the package", where=f"named by {by}")
