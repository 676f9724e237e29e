"""A SQLite file that threads share: a connection each, readers beside one writer (write-ahead log).

Its schema's version is SQLite's `user_version`; migrations lead from each version to the next.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from llmflow_graphrag.errors import StoreDown
from llmflow_graphrag.stores.shared import require_known

PATIENCE = 30.0  # seconds that a writer waits for another


class Database:
    """The file at `path`, made where it is missing; `what` names its content in errors.

    Raises StoreDown where it can't be opened or used, Incompatible where it is newer than `migrations`. `durable`
    is what a power cut may take: with NORMAL the last changes, with FULL none.
    """

    def __init__(
        self, path: Path, what: str, migrations: Sequence[str], durable: Literal["NORMAL", "FULL"] = "NORMAL"
    ) -> None:
        self._path, self._what, self._durable = path, what, durable
        self._open = threading.local()
        self._all: list[sqlite3.Connection] = []
        with self._told():
            path.parent.mkdir(parents=True, exist_ok=True)
            _migrate(self._connection(), migrations)

    def close(self) -> None:
        """Close the connections of all threads."""
        for connection in self._all:
            connection.close()
        self._all.clear()
        self._open = threading.local()

    def read(self, query: str, *values: Any) -> list[Any]:
        """All rows of a query."""
        with self._told():
            return self._connection().execute(query, values).fetchall()

    @contextmanager
    def moment(self) -> Iterator[None]:
        """What this thread reads inside is of one moment."""
        with self._transaction("BEGIN"):
            yield

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, one writer at a time; within another, a part of that."""
        db = self._connection()
        if db.in_transaction:
            yield db
            return
        with self._transaction("BEGIN IMMEDIATE"):
            yield db

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        db = self._connection()
        with self._told():
            db.execute(begin)
            try:
                yield
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._open, "connection", None)
        if connection is None:
            connection = sqlite3.connect(
                self._path, timeout=PATIENCE, isolation_level=None, check_same_thread=False
            )
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {self._durable}")
            self._open.connection = connection
            self._all.append(connection)
        return connection

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreDown(f"{self._what} in {self._path} can't be used: {error}.") from error
        except OSError as error:
            raise StoreDown(f"{self._what} in {self._path} can't be opened: {error.strerror}.") from error


def _migrate(db: sqlite3.Connection, migrations: Sequence[str]) -> None:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    require_known(version, len(migrations))
    for number, script in enumerate(migrations[version:], version + 1):
        db.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {number:d}; COMMIT;")
