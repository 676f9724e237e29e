"""What can go wrong, who acts on it, and the exit code that says so.

    LlmflowError                     exit  who acts
    + SiteError          (findings)     2  the operator edits the site's files
    + BundleError        (findings)     3  the operator copies or builds the bundle again
    + PreflightFailed    (findings)     4  the operator mends the hosts
    + HostUnreachable    (findings)     5  the operator mends the network or the keys
    + StageFailed                       6  the operator reads the hint and runs `install` again
    + VerifyFailed       (findings)     7  the platform is up, an ability is missing
    anything else                      70  our bug
    Ctrl-C                            130  nobody

Every error has an id with a heading in docs/reference/errors/.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

Severity = Literal["fail", "warn"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: what happened, where to look, what to do."""

    id: str
    what: str
    where: str = ""
    hint: str = ""
    severity: Severity = "fail"


class LlmflowError(Exception):
    """Base of every error that is somebody's to mend; str() is the first line a person reads."""

    exit_code: ClassVar[int] = 70

    def __init__(
        self,
        id: str,  # noqa: A002 - the public name of the field
        what: str,
        *,
        where: str = "",
        hint: str = "",
        findings: Sequence[Finding] = (),
    ) -> None:
        super().__init__(what)
        self.id, self.what, self.where, self.hint = id, what, where, hint
        self.findings = tuple(findings)


class SiteError(LlmflowError):
    """The inventory or site.yml says something that cannot be installed."""

    exit_code = 2


class BundleError(LlmflowError):
    """The intent, the lock or the bundle is incomplete, altered or for another machine."""

    exit_code = 3


class PreflightFailed(LlmflowError):
    """A host, or this machine, lacks what the work needs."""

    exit_code = 4


class HostUnreachable(LlmflowError):
    """A host does not answer, or answers with another key."""

    exit_code = 5


class StageFailed(LlmflowError):
    """A stage stopped on a host; running again resumes there."""

    exit_code = 6


class VerifyFailed(LlmflowError):
    """The platform stands but does not do what it should."""

    exit_code = 7


class WorkFailed(LlmflowError):
    """Work on documents that was not done, or not all of it."""

    exit_code = 8
