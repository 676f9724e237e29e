"""Damaged and malicious documents, in this process: each ends in elements or in a clear refusal, in bounded time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from llmflow_unstructured.elements import Element, Failed
from llmflow_unstructured.errors import BadDocument, TooLarge
from llmflow_unstructured.limits import MEBI, Limits
from llmflow_unstructured.partition import Options, partition
from support import hostile_documents
from support.reading import events

BOUNDS = Limits(
    size=64 * MEBI, unpacked=64 * MEBI, cells=200_000, members=2_000, characters=20_000_000, seconds=10.0
)
SPOILED = 60
REFUSED = {
    "ratio.zip": "times its size",
    "lying.zip": "damaged",
    "nested.zip": "3 files deep",
    "many.zip": "more files",
    "a.gz": "times its size",
    "laughs.docx": "document type",
    "quadratic.docx": "document type",
    "ratio.docx": "times its size",
    "ratio.hwp": "times its size",
    "wide.csv": "more cells",
}


def _ended(data: bytes, name: str) -> tuple[list[Element], str]:
    """What was read of a document, and why no more was."""
    found: list[Element] = []
    why = []
    try:
        for one in partition(data, name, Options(strategy="fast", pictures=True), BOUNDS):
            found += [one] if isinstance(one, Element) else []
            why += [one.why] if isinstance(one, Failed) else []
    except BadDocument as error:
        why.append(str(error))
    return found, " ".join(why)


@pytest.mark.parametrize("number", range(3))
def test_spoiled_documents_end_in_elements_or_a_refusal(number: int) -> None:
    read = 0
    for name, data in hostile_documents.spoiled(SPOILED // 3, seed=number):
        found, _ = _ended(data, name)
        read += bool(found)
        assert all(len(one.text) < 1_000_000 for one in found)
    assert read > SPOILED // 3 // 4  # most damage leaves something to read: else the tests would test nothing


@pytest.mark.parametrize("name", hostile_documents.BOMBS)
def test_bombs_are_refused_or_read_within_the_bounds(name: str) -> None:
    found, why = _ended(hostile_documents.bombs()[name], name)
    assert sum(len(one.text) + len(one.html) for one in found) <= BOUNDS.characters
    assert REFUSED.get(name, "") in why


@contextmanager
def listener() -> Iterator[tuple[str, list[str]]]:
    """A server that remembers what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.002}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


def test_what_documents_name_is_never_fetched() -> None:
    with listener() as (url, asked):
        for name, data in hostile_documents.with_addresses(url).items():
            found, why = _ended(data, name)
            assert found or "document type" in why, name
        assert asked == []


def test_limits_name_themselves_and_keep_what_was_read() -> None:
    text = ("가나다라마바사. " * 100 + "\n\n") * 100
    found = events(text.encode(), "a.txt", limits=Limits(characters=20_000))
    assert any(isinstance(one, Element) for one in found)
    assert "20,000 characters" in next(one.why for one in found if isinstance(one, Failed))
    with pytest.raises(TooLarge, match="1 MiB"):
        events(bytes(2 * MEBI), limits=Limits(size=MEBI))
    with pytest.raises(TooLarge, match="longer than 0 seconds"):
        events(text.encode(), "a.txt", limits=Limits(seconds=0.0))
