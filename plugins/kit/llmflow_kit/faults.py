"""What can go wrong between a plugin and its engine, in words for the person in front of Dify.

    Fault                       who acts
    + Unreachable               operator: nothing answers, or a gateway says so (refused, DNS, TLS, 500, 502)
    + TimedOut                  operator: it answers too late (connect, read, 504)
    + Overloaded                nobody: it is full, another copy may not be (503)
    + Throttled                 nobody: it wants fewer requests (429); `retry_after` in seconds
    + Unauthorised              app builder: the key (401, 403)
    + NotServed                 app builder: the model's name (404 about the model)
    + Rejected                  app builder: the form or the request (400, 404, 413, 422, redirects)
    + Garbled                   operator: the answer is not what the protocol says
    + CutOff                    nobody: the answer broke off after it began; never repeated

Dify's load balancing turns to another credential after a rate limit (60 s), an authorization or a connection error
(10 s); every other kind reaches the user at once. So each fault's `dify` is chosen by who can help.

A fault's text holds no key, no prompt and no stack; `field` names the form field to mend, if one is to blame.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import ClassVar

# Fields that every plugin's form names alike.
ENDPOINT, KEY, CA, PROXY = "endpoint_url", "api_key", "ca_certificate", "proxy"
CLIENT_CERTIFICATE = "client_certificate"

QUOTE = 300  # characters of a server's message worth showing
LONGEST_WAIT = 3600.0  # seconds that a Retry-After is believed
OVERLAP = 16  # so many characters in common with the request are a quotation, not a coincidence


class Fault(Exception):
    """Base of every fault; str() is the text for the user."""

    elsewhere: ClassVar[bool] = False  # another server may do better, as long as no byte of an answer came
    again: ClassVar[bool] = False  # so may the same one, a moment later
    dify: ClassVar[str] = "InvokeServerUnavailableError"  # what Dify's SDK calls it

    def __init__(self, text: str, *, field: str | None = None) -> None:
        super().__init__(text)
        self.text, self.field = text, field


class Unreachable(Fault):
    """Nothing useful answers at the address."""

    elsewhere, again, dify = True, True, "InvokeConnectionError"


class TimedOut(Fault):
    """The server did not answer in time."""

    elsewhere, dify = True, "InvokeConnectionError"


class Overloaded(Fault):
    """The server has no room for another request."""

    elsewhere, again, dify = True, True, "InvokeRateLimitError"


class Throttled(Fault):
    """The server asks for fewer requests; `retry_after` is in seconds, None where it did not say."""

    elsewhere, again, dify = True, True, "InvokeRateLimitError"

    def __init__(self, text: str, *, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class Unauthorised(Fault):
    """The server wants another key, or one at all."""

    elsewhere, dify = True, "InvokeAuthorizationError"


class NotServed(Fault):
    """The server runs, but not this model."""

    elsewhere, dify = True, "InvokeBadRequestError"

    def __init__(self, model: str, served: tuple[str, ...] = ()) -> None:
        listed = f" It serves: {', '.join(served)}." if served else ""
        super().__init__(f'The server does not serve the model "{model}".{listed}')
        self.model, self.served = model, served


class Rejected(Fault):
    """The server, or this plugin before it asked, refuses the request as it stands."""

    dify = "InvokeBadRequestError"


class Garbled(Fault):
    """The answer cannot be understood."""


class CutOff(Fault):
    """The answer broke off after it had begun."""


def by_dify_error() -> dict[str, list[type[Exception]]]:
    """The kinds of faults under the SDK's name for each: what an SDK model class calls its error mapping."""
    found: dict[str, list[type[Exception]]] = {}
    for kind in Fault.__subclasses__():
        found.setdefault(kind.dify, []).append(kind)
    return found


def describe(fault: Fault, labels: Mapping[str, str]) -> str:
    """The fault's text, and the label of the form field to mend where one is to blame."""
    if fault.field is None:
        return fault.text
    return f'{fault.text} Check the field "{labels.get(fault.field, fault.field)}".'


def refusal(status: int, headers: Mapping[str, str], body: bytes, request: object) -> Fault:
    """The fault that an HTTP answer other than 200 means; `request`, the JSON sent, is never quoted back."""
    said = _quotable(message_of(body), request)
    tail = f" The server says: {said}" if said else ""
    model = request.get("model") if isinstance(request, dict) else None
    match status:
        case 401 | 403:
            return Unauthorised(f"The server refuses the API key (HTTP {status}).", field=KEY)
        case 404 if model and "model" in message_of(body).lower():
            return NotServed(str(model))
        case 404:
            return Rejected("The server has no such address (HTTP 404).", field=ENDPOINT)
        case 429:
            seconds = _seconds(headers.get("retry-after", ""))
            later = f" Try again in {seconds:g} seconds." if seconds is not None else ""
            return Throttled(
                f"The server limits the rate of requests (HTTP 429).{later}", retry_after=seconds
            )
        case 503:
            return Overloaded("The server is overloaded or still starting (HTTP 503).")
        case 408 | 504:
            return TimedOut(f"A gateway before the server gave up waiting for it (HTTP {status}).")
        case 424 | 500 | 502:
            return Unreachable(
                f"The server, or a gateway before it, failed (HTTP {status}). Its log says why."
            )
        case 413:
            return Rejected(f"The request is larger than the server takes (HTTP 413).{tail}")
        case _ if 300 <= status < 400:
            return Rejected(
                f"The address redirects elsewhere (HTTP {status}); enter the final one.", field=ENDPOINT
            )
        case _ if status >= 500:
            return Unreachable(f"The server failed (HTTP {status}). Its log says why.")
        case _:
            return Rejected(f"The server rejects the request (HTTP {status}).{tail}")


def message_of(body: bytes) -> str:
    """The message inside an error body as OpenAI, TEI, Infinity or FastAPI writes it, "" where there is none."""
    try:
        found = json.loads(body)
    except ValueError:
        return ""
    while isinstance(found, dict):
        found = next((found[name] for name in ("error", "message", "detail", "msg") if found.get(name)), "")
    if isinstance(found, list):
        found = "; ".join(str(item.get("msg", "")) for item in found if isinstance(item, dict))
    return found if isinstance(found, str) else ""


def _quotable(message: str, request: object) -> str:
    """The first line of a server's message, or "" where it quotes what the user wrote."""
    line = message.strip().splitlines()[0][:QUOTE] if message.strip() else ""
    private = "\n".join(_texts(request))
    windows = (line[i : i + OVERLAP] for i in range(max(1, len(line) - OVERLAP + 1)))
    return "" if any(len(w) == OVERLAP and w in private for w in windows) else line


def _texts(value: object, name: str = "") -> list[str]:
    """Every string inside a JSON value but model names, which a message may well repeat."""
    if isinstance(value, str):
        return [] if name == "model" else [value]
    if isinstance(value, dict):
        return [text for key, item in value.items() for text in _texts(item, key)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return []


def _seconds(retry_after: str) -> float | None:
    """The seconds that a Retry-After header means, whether it says them or a date; None where it says neither."""
    if retry_after.strip().isdigit():
        return min(float(retry_after), LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(retry_after).timestamp()
    except (ValueError, OverflowError):
        return None
    return min(max(0.0, round(moment - time.time())), LONGEST_WAIT)
