"""A form's fields: all that is wrong at once, and never a secret repeated."""

from __future__ import annotations

import pytest
from llmflow_kit.faults import Rejected
from llmflow_kit.settings import Form
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
    form = Form({"endpoint_url": "x", "api_key": "se cret", "n": "-1", "c": "maybe", "ca": "x"}, LABELS)
    form.url("endpoint_url")
    form.secret("api_key")
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
    assert form.secret("api_key") == ""
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
