"""A form's fields: all that is wrong at once, and never a secret repeated."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from llmflow_kit import connection
from llmflow_kit.connection import Server
from llmflow_kit.faults import Rejected
from llmflow_kit.settings import Form, remembered
from support import pki

LABELS = {"endpoint_url": "Server address", "api_key": "API key"}


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "empty"),
        ("vllm:8000", "http://"),
        ("ftp://vllm", "http://"),
        ("http://", "http://"),
        ("http://user:pw@vllm", "user or password"),
        ("http://vllm?x=1", "without"),
        ("http://vllm#x", "without"),
        ("http://vllm:99999", "not a URL"),
        ("http://[::1", "not a URL"),
        ("http://two words", "not a URL"),
        ("http://169.254.169.254/latest", "link-local"),
        ("http://[fe80::1]:8000", "link-local"),
    ],
)
def test_addresses_that_no_engine_has(url: str, says: str) -> None:
    form = Form({"endpoint_url": url}, LABELS)
    form.url("endpoint_url")
    with pytest.raises(Rejected, match=says) as fault:
        form.done()
    assert '"Server address"' in fault.value.text


@pytest.mark.parametrize(
    "url", ["http://vllm:8000", "https://10.0.0.7/llm/v1", "http://[::1]:8000", "http://엔진:80"]
)
def test_addresses_that_engines_have(url: str) -> None:
    form = Form({"endpoint_url": f" {url}/ "}, LABELS)
    assert form.url("endpoint_url") == url
    form.done()


def test_every_bad_field_is_named_and_no_secret_repeated() -> None:
    form = Form({"endpoint_url": "x", "api_key": "비cret", "n": "-1", "c": "maybe", "ca": "x"}, LABELS)
    form.url("endpoint_url")
    form.secrets("api_key")
    form.whole_number("n", 0, 9, default=3)
    form.choice("c", ("on", "off"), default="on")
    form.certificates("ca")
    with pytest.raises(Rejected) as fault:
        form.done()
    for name in ("Server address", "API key", '"n"', '"c"', '"ca"'):
        assert name in fault.value.text
    assert "cret" not in fault.value.text


def test_empty_fields_have_defaults() -> None:
    form = Form({"n": "", "c": None}, LABELS)
    assert form.secrets("api_key") == [""]
    assert form.certificates("ca") == ""
    assert form.whole_number("n", 1, 9, default=3) == 3
    assert form.choice("c", ("on", "off"), default="on") == "on"
    form.done()


@pytest.mark.parametrize("swallow", ["\n", "", " "])
def test_a_certificate_survives_a_one_line_input(swallow: str) -> None:
    pem, _ = pki.authority()
    form = Form({"ca": pem.replace("\n", swallow)}, LABELS)
    assert form.certificates("ca").split() == pem.split()
    form.done()


@pytest.mark.parametrize("swallow", ["\n", "", " "])
def test_a_client_certificate_survives_a_one_line_input(swallow: str, tmp_path: Path) -> None:
    pem, key = pki.authority()
    identity = pki.identity(pem, key)
    form = Form({"client": identity.replace("\n", swallow)}, LABELS)
    assert form.client_certificate("client").split() == identity.split()
    form.done()


@pytest.mark.parametrize("half", ["CERTIFICATE", "PRIVATE KEY"])
def test_a_client_certificate_needs_both_halves(half: str) -> None:
    pem, key = pki.authority()
    identity = pki.identity(pem, key).replace(half, "NOTHING")
    form = Form({"client": identity}, LABELS)
    form.client_certificate("client")
    with pytest.raises(Rejected, match="private key"):
        form.done()


@pytest.mark.parametrize(
    ("urls", "keys", "servers"),
    [
        ("http://a", "", [("http://a", "")]),
        ("http://a, http://b/v1", "k", [("http://a", "k"), ("http://b", "k")]),
        ("http://a http://b", "k,l", [("http://a", "k"), ("http://b", "l")]),
        ("http://a", "k l", [("http://a", "k"), ("http://a", "l")]),
        ("http://a\nhttp://b\n", "k\nl\n", [("http://a", "k"), ("http://b", "l")]),
    ],
)
def test_several_servers_and_keys(urls: str, keys: str, servers: list[tuple[str, str]]) -> None:
    form = Form({"endpoint_url": urls, "api_key": keys}, connection.LABELS)
    made = connection.connection(form, suffix="/v1")
    form.done()
    assert list(made.servers) == [Server(*pair) for pair in servers]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"endpoint_url": "http://a,b"}, r"\(address 2\) must start with http://"),
        ({"endpoint_url": "http://a,http://b", "api_key": "x,y,z"}, "3 keys for 2 addresses"),
        ({"endpoint_url": ",".join(f"http://a{i}" for i in range(17))}, "17 addresses, 16 are the most"),
        ({"extra_headers": "X: 1"}, "JSON object"),
        ({"extra_headers": '{"Host": "x"}'}, "no header to set"),
        ({"extra_headers": '{"X\\nY": "x"}'}, "no header to set"),
        ({"extra_headers": '{"X": "a\\nb"}'}, "one line of text"),
        ({"extra_headers": '{"X": 1}'}, "one line of text"),
        ({"proxy": "proxy:3128"}, "must start with http://"),
        ({"deadline": "-1"}, "whole number"),
    ],
)
def test_connections_that_cannot_be(fields: dict[str, str], says: str) -> None:
    form = Form({"endpoint_url": "http://a", **fields}, connection.LABELS)
    connection.connection(form)
    with pytest.raises(Rejected, match=says):
        form.done()


def test_nothing_secret_is_in_a_repr() -> None:
    fields = {
        "endpoint_url": "http://a",
        "api_key": "hush-key",
        "extra_headers": '{"X": "hush-header"}',
        "proxy": "http://hush-proxy",
    }
    form = Form(fields, connection.LABELS)
    assert "hush" not in repr(connection.connection(form))


def test_a_form_is_read_once() -> None:
    read = []

    @remembered
    def parse(credentials: Mapping[str, object]) -> int:
        read.append(credentials)
        return len(read)

    assert [parse({"a": "1"}), parse({"a": "1"}), parse({"a": "2"}), parse({"a": None})] == [1, 1, 2, 3]


def test_a_form_that_cannot_be_read_is_read_again() -> None:
    @remembered
    def parse(credentials: Mapping[str, object]) -> None:
        form = Form(credentials, LABELS)
        form.url("endpoint_url")
        form.done()

    for _ in range(2):
        with pytest.raises(Rejected, match="empty"):
            parse({})
