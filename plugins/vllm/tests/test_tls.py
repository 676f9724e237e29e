"""Over HTTPS: the CA of the form and nothing else, and words that name the field otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from llmflow_kit.faults import Unreachable
from llmflow_vllm import settings, stream
from llmflow_vllm.client import Vllm
from support import pki
from support.fake_vllm import ANSWER, KEY, MODEL, FakeVllm, fake_vllm

CA, CA_KEY = pki.authority()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FakeVllm]:
    with fake_vllm(tls=pki.server(tmp_path, CA_KEY)) as running:
        yield running


def names(form: dict[str, str]) -> list[str]:
    client = Vllm(settings.parse({"api_key": KEY, **form}))
    try:
        return [served.name for served in client.discovery.served()]
    finally:
        client.close()


@pytest.mark.parametrize("swallowed", ["\n", " ", ""])
def test_the_own_ca_is_trusted(server: FakeVllm, swallowed: str) -> None:
    form = {"endpoint_url": server.url, "ca_certificate": CA.replace("\n", swallowed)}
    assert names(form) == [MODEL]


def test_a_stream_is_read_whole(server: FakeVllm) -> None:
    client = Vllm(settings.parse({"endpoint_url": server.url, "api_key": KEY, "ca_certificate": CA}))
    request = {"model": MODEL, "messages": [{"role": "user", "content": "안녕"}]}
    assert stream.whole(client.pieces(request)).text == ANSWER
    client.close()


@pytest.mark.parametrize("ca", ["", pki.authority()[0]])
def test_no_other_is(server: FakeVllm, ca: str) -> None:
    with pytest.raises(Unreachable, match="certificate is not trusted") as fault:
        names({"endpoint_url": server.url, "ca_certificate": ca})
    assert fault.value.field == "ca_certificate"


def test_a_name_that_the_certificate_lacks(server: FakeVllm) -> None:
    with pytest.raises(Unreachable, match="not trusted"):
        names({"endpoint_url": server.url.replace("127.0.0.1", "localhost"), "ca_certificate": CA})


def test_a_server_without_tls() -> None:
    with fake_vllm() as plain, pytest.raises(Unreachable, match="does not speak TLS") as fault:
        names({"endpoint_url": plain.url.replace("http:", "https:"), "ca_certificate": CA})
    assert fault.value.field == "endpoint_url"


def test_a_server_that_asks_clients_for_a_certificate(tmp_path: Path) -> None:
    client_ca, client_key = pki.authority()
    with fake_vllm(tls=pki.server(tmp_path, CA_KEY, clients=client_ca)) as asking:
        form = {"endpoint_url": asking.url, "ca_certificate": CA}
        assert names({**form, "client_certificate": pki.identity(client_ca, client_key)}) == [MODEL]
        with pytest.raises(Unreachable):
            names(form)
