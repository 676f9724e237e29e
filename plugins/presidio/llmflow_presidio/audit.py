"""One line about each check: what was found and done, how long it took. Never the text, nor any part of it."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable

from llmflow_presidio.actions import Treated
from llmflow_presidio.policy import Effective

LONGEST = 64  # signs of a name that a request gives
log = logging.getLogger("llmflow_presidio.audit")


def line(
    point: str,
    app: str,
    tenant: str,
    policy: Effective,
    treated: Iterable[Treated],
    signs: int,
    seconds: float,
) -> str:
    """The line as JSON."""
    counts: Counter[tuple[str, str]] = Counter()
    rules: Counter[str] = Counter()
    blocked = changed = False
    for one in treated:
        counts += one.counts
        rules += one.rules
        blocked, changed = blocked or one.blocked is not None, changed or one.changed
    done = "block" if blocked else "change" if changed else "pass"
    told = {
        "event": "moderation",
        "point": point,
        "app": app[:LONGEST],
        "tenant": tenant[:LONGEST],
        "policy": policy.revision,
        "dry_run": policy.dry_run,
        "outcome": done,
        "found": {f"{entity}:{action}": count for (entity, action), count in sorted(counts.items())},
        "rules": dict(sorted(rules.items())),
        "signs": signs,
        "ms": round(seconds * 1000, 2),
    }
    return json.dumps(told, ensure_ascii=False)
