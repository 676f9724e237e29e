"""What the SDK's classes hand over: forms read, a checker made of them, requests answered."""

from __future__ import annotations

import hmac
import logging
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmflow_presidio import moderate, policy
from llmflow_presidio.errors import BadRequest, NoSecret, NotAllowed, PresidioError
from llmflow_presidio.keys import Keys
from llmflow_presidio.moderate import Checker
from llmflow_presidio.stream import Remembered
from llmflow_presidio.vault import Restored, Vault

if TYPE_CHECKING:
    from dify_plugin.core.runtime import Session

log = logging.getLogger(__name__)
FAILED = (
    "검사를 마치지 못해 내용을 보여 드릴 수 없습니다. / The content could not be checked, and is not shown."
)
POINTS = ("app.moderation.input", "app.moderation.output", "app.external_data_tool.query")

_MEMORY = Remembered()  # of the streams that this process sees
_WRITTEN: OrderedDict[str, float] = OrderedDict()  # what this process knows to be kept


@dataclass(frozen=True)
class Form:
    """The fields that the endpoint's and the tools' forms share."""

    policy: str
    secret: str
    tenant: str

    @classmethod
    def read(cls, fields: Mapping[str, Any]) -> Form:
        """A form's fields. A policy of one's own stands before a chosen one."""
        own = str(fields.get("policy") or "").strip()
        chosen = str(fields.get("policy_name") or "").strip()
        return cls(
            own or chosen or policy.NAMES[0],
            str(fields.get("secret") or "").strip(),
            str(fields.get("tenant") or "").strip(),
        )


def checker(fields: Mapping[str, Any], session: Session, app: str) -> Checker:
    """The checker of a form. Raises BadPolicy, NoSecret."""
    form = Form.read(fields)
    found = policy.effective(form.policy, app, form.tenant)
    keys = Keys(form.secret, form.tenant)
    if found.keyed and not form.secret:
        raise NoSecret("The policy hashes or tokenises: enter a secret in the form.")
    return Checker(found, keys, _vault(session, keys) if form.secret else None, app, _MEMORY)


def validate(fields: Mapping[str, Any]) -> None:
    """Check a form before it is saved. Raises BadPolicy, NoSecret."""
    form = Form.read(fields)
    found = policy.effective(form.policy, "", form.tenant)
    keys = Keys(form.secret, form.tenant)
    if found.keyed and not keys.secret:
        raise NoSecret("The policy hashes or tokenises: enter a secret in the form.")


def respond(body: Any, settings: Mapping[str, Any], session: Session) -> tuple[int, dict[str, Any]]:
    """The answer to a request of Dify's API extension: a status below 500, and a body with every key."""
    point = body.get("point") if isinstance(body, dict) else None
    if point == "ping":
        return 200, {"result": "pong"}
    if not isinstance(body, dict) or point not in POINTS:
        return 400, {"error": f"The point must be ping or one of {', '.join(POINTS)}."}
    given = body.get("params")
    params = given if isinstance(given, dict) else {}
    try:
        made = checker(settings, session, str(params.get("app_id") or ""))
        answer = {POINTS[0]: made.input, POINTS[1]: made.output, POINTS[2]: made.tool}[str(point)]
        return 200, answer(params)
    except PresidioError as error:
        log.warning("moderation failed: %s", error)
    except Exception as error:  # noqa: BLE001 - whatever it is, an output must not pass unchecked for it
        log.error("moderation failed: %s", type(error).__name__)  # the stack would quote the text
    return 200, moderate.failed(str(point), params, FAILED, _closed(settings))


def unmask(
    text: str, credentials: Mapping[str, Any], parameters: Mapping[str, Any], session: Session
) -> Restored:
    """A text with its tokens turned back, for whoever holds the key, and of those kinds that the role may see.

    Raises NotAllowed, BadRequest, NoSecret.
    """
    form = Form.read(credentials)
    key, shown = str(credentials.get("unmask_key") or ""), str(parameters.get("key") or "")
    if not key or not hmac.compare_digest(key.encode(), shown.encode()):
        raise NotAllowed("The key is not the one that the credentials want for turning tokens back.")
    roles = policy.effective(form.policy, session.app_id or "", form.tenant).roles
    role = str(parameters.get("role") or "").strip()
    if role not in roles:
        raise BadRequest(f"The policy knows no role {role!r}; it has {', '.join(roles) or 'none'}.")
    return _vault(session, Keys(form.secret, form.tenant)).restore(text, roles[role])


def _vault(session: Session, keys: Keys) -> Vault:
    """The vault in a session's storage. One process may serve several workspaces of Dify, each with its own storage."""
    return Vault(session.storage, keys, whose=session.endpoint_id or session.app_id or "", written=_WRITTEN)


def _closed(settings: Mapping[str, Any]) -> bool:
    """Whether an output that could not be checked is held back; only a clear no lets it pass."""
    return str(settings.get("fail_closed", True)).strip().lower() not in ("false", "0", "no")


def scanned(made: Checker, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What the tool that looks through a text tells: kinds and places, never the text. Raises BadRequest."""
    text, point = _asked(parameters)
    found, treated = made.look(text, point)
    counts = Counter(one.entity for one in found)
    findings = [
        {"entity": one.entity, "start": one.start, "end": one.end, "score": one.score, "rule": one.rule}
        for one in found
    ]
    return {
        "findings": findings,
        "counts": dict(sorted(counts.items())),
        "blocked": treated.blocked is not None,
    }


def masked(made: Checker, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What the tool that masks answers. Raises BadRequest, NoSecret, VaultDown."""
    treated = made.check(*_asked(parameters))
    counts = Counter(f"{entity}:{action}" for entity, action in treated.counts.elements())
    blocked = treated.blocked is not None
    text = treated.blocked if treated.blocked is not None else treated.text
    return {
        "text": text,
        "blocked": blocked,
        "changed": treated.changed,
        "counts": dict(sorted(counts.items())),
    }


def _asked(parameters: Mapping[str, Any]) -> tuple[str, policy.Point]:
    text = parameters.get("text")
    if not isinstance(text, str) or not text:
        raise BadRequest("Give a text to check.")
    return text, "output" if parameters.get("point") == "output" else "input"
