"""The secrets of a site: made once from the system's random source, never a default."""

from __future__ import annotations

import json
import secrets as random
from collections.abc import Callable, Mapping

from llmflow_bundle.errors import SiteError

from llmflow_installer.engines import ENGINES
from llmflow_installer.state import SiteState, write_private
from llmflow_installer.stores import STORES

_TOKEN_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"  # noqa: S105 - an alphabet


def site_secrets(state: SiteState) -> dict[str, str]:
    """The site's secrets, those that are missing made now; raises SiteError where the file is damaged."""
    known = _read(state)
    made = {name: known.get(name) or make() for name, make in _MAKERS.items()}
    if made != known:
        write_private(state.secrets, json.dumps({**known, **made}, indent=2, sort_keys=True) + "\n")
    return made


def _kubeadm_token() -> str:
    letters = "".join(random.choice(_TOKEN_LETTERS) for _ in range(22))
    return f"{letters[:6]}.{letters[6:]}"


_MAKERS: dict[str, Callable[[], str]] = {
    **{engine.secret: lambda: random.token_urlsafe(32) for engine in ENGINES.values()},
    **{store.secret: lambda: random.token_urlsafe(32) for store in STORES.values()},
    "kubeadm_token": _kubeadm_token,
    "kubeadm_certificate_key": lambda: random.token_hex(32),
}


def _read(state: SiteState) -> dict[str, str]:
    if not state.secrets.exists():
        return {}
    try:
        content = json.loads(state.secrets.read_text(encoding="utf-8"))
    except ValueError as exc:
        raise _damaged(state) from exc
    if not isinstance(content, Mapping) or not all(isinstance(value, str) for value in content.values()):
        raise _damaged(state)
    return dict(content)


def _damaged(state: SiteState) -> SiteError:
    hint = "restore it from a backup; deleting it makes new secrets: install organs again with --force"
    return SiteError("SITE-SECRETS", "the site's secrets can't be read", where=str(state.secrets), hint=hint)
