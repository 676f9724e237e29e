"""LangGraph's checkpoints in a plain store of keys and values, so that a run that was killed goes on.

Each run has one record: its newest checkpoint, and what the tasks under way have returned since. Dify's storage has no
listing, no expiry and no compare-and-swap; so a record holds its own date of expiry, and lives in one of a fixed number
of slots chosen by the run's id. What is never resumed is written over in time, and the storage stays bounded.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)
from langgraph.types import Send

from llmflow_agent.budget import Spent
from llmflow_agent.loops import Round
from llmflow_agent.model import Call, Message
from llmflow_agent.state import Desk, Note, Step
from llmflow_agent.tools import Result
from llmflow_agent.trace import Log

VERSION = 1  # of a record; another is not read
SLOTS = 512
PROBES = 3  # slots that a run looks at for a free one
MOST_BYTES = (
    192 << 10
)  # of a record: all slots together stay below the 100 MiB that the daemon gives a plugin
LARGEST = 16 << 20  # bytes of a record unpacked
NOTHING = b"-"  # in a slot: no record
DAY = 86_400.0  # seconds
NOUNS = {noun.__name__: noun for noun in (Call, Desk, Log, Message, Note, Result, Round, Spent, Step)}
NOT_KEPT = ("__error__", "__interrupt__")  # channels of a task that failed: it runs anew


class Storage(Protocol):
    """A store of keys and values; whatever it raises means that it can't be used now."""

    def get(self, key: str) -> bytes | None:
        """What is stored, if anything."""
        ...

    def set(self, key: str, value: bytes) -> None:
        """Store."""
        ...

    def delete(self, key: str) -> None:
        """Remove, where it is there."""
        ...


class Memory:
    """A store that lives as long as its process."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        """What is stored, if anything."""
        return self.kept.get(key)

    def set(self, key: str, value: bytes) -> None:
        """Store."""
        self.kept[key] = value

    def delete(self, key: str) -> None:
        """Remove, where it is there."""
        self.kept.pop(key, None)


@dataclass
class Record:
    """The newest checkpoint of a run."""

    run: str
    about: str  # a fingerprint of what was asked: another question does not go on from here
    checkpoint: dict[str, Any]
    metadata: dict[str, Any]
    writes: list[list[Any]]  # task id, its path, channel, value

    @property
    def id(self) -> str:
        """The checkpoint's own name, which LangGraph gives it."""
        return str(self.checkpoint["items"]["id"])


class Saver(BaseCheckpointSaver[int]):
    """The checkpoints of one run. A store that fails, or a record too large, costs the resuming, not the run."""

    def __init__(
        self,
        storage: Storage,
        run: str,
        about: str,
        lifetime: float = DAY,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self._storage, self._run, self._about = storage, run, about
        self._lifetime, self._now = lifetime, now
        self._lock = threading.RLock()
        self._record: Record | None = None
        self._slot, self._written = "", False
        self.trouble = ""  # why this run can't be resumed

    def found(self) -> bool:
        """Whether there is an unfinished run of this id, about the same, that has not expired."""
        try:
            self._slot, self._record = self._look()
        except Exception as error:  # noqa: BLE001 - whatever the store raises
            self.trouble = type(error).__name__
        self._written = self._record is not None
        return self._written

    def forget(self) -> None:
        """Remove the record: the run is finished. One that can't be removed is written over, lest it be found again."""
        if not self._written:
            return
        try:
            self._storage.delete(self._slot)
        except Exception:  # noqa: BLE001 - whatever the store raises
            self._tried(lambda: self._storage.set(self._slot, NOTHING))

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The newest checkpoint; LangGraph asks for it when a run begins or goes on."""
        record = self._record
        if record is None:
            return None
        checkpoint: Any = decode(record.checkpoint)
        metadata: Any = decode(record.metadata)
        writes = [(task, channel, decode(value)) for task, _, channel, value in record.writes]
        return CheckpointTuple(self._config(config, checkpoint["id"]), checkpoint, metadata, None, writes)

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002, ARG002 - LangGraph's signature
        before: RunnableConfig | None = None,  # noqa: ARG002 - LangGraph's signature
        limit: int | None = None,  # noqa: ARG002 - LangGraph's signature
    ) -> Iterator[CheckpointTuple]:
        """The one checkpoint that is kept."""
        found = self.get_tuple(config or {})
        if found:
            yield found

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,  # noqa: ARG002 - LangGraph's signature
    ) -> RunnableConfig:
        """Keep a checkpoint in place of the one before; what its tasks returned is in it."""
        with self._lock:
            self._record = Record(
                self._run, self._about, encode(dict(checkpoint)), encode(dict(metadata)), []
            )
            self._write()
        return self._config(config, checkpoint["id"])

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Keep what a task returned: at once where others run beside it, else with the checkpoint that follows.

        LangGraph hands this over in the background and waits for none of it: on a busy machine it may come when the
        next checkpoint, which holds it already, is kept. It belongs to the one before, and is dropped.
        """
        kept = [
            [task_id, task_path, channel, encode(value)]
            for channel, value in writes
            if channel not in NOT_KEPT
        ]
        with self._lock:
            if self._record is None or not kept or self._record.id != _id(config):
                return
            self._record.writes = [one for one in self._record.writes if one[0] != task_id] + kept
            if "push" in task_path:
                self._write()

    def get_next_version(self, current: int | None, channel: None) -> int:  # noqa: ARG002 - LangGraph's signature
        """Versions are counted."""
        return (current or 0) + 1

    def _config(self, config: RunnableConfig, id_: str) -> RunnableConfig:
        thread = config.get("configurable", {}).get("thread_id", self._run)
        return {"configurable": {"thread_id": thread, "checkpoint_ns": "", "checkpoint_id": id_}}

    def _look(self) -> tuple[str, Record | None]:
        """This run's slot and record; else a free slot, or the first."""
        slots = [slot(self._run, probe) for probe in range(PROBES)]
        free = ""
        for name in slots:
            said = self._storage.get(name)
            record = unpack(said, self._now()) if said else None
            if record and record.run == self._run:
                return name, record if record.about == self._about else None
            if record is None and not free:
                free = name
        return free or slots[0], None

    def _write(self) -> None:
        if self.trouble or not self._slot or self._record is None:
            return
        packed, self._written = pack(self._record, self._now() + self._lifetime), True
        if len(packed) > MOST_BYTES:
            self.trouble = f"{len(packed) >> 10} KiB"
            self._tried(lambda: self._storage.delete(self._slot))
        else:
            self._tried(lambda: self._storage.set(self._slot, packed))

    def _tried(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - whatever the store raises
            self.trouble = self.trouble or type(error).__name__


def _id(config: RunnableConfig) -> str:
    """The checkpoint that a configuration is about."""
    return str(config.get("configurable", {}).get("checkpoint_id", ""))


def slot(run: str, probe: int) -> str:
    """Where a run's record may be."""
    digest = hashlib.sha256(f"{probe}\0{run}".encode()).digest()
    return f"run-{int.from_bytes(digest[:4]) % SLOTS}"


def pack(record: Record, expires: float) -> bytes:
    """A record as bytes."""
    held = {"version": VERSION, "expires": expires, **vars(record)}
    return zlib.compress(json.dumps(held, ensure_ascii=False, separators=(",", ":")).encode(), 1)


def unpack(said: bytes, now: float) -> Record | None:
    """A record out of bytes; None where it has expired, or was written by another version, or is none."""
    try:
        unpacker = zlib.decompressobj()
        held = json.loads(unpacker.decompress(said, LARGEST))
        if held.pop("version") != VERSION or held.pop("expires") <= now:
            return None
        return Record(**held)
    except (ValueError, KeyError, TypeError, AttributeError, zlib.error):
        return None


def encode(value: Any) -> Any:
    """A value as JSON can hold it. Raises TypeError for what is none of our nouns."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Decimal):
        return {"$": "Decimal", "value": str(value)}
    if isinstance(value, Send):
        return {"$": "Send", "node": value.node, "arg": encode(value.arg)}
    if isinstance(value, Mapping):
        return {"$": "dict", "items": {str(name): encode(one) for name, one in value.items()}}
    if isinstance(value, tuple | list | set):
        return {"$": type(value).__name__, "items": [encode(one) for one in value]}
    name = type(value).__name__
    if NOUNS.get(name) is type(value):
        return {"$": name} | {one.name: encode(getattr(value, one.name)) for one in dataclasses.fields(value)}
    raise TypeError(f"a checkpoint can't hold a {name}")


def decode(held: Any) -> Any:
    """What `encode` made a value into; only our nouns come out, whatever is stored. Raises KeyError, TypeError."""
    if not isinstance(held, dict):
        return held
    match held["$"]:
        case "Decimal":
            return Decimal(held["value"])
        case "Send":
            return Send(held["node"], decode(held["arg"]))
        case "dict":
            return {name: decode(one) for name, one in held["items"].items()}
        case "tuple" | "list" | "set" as kind:
            return {"tuple": tuple, "list": list, "set": set}[kind](map(decode, held["items"]))
        case name:
            return NOUNS[name](**{field: decode(one) for field, one in held.items() if field != "$"})
