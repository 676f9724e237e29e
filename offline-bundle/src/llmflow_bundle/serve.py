"""A read-only container registry over an OCI image layout: one file, standard library, Python 3.9 or later.

    python3 serve.py --layout DIR --listen 0.0.0.0:5000 [--cert FILE --key FILE]

It answers GET and HEAD of the OCI distribution API, straight from the layout's blobs: nothing is imported,
copied or unpacked before the first image can be pulled. Images are found by their full reference
(`/v2/registry.k8s.io/pause/manifests/3.10`) and in containerd's mirror form
(`/v2/pause/manifests/3.10?ns=registry.k8s.io`), so that references stay those of upstream. `index.json` is
read again when it changes.

Beside the images it serves the bundle's host packages and programs, `/files/apt/…` and `/files/bin/…`, to
hosts that verify what they get: apt by the repository's signature, programs by the digest in the signed root.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import socket
import ssl
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from stat import S_ISREG
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
REF_NAME = "org.opencontainers.image.ref.name"
MANIFEST_LIMIT = 4 << 20  # bytes, the distribution API's own
CHUNK = 256 << 10  # bytes per TLS write; plain connections use sendfile
IDLE_SECONDS = 60.0
CLIENTS = 512  # connections at a time; further ones wait in the kernel's queue

_NAME = r"[a-z0-9]+(?:[._:-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*"
_MANIFESTS = re.compile(
    rf"/v2/(?P<name>{_NAME})/manifests/(?P<reference>[A-Za-z0-9_][A-Za-z0-9._:-]{{0,127}})"
)
_BLOBS = re.compile(rf"/v2/(?P<name>{_NAME})/blobs/sha256:(?P<hex>[0-9a-f]{{64}})")
_TAGS = re.compile(rf"/v2/(?P<name>{_NAME})/tags/list")
_FILES = re.compile(
    r"/files/(?P<path>(?:apt|bin)(?:/[A-Za-z0-9_+~][A-Za-z0-9._+~:%-]*)+)"
)  # no segment begins with a dot
_RANGE = re.compile(r"bytes=(?P<first>\d{0,18})-(?P<last>\d{0,18})")
_PATH_LIMIT = 1024  # bytes; names are at most 255, digests 71


class Manifest(NamedTuple):
    """A manifest as its descriptor gives it."""

    digest: str
    media_type: str
    size: int


class Catalog(NamedTuple):
    """What an index names: full reference → manifest, and digest → manifest (nested indexes included)."""

    by_ref: dict[str, Manifest]
    by_digest: dict[str, Manifest]


class NotFound(Exception):
    """The registry does not hold what was asked for; `code` is the distribution API's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Layout:
    """An OCI image layout on disk, its index kept in memory until the file changes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] = (0, 0, 0)
        self._catalog = Catalog({}, {})

    def catalog(self) -> Catalog:
        """The index as it is now."""
        path = self.folder / "index.json"
        stat = path.stat()
        seen = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
        with self._lock:
            if seen != self._seen:
                self._catalog, self._seen = self._read(json.loads(path.read_bytes())), seen
            return self._catalog

    def manifest(self, name: str, reference: str, namespace: str) -> Manifest:
        """The manifest of a repository's tag or digest; NotFound."""
        catalog = self.catalog()
        if reference.startswith("sha256:"):
            found = catalog.by_digest.get(reference)
        else:
            found = catalog.by_ref.get(f"{namespace}/{name}:{reference}") if namespace else None
            found = found or catalog.by_ref.get(f"{name}:{reference}")
        if found is None:
            raise NotFound("MANIFEST_UNKNOWN", f"{name}:{reference} is not in this registry")
        return found

    def tags(self, name: str, namespace: str) -> list[str]:
        """The repository's tags, sorted; NotFound."""
        names = {f"{namespace}/{name}" if namespace else name, name}
        split = (ref.rpartition(":") for ref in self.catalog().by_ref)
        tags = sorted(tag for repository, _, tag in split if repository in names)
        if not tags:
            raise NotFound("NAME_UNKNOWN", f"{name} is not in this registry")
        return tags

    def open_blob(self, hex_digest: str) -> tuple[BinaryIO, int]:
        """A blob's content and size; NotFound."""
        try:
            return self._open(f"blobs/sha256/{hex_digest}")
        except OSError as error:
            raise NotFound("BLOB_UNKNOWN", f"sha256:{hex_digest} is not in this registry") from error

    def open_file(self, path: str) -> tuple[BinaryIO, int]:
        """A file below apt/ or bin/ and its size; NotFound."""
        try:
            return self._open(path)
        except OSError as error:
            raise NotFound("NAME_UNKNOWN", "no such file") from error

    def _open(self, path: str) -> tuple[BinaryIO, int]:
        descriptor = os.open(self.folder / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        stat = os.fstat(descriptor)
        if not S_ISREG(stat.st_mode):
            os.close(descriptor)
            raise FileNotFoundError(path)
        return os.fdopen(descriptor, "rb"), stat.st_size

    def _read(self, index: Any) -> Catalog:
        catalog = Catalog({}, {})
        for descriptor in index["manifests"]:
            manifest = self._remember(descriptor, catalog)
            if ref := descriptor.get("annotations", {}).get(REF_NAME):
                catalog.by_ref[ref] = manifest
        return catalog

    def _remember(self, descriptor: Any, catalog: Catalog) -> Manifest:
        manifest = Manifest(descriptor["digest"], descriptor["mediaType"], descriptor["size"])
        if manifest.digest not in catalog.by_digest:
            catalog.by_digest[manifest.digest] = manifest
            if manifest.media_type == INDEX:
                blob, _ = self.open_blob(manifest.digest.partition(":")[2])
                with blob:
                    nested = json.loads(blob.read(MANIFEST_LIMIT))
                for child in nested["manifests"]:
                    self._remember(child, catalog)
        return manifest


class Handler(BaseHTTPRequestHandler):
    """Answers one connection's requests."""

    protocol_version = "HTTP/1.1"
    server_version = "llmflow"
    sys_version = ""
    timeout = IDLE_SECONDS
    server: Server

    def do_GET(self) -> None:
        """Answer with headers and body."""
        self._answer()

    def do_HEAD(self) -> None:
        """Answer with headers alone."""
        self._answer()

    def _refuse(self) -> None:
        # The body that came with it is not read, so the connection can't be used again.
        self.close_connection = True
        self._fail(
            HTTPStatus.METHOD_NOT_ALLOWED, "UNSUPPORTED", "this registry is read-only", {"Allow": "GET, HEAD"}
        )

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _refuse  # noqa: N815 - names that http.server looks up

    def _answer(self) -> None:
        try:
            self._route()
        except NotFound as error:
            self._fail(HTTPStatus.NOT_FOUND, error.code, str(error))
        except (OSError, ValueError, KeyError) as error:
            # The client left, or the layout is being replaced: after half an answer there is nothing to add.
            self.close_connection = True
            self.log_error("%s: %s", type(error).__name__, error)

    def _route(self) -> None:
        if len(self.path) > _PATH_LIMIT:
            raise NotFound("NAME_INVALID", "no such name")
        url = urlsplit(self.path)
        path = unquote(url.path)
        namespace = parse_qs(url.query, max_num_fields=8).get("ns", [""])[0]
        if path in ("/v2", "/v2/"):
            self._json(HTTPStatus.OK, {})
        elif path == "/v2/_catalog":
            refs = self.server.layout.catalog().by_ref
            self._json(HTTPStatus.OK, {"repositories": sorted({ref.rpartition(":")[0] for ref in refs})})
        elif match := _TAGS.fullmatch(path):
            name = match["name"]
            self._json(HTTPStatus.OK, {"name": name, "tags": self.server.layout.tags(name, namespace)})
        elif match := _MANIFESTS.fullmatch(path):
            found = self.server.layout.manifest(match["name"], match["reference"], namespace)
            self._file(found.digest, found.media_type)
        elif match := _BLOBS.fullmatch(path):
            self._file(f"sha256:{match['hex']}", "application/octet-stream")
        elif match := _FILES.fullmatch(path):
            self._body(*self.server.layout.open_file(match["path"]), "application/octet-stream", {})
        else:
            raise NotFound("NAME_UNKNOWN", "no such path")

    def _file(self, digest: str, media_type: str) -> None:
        blob, size = self.server.layout.open_blob(digest.partition(":")[2])
        self._body(blob, size, media_type, {"Docker-Content-Digest": digest, "ETag": f'"{digest}"'})

    def _body(self, blob: BinaryIO, size: int, media_type: str, headers: dict[str, str]) -> None:
        with blob:
            try:
                part = _part(self.headers.get("Range"), size)
            except ValueError:
                self._fail(
                    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
                    "RANGE_INVALID",
                    f"the blob has {size} bytes",
                    {"Content-Range": f"bytes */{size}"},
                )
                return
            first, count = part or (0, size)
            self.send_response(HTTPStatus.PARTIAL_CONTENT if part else HTTPStatus.OK)
            if part:
                self.send_header("Content-Range", f"bytes {first}-{first + count - 1}/{size}")
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(count))
            self.send_header("Accept-Ranges", "bytes")
            for name, text in headers.items():
                self.send_header(name, text)
            self.end_headers()
            if self.command != "HEAD" and count:
                self._send(blob, first, count)

    def _send(self, blob: BinaryIO, first: int, count: int) -> None:
        if not isinstance(self.connection, ssl.SSLSocket):
            self.connection.sendfile(blob, first, count)
            return
        blob.seek(first)
        while count > 0 and (chunk := blob.read(min(CHUNK, count))):
            self.connection.sendall(chunk)
            count -= len(chunk)

    def _json(self, status: HTTPStatus, value: Any, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _fail(
        self, status: HTTPStatus, code: str, message: str, headers: dict[str, str] | None = None
    ) -> None:
        self._json(status, {"errors": [{"code": code, "message": message}]}, headers)

    def end_headers(self) -> None:
        """Add what each answer carries."""
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        super().end_headers()

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        """Log refusals only: one line per blob of every node says nothing."""
        if isinstance(code, HTTPStatus) and code >= HTTPStatus.BAD_REQUEST:
            super().log_request(code, size)


class Server(ThreadingHTTPServer):
    """A threaded server over a layout, with a bound on the connections it serves at a time."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, layout: Layout, address: tuple[str, int], tls: ssl.SSLContext | None = None) -> None:
        self.layout, self._tls = layout, tls
        self._slots = threading.BoundedSemaphore(CLIENTS)
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, Handler)

    def get_request(self) -> tuple[Any, Any]:
        """Accept a connection; its TLS handshake waits for the connection's own thread."""
        connection, address = super().get_request()
        connection.settimeout(IDLE_SECONDS)
        if self._tls is not None:
            connection = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread, once there is a slot for it."""
        self._slots.acquire()
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._slots.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection and free its slot."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base class's signature
        """One line, no traceback: a client that breaks off or fails its handshake is no fault of ours."""
        error = sys.exc_info()[1]
        sys.stderr.write(f"{client_address[0]} {type(error).__name__}: {error}\n")


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.2 or later with the given certificate chain and key (PEM)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context


def _part(header: str | None, size: int) -> tuple[int, int] | None:
    """First byte and count that a Range header asks for, None for the whole; ValueError outside the blob."""
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or not (match["first"] or match["last"]):
        return None
    if match["first"]:
        first = int(match["first"])
        last = min(int(match["last"]), size - 1) if match["last"] else size - 1
    else:
        first, last = max(0, size - int(match["last"])), size - 1
    if first > last:
        raise ValueError("range outside the blob")
    return first, last - first + 1


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104 - `:5000` means every address, as everywhere


def main(arguments: list[str] | None = None) -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description="Read-only container registry over an OCI image layout.")
    parser.add_argument(
        "--layout", type=Path, required=True, metavar="DIR", help="folder with index.json and blobs/"
    )
    parser.add_argument(
        "--listen",
        type=_address,
        default="127.0.0.1:5000",
        metavar="ADDRESS:PORT",
        help="port 0 takes a free one",
    )
    parser.add_argument(
        "--cert", type=Path, metavar="FILE", help="certificate chain (PEM); without it, plain HTTP"
    )
    parser.add_argument("--key", type=Path, metavar="FILE", help="the certificate's key (PEM)")
    chosen = parser.parse_args(arguments)
    if (chosen.cert is None) != (chosen.key is None):
        parser.error("--cert and --key go together")
    layout = Layout(chosen.layout)
    count = len(layout.catalog().by_ref)
    tls = server_context(chosen.cert, chosen.key) if chosen.cert else None
    with Server(layout, chosen.listen, tls) as server:
        host, port = server.socket.getsockname()[:2]
        sys.stderr.write(f"serving {count} images on {'https' if tls else 'http'}://{host}:{port}\n")
        sys.stderr.flush()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            sys.stderr.write("stopped\n")


if __name__ == "__main__":
    main()
