"""The organs that keep data and are asked with a password, as data: what the installer needs to know to ask them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Protocol = Literal["bolt", "milvus"]


@dataclass(frozen=True)
class Store:
    """An organ that keeps data: its name, what people call it, how it is asked, the user that has the password."""

    organ: str
    title: str
    protocol: Protocol
    user: str

    @property
    def secret(self) -> str:
        """Name of its password among the site's secrets."""
        return f"{self.organ}_password"


STORES = {
    store.organ: store
    for store in (
        Store("neo4j", "Neo4j", "bolt", "neo4j"),
        Store("milvus", "Milvus", "milvus", "root"),
    )
}
