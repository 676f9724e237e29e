"""What becomes of a text: the findings in it, treated as the policy says.

The same value always becomes the same: a stream's text is made anew with every step, and what a reader has seen must
not change under their eyes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from llmflow_presidio.entities import ENTITIES
from llmflow_presidio.finding import Finding
from llmflow_presidio.keys import Keys
from llmflow_presidio.policy import Effective, Point, Treatment

MASK = "*"


@dataclass(frozen=True)
class Treated:
    """A text after its policy: what it has become, why it is blocked, and what the vault must keep."""

    text: str
    blocked: str | None = None  # the message instead
    changed: bool = False
    tokens: dict[str, str] = field(default_factory=dict)  # ids → values
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)  # (entity, action) → how often
    rules: Counter[str] = field(default_factory=Counter)


def treat(text: str, found: Sequence[Finding], policy: Effective, keys: Keys, point: Point) -> Treated:
    """Do with each finding what the policy says for this point."""
    pieces: list[str] = []
    tokens: dict[str, str] = {}
    counts: Counter[tuple[str, str]] = Counter()
    rules: Counter[str] = Counter()
    blocked, last = None, 0
    for one in found:
        treatment = policy.treatment(one.entity, one.rule)
        if point not in treatment.at or one.score < treatment.score:
            continue
        counts[one.entity, treatment.action] += 1
        rules[one.rule] += 1
        if treatment.action == "allow":
            continue
        if treatment.action == "block":
            blocked = blocked or treatment.message or policy.message
        value = text[one.start : one.end]
        instead = _instead(value, one.entity, treatment, policy, keys)
        if treatment.action == "tokenise":
            tokens[keys.token(one.entity, value)] = value
        pieces += (text[last : one.start], instead)
        last = one.end
    if not pieces:
        return Treated(text, counts=counts, rules=rules)
    pieces.append(text[last:])
    return Treated("".join(pieces), blocked, True, tokens, counts, rules)


def token(entity: str, id_: str) -> str:
    """How a token stands in a text: short, and nothing that a language model would take apart."""
    return f"<{entity}_{id_}>"


def _instead(value: str, entity: str, treatment: Treatment, policy: Effective, keys: Keys) -> str:
    """What stands in a value's place."""
    match treatment.action:
        case "mask":
            return masked(value, treatment.keep)
        case "hash":
            return f"<{entity}:{keys.hashed(entity, value)}>"
        case "tokenise":
            return token(entity, keys.token(entity, value))
        case _:  # replace; and block, where the rest of the text is still wanted
            return treatment.text or f"<{_label(entity, policy)}>"


def masked(value: str, keep: int) -> str:
    """The value with its letters and digits hidden, but for the last few; what stands between them stays."""
    kept, signs = 0, []
    for sign in reversed(value):
        hidden = sign.isalnum() and kept >= keep
        kept += sign.isalnum()
        signs.append(MASK if hidden else sign)
    return "".join(reversed(signs))


def _label(entity: str, policy: Effective) -> str:
    known = ENTITIES[entity]
    return known.korean if policy.language == "ko" else known.english
