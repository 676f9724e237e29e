"""What tokens stand for, for as long as the policy says: encrypted in Dify's storage, each with its own end.

Dify's storage forgets nothing by itself and lists nothing, so each value carries the hour of its end, and pages list
what ends on a day. Whatever is written clears a page of a day that is over.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from llmflow_presidio.errors import VaultDown
from llmflow_presidio.keys import PREFIX, TOKEN_SIGNS, Keys

TOKEN = re.compile(rf"<(?P<entity>[A-Z]{{2,20}}(?:_[A-Z]{{2,20}}){{0,3}})_(?P<id>[A-Z2-7]{{{TOKEN_SIGNS}}})>")
DAY = 86_400
AT_ONCE = 100  # values that are forgotten with one write
LETTERS = "abcdefghijklmnopqrstuvwxyz234567"  # of base32: a page each
_NONCE = 12  # bytes
_WRITTEN = 10_000  # tokens that are known to be kept
_LOCK = threading.RLock()  # a page is read, then written


class Storage(Protocol):
    """Where the vault keeps things, as a plugin's session in Dify has it; `get` of what isn't there raises."""

    def get(self, key: str) -> bytes:
        """What is kept under a key."""
        ...

    def set(self, key: str, val: bytes) -> None:
        """Keep something under a key."""
        ...

    def exist(self, key: str) -> bool:
        """Whether something is kept under a key."""
        ...

    def delete(self, key: str) -> None:
        """Forget what is kept under a key."""
        ...


@dataclass
class Restored:
    """A text with its tokens turned back, and what could not be."""

    text: str = ""
    restored: int = 0
    refused: int = 0  # not for this reader
    gone: int = 0  # ended, or never kept


@dataclass(frozen=True)
class Vault:
    """A tenant's vault."""

    storage: Storage
    keys: Keys
    clock: Callable[[], float] = time.time
    whose: str = ""  # tells storages of one process apart; "" where they can't be told
    written: OrderedDict[str, float] = field(default_factory=OrderedDict)  # shared by the calls of a process

    def keep(self, tokens: Mapping[str, str], hours: int) -> None:
        """Keep values under their tokens; what is kept already is not written again until half its time is over."""
        now = self.clock()
        ends = now + hours * 3600
        fresh = {id_: value for id_, value in tokens.items() if not self._known(id_, now + hours * 1800)}
        if not fresh:
            return
        with _LOCK, _storage():
            for id_, value in fresh.items():
                self.storage.set(self.keys.storage(id_), self._sealed(id_, value, ends))
                self.written[self._mark(id_)] = ends
            self._enter([self.keys.storage(id_) for id_ in fresh], int(ends // DAY))
            self._clear(int(now // DAY))
        while len(self.written) > _WRITTEN:
            self.written.popitem(last=False)

    def restore(self, text: str, may_see: Iterable[str]) -> Restored:
        """Turn the tokens of a text back, of those kinds that the reader may see."""
        allowed, told = frozenset(may_see), Restored()

        def back(match: re.Match[str]) -> str:
            if match["entity"] not in allowed:
                told.refused += 1
                return match.group()
            value = self._fetch(match["id"])
            if value is None:
                told.gone += 1
                return match.group()
            told.restored += 1
            return value

        told.text = TOKEN.sub(back, text)
        return told

    def _known(self, id_: str, until: float) -> bool:
        """Whether this process has kept a value that lasts so long."""
        return bool(self.whose) and self.written.get(self._mark(id_), 0.0) >= until

    def _mark(self, id_: str) -> str:
        return f"{self.whose}\0{self.keys.storage(id_)}"

    def _fetch(self, id_: str) -> str | None:
        name = self.keys.storage(id_)
        with _storage():
            if not self.storage.exist(name):
                return None
            value, ends = self._opened(id_, self.storage.get(name))
            if ends <= self.clock():
                self.storage.delete(name)
                return None
            return value

    def _sealed(self, id_: str, value: str, ends: float) -> bytes:
        nonce, until = os.urandom(_NONCE), int(ends).to_bytes(8, "big")
        data = value.encode("utf-8", "surrogatepass")
        return until + nonce + AESGCM(self.keys.vault).encrypt(nonce, data, until + id_.encode())

    def _opened(self, id_: str, record: bytes) -> tuple[str | None, float]:
        until, nonce, sealed = record[:8], record[8 : 8 + _NONCE], record[8 + _NONCE :]
        try:
            data = AESGCM(self.keys.vault).decrypt(nonce, sealed, until + id_.encode())
        except (InvalidTag, ValueError):
            return None, 0.0  # of another secret, or altered
        return data.decode("utf-8", "surrogatepass"), float(int.from_bytes(until, "big"))

    def _enter(self, names: list[str], day: int) -> None:
        """List what ends on a day, by first letters, and the day."""
        for letter in sorted({name[len(PREFIX)] for name in names}):
            page = _page(day, letter)
            beginning = [name for name in names if name[len(PREFIX)] == letter]
            self._write(page, sorted({*self._read(page), *beginning}))
        days = self._read(_DAYS)
        if str(day) not in days:
            self._write(_DAYS, sorted({*days, str(day)}))

    def _clear(self, today: int) -> None:
        """Forget some of what ended on days that are over: each call a little, so that none takes long."""
        days = self._read(_DAYS)
        over = next((day for day in days if int(day) < today), None)
        if over is None:
            return
        for page in (_page(int(over), letter) for letter in LETTERS):
            if names := self._read(page):
                for name in names[:AT_ONCE]:
                    if self.storage.exist(name):
                        self.storage.delete(name)
                self._write(page, names[AT_ONCE:])
                return
        for page in (_page(int(over), letter) for letter in LETTERS):
            if self.storage.exist(page):
                self.storage.delete(page)
        self._write(_DAYS, [day for day in days if day != over])

    def _read(self, name: str) -> list[str]:
        return [str(one) for one in json.loads(self.storage.get(name))] if self.storage.exist(name) else []

    def _write(self, name: str, values: list[str]) -> None:
        self.storage.set(name, json.dumps(values).encode())


_DAYS = "vault-days"


def _page(day: int, letter: str) -> str:
    return f"vault-page-{day}-{letter}"


class _storage:  # noqa: N801 - read as a statement: with _storage()
    """What Dify's storage raises, as a fault of ours."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, VaultDown):
            raise VaultDown(f"Dify's storage failed: {type(error).__name__}.") from error
