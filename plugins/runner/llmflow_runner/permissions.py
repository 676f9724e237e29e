"""Whether a package may do what its code does: the daemon refuses what the manifest does not permit.

Looked for is what the code takes from Dify's session: `session.model.llm`, `self._session.storage`. A permission that
nothing uses is wrong, too: whoever installs the plugin is asked for more than it needs.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from llmflow_bundle.errors import Finding

from llmflow_runner.declaration import Manifest, ModelPermission, Place
from llmflow_runner.sources import Module, Sources

SESSION = "session"  # what the name of a session ends with
ALSO = {"llm_structured_output": "llm", "summary": "llm"}  # what the daemon lets pass with another permission
KINDS = tuple(name for name in ModelPermission.model_fields if name != "enabled")
PARTS = {
    "tool": "tool",
    "app": "app",
    "workflow_node": "node",
    "storage": "storage",
}  # of the session → permission
MODEL = "model."


def permission_findings(manifest: Manifest, sources: Sources, place: Place) -> Iterator[Finding]:
    """What is used without permission, and permitted without use."""
    used = uses(sources)
    endpoints = {"endpoint"} if manifest.plugins.endpoints else set()
    there = place.below("resource", "permission")
    if manifest.plugins.models:
        for what, at in sorted(used.items()):
            yield Finding(
                "PLUGIN-PERMISSION", f"A model plugin may not ask Dify for its {_title(what)}", where=at
            )
        used = {}
    for what, at in sorted(used.items()):
        if not _permitted(what, manifest):
            yield Finding(
                "PLUGIN-PERMISSION",
                f"The code uses Dify's {_title(what)} without permission",
                where=at,
                hint=f"set {_key(what)} in manifest.yaml, or the daemon refuses every call",
            )
    for what in _declared(manifest):
        if what not in {*used, *endpoints} and not (what.startswith(MODEL) and MODEL in used):
            steps = _key(what).split(".")[2:]
            yield Finding(
                "PLUGIN-PERMISSION",
                f"The manifest asks for Dify's {_title(what)}, which no code uses",
                where=str(there.below(*steps)),
                hint="ask for what is needed, and no more: take it out",
            )


def uses(sources: Sources) -> dict[str, str]:
    """What the code takes from a session: `tool`, `storage`, `model.llm` …, and where it does first."""
    found: dict[str, str] = {}
    for module in sources.modules.values():
        for what, node in _taken(module):
            found.setdefault(what, module.at(node))
    return found


def _taken(module: Module) -> Iterator[tuple[str, ast.Attribute]]:
    inner = {
        id(node.value)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and _kind(node.attr)
    }
    for node in ast.walk(module.tree):
        match node:
            case ast.Attribute(value=ast.Attribute(value=base, attr="model"), attr=attr) if _is_session(
                base
            ) and (kind := _kind(attr)):
                yield f"{MODEL}{kind}", node
            case ast.Attribute(value=base, attr="model") if _is_session(base) and id(node) not in inner:
                yield MODEL, node  # handed on: which kind is used can't be seen
            case ast.Attribute(value=base, attr=attr) if attr in PARTS and _is_session(base):
                yield PARTS[attr], node


def _kind(attribute: str) -> str:
    kind = ALSO.get(attribute, attribute)
    return kind if kind in KINDS else ""


def _is_session(node: ast.expr) -> bool:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name.lower().endswith(SESSION)
    return False


def _permitted(what: str, manifest: Manifest) -> bool:
    if what == MODEL:
        return any(manifest.resource.allows_model(kind) for kind in KINDS)
    if what.startswith(MODEL):
        return manifest.resource.allows_model(what.removeprefix(MODEL))
    return manifest.resource.allows(what)


def _declared(manifest: Manifest) -> Iterator[str]:
    for what in (*PARTS.values(), "endpoint"):
        if manifest.resource.allows(what):
            yield what
    for kind in KINDS:
        if manifest.resource.allows_model(kind):
            yield f"{MODEL}{kind}"


def _key(what: str) -> str:
    if what.startswith(MODEL):
        return f"resource.permission.model.{what.removeprefix(MODEL) or 'enabled'}"
    return f"resource.permission.{what}"


def _title(what: str) -> str:
    if what.startswith(MODEL):
        return f"{what.removeprefix(MODEL).replace('_', ' ')} models".strip()
    return {"node": "workflow nodes", "storage": "storage"}.get(what, f"{what}s")
