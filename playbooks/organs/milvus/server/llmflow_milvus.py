"""milvus-lite as a server with TLS and a password, which its own command has not; and a probe that uses it.

`python -m llmflow_milvus serve DATA` and `python -m llmflow_milvus probe`; certificate and password are files.
"""

from __future__ import annotations

import argparse
import base64
import hmac
import secrets
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
from milvus_lite.adapter.grpc.servicer import MilvusServicer
from milvus_lite.db import MilvusLite
from pymilvus import MilvusClient, MilvusException
from pymilvus.grpc_gen import milvus_pb2_grpc

USER = "root"  # Milvus's own first user
WORKERS = 10
MESSAGE = 64 << 20  # bytes of a request or an answer, as in Milvus
GRACE = 10  # seconds for what is being answered when the server ends
PROBE_TIMEOUT = 60  # seconds
VECTORS = ([1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0])


class Guard(grpc.ServerInterceptor):
    """Refuses each call that does not carry the user's password as Milvus's clients send it."""

    def __init__(self, password: str) -> None:
        self._wanted = base64.b64encode(f"{USER}:{password}".encode())
        self._refuse = grpc.unary_unary_rpc_method_handler(
            lambda _request, context: context.abort(grpc.StatusCode.UNAUTHENTICATED, "wrong user or password")
        )

    def intercept_service(self, continuation: Callable[[Any], Any], call: Any) -> Any:
        """The call's own handler, or one that refuses it."""
        given = dict(call.invocation_metadata).get("authorization", "")
        return continuation(call) if hmac.compare_digest(given.encode(), self._wanted) else self._refuse


def server_of(db: MilvusLite, address: str, tls: Path, password: str) -> grpc.Server:
    """The gRPC server at an address, not yet started; `tls` holds tls.crt and tls.key."""
    server = grpc.server(
        futures.ThreadPoolExecutor(WORKERS),
        interceptors=[Guard(password)],
        options=[("grpc.max_receive_message_length", MESSAGE), ("grpc.max_send_message_length", MESSAGE)],
    )
    milvus_pb2_grpc.add_MilvusServiceServicer_to_server(MilvusServicer(db), server)
    pair = ((tls / "tls.key").read_bytes(), (tls / "tls.crt").read_bytes())
    server.add_secure_port(address, grpc.ssl_server_credentials([pair]))
    return server


def health_of(db: MilvusLite, host: str, port: int) -> ThreadingHTTPServer:
    """An HTTP server whose `/healthz` says whether the store answers, as Milvus's own does."""

    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/healthz":
                self.send_error(404)
                return
            db.list_collections()
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"OK")

        def log_message(self, *_: Any) -> None:
            """Nothing: the kubelet asks every few seconds."""

    return ThreadingHTTPServer((host, port), Health)


def serve(options: argparse.Namespace) -> None:
    """Serve the data until SIGTERM, then finish what is being answered and close the files."""
    end = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: end.set())
    db = MilvusLite(str(options.data))
    try:
        server = server_of(db, f"{options.host}:{options.port}", options.tls, password_of(options))
        server.start()
        health = health_of(db, options.host, options.health_port)
        threading.Thread(target=health.serve_forever, daemon=True).start()
        say(f"milvus-lite listens on {options.host}:{options.port}")
        end.wait()
        server.stop(GRACE).wait()
    finally:
        db.close()


def probe(options: argparse.Namespace) -> None:
    """Make a collection, insert, search and drop it again; a wrong password must be refused."""
    try:
        connect(options, secrets.token_urlsafe()).close()
    except MilvusException:
        pass
    else:
        raise SystemExit("a wrong password is taken")
    client = connect(options, password_of(options))
    name = f"llmflow_probe_{secrets.token_hex(8)}"
    client.create_collection(name, dimension=len(VECTORS[0]), metric_type="COSINE")
    try:
        rows = [{"id": number, "vector": vector} for number, vector in enumerate(VECTORS)]
        client.insert(name, rows)
        found = client.search(name, [VECTORS[1]], limit=1, consistency_level="Strong")
        if [hit["id"] for hit in found[0]] != [1]:
            raise SystemExit(f"the nearest of three vectors is not found: {found}")
    finally:
        client.drop_collection(name)
    say("inserted, found and dropped")


def connect(options: argparse.Namespace, password: str) -> MilvusClient:
    """A client of the server, which must have a certificate of the site's authority."""
    return MilvusClient(
        f"https://localhost:{options.port}",
        token=f"{USER}:{password}",
        server_pem_path=str(options.tls / "ca.crt"),
        timeout=PROBE_TIMEOUT,
    )


def password_of(options: argparse.Namespace) -> str:
    """The password in its file; SystemExit where there is none, because an open store is none."""
    password: str = options.password_file.read_text(encoding="utf-8").strip()
    if not password:
        raise SystemExit(f"{options.password_file} is empty")
    return password


def say(line: str) -> None:
    """A line for whoever reads the pod's log."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> None:
    """`serve DATA` or `probe`."""
    parser = argparse.ArgumentParser(prog="llmflow_milvus")
    parser.add_argument("--port", type=int, default=19530)
    parser.add_argument("--tls", type=Path, default=Path("/tls"))
    parser.add_argument("--password-file", type=Path, default=Path("/secrets/password"))
    verbs = parser.add_subparsers(required=True)
    serving = verbs.add_parser("serve")
    serving.add_argument("data", type=Path)
    serving.add_argument("--host", default="0.0.0.0")  # noqa: S104 - a pod's own address
    serving.add_argument("--health-port", type=int, default=9091)
    serving.set_defaults(verb=serve)
    verbs.add_parser("probe").set_defaults(verb=probe)
    options = parser.parse_args(arguments)
    options.verb(options)


if __name__ == "__main__":
    main()
