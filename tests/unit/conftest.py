"""What every unit test gets: no network but loopback, and a reporter of its own."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from llmflow_bundle import console
from llmflow_bundle.report import Recording


@pytest.fixture(autouse=True)
def _own_reporter() -> Iterator[None]:
    """A test that closes its stderr must not close everybody's."""
    console.set_reporter(Recording())
    yield
    console.set_reporter(Recording())


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever tries to reach further fails, naming where it wanted to go."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(str(address[0])):
            raise AssertionError(f"a unit test tried to reach {address[0]}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
