"""The key that a caller of a plugin's endpoint shows."""

from __future__ import annotations

import hmac


def allowed(header: str, key: str) -> bool:
    """Whether an authorization header carries the endpoint's key; an endpoint without one answers nobody."""
    return bool(key) and hmac.compare_digest(header.encode("utf-8", "replace"), f"Bearer {key}".encode())
