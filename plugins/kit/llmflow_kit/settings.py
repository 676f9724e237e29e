"""A Dify form's credentials, checked field by field; every bad field is named in one fault."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import ssl
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, wraps
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx

from llmflow_kit.faults import Rejected

T = TypeVar("T")

PEM = re.compile(r"-----BEGIN (CERTIFICATE|[A-Z ]*PRIVATE KEY)-----(.+?)-----END \1-----", re.DOTALL)
BETWEEN = re.compile(r"[\s,]+")  # what stands between several addresses or keys in one field
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a token of RFC 9110
OURS = {"host", "content-length", "transfer-encoding", "connection", "accept-encoding", "content-type"}


def remembered(parse: Callable[[Mapping[str, object]], T]) -> Callable[[Mapping[str, object]], T]:
    """`parse`, but a form that was read before is not read again: its certificates alone take milliseconds."""

    @lru_cache(maxsize=64)
    def known(fields: tuple[tuple[str, str], ...]) -> T:
        return parse(dict(fields))

    @wraps(parse)
    def read(credentials: Mapping[str, object]) -> T:
        return known(
            tuple((name, "" if value is None else str(value)) for name, value in credentials.items())
        )

    return read


class Form:
    """Reads the fields of one form; a bad field is remembered, and `done` reports them all."""

    def __init__(self, credentials: Mapping[str, object], labels: Mapping[str, str]) -> None:
        self._credentials, self._labels = credentials, labels
        self._wrong: list[tuple[str, str]] = []

    def done(self) -> None:
        """Raise Rejected naming every field that cannot be used, if there is one."""
        if self._wrong:
            parts = (f'The field "{self._labels.get(name, name)}" {what}.' for name, what in self._wrong)
            raise Rejected(" ".join(parts))

    def text(self, name: str) -> str:
        """The field without surrounding blanks, "" where it is empty."""
        value = self._credentials.get(name)
        return "" if value is None else str(value).strip()

    def verbatim(self, name: str) -> str:
        r"""The field with its blanks, which may matter; `\n` stands for a line end, which one line cannot hold."""
        return str(self._credentials.get(name) or "").replace(r"\n", "\n")

    def url(self, name: str) -> str:
        """An http(s) address without credentials, query or trailing slash."""
        value = self.text(name).rstrip("/")
        if why := _unfit(value):
            self.wrong(name, why)
        return value

    def urls(self, name: str, most: int) -> list[str]:
        """One to `most` addresses as `url` wants them, apart by commas or blanks."""
        values = [value.rstrip("/") for value in BETWEEN.split(self.text(name)) if value] or [""]
        for index, value in enumerate(values, 1):
            if why := _unfit(value):
                self.wrong(name, f"(address {index}) {why}" if len(values) > 1 else why)
        if len(values) > most:
            self.wrong(name, f"holds {len(values)} addresses, {most} are the most")
        return values

    def secrets(self, name: str) -> list[str]:
        """Keys that fit into a header, apart by commas or blanks, [""] for none; never repeated in a message."""
        values = [value for value in BETWEEN.split(self.text(name)) if value] or [""]
        if not all(value.isascii() and value.isprintable() for value in values):
            self.wrong(name, "holds characters that no key has: copy it again")
        return values

    def certificates(self, name: str) -> str:
        """CA certificates as PEM text, mended where a one-line input has swallowed the line ends."""
        value = self.text(name)
        if not value:
            return ""
        pem = _pem(value, private=False)
        try:
            ssl.create_default_context(cadata=pem or "none")
        except (ssl.SSLError, ValueError):
            self.wrong(name, "is not a certificate: paste PEM text from -----BEGIN to END CERTIFICATE-----")
        return pem

    def client_certificate(self, name: str) -> str:
        """A certificate chain and its private key as PEM text, mended likewise, "" for none."""
        value = self.text(name)
        if not value:
            return ""
        pem = _pem(value, private=False) + _pem(value, private=True)
        try:
            load_identity(ssl.create_default_context(), pem)
        except (ssl.SSLError, ValueError, OSError):
            self.wrong(name, "is not a certificate with its unencrypted private key: paste both as PEM text")
        return pem

    def headers(self, name: str) -> tuple[tuple[str, str], ...]:
        """HTTP headers out of a JSON object of names and values."""
        found = self.json_object(name)
        for header, value in found.items():
            if not HEADER_NAME.fullmatch(header) or header.lower() in OURS:
                self.wrong(name, f"holds {header[:40]!r}, which is no header to set")
            elif not isinstance(value, str) or not value.isascii() or not value.isprintable():
                self.wrong(name, f"must give {header} one line of text")
        return tuple((header, str(value)) for header, value in found.items())

    def json_object(self, name: str) -> dict[str, Any]:
        """A JSON object, {} where the field is empty."""
        try:
            found = json.loads(self.text(name) or "{}")
        except ValueError:
            found = None
        if not isinstance(found, dict):
            self.wrong(name, 'must be a JSON object such as {"name": "value"}')
            return {}
        return found

    def whole_number(self, name: str, low: int, high: int, default: int) -> int:
        """A whole number from `low` to `high`, `default` where the field is empty."""
        value = self.text(name)
        if not value:
            return default
        if not (value.isascii() and value.isdigit() and low <= int(value) <= high):
            self.wrong(name, f"must be a whole number from {low} to {high}")
            return default
        return int(value)

    def choice(self, name: str, options: Sequence[str], default: str) -> str:
        """One of `options`, `default` where the field is empty."""
        value = self.text(name) or default
        if value not in options:
            self.wrong(name, f"must be one of {', '.join(options)}")
        return value

    def wrong(self, name: str, what: str) -> None:
        """Remember that a field cannot be used, and why: the end of a sentence that begins with its label."""
        self._wrong.append((name, what))


def load_identity(context: ssl.SSLContext, pem: str) -> None:
    """Let `context` show a client certificate; raises ssl.SSLError or OSError. The key touches no disk."""
    file = os.memfd_create("identity")
    try:
        os.write(file, pem.encode())
        context.load_cert_chain(f"/proc/self/fd/{file}", password=_no_password)
    finally:
        os.close(file)


def _no_password() -> str:
    raise ValueError("an encrypted key would make OpenSSL ask on the terminal")


def _pem(text: str, *, private: bool) -> str:
    """The certificates, or the private keys, in a text, with their line ends."""
    found = ((kind, "".join(body.split())) for kind, body in PEM.findall(text))
    return "".join(
        f"-----BEGIN {kind}-----\n{_wrapped(body)}\n-----END {kind}-----\n"
        for kind, body in found
        if (kind != "CERTIFICATE") is private
    )


def _unfit(url: str) -> str:
    """Why a URL cannot be an engine's address, "" where it can."""
    if not url:
        return "is empty: enter an address such as http://vllm:8000"
    try:
        parts, _ = urlsplit(url), httpx.URL(url)
        port = parts.port  # raises where it is out of range
    except (ValueError, httpx.InvalidURL):
        return "is not a URL"
    if port == 0 or any(map(str.isspace, url)):
        return "is not a URL"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "must start with http:// or https:// and name a host"
    if parts.username is not None or parts.password is not None:
        return "must not hold a user or password: the key has its own field"
    if parts.query or parts.fragment:
        return "must end with the path, without ? or #"
    if _link_local(parts.hostname):
        return "is a link-local address, which no engine has"  # cloud metadata services live there
    return ""


def _link_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_link_local
    except ValueError:
        return False  # a name


def _wrapped(base64: str) -> str:
    return "\n".join(base64[i : i + 64] for i in range(0, len(base64), 64))
