"""A policy: what is done with what is found, as reviewed data, for all and for single apps and tenants.

    format: 1
    revision: "2026-11-26"
    mode: enforce                                  # or dry-run: nothing changes, the audit line tells
    message: …                                     # instead of what is blocked
    default: allow                                 # for what `entities` does not name
    entities:
      KR_RRN: block                                # an action
      PHONE_NUMBER: {action: mask, keep: 4}        # or more about it
    deny:
      - {name: projects, terms: [blue whale], action: block}
    patterns:
      - {name: employee, pattern: 'EMP-\\d{6}', near: [사번], action: mask}
    vault: {hours: 24}                             # how long tokens can be turned back
    roles: {agent: [PHONE_NUMBER, PERSON]}         # who may turn which back
    tenants: {acme: {entities: {…}}}               # what differs for a tenant,
    apps: {<app id>: {mode: dry-run}}              # and, last, for an app

A policy that is wrong is refused with everything that is wrong.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property, lru_cache
from importlib import resources
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from llmflow_presidio import scan
from llmflow_presidio.entities import ENTITIES, GENERAL
from llmflow_presidio.errors import BadPolicy, Problem
from llmflow_presidio.recognisers import deny, own
from llmflow_presidio.recognisers.rule import Recogniser

NAMES = ("standard", "strict", "observe")
LARGEST = 200_000  # signs of a policy
MOST_TERMS, LONGEST_TERM, MOST_PATTERNS = 5_000, 100, 50
MESSAGE = "이 내용은 처리할 수 없습니다. / This content can't be processed."

Action = Literal["allow", "block", "mask", "hash", "replace", "tokenise"]
Point = Literal["input", "output"]
Mode = Literal["enforce", "dry-run"]
KEYED: frozenset[str] = frozenset({"hash", "tokenise"})  # actions that need a secret


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=True)


class Treatment(_Strict):
    """What is done with one kind of finding."""

    action: Action
    keep: Annotated[int, Field(ge=0, le=16)] = 0  # letters and digits at the end that a mask leaves
    text: Annotated[str, Field(min_length=1, max_length=100)] | None = None  # what `replace` puts there
    message: Annotated[str, Field(min_length=1, max_length=1000)] | None = None  # of a block
    score: Annotated[float, Field(ge=0.5, le=1.0)] = 0.5  # how sure a finding must be
    at: Annotated[list[Point], Field(min_length=1)] = ["input", "output"]


def _safe(pattern: str) -> str:
    if why := own.problem(pattern):
        raise ValueError(why)
    return pattern


def _short(value: Any) -> Any:
    return {"action": value} if isinstance(value, str) else value


Short = Annotated[Treatment, BeforeValidator(_short)]
Term = Annotated[str, Field(min_length=2, max_length=LONGEST_TERM)]


class OwnRule(_Strict):
    """Something that only this policy looks for, and what happens where it is."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9\-]{0,63}$")]
    action: Action = "block"
    keep: Annotated[int, Field(ge=0, le=16)] = 0
    text: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    message: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    at: Annotated[list[Point], Field(min_length=1)] = ["input", "output"]

    def treatment(self) -> Treatment:
        """What is done with it."""
        return Treatment(action=self.action, keep=self.keep, text=self.text, message=self.message, at=self.at)


class DenyList(OwnRule):
    """Terms that are denied."""

    terms: Annotated[list[Term], Field(min_length=1, max_length=MOST_TERMS)]


class OwnPattern(OwnRule):
    """A pattern, and words of which one must stand before it."""

    pattern: Annotated[str, Field(min_length=2, max_length=own.LONGEST), AfterValidator(_safe)]
    near: list[Term] = []


class VaultTerms(_Strict):
    """How long what a token stands for is kept."""

    hours: Annotated[int, Field(ge=1, le=24 * 365)] = 24


class Layer(_Strict):
    """What can differ for a tenant or an app."""

    mode: Mode | None = None
    message: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    default: Short | None = None
    entities: dict[str, Short] = {}
    deny: list[DenyList] = []
    patterns: Annotated[list[OwnPattern], Field(max_length=MOST_PATTERNS)] = []


class Policy(Layer):
    """A whole policy."""

    format: Literal[1]
    revision: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\w.\-]+$")]
    language: Literal["ko", "en"] = "ko"
    vault: VaultTerms = VaultTerms()
    roles: dict[str, list[str]] = {}
    tenants: dict[str, Layer] = {}
    apps: dict[str, Layer] = {}

    def effective(self, app: str = "", tenant: str = "") -> Effective:
        """What holds for an app and a tenant: this policy, then the tenant's part, then the app's."""
        layers = [self, *filter(None, (self.tenants.get(tenant), self.apps.get(app)))]
        treatments: dict[str, Treatment] = {}
        default = Treatment(action="allow")
        mode, message = "enforce", MESSAGE
        rules: dict[str, DenyList | OwnPattern] = {}
        for layer in layers:
            default = layer.default or default
            mode, message = layer.mode or mode, layer.message or message
            treatments |= layer.entities
            rules |= {f"deny:{one.name}": one for one in layer.deny}
            rules |= {f"pattern:{one.name}": one for one in layer.patterns}
        return Effective(
            revision=self.revision,
            language=self.language,
            dry_run=mode == "dry-run",
            message=message,
            hours=self.vault.hours,
            treatments={name: treatments.get(name, default) for name in ENTITIES},
            rules=rules,
            roles={role: frozenset(ENTITIES if "*" in may else may) for role, may in self.roles.items()},
        )


@dataclass(frozen=True)
class Effective:
    """What holds for one app of one tenant."""

    revision: str
    language: Literal["ko", "en"]
    dry_run: bool
    message: str
    hours: int
    treatments: Mapping[str, Treatment]
    rules: Mapping[str, DenyList | OwnPattern]
    roles: Mapping[str, frozenset[str]]

    @cached_property
    def recognisers(self) -> tuple[Recogniser, ...]:
        """All that is looked for: the general rules and this policy's own."""
        return (*scan.recognisers(), *(_recogniser(name, one) for name, one in self.rules.items()))

    @cached_property
    def key(self) -> str:
        """What keeps remembered findings of different rules apart."""
        return hashlib.blake2b(repr(sorted(self.rules.items())).encode(), digest_size=8).hexdigest()

    @property
    def keyed(self) -> bool:
        """Whether it needs a secret."""
        used = {one.action for one in (*self.treatments.values(), *self.rules.values())}
        return bool(used & KEYED)

    def treatment(self, entity: str, rule: str) -> Treatment:
        """What is done with a finding; what only this policy looks for follows its own rule."""
        one = self.rules.get(rule)
        return one.treatment() if one else self.treatments[entity]


def _recogniser(name: str, rule: DenyList | OwnPattern) -> Recogniser:
    if isinstance(rule, DenyList):
        return deny.Denied(name, tuple(rule.terms))
    return own.Own(name, rule.pattern, tuple(rule.near))


@lru_cache(maxsize=64)
def parse(text: str) -> Policy:
    """A policy out of YAML: as it is, in one line, or in base64. Raises BadPolicy with all problems."""
    if len(text) > LARGEST:
        raise BadPolicy([Problem("", f"it has {len(text)} signs; at most {LARGEST} are read")])
    try:
        found = yaml.load(_plain(text), Loader=_Loader)  # noqa: S506 - a SafeLoader that also minds keys given twice
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise BadPolicy([Problem(where, f"it is no YAML: {error.problem}")]) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise BadPolicy([Problem("", "it is no YAML")]) from error
    if not isinstance(found, dict):
        raise BadPolicy([Problem("", "it must be a mapping that begins with `format: 1`")])
    problems: list[Problem] = []
    policy = None
    try:
        policy = Policy.model_validate(found)
    except ValidationError as error:
        problems += [
            Problem(_path(one["loc"]), _SAID.get(one["type"], one["msg"]).removeprefix("Value error, "))
            for one in error.errors(include_url=False, include_input=False)
        ]
    problems += _problems(found)
    if problems or policy is None:
        raise BadPolicy(problems)
    return policy


@lru_cache(maxsize=len(NAMES))
def named(name: str) -> Policy:
    """One of the policies that come with the plugin. Raises BadPolicy for another name."""
    if name not in NAMES:
        raise BadPolicy([Problem("", f"there is no policy {name!r}; there are {', '.join(NAMES)}")])
    return parse(
        resources.files("llmflow_presidio").joinpath(f"policies/{name}.yaml").read_text(encoding="utf-8")
    )


@lru_cache(maxsize=1024)
def effective(text: str, app: str, tenant: str) -> Effective:
    """`parse` and `Policy.effective`, remembered: what an app is asked for each second."""
    return (named(text) if text in NAMES else parse(text)).effective(app, tenant)


_SAID = {
    "string_pattern_mismatch": "it may have small letters, digits and dashes; a revision dots and capitals as well",
    "extra_forbidden": "there is no such key",
    "missing": "it is missing",
}


class _Loader(yaml.SafeLoader):
    """YAML without tags, and without a key that is given twice and silently wins."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"{key.value!r} is there twice", problem_mark=key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _plain(text: str) -> str:
    """The YAML that base64 holds, which a form's single line keeps whole."""
    packed = "".join(text.split())
    if not re.fullmatch(r"[A-Za-z0-9+/]{24,}={0,2}", packed):
        return text
    try:
        return base64.b64decode(packed, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return text


def _problems(found: Mapping[str, Any]) -> Iterator[Problem]:
    """What the form of the data does not show."""
    for where, layer in _layers(found):
        named = layer.get("entities")
        for name in named if isinstance(named, dict) else ():
            if name not in GENERAL:
                yield Problem(f"{where}entities.{name}", _unknown(name))
        yield from _twice(layer.get("deny"), f"{where}deny")
        yield from _twice(layer.get("patterns"), f"{where}patterns")
    roles = found.get("roles")
    for role, may in roles.items() if isinstance(roles, dict) else ():
        for name in may if isinstance(may, list) else ():
            if name != "*" and name not in ENTITIES:
                yield Problem(f"roles.{role}", _unknown(str(name)))


def _twice(rules: Any, where: str) -> Iterator[Problem]:
    """Rules of the same name, of which only one would hold."""
    names = [one.get("name") for one in rules if isinstance(one, dict)] if isinstance(rules, list) else []
    for name in sorted({str(name) for name in names if names.count(name) > 1}):
        yield Problem(where, f"there are two called {name}")


def _layers(found: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield "", found
    for kind in ("tenants", "apps"):
        parts = found.get(kind)
        for name, layer in parts.items() if isinstance(parts, dict) else ():
            if isinstance(layer, dict):
                yield f"{kind}.{name}.", layer


def _unknown(name: str) -> str:
    near = get_close_matches(name.upper(), GENERAL, 1)
    return f"nothing is called {name}; " + (
        f"is {near[0]} meant?" if near else f"there are {', '.join(GENERAL)}"
    )


def _path(parts: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in parts if part != "function-before[_short(), Treatment]")
