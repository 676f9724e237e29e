"""What can go wrong, in words for the person who asked: what happened, where, and what to do.

    PresidioError
    + BadPolicy       the policy's author: everything that is wrong with it, at once
    + BadRequest      the caller: no text, too much of it, an unknown role
    + NotAllowed      the caller: may not see what tokens stand for
    + NoSecret        the operator: the policy hashes or tokenises, and the form has no secret for that
    + VaultDown       the operator: Dify's storage does not answer

A message holds no text that was checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class PresidioError(Exception):
    """Base of all."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a policy, and where in it."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what


class BadPolicy(PresidioError):
    """A policy that can't be used; `problems` has all that is wrong."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("The policy can't be used. " + " ".join(f"{one}." for one in problems))
        self.problems = tuple(problems)


class BadRequest(PresidioError):
    """What was asked can't be."""


class NotAllowed(PresidioError):
    """The caller may not do it."""


class NoSecret(PresidioError):
    """Hashes and tokens need a secret of the form's."""


class VaultDown(PresidioError):
    """What tokens stand for can't be kept or fetched."""
