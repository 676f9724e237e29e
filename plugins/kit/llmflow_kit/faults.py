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

A fault's text holds no key, no prompt and no stack; `field` names the form field to mend, if one is to blame.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import ClassVar

ENDPOINT, KEY, CA = "endpoint_url", "api_key", "ca_certificate"  # fields that every plugin's form names alike

QUOTE = 300  # characters of a server's message worth showing
OVERLAP = 16  # so many characters in common with the request are a quotation, not a coincidence


class Fault(Exception):
    """Base of every fault; str() is the text for the user."""

    retryable: ClassVar[bool] = (
        False  # safe and useful to repeat at once, as long as no byte of an answer came
    )

    def __init__(self, text: str, *, field: str | None = None) -> None:
        super().__init__(text)
        self.text, self.field = text, field


class Unreachable(Fault):
    """Nothing useful answers at the address."""

    retryable = True


class TimedOut(Fault):
    """The server did not answer in time."""


class Overloaded(Fault):
    """The server has no room for another request."""


class Throttled(Fault):
    """The server asks for fewer requests; `retry_after` is in seconds, None where it did not say."""

    def __init__(self, text: str, *, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class Unauthorised(Fault):
    """The server wants another key, or one at all."""


class NotServed(Fault):
    """The server runs, but not this model."""

    def __init__(self, model: str, served: tuple[str, ...] = ()) -> None:
        listed = f" It serves: {', '.join(served)}." if served else ""
        super().__init__(f'The server does not serve the model "{model}".{listed}')
        self.model, self.served = model, served


class Rejected(Fault):
    """The server, or this plugin before it asked, refuses the request as it stands."""


class Garbled(Fault):
    """The answer cannot be understood."""


class CutOff(Fault):
    """The answer broke off after it had begun."""


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
        case 404 if model and message_of(body):
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
        case 504:
            return TimedOut("A gateway before the server gave up waiting for it (HTTP 504).")
        case 500 | 502:
            return Unreachable(
                f"The server, or a gateway before it, failed (HTTP {status}). Its log says why."
            )
        case _ if 300 <= status < 400:
            return Rejected(
                f"The address redirects elsewhere (HTTP {status}); enter the final one.", field=ENDPOINT
            )
        case _ if status >= 500:
            return Unreachable(f"The server failed (HTTP {status}). Its log says why.")
        case _:
            return Rejected(f"The server rejects the request (HTTP {status}).{tail}")


def message_of(body: bytes) -> str:
    """The message inside an OpenAI-style error body, "" where there is none."""
    try:
        found = json.loads(body)
    except ValueError:
        return ""
    error = found.get("error", found) if isinstance(found, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    return message if isinstance(message, str) else ""


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
    return (
        float(retry_after) if retry_after.strip().isdigit() else None
    )  # the HTTP-date form is not worth a parser
