"""What an engine is made of, as a YAML file: stores, models, analyser, extractor. Without one, all is in one folder.

    data: ~/graphrag                     # a folder; or stores that run somewhere:
    graph: {address: bolt+s://neo4j:7687, user: neo4j, password_file: neo4j.password, ca_file: ca.pem}
    vectors: {address: https://milvus:19530, token_file: milvus.token}    # or a file of milvus-lite
    embedder: {url: https://infinity:7997, model: bge-m3, key_file: infinity.key, ca_file: ca.pem}
    language_model: {url: https://vllm:8000, model: qwen3, key_file: vllm.key}    # for `extractor: llm`
    reranker: {url: https://infinity:7997, model: bge-reranker-v2-m3}
    extractor: none                      # or llm
    analyser: auto                       # or kiwi, plain

Paths are relative to the file. Secrets are files of their own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import yaml
from llmflow_kit.connection import Connection, Server
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from llmflow_graphrag.errors import BadRequest

FOLDER = "graphrag-data"  # where nothing else is said, beside the file


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GraphAt(_Strict):
    """A Neo4j."""

    address: str
    user: str = "neo4j"
    password_file: Path
    ca_file: Path | None = None
    database: str = "neo4j"


class VectorsAt(_Strict):
    """A Milvus: http://… or https://…, or the path of a milvus-lite file."""

    address: str
    token_file: Path | None = None
    ca_file: Path | None = None
    database: str = ""


class ModelAt(_Strict):
    """A model behind OpenAI's API."""

    url: str
    model: str
    key_file: Path | None = None
    ca_file: Path | None = None
    timeout: int = Field(default=120, ge=1, le=3600)
    dimensions: int = Field(default=0, ge=0)


class Settings(_Strict):
    """The whole file."""

    data: Path
    graph: GraphAt | None = None
    vectors: VectorsAt | None = None
    embedder: ModelAt
    language_model: ModelAt | None = None
    reranker: ModelAt | None = None
    extractor: Literal["none", "llm"] = "none"
    analyser: Literal["auto", "kiwi", "plain"] = "auto"


def load(path: Path) -> Settings:
    """The settings in a file, paths made absolute. Raises BadRequest with all that is wrong."""
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadRequest(f"The settings in {path} can't be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadRequest(f"The settings in {path} are not YAML.") from error
    try:
        whole = {"data": FOLDER, **given} if isinstance(given, dict) else given
        return Settings.model_validate(_rooted(whole, path.resolve().parent))
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(p) for p in e['loc']) or 'file'}: {e['msg']}" for e in error.errors()
        )
        raise BadRequest(f"The settings in {path} can't be used: {wrong}.") from error


def secret(path: Path | None) -> str:
    """What a secret's file holds; raises BadRequest where it can't be read."""
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"The file {path} can't be read.") from error


def connection(model: ModelAt) -> Connection:
    """The way to a model."""
    server = Server(model.url.rstrip("/").removesuffix("/v1"), secret(model.key_file))
    return Connection((server,), ca=secret(model.ca_file), timeout=model.timeout)


def _rooted(given: object, root: Path) -> object:
    """The same, with each path that is relative put below the file's folder."""
    if not isinstance(given, dict):
        return given
    return {
        key: str(root / Path(value).expanduser())
        if isinstance(value, str) and _is_path(str(key), value)
        else _rooted(value, root)
        for key, value in given.items()
    }


def _is_path(name: str, value: str) -> bool:
    return name == "data" or name.endswith("_file") or (name == "address" and "://" not in value)
