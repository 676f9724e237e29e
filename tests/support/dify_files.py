"""Dify's files as a plugin sees them: fetched by address, and taken in from it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

BROKEN = 0  # a status: the answer breaks off in the middle


@dataclass
class DifyFiles:
    """Where the files are, which were asked for, and which were handed in."""

    url: str = ""
    held: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    taken: list[bytes] = field(default_factory=list)

    def file(self, path: str, name: str | None) -> dict[str, Any]:
        """A file as it stands in a tool's parameters."""
        return {
            "dify_model_identity": "__dify__file__",
            "url": self.url + path,
            "filename": name,
            "type": "document",
            "mime_type": "application/octet-stream",
        }

    def __call__(self, invocation: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """What Dify would answer to one invocation: where to upload a file."""
        if invocation["type"] != "upload_file":
            raise LookupError(f"no {invocation['type']} of Dify's")
        yield {"url": f"{self.url}/upload"}


@contextmanager
def dify_files(
    held: dict[str, bytes], status: Callable[[str, int], int] = lambda *_: 200
) -> Iterator[DifyFiles]:
    """Dify's file server; `status` says how the n-th request for a path is answered."""
    files = DifyFiles(held=held)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            files.asked.append(self.path)
            code = status(self.path, files.asked.count(self.path))
            content = files.held.get(self.path, b"")
            self._send(code or 200, len(content), content if code else content[: len(content) // 2])

        def do_POST(self) -> None:
            files.taken.append(self.rfile.read(int(self.headers["content-length"])))
            number = len(files.taken)
            told = {"id": str(number), "name": "a", "size": 1, "extension": "png", "mime_type": "image/png"}
            content = json.dumps({**told, "preview_url": f"http://dify/{number}"}).encode()
            self._send(201, len(content), content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

        def _send(self, code: int, length: int, content: bytes) -> None:
            self.send_response(code)
            self.send_header("content-length", str(length))
            self.send_header("location", "/elsewhere")
            self.end_headers()
            self.wfile.write(content)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        files.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.002}, daemon=True)
        thread.start()
        yield files
        server.shutdown()
        thread.join()
