"""What ties a request at an engine to the message in Dify that caused it: W3C trace context and a request id.

Dify hands a plugin no trace of its own, but the id of the message. It becomes the trace id, so that every call made
for one message is one trace that can be found from Dify's log, whichever plugin and engine made it.
"""

from __future__ import annotations

import hashlib
import random
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass

LONGEST_ID = 128  # characters of a request id that a server keeps
PLAIN = frozenset(string.ascii_letters + string.digits + "-_.")


@dataclass(frozen=True)
class Trace:
    """Ids of one request: of the message that it belongs to, and its own."""

    trace_id: str  # 32 hexadecimal digits
    request_id: str

    def headers(self) -> Mapping[str, str]:
        """W3C trace context (version 00, sampled) with a span of its own, and the request id."""
        span = random.getrandbits(64) or 1  # zero would be invalid; nobody has to be kept from guessing it
        return {"traceparent": f"00-{self.trace_id}-{span:016x}-01", "x-request-id": self.request_id}


def trace(message_id: str | None, session_id: str | None) -> Trace:
    """The trace of a message, or of a session that belongs to none; new where neither is known."""
    session = "".join(c for c in session_id or "" if c in PLAIN)[:LONGEST_ID] or secrets.token_hex(16)
    return Trace(_trace_id(message_id or session), session)


def _trace_id(of: str) -> str:
    """A UUID's own digits, so that they can be searched for; a digest of anything else."""
    digits = of.replace("-", "").lower()
    if len(digits) == 32 and set(digits) <= set(string.hexdigits) and set(digits) != {"0"}:
        return digits
    return hashlib.sha256(of.encode()).hexdigest()[:32]
