"""A Dify form's credentials, checked field by field; every bad field is named in one fault."""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import httpx

from llmflow_kit.faults import Rejected

PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)


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

    def url(self, name: str) -> str:
        """An http(s) address without credentials, query or trailing slash."""
        value = self.text(name).rstrip("/")
        if why := _unfit(value):
            self._bad(name, why)
        return value

    def secret(self, name: str) -> str:
        """A key that fits into a header; it is never repeated in a message."""
        value = self.text(name)
        if not (value.isascii() and value.isprintable() and " " not in value):
            self._bad(name, "holds characters that no key has: copy it again without blanks or line ends")
        return value

    def certificates(self, name: str) -> str:
        """CA certificates as PEM text, mended where a one-line input has swallowed the line ends."""
        value = self.text(name)
        if not value:
            return ""
        bodies = ["".join(body.split()) for body in PEM.findall(value)]
        pem = "".join(
            f"-----BEGIN CERTIFICATE-----\n{_wrapped(b)}\n-----END CERTIFICATE-----\n" for b in bodies
        )
        try:
            ssl.create_default_context(cadata=pem or "none")
        except (ssl.SSLError, ValueError):
            self._bad(name, "is not a certificate: paste PEM text from -----BEGIN to END CERTIFICATE-----")
        return pem

    def whole_number(self, name: str, low: int, high: int, default: int) -> int:
        """A whole number from `low` to `high`, `default` where the field is empty."""
        value = self.text(name)
        if not value:
            return default
        if not (value.isascii() and value.isdigit() and low <= int(value) <= high):
            self._bad(name, f"must be a whole number from {low} to {high}")
            return default
        return int(value)

    def choice(self, name: str, options: Sequence[str], default: str) -> str:
        """One of `options`, `default` where the field is empty."""
        value = self.text(name) or default
        if value not in options:
            self._bad(name, f"must be one of {', '.join(options)}")
        return value

    def _bad(self, name: str, what: str) -> None:
        self._wrong.append((name, what))


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
