"""Dify's files over HTTP: streamed, capped, asked for again where the network failed. The SDK's way does none."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing

import httpx

from llmflow_unstructured.errors import BadDocument, TooLarge

TRIES = 4
FIRST_PAUSE = 0.5  # seconds, doubled each time
TIMEOUT = httpx.Timeout(60.0, connect=10.0)
DEADLINE = 600.0  # seconds for all of a file
AGAIN = (408, 425, 429, 500, 502, 503, 504)


class Interrupted(Exception):
    """The file did not come whole; another time it may."""


def fetch(
    url: str,
    name: str,
    most: int,
    client: httpx.Client | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> bytes:
    """A file's bytes; raises BadDocument where Dify does not give it, TooLarge where it is too large."""
    if not url.startswith(("http://", "https://")):
        raise BadDocument(f'"{name}" has no address: set FILES_URL in the settings of Dify.')
    own = client or httpx.Client(timeout=TIMEOUT, follow_redirects=False, trust_env=False)
    until = time.monotonic() + DEADLINE
    try:
        for number in range(TRIES):
            try:
                return _once(own, url, name, most, until)
            except Interrupted as error:
                if number == TRIES - 1 or time.monotonic() > until:
                    raise BadDocument(f'"{name}" can\'t be fetched from Dify: {error}.') from error
                sleep(FIRST_PAUSE * 2**number)
    finally:
        if client is None:
            own.close()
    raise AssertionError("the last try returns or raises")


def _once(client: httpx.Client, url: str, name: str, most: int, until: float) -> bytes:
    pieces, size = [], 0
    try:
        request = client.build_request("GET", url, headers={"accept-encoding": "identity"})
        with closing(client.send(request, stream=True)) as response:
            if response.status_code in AGAIN:
                raise Interrupted(f"it answers {response.status_code}")
            if response.status_code != 200:
                raise BadDocument(f'"{name}" can\'t be fetched from Dify: it answers {response.status_code}.')
            for piece in response.iter_raw():
                size += len(piece)
                if size > most:
                    raise TooLarge(f'"{name}" is larger than {most >> 20} MiB.')
                if time.monotonic() > until:
                    raise Interrupted("it takes too long")
                pieces.append(piece)
            told = response.headers.get("content-length", "")
    except httpx.UnsupportedProtocol as error:
        raise BadDocument(f'"{name}" has no address: set FILES_URL in the settings of Dify.') from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Interrupted("the connection failed") from error
    if told.isdigit() and int(told) != size:
        raise Interrupted("it broke off")
    return b"".join(pieces)
