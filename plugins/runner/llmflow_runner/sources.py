"""A package's own Python, read but not run: what it defines, imports, calls and asks of Dify."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from llmflow_bundle.errors import Finding

MAPPING = "_invoke_error_mapping"  # what the SDK looks into to turn an engine's errors into Dify's


@dataclass(frozen=True)
class Module:
    """One file, and what its names stand for."""

    path: str
    tree: ast.Module

    @property
    def name(self) -> str:
        """The module's dotted name."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @cached_property
    def names(self) -> dict[str, str]:
        """What is imported: the name here → the dotted name there."""
        found: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found |= {
                    a.asname or a.name.split(".")[0]: a.name if a.asname else a.name.split(".")[0]
                    for a in node.names
                }
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        return found

    @cached_property
    def imports(self) -> dict[str, int]:
        """The modules that it imports, and in which line."""
        found: dict[str, int] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found |= {alias.name: node.lineno for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found[node.module] = node.lineno
        return found

    @cached_property
    def classes(self) -> tuple[ast.ClassDef, ...]:
        """The classes at the top of the file."""
        return tuple(node for node in self.tree.body if isinstance(node, ast.ClassDef))

    def dotted(self, node: ast.expr) -> str:
        """The dotted name of an expression, imports followed; "" where it is none."""
        match node:
            case ast.Name(id=name):
                return self.names.get(name, name)
            case ast.Attribute(value=value, attr=attr):
                before = self.dotted(value)
                return f"{before}.{attr}" if before else f".{attr}"
            case ast.Call(func=func):
                return f"{self.dotted(func)}()"
        return ""

    def calls(self) -> Iterator[tuple[str, ast.Call]]:
        """Every call, with the dotted name of what is called."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                yield self.dotted(node.func), node

    def at(self, node: ast.AST | int) -> str:
        """`file:line`."""
        return f"{self.path}:{node if isinstance(node, int) else getattr(node, 'lineno', 1)}"


@dataclass(frozen=True)
class Sources:
    """All modules of a package; those that do not parse are in `broken`."""

    modules: Mapping[str, Module]
    broken: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def _classes(self) -> dict[str, tuple[Module, ast.ClassDef]]:
        """The package's own classes, by dotted name."""
        return {
            f"{module.name}.{node.name}": (module, node)
            for module in self.modules.values()
            for node in module.classes
        }

    def kinds(self, path: str, bases: set[str]) -> list[str]:
        """Which of the SDK's `bases` the classes of a module are of: defined or imported there, as the SDK counts."""
        module = self.modules.get(path)
        if module is None:
            return []
        there = [f"{module.name}.{node.name}" for node in module.classes]
        there += [origin for origin in module.names.values() if origin in self._classes]
        return [base for name in there for base in sorted(self._sdk(name) & bases)]

    def maps_errors(self, path: str, bases: set[str]) -> bool:
        """Whether the models of a module say which of Dify's errors each of theirs is."""
        module = self.modules.get(path)
        names = [f"{module.name}.{node.name}" for node in module.classes] if module else []
        wanted = [name for name in names if self._sdk(name) & bases]
        return all(any(self._defines(one, MAPPING) for one in self._ancestors(name)) for name in wanted)

    def _sdk(self, name: str) -> set[str]:
        """The last names of what a class inherits from outside the package."""
        return {one.rpartition(".")[2] for one in self._ancestors(name) if one not in self._classes}

    def _ancestors(self, name: str) -> set[str]:
        """The dotted names of a class and of all that it inherits from, as far as the package tells."""
        found, waiting = set[str](), [name]
        while waiting:
            one = waiting.pop()
            if one in found:
                continue
            found.add(one)
            if one in self._classes:
                module, node = self._classes[one]
                waiting += [self._origin(module, base) for base in node.bases]
        return found

    def _origin(self, module: Module, base: ast.expr) -> str:
        """The dotted name of a base: of the same module, of another of the package, or from outside."""
        name = module.dotted(base.value if isinstance(base, ast.Subscript) else base)
        beside = f"{module.name}.{name}"
        return beside if beside in self._classes else name

    def _defines(self, name: str, member: str) -> bool:
        return name in self._classes and any(_named(part) == member for part in self._classes[name][1].body)


def read(files: Mapping[str, bytes]) -> Sources:
    """Parse every module of a package."""
    modules, broken = {}, {}
    for name, content in files.items():
        if not name.endswith(".py"):
            continue
        try:
            modules[name] = Module(name, ast.parse(content))
        except (SyntaxError, ValueError) as exc:
            broken[name] = str(exc)
    return Sources(modules, broken)


def _named(node: ast.stmt) -> str:
    match node:
        case ast.FunctionDef(name=name):
            return name
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
    return ""


def code(what: str, where: str, hint: str = "") -> Finding:
    """A finding about a Python file."""
    return Finding("PLUGIN-CODE", what, where=where, hint=hint)
