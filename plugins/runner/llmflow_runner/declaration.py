"""A plugin's YAML files as strict models: the rules of the plugin daemon's Go tags and of the SDK together.

The daemon decodes YAML without checking its own tags, and both sides ignore keys they do not know; here every
unknown key is an error, since what Dify ignores is a mistake of ours.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeVar

from llmflow_bundle.errors import BundleError, Finding
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, SequenceNode

FORM_FIELDS = 32  # the daemon's limit for remote debugging; installed packages keep it too
EXTRA = "extra_forbidden"  # pydantic's name for a key that the model has not
UUID = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"

Text = Annotated[str, StringConstraints(min_length=1, max_length=1023)]
Short = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Path128 = Annotated[str, StringConstraints(min_length=1, max_length=128)]
ProviderName = Annotated[  # Dify's API reads author/plugin/provider, and refuses capitals in it
    str, StringConstraints(pattern=r"^[a-z0-9_-]{1,128}$")
]
Tag = Literal[
    "search", "image", "videos", "weather", "finance", "design", "travel", "social", "news", "medical",
    "productivity", "education", "business", "entertainment", "utilities", "agent", "rag", "other", "trigger",
]  # fmt: skip


class Strict(BaseModel):
    """Frozen, and no keys but those declared."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class I18n(Strict):
    """A text in the languages that Dify keeps; others, Korean among them, are dropped by the daemon."""

    en_US: Text  # noqa: N815 - Dify's name
    zh_Hans: Text | None = None  # noqa: N815 - Dify's name
    ja_JP: Text | None = None  # noqa: N815 - Dify's name
    pt_BR: Text | None = None  # noqa: N815 - Dify's name


class Enabled(Strict):
    """A permission that is on or off."""

    enabled: bool


class ModelPermission(Strict):
    """Which kinds of Dify's models the plugin may call."""

    enabled: bool
    llm: bool = False
    text_embedding: bool = False
    rerank: bool = False
    tts: bool = False
    speech2text: bool = False
    moderation: bool = False


class Storage(Strict):
    """How many bytes the plugin may keep in Dify."""

    enabled: bool
    size: Annotated[int, Field(ge=1024, le=1 << 30)]


class Permission(Strict):
    """What the plugin may ask of Dify."""

    tool: Enabled | None = None
    model: ModelPermission | None = None
    node: Enabled | None = None
    endpoint: Enabled | None = None
    app: Enabled | None = None
    storage: Storage | None = None


class Resource(Strict):
    """Memory in bytes, and permissions."""

    memory: Annotated[int, Field(gt=0)]
    permission: Permission | None = None

    @property
    def storage(self) -> int:
        """How many bytes the plugin may keep in Dify."""
        kept = self.permission and self.permission.storage
        return kept.size if kept else 0

    def allows(self, what: str) -> bool:
        """Whether the plugin may use Dify's tool, node, endpoint, app or storage."""
        return bool(getattr(getattr(self.permission, what, None), "enabled", False))

    def allows_model(self, kind: str) -> bool:
        """Whether the plugin may call Dify's models of a kind, such as text_embedding."""
        model = self.permission and self.permission.model
        return bool(model and model.enabled and getattr(model, kind, False))


class Extensions(Strict):
    """Paths of the provider files, one list a kind."""

    tools: tuple[Path128, ...] = ()
    models: tuple[Path128, ...] = ()
    endpoints: tuple[Path128, ...] = ()
    agent_strategies: tuple[Path128, ...] = ()
    datasources: tuple[Path128, ...] = ()
    triggers: tuple[Path128, ...] = ()

    def kinds(self) -> dict[str, tuple[str, ...]]:
        """The kinds that are there, with their files."""
        return {kind: paths for kind, paths in self.model_dump().items() if paths}


class Runner(Strict):
    """What starts the plugin."""

    language: Literal["python"]
    version: Literal["3.12"]  # another would make the daemon look for one on the internet
    entrypoint: Literal["main"]


class Meta(Strict):
    """The package format and its runner."""

    version: Annotated[str, StringConstraints(pattern=r"^\d{1,4}(\.\d{1,4}){1,3}(-\w{1,16})?$")]
    arch: Annotated[tuple[Literal["amd64", "arm64"], ...], Field(min_length=1)]
    runner: Runner
    minimum_dify_version: Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+$")]


class Manifest(Strict):
    """manifest.yaml."""

    version: Annotated[str, StringConstraints(pattern=r"^\d{1,4}(\.\d{1,4}){1,3}(-\w{1,16})?$")]
    type: Literal["plugin"]
    author: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,64}$")]
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,128}$")]
    label: I18n
    description: I18n
    icon: Path128
    icon_dark: Path128 | None = None
    created_at: datetime
    privacy: Path128 | None = None
    repo: Annotated[str, StringConstraints(pattern=r"^https?://")] | None = None
    tags: tuple[Tag, ...] = ()
    resource: Resource
    plugins: Extensions
    meta: Meta

    @field_validator("created_at", mode="before")
    @classmethod
    def _moment(cls, value: object) -> object:
        """The daemon reads RFC 3339 with an offset; YAML may have parsed it already."""
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        if not isinstance(moment, datetime) or moment.tzinfo is None:
            raise ValueError('must be a time with its offset in quotes, like "2026-11-21T00:00:00Z"')
        return moment

    @field_validator("author")
    @classmethod
    def _no_uuid(cls, value: str) -> str:
        if re.match(UUID, value):
            raise ValueError("must not look like a UUID: the daemon keeps those for remote debugging")
        return value


class ShowOn(Strict):
    """Show a field while another has a value."""

    variable: Short
    value: Short


class Option(Strict):
    """One option of a select or radio field."""

    label: I18n
    value: Short
    show_on: Annotated[tuple[ShowOn, ...], Field(max_length=16)] = ()


class FormField(Strict):
    """One field of a model provider's form."""

    variable: Short
    label: I18n
    type: Literal["text-input", "secret-input", "select", "radio", "switch"]
    required: bool
    default: Short | None = None
    options: Annotated[tuple[Option, ...], Field(max_length=128)] = ()
    placeholder: I18n | None = None
    max_length: Annotated[int, Field(ge=0)] = 0
    show_on: Annotated[tuple[ShowOn, ...], Field(max_length=16)] = ()


FormFields = Annotated[tuple[FormField, ...], Field(max_length=FORM_FIELDS)]


class ProviderForm(Strict):
    """The form for a provider as a whole."""

    credential_form_schemas: FormFields


class NameField(Strict):
    """The form's field for the model's name."""

    label: I18n
    placeholder: I18n | None = None


class ModelForm(Strict):
    """The form for one model."""

    model: NameField
    credential_form_schemas: FormFields


class Help(Strict):
    """A link shown beside the form."""

    title: I18n
    url: I18n


class Sources(Strict):
    """The Python files of a model provider."""

    provider_source: Short
    model_sources: Annotated[tuple[Short, ...], Field(min_length=1)]


class Extra(Strict):
    """Where the code is."""

    python: Sources


ModelType = Literal["llm", "text-embedding", "rerank", "speech2text", "moderation", "tts"]


class ModelProvider(Strict):
    """provider/*.yaml of a model plugin."""

    provider: ProviderName
    label: I18n
    description: I18n | None = None
    icon_small: I18n | None = None
    icon_large: I18n | None = None
    icon_small_dark: I18n | None = None
    icon_large_dark: I18n | None = None
    background: str | None = None
    help: Help | None = None
    supported_model_types: Annotated[tuple[ModelType, ...], Field(min_length=1, max_length=16)]
    configurate_methods: Annotated[
        tuple[Literal["predefined-model", "customizable-model"], ...], Field(min_length=1, max_length=16)
    ]
    provider_credential_schema: ProviderForm | None = None
    model_credential_schema: ModelForm | None = None
    extra: Extra


SettingType = Literal[
    "secret-input", "text-input", "select", "boolean", "model-selector", "app-selector", "array[tools]"
]  # fmt: skip
ParameterType = Literal[
    "string", "number", "boolean", "select", "secret-input", "file", "files", "model-selector", "app-selector",
    "checkbox", "any", "object", "array", "dynamic-select", "date", "date-range",
]  # fmt: skip
AgentParameterType = Literal[
    "string", "number", "boolean", "select", "secret-input", "file", "files", "model-selector", "app-selector",
    "array[tools]", "any",
]  # fmt: skip
SCOPED = {  # types of fields that have a scope → the words that it is made of, joined by &
    "model-selector": {
        "llm", "text-embedding", "rerank", "tts", "speech2text", "moderation", "vision", "document", "tool-call",
    },
    "app-selector": {"all", "chat", "workflow", "completion"},
    "any": {
        "string", "number", "object", "array[number]", "array[string]", "array[object]", "array[file]",
    },
}  # fmt: skip
Value = str | int | float | bool


class Choice(Strict):
    """One option of a setting or a parameter."""

    value: Short
    label: I18n


class ParameterChoice(Choice):
    """One option of a parameter."""

    icon: Short | None = None


class Setting(Strict):
    """One field of a provider's credentials, or of an endpoint's settings."""

    type: SettingType
    required: bool = False
    multiple: bool = False
    label: I18n
    help: I18n | None = None
    placeholder: I18n | None = None
    default: Value | None = None
    options: tuple[Choice, ...] = ()
    scope: str | None = None
    url: str | None = None


class NamedSetting(Setting):
    """One field where fields are a list."""

    name: Short


class OAuth(Strict):
    """What signing in elsewhere needs: what the site's owner enters once, and what it results in."""

    client_schema: tuple[NamedSetting, ...] = ()
    credentials_schema: tuple[NamedSetting, ...] = ()


class OneSource(Strict):
    """A Python file."""

    source: Short


class CodeExtra(Strict):
    """Where the code is."""

    python: OneSource


class ProviderIdentity(Strict):
    """What a tool provider is called, and how it looks."""

    author: Short
    name: ProviderName
    label: I18n
    description: I18n
    icon: Path128
    icon_dark: Path128 | None = None
    tags: tuple[Tag, ...] = ()


class ToolProvider(Strict):
    """provider/*.yaml of a plugin with tools."""

    identity: ProviderIdentity
    credentials_for_provider: Mapping[Short, Setting] = Field(default_factory=dict)
    oauth_schema: OAuth | None = None
    tools: Annotated[tuple[Path128, ...], Field(min_length=1)]
    extra: CodeExtra


class ToolIdentity(Strict):
    """What a tool is called."""

    author: Short
    name: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]{1,128}$")]
    label: I18n
    icon: Path128 | None = None


class ToolDescription(Strict):
    """What a tool does, for people and for language models."""

    human: I18n
    llm: Text


class Template(Strict):
    """Whether a text may hold the workflow's variables."""

    enabled: bool


class AutoGenerate(Strict):
    """What Dify writes into a field on demand."""

    type: Literal["prompt_instruction"]


class Filled(Strict):
    """What every kind of parameter says of how it is filled in; what it may be by itself differs."""

    required: bool = False
    min: float | int | None = None
    max: float | int | None = None
    precision: Annotated[int, Field(ge=0)] | None = None
    options: tuple[ParameterChoice, ...] = ()
    template: Template | None = None
    auto_generate: AutoGenerate | None = None


class Parameter(Filled):
    """One parameter of a tool; a language model fills in those of the form "llm"."""

    name: Short
    label: I18n
    human_description: I18n
    llm_description: Text | None = None
    type: ParameterType
    form: Literal["schema", "form", "llm"]
    multiple: bool = False
    default: Value | None = None
    scope: str | None = None
    placeholder: I18n | None = None
    input_schema: Mapping[str, Any] | None = None


class Tool(Strict):
    """tools/*.yaml."""

    identity: ToolIdentity
    description: ToolDescription
    parameters: tuple[Parameter, ...] = ()
    output_schema: Mapping[str, Any] | None = None
    extra: CodeExtra


class AgentProvider(Strict):
    """provider/*.yaml of a plugin with agent strategies; the SDK reads no class of it, so code is its own choice."""

    identity: ProviderIdentity
    strategies: Annotated[tuple[Path128, ...], Field(min_length=1)]
    extra: CodeExtra | None = None


class AgentParameter(Filled):
    """One parameter of an agent strategy: whoever builds the app fills it in."""

    name: Short
    label: I18n
    help: I18n | None = None
    type: AgentParameterType
    default: Value | None = None
    scope: str | None = None


class AgentStrategy(Strict):
    """strategies/*.yaml."""

    identity: ToolIdentity
    description: I18n
    parameters: tuple[AgentParameter, ...] = ()
    features: tuple[Literal["history-messages"], ...] = ()
    output_schema: Mapping[str, Any] | None = None
    extra: CodeExtra


class EndpointGroup(Strict):
    """group/*.yaml."""

    settings: tuple[NamedSetting, ...] = ()
    endpoints: Annotated[tuple[Path128, ...], Field(min_length=1)]


class Endpoint(Strict):
    """endpoints/*.yaml."""

    path: Annotated[str, StringConstraints(pattern=r"^/")]
    method: Literal["HEAD", "GET", "POST", "PUT", "DELETE", "OPTIONS"]
    hidden: bool = False
    extra: CodeExtra


M = TypeVar("M", bound=Strict)


class Unfit(Exception):
    """A file that does not follow its model; holds the findings."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__(f"{len(findings)} findings")
        self.findings = findings


@dataclass(frozen=True)
class Place:
    """A place in a YAML file of a package: what the keys and indexes of `at` lead to, as far as they lead."""

    files: Mapping[str, bytes]
    path: str
    at: tuple[str | int, ...] = ()

    def below(self, *steps: str | int) -> Place:
        """The place that more steps lead to."""
        return Place(self.files, self.path, (*self.at, *steps))

    def wrong(self, what: str, hint: str = "") -> Finding:
        """A finding about this place."""
        return Finding("PLUGIN-DECLARATION", what, where=str(self), hint=hint)

    def __str__(self) -> str:
        """`file:line`."""
        try:
            node = YAML(typ="safe", pure=True).compose(io.BytesIO(self.files.get(self.path, b"")))
        except YAMLError:
            return self.path
        line = 1
        for step in self.at:
            found = _below(node, step)
            if found is None:
                break
            key, node = found
            line = key.start_mark.line + 1
        return f"{self.path}:{line}"


def load(files: Mapping[str, bytes], name: str, model: type[M]) -> M:
    """A YAML file of the package as `model`; raises Unfit with everything that is wrong in it."""
    if name not in files:
        raise Unfit([Finding("PLUGIN-FILE-MISSING", f"{name} is named but not in the package", where=name)])
    try:
        return model.model_validate(_tuples(_read(files[name])))
    except YAMLError as exc:
        problem = str(getattr(exc, "problem", "") or "unreadable")
        mark = getattr(exc, "problem_mark", None)
        at = f"{name}:{mark.line + 1}" if mark else name
        raise Unfit([Finding("PLUGIN-DECLARATION", f"{name} is not YAML: {problem}", where=at)]) from exc
    except ValidationError as exc:
        raise Unfit([_finding(files, name, error) for error in exc.errors()]) from exc


def plain(files: Mapping[str, bytes], name: str) -> object:
    """What a YAML file holds; None where it is not YAML, which `load` says."""
    try:
        return _read(files[name])
    except YAMLError:
        return None


def manifest(files: Mapping[str, bytes]) -> Manifest:
    """The manifest; raises BundleError (PLUGIN-DECLARATION) with everything that is wrong in it."""
    try:
        return load(files, "manifest.yaml", Manifest)
    except Unfit as exc:
        raise BundleError(
            "PLUGIN-DECLARATION", "manifest.yaml cannot be used", findings=exc.findings
        ) from exc


@lru_cache(maxsize=256)
def _read(content: bytes) -> object:
    """What YAML holds, to be looked at and not changed: several rules look at each file."""
    return YAML(typ="safe", pure=True).load(io.BytesIO(content))


def _finding(files: Mapping[str, bytes], name: str, error: Any) -> Finding:
    at = ".".join(map(str, error["loc"]))
    hint = "Dify leaves out what it does not know: take the key out" if error["type"] == EXTRA else ""
    return Place(files, name, error["loc"]).wrong(f"{name}: {at}: {error['msg']}", hint)


def _below(node: Any, step: str | int) -> tuple[Any, Any] | None:
    """The node that says where `step` begins, and the one that it leads to."""
    if isinstance(node, MappingNode):
        return next(((key, value) for key, value in node.value if key.value == str(step)), None)
    if isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    return None


def _tuples(value: object) -> object:
    """YAML's lists as the tuples that strict, frozen models hold."""
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    if isinstance(value, list):
        return tuple(_tuples(item) for item in value)
    return value
