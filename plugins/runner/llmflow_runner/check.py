"""Everything that is wrong with a package, found without running it.

The daemon notices little when a package is installed, the SDK the rest when it starts, or later; here all
of it comes at once.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from cryptography.hazmat.primitives.asymmetric import rsa
from llmflow_bundle.errors import BundleError, Finding

from llmflow_runner import archive, declaration, sign, wheels
from llmflow_runner.archive import Package
from llmflow_runner.declaration import (
    Endpoint,
    EndpointGroup,
    FormField,
    I18n,
    Manifest,
    ModelProvider,
    Parameter,
    Setting,
    Tool,
    ToolProvider,
    Unfit,
)

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
KNOWN = {"models", "tools", "endpoints"}  # kinds of providers that are looked into here
ICONS = (".svg", ".png", ".jpg", ".jpeg", ".webp")
README, ENTRYPOINT = "README.md", "main.py"


def check(path: Path, key: rsa.RSAPublicKey) -> list[Finding]:
    """Every finding about a package; raises BundleError only where it cannot be opened at all."""
    return [*findings(archive.read(path), key)]


def findings(package: Package, key: rsa.RSAPublicKey) -> Iterator[Finding]:
    """Every finding about an opened package."""
    files = package.files
    if not sign.verified(package, key):
        yield Finding(
            "PLUGIN-SIGNATURE",
            "The signature is missing, or not of this key over these files",
            hint="sign with the private half of the key that the plugin daemon trusts: llmflow plugin pack",
        )
    try:
        manifest = declaration.load(files, "manifest.yaml", Manifest)
    except Unfit as unfit:
        yield from unfit.findings
    else:
        yield from _manifest_findings(files, manifest)
    for part in (_entrypoint_findings, _requirement_findings, _import_findings):
        yield from part(files)


def _manifest_findings(files: Files, manifest: Manifest) -> Iterator[Finding]:
    kinds = manifest.plugins.kinds()
    if not kinds:
        yield _declared("The manifest declares no provider: name one under plugins", "manifest.yaml")
    if len(kinds) > 1 and EXCLUSIVE & set(kinds):
        yield _declared(f"{' and '.join(sorted(kinds))} cannot share a package", "manifest.yaml")
    for kind, paths in kinds.items():
        if len(paths) > 1:
            yield _declared(f"Only the last of several {kind} survives an installation", "manifest.yaml")
        if kind not in KNOWN:
            yield Finding("PLUGIN-UNCHECKED", f"This checker does not know {kind} yet", severity="warn")
    yield from _icon_findings(files, "manifest.yaml", (manifest.icon, manifest.icon_dark))
    for name in filter(None, (manifest.privacy, README)):
        if name not in files:
            yield _absent(name, "manifest.yaml")
    for path in manifest.plugins.models:
        yield from _model_findings(files, path)
    for path in manifest.plugins.tools:
        yield from _tools_findings(files, path, manifest)
    for path in manifest.plugins.endpoints:
        yield from _endpoints_findings(files, path, manifest)


def _model_findings(files: Files, path: str) -> Iterator[Finding]:
    """The provider of a model plugin: its form, its icons, its classes."""
    try:
        provider = declaration.load(files, path, ModelProvider)
    except Unfit as unfit:
        yield from unfit.findings
        return
    icons = (provider.icon_small, provider.icon_large, provider.icon_small_dark, provider.icon_large_dark)
    for icon in filter(None, icons):
        yield from _icon_findings(files, path, _languages(icon))
    if "customizable-model" in provider.configurate_methods and provider.model_credential_schema is None:
        yield _declared("customizable-model needs a model_credential_schema", path)
    yield from _form_findings(provider, path)
    sources = provider.extra.python
    yield from _class_findings(files, sources.provider_source, {"ModelProvider"}, path)
    found = set()
    for source in sources.model_sources:
        yield from _class_findings(files, source, set(MODEL_BASES), path)
        found |= {MODEL_BASES[base] for base in _bases(files.get(source, b"")) if base in MODEL_BASES}
    for type_ in sorted(set(provider.supported_model_types) - found):
        yield _declared(f"No model source holds a class for the model type {type_}", path)


def _tools_findings(files: Files, path: str, manifest: Manifest) -> Iterator[Finding]:
    """A tool provider: its icon, its class, its settings, and each of its tools."""
    try:
        provider = declaration.load(files, path, ToolProvider)
    except Unfit as unfit:
        yield from unfit.findings
        return
    yield from _icon_findings(files, path, (provider.identity.icon, provider.identity.icon_dark))
    yield from _class_findings(files, provider.extra.python.source, {"ToolProvider"}, path)
    yield from _settings_findings(provider.credentials_for_provider, path, manifest)
    names = []
    for at in provider.tools:
        try:
            tool = declaration.load(files, at, Tool)
        except Unfit as unfit:
            yield from unfit.findings
            continue
        names.append(tool.identity.name)
        yield from _class_findings(files, tool.extra.python.source, {"Tool"}, at)
        yield from _parameters_findings(tool.parameters, at, manifest)
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield _declared(f"There are two tools {name}", path)


def _endpoints_findings(files: Files, path: str, manifest: Manifest) -> Iterator[Finding]:
    """A group of endpoints: its settings, and each endpoint's class."""
    try:
        group = declaration.load(files, path, EndpointGroup)
    except Unfit as unfit:
        yield from unfit.findings
        return
    if not (manifest.resource.permission and manifest.resource.permission.endpoint):
        yield _declared("Endpoints need resource.permission.endpoint", "manifest.yaml")
    names = [setting.name for setting in group.settings]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield _declared(f"The settings have two fields {name}", path)
    yield from _settings_findings({setting.name: setting for setting in group.settings}, path, manifest)
    for at in group.endpoints:
        try:
            endpoint = declaration.load(files, at, Endpoint)
        except Unfit as unfit:
            yield from unfit.findings
            continue
        yield from _class_findings(files, endpoint.extra.python.source, {"Endpoint"}, at)


def _parameters_findings(parameters: Sequence[Parameter], path: str, manifest: Manifest) -> Iterator[Finding]:
    names = [parameter.name for parameter in parameters]
    for name in sorted({n for n in names if names.count(n) > 1}):
        yield _declared(f"The tool has two parameters {name}", path)
    for parameter in parameters:
        if parameter.form == "llm" and not parameter.llm_description:
            yield _declared(
                f"A language model is to fill in {parameter.name}, but is not told what it is", path
            )
    yield from _settings_findings({parameter.name: parameter for parameter in parameters}, path, manifest)


def _settings_findings(
    fields: Mapping[str, Setting | Parameter], path: str, manifest: Manifest
) -> Iterator[Finding]:
    """Fields that people fill in: options where one selects, and permission for the models that they choose."""
    for name, field in fields.items():
        values = {option.value for option in field.options}
        if field.type == "select" and not values:
            yield _declared(f"The field {name} has nothing to select from", path)
        if values and field.default is not None and field.default not in values:
            yield _declared(f"The default of the field {name} is not among its options", path)
        if field.type == "model-selector":
            yield from _permission_findings(field.scope, name, manifest)


def _permission_findings(scope: str | None, name: str, manifest: Manifest) -> Iterator[Finding]:
    if scope is None:
        yield _declared(f"The field {name} chooses a model of no kind: give it a scope", "manifest.yaml")
        return
    permission = manifest.resource.permission
    kind = "llm" if "llm" in scope else scope.replace("-", "_")
    if not (
        permission
        and permission.model
        and permission.model.enabled
        and getattr(permission.model, kind, False)
    ):
        yield _declared(f"The field {name} needs resource.permission.model.{kind}", "manifest.yaml")


def _form_findings(provider: ModelProvider, path: str) -> Iterator[Finding]:
    if provider.provider_credential_schema:
        yield from _fields_findings(provider.provider_credential_schema.credential_form_schemas, path)
    if provider.model_credential_schema:
        yield from _fields_findings(provider.model_credential_schema.credential_form_schemas, path)


def _fields_findings(fields: Sequence[FormField], path: str) -> Iterator[Finding]:
    names = [field.variable for field in fields]
    for name in sorted({n for n in names if names.count(n) > 1}):
        yield _declared(f"The form has two fields {name}", path)
    for field in fields:
        values = {option.value for option in field.options}
        if field.type in ("select", "radio") and not values:
            yield _declared(f"The field {field.variable} has nothing to select from", path)
        if values and field.default is not None and field.default not in values:
            yield _declared(f"The default of the field {field.variable} is not among its options", path)
        for condition in field.show_on:
            if condition.variable not in {*names, "__model_type"}:
                yield _declared(
                    f"The field {field.variable} waits for {condition.variable}, which is none", path
                )


def _class_findings(files: Files, source: str, bases: set[str], by: str) -> Iterator[Finding]:
    """The SDK wants exactly one class of the kind in each module."""
    if source not in files:
        yield _absent(source, by)
        return
    found = [base for base in _bases(files[source]) if base in bases]
    if len(found) != 1:
        yield _code(f"There must be one class of {' or '.join(sorted(bases))}, not {len(found)}", source)


def _entrypoint_findings(files: Files) -> Iterator[Finding]:
    if ENTRYPOINT not in files:
        yield _absent(ENTRYPOINT, "manifest.yaml")
    if not any(name.startswith("_assets/") for name in files):
        yield _absent("_assets/", "the SDK, which lists it at every start")
    for name, content in files.items():
        if name.endswith(".py") and (problem := _syntax(content)):
            yield _code(f"It does not parse: {problem}", name)


def _requirement_findings(files: Files) -> Iterator[Finding]:
    """The daemon must find requirements.txt alone, and in wheels/ exactly what it names."""
    for name in ("pyproject.toml", "uv.lock"):
        if name in files:
            yield _required(f"{name} would make the daemon ask the internet", "leave it out of the package")
    text = files.get("requirements.txt", b"").decode(errors="replace")
    if text.splitlines()[:1] != [wheels.OPTIONS]:
        yield _required(
            f"requirements.txt must begin with {wheels.OPTIONS}", "pack with: llmflow plugin pack"
        )
    try:
        wanted = wheels.pins(text)
    except BundleError as error:
        yield from error.findings
        return
    there = {
        PurePosixPath(n).name: hashlib.sha256(c).hexdigest()
        for n, c in files.items()
        if n.startswith("wheels/")
    }
    for pin in wanted:
        if sum(pin.is_met_by(name, digest) for name, digest in there.items()) != 1:
            yield _required(
                f"wheels/ must hold one wheel of {pin.name} {pin.version} with a locked hash", "pack again"
            )
    for name, digest in sorted(there.items()):
        if not any(pin.is_met_by(name, digest) for pin in wanted):
            yield _required(f"wheels/{name} is not what requirements.txt locks", "pack again")


def _import_findings(files: Files) -> Iterator[Finding]:
    """Our own packages that modules import must be inside: the kit is copied in when a plugin is staged."""
    inside = {PurePosixPath(name).parts[0] for name in files if name.endswith("/__init__.py")}
    for name, content in files.items():
        if not name.endswith(".py") or _syntax(content):
            continue
        missing = {top for top in _imports(content) if top.startswith("llmflow_")} - inside
        for top in sorted(missing):
            yield _code(f"It imports {top}, which is not in the package", name)


def _icon_findings(files: Files, by: str, names: tuple[str | None, ...]) -> Iterator[Finding]:
    for name in filter(None, names):
        if f"_assets/{name}" not in files:
            yield _absent(f"_assets/{name}", by)
        elif not name.lower().endswith(ICONS):
            yield _declared(f"The icon {name} is no picture that Dify shows", by)


def _languages(text: I18n) -> tuple[str | None, ...]:
    return (text.en_US, text.zh_Hans, text.ja_JP, text.pt_BR)


def _bases(source: bytes) -> list[str]:
    """The bases of the classes that a module defines."""
    if _syntax(source):
        return []
    body = ast.parse(source).body
    bases = [base for node in body if isinstance(node, ast.ClassDef) for base in node.bases]
    return [base.id if isinstance(base, ast.Name) else ast.unparse(base).rsplit(".")[-1] for base in bases]


def _imports(source: bytes) -> set[str]:
    nodes = list(ast.walk(ast.parse(source)))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    named = {
        node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level
    }
    return {name.split(".")[0] for name in plain | named} - sys.stdlib_module_names


def _syntax(source: bytes) -> str:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError) as exc:
        return str(exc)
    return ""


def _absent(name: str, by: str) -> Finding:
    return Finding("PLUGIN-FILE-MISSING", f"{name} is not in the package", where=f"named by {by}")


def _declared(what: str, where: str) -> Finding:
    return Finding("PLUGIN-DECLARATION", what, where=where)


def _code(what: str, where: str) -> Finding:
    return Finding("PLUGIN-CODE", what, where=where)


def _required(what: str, hint: str) -> Finding:
    return Finding("PLUGIN-REQUIREMENTS", what, where="requirements.txt", hint=hint)
