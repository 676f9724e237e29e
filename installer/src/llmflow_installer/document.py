"""A YAML file that knows where each key stands, checked against a strict model; every mistake is named."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from llmflow_bundle.errors import Finding, SiteError
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError


def _address(value: object) -> IPv4Address:
    if not isinstance(value, str):
        raise ValueError("an IPv4 address such as 10.0.0.1 is wanted")
    return IPv4Address(value)


def _network(value: object) -> IPv4Network:
    if not isinstance(value, str):
        raise ValueError("an IPv4 network such as 10.0.0.0/24 is wanted")
    return IPv4Network(value)


Address = Annotated[IPv4Address, BeforeValidator(_address)]
Cidr = Annotated[IPv4Network, BeforeValidator(_network)]
Port = Annotated[int, Field(ge=1, le=65535)]
NodePort = Annotated[int, Field(ge=30000, le=32767)]
Cores = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?m?$")]
Quantity = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|Ki|Mi|Gi|Ti)?$")]
HostName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
_UNITS: Mapping[str, int] = {"m": 0, "Ki": 1024, "Mi": 1024**2, "Gi": 1024**3, "Ti": 1024**4}


def quantity(text: str) -> int:
    """A Kubernetes memory quantity in bytes: `8Gi`, `512Mi`, `1000`."""
    for suffix, factor in _UNITS.items():
        if text.endswith(suffix):
            number = Decimal(text.removesuffix(suffix))
            return int(number * factor) if factor else int(number / 1000)
    return int(Decimal(text))


class Strict(BaseModel):
    """Refuses unknown keys and guesses no types: a port is a number, a switch is true or false."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


@dataclass(frozen=True)
class Document:
    """A YAML file with the place of every key."""

    path: Path
    content: CommentedMap

    def where(self, location: Sequence[int | str]) -> str:
        """`file:line:column` of a key path, or of the nearest key above it."""
        node: Any = self.content
        line, column = 0, 0
        for step in location:
            if isinstance(node, CommentedMap) and step in node:
                line, column = node.lc.key(step)
            elif isinstance(node, CommentedSeq) and isinstance(step, int) and step < len(node):
                line, column = node.lc.item(step)
            else:
                break
            node = node[step]
        return f"{self.path}:{line + 1}:{column + 1}"

    def plain(self) -> Any:
        """The content as ordinary dicts and lists."""
        return _plain(self.content)


def read_document(path: Path) -> Document:
    """Read a YAML file whose top is a mapping; raises SiteError."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as exc:
        hint = "a site is a directory with hosts.yml and site.yml; copy one of inventories/ to begin"
        raise SiteError("SITE-NOT-FOUND", f"{path.name} is not there", where=str(path), hint=hint) from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise SiteError(
            "SITE-UNREADABLE", f"{path.name} can't be read as UTF-8 text: {exc}", where=str(path)
        ) from exc
    try:
        content = _content(text)
    except MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        what = " ".join(str(exc.problem or exc.context or "the text is not YAML").split())
        raise SiteError(
            "SITE-YAML",
            f"{path.name} is not valid YAML: {what}",
            where=where,
            hint="check indentation, colons and keys given twice",
        ) from exc
    if not isinstance(content, CommentedMap):
        raise SiteError("SITE-YAML", f"{path.name} must be a mapping of keys to values", where=f"{path}:1:1")
    return Document(path, content)


@lru_cache(maxsize=8)
def _content(text: str) -> Any:
    """A run reads its site again and again, and a parser that keeps places is slow; nobody changes what it gives."""
    return YAML(typ="rt").load(text)


def _plain(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {key: _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value) for value in node]
    return node


Wanted = TypeVar("Wanted", bound=Strict)


def validated(
    model: type[Wanted], document: Document, at: tuple[str, ...], value: object, findings: list[Finding]
) -> Wanted | None:
    """The value as a model, or None with its mistakes added to `findings`."""
    try:
        return model.model_validate(value)
    except ValidationError as exc:
        findings += [_finding(model, document, at, dict(error)) for error in exc.errors()]
        return None


def _finding(model: type[Strict], document: Document, at: tuple[str, ...], error: dict[str, Any]) -> Finding:
    location = tuple(step for step in error["loc"] if step != "[key]")
    path = ".".join(str(step) for step in (*at, *location))
    where = document.where((*at, *location))
    if error["type"] == "extra_forbidden":
        key, known = str(location[-1]), _known_keys(model, location[:-1])
        near = difflib.get_close_matches(key, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
        return Finding("SITE-UNKNOWN-KEY", f"{path}: there is no such key", where, hint)
    if error["type"] == "missing":
        return Finding("SITE-MISSING-KEY", f"{path} is missing", where, "add it; see the example inventories")
    message = str(error["msg"]).removeprefix("Value error, ")
    given = (
        error["input"]
        if isinstance(error["input"], str | int | float | bool | None)
        else type(error["input"]).__name__
    )
    return Finding("SITE-VALUE", f"{path}: {message[:1].lower()}{message[1:]} (given: {given!r})", where)


def _known_keys(model: type[BaseModel], location: Sequence[int | str]) -> list[str]:
    """The keys that the model allows at a location."""
    at: Any = model
    for step in location:
        at = _inside(at, str(step))
    models = (kind for kind in _kinds(at) if _is_model(kind))
    return [field.alias or name for model in models for name, field in model.model_fields.items()]


def _inside(annotation: Any, key: str) -> Any:
    """The type of what stands under a key of such a type; None where nothing can."""
    for kind in _kinds(annotation):
        for name, field in kind.model_fields.items() if _is_model(kind) else ():
            if key == (field.alias or name):
                return field.annotation
        if get_origin(kind) is dict:
            return get_args(kind)[1]
    return None


def _kinds(annotation: Any) -> Iterator[Any]:
    """The types that a union allows, or the one type there is."""
    if get_origin(annotation) in (Union, UnionType):
        for choice in get_args(annotation):
            yield from _kinds(choice)
    else:
        yield annotation


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
