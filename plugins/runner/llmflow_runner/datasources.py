"""The YAML files of a plugin with datasources, where Dify's knowledge pipelines get documents from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

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

BASES = {  # what a provider offers → the SDK's class of each of its datasources
    "website_crawl": "WebsiteCrawlDatasource",
    "online_document": "OnlineDocumentDatasource",
    "online_drive": "OnlineDriveDatasource",
}
Tag = Literal[  # those of a plugin that the SDK knows of a datasource
    "search", "image", "videos", "weather", "finance", "design", "travel", "social", "news", "medical",
    "productivity", "education", "business", "entertainment", "utilities", "other",
]  # fmt: skip


class DatasourceProviderIdentity(Strict):
    """What a provider of datasources is called, and how it looks; it has no icon for the dark."""

    author: Short
    name: ProviderName
    label: I18n
    description: I18n
    icon: Path128
    tags: tuple[Tag, ...] = ()


class DatasourceProvider(Strict):
    """provider/*.yaml of a plugin with datasources; its credentials are a list, since the SDK reads nothing else."""

    identity: DatasourceProviderIdentity
    provider_type: Literal["website_crawl", "online_document", "online_drive"]
    credentials_schema: tuple[NamedSetting, ...] = ()
    oauth_schema: OAuth | None = None
    datasources: Annotated[tuple[Path128, ...], Field(min_length=1)]
    extra: CodeExtra


class DatasourceIdentity(Strict):
    """What a datasource is called."""

    author: Short
    name: Short
    label: I18n
    icon: Path128 | None = None


class DatasourceParameter(Filled):
    """One parameter of a datasource; the daemon takes no scope, and passes no placeholder on."""

    name: Text
    label: I18n
    description: I18n
    type: Literal["string", "number", "boolean", "select", "secret-input"]
    default: Value | None = None


class Datasource(Strict):
    """datasources/*.yaml."""

    identity: DatasourceIdentity
    description: I18n
    parameters: tuple[DatasourceParameter, ...]  # none at all is [], which the daemon wants to be said
    output_schema: Mapping[str, Any] = Field(default_factory=dict)
    extra: CodeExtra
