import http.client
import json
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from llmflow_bundle import oci
from llmflow_bundle.oci import Entry, ImageConfig, LayerPlan, LayerStore
from llmflow_bundle.report import Recording
from llmflow_bundle.serve import Layout, Server, server_context

REFERENCE = "registry.example.org/tools/hello:1.0"


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, oci.Image]:
    store = LayerStore(tmp_path_factory.mktemp("store"))
    plan = LayerPlan("k", lambda: [Entry.data("hello", bytes(range(256)) * 8192)])
    image = store.image(REFERENCE, [store.layer(plan, Recording())], ImageConfig(cmd=["/hello"]))
    folder = tmp_path_factory.mktemp("layout")
    oci.write_layout(folder, [image], store)
    (folder / "secret").write_text("not to be served")
    (folder / "apt").mkdir()
    (folder / "apt" / "Packages").write_text("Package: hello\n")
    (folder / "apt" / "away").symlink_to("/etc/hostname")
    return folder, image


@contextmanager
def serving(folder: Path, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    with Server(Layout(folder), ("127.0.0.1", 0), tls) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.002})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


Ask = Callable[..., tuple[int, dict[str, str], bytes]]


@pytest.fixture(scope="module")
def ask(layout: tuple[Path, oci.Image]) -> Iterator[Ask]:
    with serving(layout[0]) as port:

        def request(path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            try:
                connection.putrequest(method, path, skip_host=False)
                for name, value in headers.items():
                    connection.putheader(name, value)
                connection.endheaders()
                answer = connection.getresponse()
                return answer.status, dict(answer.getheaders()), answer.read()
            finally:
                connection.close()

        yield request


def test_the_root_answers(ask: Ask) -> None:
    status, headers, body = ask("/v2/")
    assert (status, body) == (200, b"{}")
    assert headers["Docker-Distribution-Api-Version"] == "registry/2.0"


@pytest.mark.parametrize(
    "path",
    [
        "/v2/registry.example.org/tools/hello/manifests/1.0",
        "/v2/tools/hello/manifests/1.0?ns=registry.example.org",
        "/v2/tools/hello/manifests/{digest}?ns=registry.example.org",
        "/v2/registry.example.org/tools/hello/manifests/{digest}",
        "/v2/registry.example.org/tools/hello/manifests/{digest_encoded}",
    ],
)
def test_a_manifest_is_found(ask: Ask, layout: tuple[Path, oci.Image], path: str) -> None:
    digest = layout[1].manifest.digest
    status, headers, body = ask(path.format(digest=digest, digest_encoded=digest.replace(":", "%3A")))
    assert status == 200
    assert headers["Docker-Content-Digest"] == digest
    assert headers["Content-Type"] == oci.MEDIA_MANIFEST
    assert json.loads(body)["layers"][0]["digest"] == layout[1].layers[0].blob.digest


def test_head_has_the_headers_and_no_body(ask: Ask, layout: tuple[Path, oci.Image]) -> None:
    blob = layout[1].layers[0].blob
    status, headers, body = ask(f"/v2/tools/hello/blobs/{blob.digest}", "HEAD")
    assert (status, headers["Content-Length"], body) == (200, str(blob.size), b"")


def test_tags_and_catalog(ask: Ask) -> None:
    assert json.loads(ask("/v2/tools/hello/tags/list?ns=registry.example.org")[2])["tags"] == ["1.0"]
    assert json.loads(ask("/v2/_catalog")[2]) == {"repositories": ["registry.example.org/tools/hello"]}


@pytest.mark.parametrize(
    ("wanted", "status", "first", "last"),
    [
        ("bytes=0-0", 206, 0, 1),
        ("bytes=10-19", 206, 10, 20),
        ("bytes=10-", 206, 10, None),
        ("bytes=-5", 206, -5, None),
        ("bytes=0-999999999999", 206, 0, None),
        ("bytes=-999999999999", 206, 0, None),
        ("bytes=0-1,5-6", 200, 0, None),
        ("lines=1-2", 200, 0, None),
        ("bytes=-", 200, 0, None),
    ],
)
def test_a_range_is_exact(
    ask: Ask, layout: tuple[Path, oci.Image], wanted: str, status: int, first: int, last: int | None
) -> None:
    blob = layout[1].layers[0].blob
    whole = (layout[0] / "blobs/sha256" / blob.hex).read_bytes()
    got, headers, body = ask(f"/v2/x/blobs/{blob.digest}", Range=wanted)
    assert (got, body) == (status, whole[first:last])
    if status == 206:
        assert headers["Content-Range"].endswith(f"/{len(whole)}")


@pytest.mark.parametrize("wanted", ["bytes=9999999999-", "bytes=5-4"])
def test_a_range_outside_the_blob_is_refused(ask: Ask, layout: tuple[Path, oci.Image], wanted: str) -> None:
    blob = layout[1].layers[0].blob
    status, headers, _ = ask(f"/v2/x/blobs/{blob.digest}", Range=wanted)
    assert (status, headers["Content-Range"]) == (416, f"bytes */{blob.size}")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/etc/passwd",
        "/secret",
        "/v2/tools/hello/manifests/2.0",
        "/v2/other/manifests/1.0",
        "/v2/x/manifests/sha256:" + "0" * 64,
        "/v2/x/blobs/sha256:" + "0" * 64,
        "/v2/x/blobs/sha256:" + "A" * 64,
        "/v2/x/blobs/../../../../etc/passwd",
        "/v2/x/blobs/sha256:../../secret",
        "/v2/x/blobs/%2e%2e%2f%2e%2e%2fsecret",
        "/v2/x/blobs/sha256:%00",
        "/v2/../secret/tags/list",
        "/v2//manifests/1.0",
        "/v2/" + "a/" * 450 + "manifests/1",
        "/v2/" + "a" * 5000,
        "/files/secret",
        "/files/apt/../secret",
        "/files/apt/%2e%2e/secret",
        "/files/apt/away",
        "/files/apt",
        "/files/blobs/sha256/" + "0" * 64,
    ],
)
def test_anything_else_is_not_found(ask: Ask, path: str) -> None:
    status, headers, body = ask(path)
    assert status == 404
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body)["errors"][0]["code"]


def test_packages_are_served(ask: Ask) -> None:
    assert ask("/files/apt/Packages")[2] == b"Package: hello\n"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_nothing_can_be_changed(ask: Ask, method: str) -> None:
    status, headers, _ = ask("/v2/tools/hello/blobs/uploads/", method)
    assert (status, headers["Allow"]) == (405, "GET, HEAD")


def test_a_line_without_end_is_bounded(layout: tuple[Path, oci.Image]) -> None:
    with serving(layout[0]) as port, socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n")
        assert b" 414 " in connection.recv(100)


def test_an_index_that_changes_is_read_again(layout: tuple[Path, oci.Image], tmp_path: Path) -> None:
    folder = tmp_path / "layout"
    shutil.copytree(layout[0], folder, symlinks=True)
    served = Layout(folder)
    assert served.catalog().by_ref
    oci.write_if_different(folder / "index.json", oci.index_json([]))
    assert not served.catalog().by_ref


def test_many_clients_get_the_same_bytes(layout: tuple[Path, oci.Image], ask: Ask) -> None:
    blob = layout[1].layers[0].blob
    whole = (layout[0] / "blobs/sha256" / blob.hex).read_bytes()
    with ThreadPoolExecutor(40) as pool:
        bodies = list(pool.map(lambda _: ask(f"/v2/x/blobs/{blob.digest}")[2], range(120)))
    assert all(body == whole for body in bodies)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("certificate")
    certificate, key = folder / "ca.crt", folder / "server.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=registry"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        capture_output=True,
        check=True,
    )
    return certificate, key


def test_tls_serves_ranges_too(layout: tuple[Path, oci.Image], certificate: tuple[Path, Path]) -> None:
    blob = layout[1].layers[0].blob
    whole = (layout[0] / "blobs/sha256" / blob.hex).read_bytes()
    client = ssl.create_default_context(cafile=str(certificate[0]))
    with serving(layout[0], server_context(*certificate)) as port:
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=client)
        for wanted, part in (("", whole), ("bytes=3-9", whole[3:10])):
            connection.request(
                "GET", f"/v2/x/blobs/{blob.digest}", headers={"Range": wanted} if wanted else {}
            )
            assert connection.getresponse().read() == part
        connection.close()


def test_a_client_that_does_not_speak_tls_holds_nobody_up(
    layout: tuple[Path, oci.Image], certificate: tuple[Path, Path]
) -> None:
    client = ssl.create_default_context(cafile=str(certificate[0]))
    with (
        serving(layout[0], server_context(*certificate)) as port,
        socket.create_connection(("127.0.0.1", port), 10),
    ):
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=client)
        connection.request("GET", "/v2/")
        assert connection.getresponse().status == 200
        connection.close()


@pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not installed")
def test_skopeo_pulls_over_tls(
    layout: tuple[Path, oci.Image], certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    authorities = tmp_path / "authorities"
    authorities.mkdir()
    shutil.copy(certificate[0], authorities / "ca.crt")
    with serving(layout[0], server_context(*certificate)) as port:
        source = f"docker://127.0.0.1:{port}/{REFERENCE}"
        subprocess.run(
            [
                "skopeo",
                "copy",
                "--preserve-digests",
                "--src-cert-dir",
                authorities,
                source,
                f"oci:{tmp_path}/pulled:x",
            ],
            capture_output=True,
            check=True,
        )
    pulled = json.loads((tmp_path / "pulled" / "index.json").read_text())
    assert pulled["manifests"][0]["digest"] == layout[1].manifest.digest
