"""An Unstructured API as far as clients see it: it answers what a test tells it to, and remembers what it was sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from llmflow_unstructured.service import Form, form_of

Answer = tuple[int, Any, dict[str, str]]


@dataclass
class FakeApi:
    """Where it listens, and what it got."""

    url: str
    forms: list[Form] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


def texts(form: Form, number: int) -> Answer:
    """One element for each request: its first page, or the size of the document."""
    page = form.number("starting_page_number", 1)
    element = {
        "type": "NarrativeText",
        "element_id": str(number),
        "text": f"page {page}",
        "metadata": {"page_number": page, "filetype": "application/pdf"},
    }
    return 200, [element], {}


@contextmanager
def fake_unstructured(answer: Callable[[Form, int], Answer] = texts) -> Iterator[FakeApi]:
    """An API that answers as `answer` says, given the form and the number of the request."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._send(200, {"healthcheck": "HEALTHCHECK STATUS: EVERYTHING OK!"}, {})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            api.headers.append({name.lower(): value for name, value in self.headers.items()})
            api.forms.append(form_of(body, self.headers["content-type"]))
            self._send(*answer(api.forms[-1], len(api.forms)))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

        def _send(self, status: int, body: Any, headers: dict[str, str]) -> None:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"content-length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        api = FakeApi(f"http://127.0.0.1:{server.server_port}")
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.002}, daemon=True)
        thread.start()
        yield api
        server.shutdown()
        thread.join()
