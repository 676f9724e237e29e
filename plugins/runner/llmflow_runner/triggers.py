"""The YAML files of a plugin with triggers, which start Dify's workflows when something happens elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, field_validator

from llmflow_runner.declaration import (
    CodeExtra,
    Filled,
    I18n,
    NamedSetting,
    OAuth,
    Path128,
    ProviderName,
    Short,
    Strict,
    Text,
    Value,
)

CONSTRUCTOR = "TriggerSubscriptionConstructor"  # the SDK's class that subscribes to events elsewhere


class TriggerIdentity(Strict):
    """What a provider of triggers is called, and how it looks."""

    author: Short
    name: ProviderName
    label: I18n
    description: I18n
    icon: Path128
    icon_dark: Path128 | None = None
    tags: tuple[str, ...] = ()

    @field_validator("tags")
    @classmethod
    def _none(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """The SDK knows only "webhooks" here, which the daemon does not; Dify shows the manifest's."""
        if value:
            raise ValueError(
                "must be empty: no tag is known to both the SDK and the daemon, tag the manifest"
            )
        return value


class EventParameter(Filled):
    """One parameter of an event, or of the form that subscribes to events."""

    name: Text
    label: I18n
    description: I18n | None = None
    type: Literal[
        "string", "number", "boolean", "select", "checkbox", "file", "files", "model-selector", "app-selector",
        "object", "array", "dynamic-select",
    ]  # fmt: skip
    multiple: bool = False
    default: Value | tuple[Value, ...] | None = None
    scope: str | None = None


class Constructor(Strict):
    """How a subscription is made: what is asked for it, and what it signs in with."""

    parameters: tuple[EventParameter, ...] = ()
    credentials_schema: tuple[NamedSetting, ...] = ()
    oauth_schema: OAuth | None = None
    extra: CodeExtra | None = None

    @field_validator("credentials_schema", mode="before")
    @classmethod
    def _list(cls, value: object) -> object:
        """Here, and only here, both sides read fields by name as well as a list."""
        if not isinstance(value, dict):
            return value
        return tuple(
            {"name": name, **field} if isinstance(field, dict) else field for name, field in value.items()
        )


class TriggerProvider(Strict):
    """provider/*.yaml of a plugin with triggers."""

    identity: TriggerIdentity
    subscription_schema: tuple[NamedSetting, ...] = ()
    subscription_constructor: Constructor | None = None
    events: Annotated[tuple[Path128, ...], Field(min_length=1)]
    extra: CodeExtra


class EventIdentity(Strict):
    """What an event is called."""

    author: Short
    name: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]{1,128}$")]
    label: I18n


class Event(Strict):
    """events/*.yaml."""

    identity: EventIdentity
    description: I18n
    parameters: tuple[EventParameter, ...] = ()
    output_schema: Mapping[str, Any] | None = None
    extra: CodeExtra
