"""Vectors in Milvus: a server (2.3 to 2.6, or milvus-lite's), or milvus-lite in this process, by the address.

One collection an embedder. A row holds the key of its chunk, the key of its scope (the partition key, so that a search
touches its own workspace's part only) and its audience. The expressions are made of hex digits and nothing else.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import grpc
from pymilvus import DataType, MilvusClient, MilvusException
from typing_extensions import override

from llmflow_graphrag.errors import StoreDown
from llmflow_graphrag.keys import checked, key
from llmflow_graphrag.model import Vector
from llmflow_graphrag.scope import Scope
from llmflow_graphrag.stores import VectorRow, VectorStore
from llmflow_graphrag.stores.shared import check_asked, check_given

T = TypeVar("T")

SCHEMA = 1
ROWS = 1000  # in a request; 6 MB of 1 536 dimensions, below Milvus' 64 MB
MOST_ROWS = 16_000  # of an answer; Milvus refuses more than 16 384
SECONDS = 20.0  # of a request
SETTLED = 1000  # rows after which milvus-lite is told to index them
OLD = re.compile(
    r"v?2\.3\."
)  # its own upsert puts rows into partitions where no search for their scope looks
BATCH_OF_KEYS = 1000  # in an expression


class MilvusVectors(VectorStore):
    """A VectorStore in the collection of one embedder; it is made when the first vector comes.

    `address` is http://host:19530, https://…, or the path of a milvus-lite file. Raises StoreDown.
    """

    def __init__(
        self,
        address: str,
        embedder: str,
        dimensions: int,
        *,
        token: str = "",
        database: str = "",
        ca: Path | None = None,
    ) -> None:
        self.collection = f"llmflow_chunks_{SCHEMA}_{key('embedder', embedder, dimensions)[:12]}"
        self._dimensions = dimensions
        self._address = address
        self._ready = False
        self._lock = threading.Lock()
        trusted = {"secure": True, "server_pem_path": str(ca)} if ca else {}
        self._client = _told(
            address,
            lambda: MilvusClient(address, token=token, db_name=database, timeout=SECONDS, **trusted),
            "opened",
        )
        version = str(self._ask(self._client.get_server_version))
        self._upserts = not OLD.match(version)
        self._lite = version.startswith("milvus_lite")
        self._unsettled = 0

    @override
    def close(self) -> None:
        self._client.close()

    @override
    def upsert(self, scope: Scope, rows: Sequence[VectorRow]) -> None:
        self._make()
        check_given((row.vector for row in rows), self._dimensions)
        for start in range(0, len(rows), ROWS):
            data = [
                {"key": checked(r.key), "scope": scope.key, "document": checked(r.document),
                 "audience": checked(r.audience), "vector": list(r.vector)}
                for r in rows[start : start + ROWS]
            ]  # fmt: skip
            if self._upserts:
                self._ask(partial(self._client.upsert, self.collection, data, timeout=SECONDS))
            else:
                self.delete(scope, [row.key for row in rows[start : start + ROWS]])
                self._ask(partial(self._client.insert, self.collection, data, timeout=SECONDS))
        self._settle(len(rows))

    @override
    def delete(self, scope: Scope, keys: Sequence[str]) -> None:
        if not self._exists():
            return
        for start in range(0, len(keys), BATCH_OF_KEYS):
            part = keys[start : start + BATCH_OF_KEYS]
            if self._lite:
                part = [row["key"] for row in self._named(scope, part, ["key"])]
            if part:
                where = self._where(scope, part)
                self._ask(partial(self._client.delete, self.collection, filter=where, timeout=SECONDS))

    @override
    def search(
        self,
        scope: Scope,
        vector: Vector,
        limit: int,
        audiences: Sequence[str],
        documents: Sequence[str] | None = None,
    ) -> list[tuple[str, float]]:
        if not audiences or (documents is not None and not documents) or not self._exists():
            return []
        check_asked(vector, self._dimensions)
        where = f'scope == "{scope.key}" and audience in {_list(audiences)}'
        if documents is not None:
            where += f" and document in {_list(documents)}"
        found = self._ask(
            lambda: self._client.search(
                self.collection,
                [list(vector)],
                anns_field="vector",
                filter=where,
                limit=min(limit, MOST_ROWS),
                output_fields=["key"],
                search_params={"metric_type": "COSINE", "params": {"ef": min(max(64, limit), MOST_ROWS)}},
                timeout=SECONDS,
            )
        )
        return [(hit["key"], float(hit["distance"])) for hit in found[0]]

    @override
    def fetch(self, scope: Scope, keys: Sequence[str]) -> dict[str, Vector]:
        if not keys or not self._exists():
            return {}
        found: dict[str, Vector] = {}
        for start in range(0, len(keys), BATCH_OF_KEYS):
            rows = self._named(scope, keys[start : start + BATCH_OF_KEYS], ["key", "vector"])
            found |= {row["key"]: row["vector"] for row in rows}
        return found

    @override
    def rows(self, scope: Scope) -> Iterator[Sequence[tuple[str, str, str]]]:
        if not self._exists():
            return
        fields = ["key", "document", "audience"]
        pages = self._ask(
            lambda: self._client.query_iterator(
                self.collection, batch_size=ROWS, filter=f'scope == "{scope.key}"', output_fields=fields
            )
        )
        try:
            while part := self._told(pages.next):
                yield [(row["key"], row["document"], row["audience"]) for row in part]
        finally:
            pages.close()

    def _named(self, scope: Scope, keys: Sequence[str], fields: list[str]) -> list[dict[str, Any]]:
        """The rows of these keys that are the scope's own."""
        rows: list[dict[str, Any]] = self._ask(
            lambda: self._client.query(
                self.collection,
                filter=self._where(scope, keys),
                output_fields=[*fields, "scope"],
                limit=BATCH_OF_KEYS,
                timeout=SECONDS,
            )
        )
        return [row for row in rows if row["scope"] == scope.key]

    def _where(self, scope: Scope, keys: Sequence[str]) -> str:
        """milvus-lite finds keys at once if nothing else is asked for, and looks through every row if there is."""
        keyed = f"key in {_list(keys)}"
        return keyed if self._lite else f'scope == "{scope.key}" and {keyed}'

    def _settle(self, rows: int) -> None:
        """Let milvus-lite index what came: it searches rows without an index a hundred times as slowly."""
        self._unsettled += rows
        if self._lite and self._unsettled >= SETTLED:
            self._unsettled = 0
            self._ask(partial(self._client.flush, self.collection, timeout=SECONDS))

    def _exists(self) -> bool:
        if not self._ready:
            there = self._told(lambda: self._client.has_collection(self.collection, timeout=SECONDS))
            if there:
                self._told(self._load)
            self._ready = there
        return self._ready

    def _load(self) -> None:
        """Let the server have the collection at hand; a server that was started again may not."""
        self._client.load_collection(self.collection, timeout=SECONDS)

    def _make(self) -> None:
        with self._lock:
            if self._exists():
                return
            schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
            schema.add_field("key", DataType.VARCHAR, is_primary=True, max_length=32)
            schema.add_field("scope", DataType.VARCHAR, max_length=32, is_partition_key=True)
            schema.add_field("document", DataType.VARCHAR, max_length=32)
            schema.add_field("audience", DataType.VARCHAR, max_length=32)
            schema.add_field("vector", DataType.FLOAT_VECTOR, dim=self._dimensions)
            index = self._client.prepare_index_params()
            index.add_index(
                "vector", index_type="HNSW", metric_type="COSINE", params={"M": 16, "efConstruction": 128}
            )
            try:
                self._told(
                    lambda: self._client.create_collection(
                        self.collection,
                        schema=schema,
                        index_params=index,
                        consistency_level="Strong",
                        timeout=SECONDS,
                    )
                )
            except StoreDown:
                if not self._exists():  # nobody else made it at the same moment
                    raise

    def _ask(self, call: Callable[[], T]) -> T:
        """What the server says; where it can't say it, once more after it was told to have the collection at hand."""
        try:
            return self._told(call)
        except StoreDown:
            self._told(self._load)
            return self._told(call)

    def _told(self, call: Callable[[], T]) -> T:
        try:
            return _told(self._address, call, "used")
        except StoreDown:
            self._ready = False  # whatever was known of the collection
            raise


def _told(address: str, call: Callable[[], T], what: str) -> T:
    """Failures in words; pymilvus raises its own, and gRPC's where a call is cut off."""
    try:
        return call()
    except (MilvusException, grpc.RpcError, OSError) as error:
        said = getattr(error, "message", "") or str(error)
        raise StoreDown(f"Milvus at {address} can't be {what}: {said[:300]}") from error


def _list(keys: Sequence[str]) -> str:
    return "[" + ",".join(f'"{checked(one)}"' for one in keys) + "]"
