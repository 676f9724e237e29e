"""The Unstructured API over the engine in this package: `POST /general/v0/general`, `/healthcheck`. No framework.

    python -m llmflow_unstructured.service --port 8000

What upstream's clients send is understood; fields that make no difference here are ignored, as upstream ignores them.
A document that was read in part is answered with what was read, and the header `llmflow-failures` says what is missing.
"""

from __future__ import annotations

import argparse
import csv
import hmac
import io
import json
import logging
import os
import re
import signal
import ssl
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePath
from typing import Any, ClassVar

from llmflow_unstructured import chunk
from llmflow_unstructured.cache import Cache
from llmflow_unstructured.chunk import Sizes
from llmflow_unstructured.engine import Document, Engine, Here
from llmflow_unstructured.errors import BadDocument
from llmflow_unstructured.limits import MEBI, Limits
from llmflow_unstructured.partition import Options
from llmflow_unstructured.protocol import DOCS, FAILURES, GENERAL, HEALTH, KEY_HEADER

PATHS = (GENERAL, "/general/v0.0.0/general")  # the older name as well
HEALTHY = {"healthcheck": "HEALTHCHECK STATUS: EVERYTHING OK!"}
STRATEGIES = {"auto": "auto", "fast": "fast", "ocr_only": "ocr", "hi_res": "auto", "vlm": "auto"}
OUTPUTS = ("application/json", "text/csv")
CHUNKINGS = ("", "none", "basic", "by_title")
COLUMNS = ("type", "element_id", "text", "filename", "filetype", "page_number", "parent_id", "text_as_html")
SILENCE = 60.0  # seconds without a byte of a request
SPARE = 64 << 10  # bytes of a body beside the documents in it
LONGEST_HEADER = 4000  # bytes of what failed

log = logging.getLogger("llmflow.unstructured")


@dataclass(frozen=True)
class Settings:
    """How the service runs."""

    host: str = "0.0.0.0"  # noqa: S104 - a container has no other address to offer
    port: int = 8000
    key: str = field(default="", repr=False)  # "" asks for none
    at_once: int = 2  # documents that are read at the same time
    waiting: int = 16  # requests that may wait for that, more are turned away
    body: int = 110 * MEBI
    certificate: str = ""
    private_key: str = ""


class Refused(Exception):
    """A request that is not answered with elements."""

    def __init__(self, status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers or {}


@dataclass(frozen=True)
class Form:
    """What a request holds: documents by name, and fields, each perhaps several times."""

    documents: Sequence[tuple[str, bytes]]
    fields: Mapping[str, Sequence[str]]

    def text(self, name: str, default: str = "") -> str:
        """The last value of a field."""
        return (self.fields.get(name) or [default])[-1].strip() or default

    def number(self, name: str, default: int) -> int:
        """A field that is a whole number; raises Refused."""
        value = self.text(name, str(default))
        if not value.isascii() or not value.isdigit() or len(value) > 9:
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, f"{name} must be a whole number")
        return int(value)

    def flag(self, name: str) -> bool:
        """A field that is true or not."""
        return self.text(name).lower() in ("true", "1", "yes", "on")

    def several(self, name: str) -> list[str]:
        """A field's values, whether sent one by one, as JSON, or joined by commas or plus signs."""
        found: list[str] = []
        for value in self.fields.get(name, ()):
            given = value.strip()
            if given.startswith("["):
                try:
                    found += [str(one) for one in json.loads(given)]
                except (ValueError, RecursionError) as error:
                    raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, f"{name} is no list") from error
            else:
                found += [one.strip() for one in given.replace("+", ",").split(",") if one.strip()]
        return found


class Service:
    """Answers requests with an engine, some at a time."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine, self.settings = engine, settings
        self._rooms = threading.BoundedSemaphore(settings.at_once)
        self._places = threading.BoundedSemaphore(settings.at_once + settings.waiting)

    def admit(self, key: str) -> None:
        """Raise Refused unless the key is the service's."""
        wanted = self.settings.key
        if wanted and not hmac.compare_digest(key.encode("utf-8", "replace"), wanted.encode()):
            raise Refused(
                HTTPStatus.UNAUTHORIZED, "API key is missing or wrong: send it as unstructured-api-key"
            )

    def answer(self, form: Form) -> tuple[str, bytes, dict[str, str]]:
        """Media type, body and headers for a request's documents; raises Refused."""
        if not form.documents:
            raise Refused(
                HTTPStatus.BAD_REQUEST, 'Request parameter "files" is required and must not be empty.'
            )
        options, output = _options(form), form.text("output_format", OUTPUTS[0])
        if output not in OUTPUTS:
            raise Refused(
                HTTPStatus.UNPROCESSABLE_ENTITY, f"output_format must be one of {', '.join(OUTPUTS)}"
            )
        sizes = _sizes(form)
        if not self._places.acquire(blocking=False):
            headers = {"Retry-After": "10"}
            raise Refused(
                HTTPStatus.SERVICE_UNAVAILABLE, "Server is under heavy load. Try again later.", headers
            )
        try:
            with self._rooms:
                documents = [self._read(data, name, options) for name, data in form.documents]
        finally:
            self._places.release()
        told = [list(_told(document, form, sizes)) for document in documents]
        failures = [(one.where, one.why) for document in documents for one in document.failures]
        headers = {FAILURES: _short(failures)} if failures else {}
        if output == OUTPUTS[1]:
            return "text/csv; charset=utf-8", _csv(told), headers
        body = told[0] if len(told) == 1 else told
        return OUTPUTS[0], json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"), headers

    def _read(self, data: bytes, name: str, options: Options) -> Document:
        document = self._engine.parse(data, name, options)
        if document.state == "failed":
            why = " ".join(one.why for one in document.failures)
            status = HTTPStatus.UNPROCESSABLE_ENTITY
            if "not taken" in why:
                status = HTTPStatus.BAD_REQUEST
            elif "larger than" in why:
                status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            raise Refused(status, f"{name}: {why}")
        return document


def _options(form: Form) -> Options:
    strategy = STRATEGIES.get(form.text("strategy", "auto").lower())
    if strategy is None:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, f"strategy must be one of {', '.join(STRATEGIES)}")
    languages = form.several("languages") or form.several("ocr_languages") or ["kor", "eng"]
    pictures = bool(form.several("extract_image_block_types"))
    tables = form.text("pdf_infer_table_structure", "true").lower() != "false"
    return Options(strategy, tuple(languages), tables=tables, pictures=pictures)  # type: ignore[arg-type]


def _sizes(form: Form) -> Sizes | None:
    """How to cut, None where it is not asked for; raises Refused."""
    kind = form.text("chunking_strategy")
    if kind not in CHUNKINGS:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "chunking_strategy must be basic or by_title")
    if kind in ("", "none"):
        return None
    most = form.number("max_characters", 500)
    wanted, least = form.number("new_after_n_chars", most), form.number("combine_under_n_chars", most)
    try:
        return Sizes(most, min(wanted, most), form.number("overlap", 0), min(least, most))
    except BadDocument as error:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error


def _told(document: Document, form: Form, sizes: Sizes | None) -> Iterator[dict[str, Any]]:
    """A document's elements, or its chunks, in the form that was asked for."""
    first = max(1, form.number("starting_page_number", 1))
    elements = document.elements
    if first > 1:
        elements = tuple(replace(one, page=one.page and one.page + first - 1) for one in elements)
    if sizes is not None:
        cut = chunk.basic if form.text("chunking_strategy") == "basic" else chunk.by_title
        chunks = cut(elements, sizes, filename=document.name)
        yield from chunk.as_json(chunks, filename=document.name, filetype=document.media)
        return
    if not form.flag("coordinates"):
        elements = tuple(replace(one, box=None) for one in elements)
    yield from replace(document, elements=elements).as_json()


def _csv(told: Sequence[Sequence[dict[str, Any]]]) -> bytes:
    target = io.StringIO()
    writer = csv.writer(target)
    writer.writerow(COLUMNS)
    for element in (one for document in told for one in document):
        flat = {**element, **element["metadata"]}
        writer.writerow([flat.get(column, "") for column in COLUMNS])
    return target.getvalue().encode("utf-8", "replace")


def _short(failures: Sequence[tuple[str, str]]) -> str:
    """What failed as ASCII for a header, without the last ones where all are too many."""
    kept = list(failures)
    while len(json.dumps(kept)) > LONGEST_HEADER and len(kept) > 1:
        kept = kept[: len(kept) // 2]
    return json.dumps(kept)


def form_of(body: bytes, content_type: str) -> Form:
    """The documents and fields of a multipart form; raises Refused."""
    boundary = _parameter(content_type, "boundary")
    if not content_type.lower().startswith("multipart/form-data") or not boundary:
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send the document as multipart/form-data.")
    documents: list[tuple[str, bytes]] = []
    fields: dict[str, list[str]] = {}
    between = re.compile(rb"\r\n--" + re.escape(boundary.encode("latin-1")) + rb"(?=--|[ \t]*\r\n)")
    for part in between.split(b"\r\n" + body)[1:]:
        if part.startswith(b"--"):
            break
        head, _, content = part.partition(b"\r\n\r\n")
        lines = head.decode("utf-8", "replace").splitlines()
        about = next((line for line in lines if line.lower().startswith("content-disposition:")), "")
        name, filename = _parameter(about, "name"), _parameter(about, "filename")
        if name.removesuffix("[]") == "files":
            documents.append((PurePath(filename).name or "document", content))
        elif name:
            fields.setdefault(name.removesuffix("[]"), []).append(content.decode("utf-8", "replace"))
    return Form(documents, fields)


def _parameter(header: str, name: str) -> str:
    """A parameter of a header, quoted or not."""
    for piece in header.split(";")[1:]:
        key, _, value = piece.strip().partition("=")
        if key.lower() == name:
            return value.strip().strip('"').replace("%22", '"')
    return ""


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    service: ClassVar[Service]
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "llmflow", ""
    timeout = SILENCE

    def do_GET(self) -> None:
        """The healthcheck, and a page that upstream's client wants to find before it splits a PDF."""
        where = self.path.partition("?")[0]
        if where == HEALTH:
            self._send(HTTPStatus.OK, "application/json", json.dumps(HEALTHY).encode(), {})
        elif where == DOCS:
            self._send(HTTPStatus.OK, "text/plain; charset=utf-8", (__doc__ or "").encode(), {})
        else:
            self._refuse(Refused(HTTPStatus.NOT_FOUND, "Not Found"))

    def do_POST(self) -> None:
        """A document to read."""
        begun = time.monotonic()
        try:
            if self.path.partition("?")[0] not in PATHS:
                raise Refused(HTTPStatus.NOT_FOUND, "Not Found")
            self.service.admit(self.headers.get(KEY_HEADER, ""))
            form = form_of(self._body(), self.headers.get("content-type", ""))
            kind, body, headers = self.service.answer(form)
        except Refused as refused:
            self._refuse(refused)
        else:
            self._send(HTTPStatus.OK, kind, body, headers)
        log.info("%s %s %.3f s", self.command, self.path.partition("?")[0], time.monotonic() - begun)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name for it
        """Say nothing: what is worth a line is logged where it happens."""

    def _body(self) -> bytes:
        told = self.headers.get("content-length", "")
        if not told.isascii() or not told.isdigit():
            raise Refused(HTTPStatus.LENGTH_REQUIRED, "Send the document with its length.")
        if int(told) > self.service.settings.body:
            raise Refused(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The request is larger than the service takes."
            )
        body = self.rfile.read(int(told))
        if len(body) != int(told):
            raise Refused(HTTPStatus.BAD_REQUEST, "The request broke off.")
        return body

    def _refuse(self, refused: Refused) -> None:
        self.close_connection = True  # what is left of the request was not read
        body = json.dumps({"detail": refused.detail}, ensure_ascii=False).encode("utf-8", "replace")
        self._send(refused.status, "application/json", body, refused.headers)

    def _send(self, status: HTTPStatus, kind: str, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """Connections in threads, documents in processes of their own."""

    daemon_threads = True

    def __init__(self, service: Service) -> None:
        settings = service.settings
        super().__init__((settings.host, settings.port), type("Handler", (_Handler,), {"service": service}))
        if settings.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(settings.certificate, settings.private_key or None)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, *_: Any) -> None:
        """Log a connection that failed without the text of anything."""
        log.warning("a connection failed: %s", sys.exc_info()[0])


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until told to end. The key comes from UNSTRUCTURED_API_KEY, which no list of processes shows."""
    parser = argparse.ArgumentParser(prog="llmflow_unstructured.service", description=__doc__)
    parser.add_argument("--host", default=Settings.host)
    parser.add_argument("--port", type=int, default=Settings.port)
    parser.add_argument("--at-once", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--waiting", type=int, default=Settings.waiting)
    parser.add_argument("--seconds", type=float, default=600.0, help="for one document")
    parser.add_argument("--memory", type=int, default=1024, help="MiB for one document")
    parser.add_argument("--file-size", type=int, default=100, help="MiB of one document")
    parser.add_argument("--cache", type=Path, help="folder for results")
    parser.add_argument("--certificate", default="", help="PEM; with it the service speaks TLS")
    parser.add_argument("--private-key", default="")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    limits = Limits(size=given.file_size * MEBI, seconds=given.seconds, memory=given.memory * MEBI)
    settings = Settings(
        given.host,
        given.port,
        os.environ.get("UNSTRUCTURED_API_KEY", ""),
        given.at_once,
        given.waiting,
        limits.size + SPARE,
        given.certificate,
        given.private_key,
    )
    engine = Engine(Here(), limits, Cache(given.cache) if given.cache else None)
    engine.reader.check()
    with Server(Service(engine, settings)) as server:
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
        log.info("listening on port %d", server.server_port)
        server.serve_forever()


if __name__ == "__main__":
    main()
