"""Keys for hashes, tokens and the vault, out of the one secret of a form."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass

from llmflow_presidio.errors import NoSecret

SHORTEST = 16  # signs of a secret
PREFIX = "vault-"  # of what the vault keeps
HASH_SIGNS, TOKEN_SIGNS = 12, 16  # of base32: 60 and 80 bits


@dataclass(frozen=True)
class Keys:
    """What a tenant's values are hashed, named and kept with; another tenant's never meet them."""

    secret: str
    tenant: str

    def __post_init__(self) -> None:
        if self.secret and len(self.secret) < SHORTEST:
            raise NoSecret(f"The secret has {len(self.secret)} signs; give it {SHORTEST} or more.")

    def hashed(self, entity: str, value: str) -> str:
        """A short name that the same value always has, and that nobody without the secret can check a guess by."""
        return self._name("hash", entity, value)[:HASH_SIGNS]

    def token(self, entity: str, value: str) -> str:
        """The id of a token: the same for the same value, so that a text that grows keeps its tokens."""
        return self._name("token", entity, value)[:TOKEN_SIGNS]

    def storage(self, token: str) -> str:
        """The name under which the vault keeps a token's value."""
        return PREFIX + self._name("storage", "", token)[:32].lower()

    @property
    def vault(self) -> bytes:
        """The key that values are kept with."""
        return self._derived("vault")

    def _name(self, purpose: str, entity: str, value: str) -> str:
        digest = hmac.new(
            self._derived(purpose), f"{entity}\0{value}".encode("utf-8", "surrogatepass"), hashlib.sha256
        ).digest()
        return base64.b32encode(digest).decode()

    def _derived(self, purpose: str) -> bytes:
        if not self.secret:
            raise NoSecret("The policy hashes or tokenises: enter a secret in the form.")
        return hmac.new(
            self.secret.encode(), f"llmflow-presidio\0{purpose}\0{self.tenant}".encode(), hashlib.sha256
        ).digest()
