"""How a plugin reaches its engine: the fields that every plugin's form has in common, as one frozen object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import cycle, islice

from llmflow_kit import faults
from llmflow_kit.settings import Form

LABELS: Mapping[str, str] = {  # as in each plugin's provider file; a test compares them
    faults.ENDPOINT: "Server address / 서버 주소",
    faults.KEY: "API key / API 키",
    faults.CA: "CA certificate (PEM) / CA 인증서 (PEM)",
    faults.CLIENT_CERTIFICATE: "Client certificate and key (PEM) / 클라이언트 인증서와 키 (PEM)",
    faults.PROXY: "Proxy / 프록시",
    "extra_headers": "Extra headers (JSON) / 추가 헤더 (JSON)",
    "timeout": "Timeout in seconds / 제한 시간 (초)",
    "deadline": "Deadline in seconds / 전체 제한 시간 (초)",
}
MOST_SERVERS = 16


@dataclass(frozen=True)
class Server:
    """One server of an engine, or one key of it."""

    url: str  # without trailing slash
    key: str = field(default="", repr=False)


@dataclass(frozen=True)
class Connection:
    """Equivalent servers, and the way to them."""

    servers: tuple[Server, ...]
    ca: str = field(default="", repr=False)  # PEM text; "" trusts the public CAs
    client_certificate: str = field(default="", repr=False)  # PEM text of certificates and key; "" for none
    proxy: str = field(default="", repr=False)  # http(s) URL; "" goes straight
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    timeout: int = 300  # seconds without a byte
    deadline: int = 0  # seconds for a whole answer, retries included; 0 sets none


def connection(form: Form, *, suffix: str = "") -> Connection:
    """The connection that a form describes; bad fields are noted in `form`, which reports them when done.

    Several addresses, or several keys, are separated by commas or blanks: one key is for all addresses, several
    keys are for one address in turn or for as many addresses one by one. `suffix` is cut off each address.
    """
    urls = [url.removesuffix(suffix) for url in form.urls(faults.ENDPOINT, MOST_SERVERS)]
    keys = form.secrets(faults.KEY)
    if len(keys) > 1 and len(urls) > 1 and len(keys) != len(urls):
        form.wrong(faults.KEY, f"holds {len(keys)} keys for {len(urls)} addresses: give one, or one for each")
        keys = keys[:1]
    most = max(len(urls), len(keys))
    pairs = list(zip(islice(cycle(urls), most), islice(cycle(keys), most), strict=True))
    return Connection(
        servers=tuple(Server(url, key) for url, key in pairs),
        ca=form.certificates(faults.CA),
        client_certificate=form.client_certificate(faults.CLIENT_CERTIFICATE),
        proxy=form.url(faults.PROXY) if form.text(faults.PROXY) else "",
        headers=form.headers("extra_headers"),
        timeout=form.whole_number("timeout", 1, 3600, default=300),
        deadline=form.whole_number("deadline", 0, 86_400, default=0),
    )
