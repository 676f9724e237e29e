"""Texts checked by a policy: single ones, and the requests of Dify's moderation API.

Dify wants every key of an answer at every time, `action` included. It lets an output pass where the moderation fails,
so what fails here is answered as a block, unless the settings say otherwise.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from llmflow_presidio import audit
from llmflow_presidio.actions import Treated, treat
from llmflow_presidio.errors import BadRequest, NoSecret
from llmflow_presidio.finding import Finding
from llmflow_presidio.keys import Keys
from llmflow_presidio.policy import Effective, Point
from llmflow_presidio.stream import Remembered
from llmflow_presidio.vault import Vault

MOST = 1_000_000  # signs of all texts of a request
DEEPEST = 50  # of inputs in inputs
DIRECT, OVERRIDDEN = "direct_output", "overridden"
FILE = "dify_model_identity"  # what marks a file among inputs


@dataclass
class Checker:
    """Checks what one app of one tenant says and hears."""

    policy: Effective
    keys: Keys
    vault: Vault | None
    app: str = ""
    memory: Remembered = field(default_factory=Remembered)
    clock: Callable[[], float] = time.perf_counter

    def check(self, text: str, point: Point) -> Treated:
        """A text after the policy, with its audit line; in a dry run it comes back as it was."""
        return self._checked([text], point, point)[0]

    def look(self, text: str, point: Point) -> tuple[list[Finding], Treated]:
        """What is in a text, and what the policy would do; nothing is kept, and no line is written."""
        _fits([text])
        found = self.memory.scan(text, self._whose, self.policy.recognisers)
        return found, treat(text, found, self.policy, self.keys, point)

    def input(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to `app.moderation.input`."""
        query = _text(params.get("query"))
        inputs = params.get("inputs")
        inputs = dict(inputs) if isinstance(inputs, Mapping) else {}
        leaves = [query, *_leaves(inputs)]
        treated = self._checked(leaves, "app.moderation.input", "input")
        changed = iter([one.text for one in treated])
        told = {"query": next(changed), "inputs": _rebuilt(inputs, changed)}
        return {**_verdict(treated), **told}

    def output(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to `app.moderation.output`."""
        treated = self._checked([_text(params.get("text"))], "app.moderation.output", "output")
        return {**_verdict(treated), "text": treated[0].text}

    def tool(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to `app.external_data_tool.query`: the question as the model may see it."""
        (treated,) = self._checked([_text(params.get("query"))], "app.external_data_tool.query", "input")
        return {"result": treated.blocked or treated.text}

    def _checked(self, texts: list[str], name: str, point: Point) -> list[Treated]:
        """Each text after the policy; what tokens stand for is kept before anybody sees a token."""
        signs = _fits(texts)
        began = self.clock()
        treated = [self._treated(text, point) for text in texts]
        log = audit.line(name, self.app, self.keys.tenant, self.policy, treated, signs, self.clock() - began)
        audit.log.info(log)
        if self.policy.dry_run:
            return [Treated(text) for text in texts]
        tokens = {id_: value for one in treated for id_, value in one.tokens.items()}
        if tokens:
            if self.vault is None:
                raise NoSecret("The policy tokenises, and there is no vault here.")
            self.vault.keep(tokens, self.policy.hours)
        return treated

    def _treated(self, text: str, point: Point) -> Treated:
        found = self.memory.scan(text, self._whose, self.policy.recognisers)
        return treat(text, found, self.policy, self.keys, point)

    @property
    def _whose(self) -> str:
        return f"{self.keys.tenant}\0{self.app}\0{self.policy.key}"


def failed(point: str, params: Mapping[str, Any], message: str, closed: bool) -> dict[str, Any]:
    """What is answered where a check failed: a block, or, where an operator wants it so, the output as it was."""
    if point == "app.moderation.input":
        return {"flagged": True, "action": DIRECT, "preset_response": message, "inputs": {}, "query": ""}
    if point == "app.external_data_tool.query":
        return {"result": message}
    text = _text(params.get("text"))
    return {
        "flagged": closed,
        "action": DIRECT,
        "preset_response": message if closed else "",
        "text": "" if closed else text,
    }


def _fits(texts: list[str]) -> int:
    """The signs of all texts; raises BadRequest for too many."""
    signs = sum(map(len, texts))
    if signs > MOST:
        raise BadRequest(f"{signs} signs were given; at most {MOST} are checked at once.")
    return signs


def _verdict(treated: list[Treated]) -> dict[str, Any]:
    message = next((one.blocked for one in treated if one.blocked is not None), None)
    if message is not None:
        return {"flagged": True, "action": DIRECT, "preset_response": message}
    changed = any(one.changed for one in treated)
    return {"flagged": changed, "action": OVERRIDDEN, "preset_response": ""}


def _text(value: Any) -> str:
    """A value as the text that a model would see of it."""
    return value if isinstance(value, str) else "" if value is None else str(value)


def _leaves(value: Any, depth: int = 0) -> list[str]:
    """Every text and number in a value, in order; of a file, nothing."""
    if depth > DEEPEST:
        raise BadRequest(f"The inputs are nested more than {DEEPEST} deep.")
    if isinstance(value, Mapping):
        return [] if FILE in value else [leaf for one in value.values() for leaf in _leaves(one, depth + 1)]
    if isinstance(value, list):
        return [leaf for one in value for leaf in _leaves(one, depth + 1)]
    return [_text(value)] if _checkable(value) else []


def _rebuilt(value: Any, texts: Any) -> Any:
    """The value with its texts and numbers in order from `texts`; a number that nothing changed stays one."""
    if isinstance(value, Mapping):
        return value if FILE in value else {name: _rebuilt(one, texts) for name, one in value.items()}
    if isinstance(value, list):
        return [_rebuilt(one, texts) for one in value]
    if not _checkable(value):
        return value
    text = next(texts)
    return value if text == _text(value) else text


def _checkable(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)
