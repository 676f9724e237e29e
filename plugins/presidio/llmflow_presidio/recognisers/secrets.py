"""Secrets: keys with a shape of their own, and whatever stands after a word that calls it one."""

from __future__ import annotations

import base64
import json
import math
import re
from collections import Counter

from llmflow_presidio.recognisers.rule import Rule

_LEFT, _RIGHT = r"(?<![A-Za-z0-9_\-])", r"(?![A-Za-z0-9_\-])"
# What issuers begin their keys with, so that they can be told from other text.
_SHAPES = (
    r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}",  # AWS
    r"gh[pousr]_[A-Za-z0-9]{36,255}",
    r"github_pat_[A-Za-z0-9_]{40,255}",
    r"glpat-[A-Za-z0-9_\-]{20,64}",
    r"sk-(?:proj-|svcacct-|admin-|ant-[a-z0-9]{2,8}-|or-v1-|lf-)?[A-Za-z0-9_\-]{20,200}",  # of language models
    r"pk-lf-[a-f0-9\-]{36}",
    r"(?:app|dataset)-[A-Za-z0-9]{24}",  # Langfuse, Dify
    r"AIza[A-Za-z0-9_\-]{35}",
    r"ya29\.[A-Za-z0-9_\-]{30,300}",
    r"GOCSPX-[A-Za-z0-9_\-]{28}",  # Google
    r"xox[abeoprs]-[A-Za-z0-9\-]{10,200}",
    r"xapp-[0-9]-[A-Za-z0-9\-]{20,200}",  # Slack
    r"(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,200}",
    r"whsec_[A-Za-z0-9]{24,64}",  # Stripe
    r"npm_[A-Za-z0-9]{36}",
    r"pypi-[A-Za-z0-9_\-]{50,300}",
    r"hf_[A-Za-z0-9]{30,40}",
    r"dop_v1_[a-f0-9]{64}",
    r"SG\.[A-Za-z0-9_\-]{20,24}\.[A-Za-z0-9_\-]{40,50}",
    r"key-[a-f0-9]{32}",
    r"AC[a-f0-9]{32}",
    r"SK[a-f0-9]{32}",
    r"nvapi-[A-Za-z0-9_\-]{60,80}",
    r"gsk_[A-Za-z0-9]{40,60}",
    r"r8_[A-Za-z0-9]{37}",
    r"tvly-[A-Za-z0-9\-]{20,50}",
    r"hvs\.[A-Za-z0-9_\-]{20,120}",
    r"dckr_pat_[A-Za-z0-9_\-]{20,40}",
    r"glsa_[A-Za-z0-9]{32}_[a-f0-9]{8}",
    r"eyJrIjoi[A-Za-z0-9+/]{40,200}={0,2}",
)
_JWT = re.compile(
    _LEFT + r"eyJ[A-Za-z0-9_\-]{10,2000}\.[A-Za-z0-9_\-]{4,4000}\.[A-Za-z0-9_\-]{0,1000}" + _RIGHT
)
_PEM = re.compile(  # up to its end, or as far as it has come: a stream shows it line by line
    r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: "
    r"BLOCK)?-----[^-]{0,12000}(?:-(?!----)[^-]{0,12000}){0,9}"
    r"(?:-----END [A-Z0-9 ]{0,40}-----)?"
)
_VALUE = r"[\"'`“‘]?(?P<it>[^\s\"'`,;<>(){}가-힣“”‘’]{4,200})"
_KEY_WORD = (
    r"(?:api[_\- ]?key|secret[_\- ]?(?:access[_\- ]?)?key|access[_\- ]?key(?:[_\- ]?id)?|"
    r"client[_\- ]?secret|app[_\- ]?secret|auth[_\- ]?token|access[_\- ]?token|refresh[_\- ]?token|"
    r"bearer[_\- ]?token|signing[_\- ]?key|encryption[_\- ]?key|private[_\- ]?token|service[_\- ]?key|token|"
    r"secret|API ?키|에이피아이 ?키|비밀 ?키|시크릿(?: ?키)?|액세스 ?키|인증 ?키|서비스 ?키|토큰|접근 ?키)"
)
_CALLED_SO = (
    r"(?:pass(?:word|wd|phrase|code)|passwd|pwd|pw|비밀 ?번호|비번|패스워드|암호|비밀 ?문구|pin ?(?:번호|"
    r"code|number))"
)
_ASSIGN = r"(?:[\"'`])?[ ]{0,3}(?::=|=>|->|[:=]|는|은|이|가| is| was)[ ]{0,3}"
_PLAIN = frozenset(
    "null none true false undefined empty required optional string your_password your_api_key your-api-key "
    "changeme password secret token example xxxx **** "
    "not set missing invalid expired wrong incorrect correct too must should stored encrypted hashed bool "
    "str int text the a an reset being used valid needed".split()
)

_STAND_INS = tuple("$ % < { [ your xxx ... *** os. process. env. get config. self.".split())
_NAME = re.compile(r"[a-z_]{1,40}(?:\.[a-z_]{1,40}){1,4}")  # of something in a program


def _jwt(match: re.Match[str]) -> float:
    """A JSON Web Token says in its first part how it is signed."""
    head = match.group().split(".", 1)[0]
    try:
        found = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (ValueError, UnicodeDecodeError):
        return 0.0
    return 1.0 if isinstance(found, dict) and "alg" in found else 0.0


def _key(match: re.Match[str]) -> float:
    """After a word for a key: long, of mixed signs, not a word."""
    value = match["it"].rstrip(".!?")
    if len(value) < 12 or _stand_in(value):
        return 0.0
    mixed = sum(bool(re.search(kind, value)) for kind in ("[a-z]", "[A-Z]", "[0-9]"))
    return 0.9 if mixed >= 2 and _entropy(value) >= 2.7 else 0.0


def _password(match: re.Match[str]) -> float:
    """After a word for a password: anything that is not a plain word."""
    value = match["it"].rstrip(".!?")
    if len(value) < 4 or _stand_in(value) or value.startswith(("http:", "https:", "/")):
        return 0.0
    if match["sign"].strip() in ("=", ":", ":=", "=>", "->"):
        bare = value.isalpha() and not match["quote"] and match["sign"].strip() == ":"
        return 0.0 if bare and match.group()[0].isascii() else 0.9  # "Password: required"
    return 0.9 if re.search(r"[0-9]", value) or re.search(r"[^A-Za-z0-9]", value[:-1]) else 0.0


def _in_url(match: re.Match[str]) -> float:
    return 0.0 if _stand_in(match["it"]) else 0.98


def _stand_in(value: str) -> bool:
    """Whether a value only shows where one goes."""
    low = value.lower()
    return low in _PLAIN or len(set(low)) < 3 or low.startswith(_STAND_INS) or bool(_NAME.fullmatch(low))


def _entropy(value: str) -> float:
    return -sum(n / len(value) * math.log2(n / len(value)) for n in Counter(value).values())


RULES = (
    Rule("pem", "PRIVATE_KEY", _PEM, 1.0, "PRIVATE KEY"),
    Rule("jwt", "JWT", _JWT, _jwt, "eyJ"),
    Rule(
        "issued-key",
        "API_KEY",
        re.compile(_LEFT + f"(?:{'|'.join(_SHAPES)})" + _RIGHT),
        0.97,
        re.compile(r"[A-Za-z0-9_\-]{20}"),
    ),
    Rule(
        "named-key",
        "API_KEY",
        re.compile(rf"(?<![A-Za-z]){_KEY_WORD}{_ASSIGN}{_VALUE}", re.IGNORECASE),
        _key,
        re.compile(r"key|token|secret|키|토큰|시크릿", re.IGNORECASE),
    ),
    Rule(
        "bearer",
        "API_KEY",
        re.compile(
            r"(?<![A-Za-z])(?:Bearer|Basic|"
            r"Token)[ ]{1,2}(?P<it>[A-Za-z0-9_\-.~+/]{16,500}={0,2})(?![A-Za-z0-9])"
        ),
        _key,
        re.compile("Bearer|Basic|Token"),
    ),
    Rule(
        "named-password",
        "PASSWORD",
        re.compile(
            rf"(?<![A-Za-z]){_CALLED_SO}(?:[\"'`])?(?P<sign>[ ]{{0,3}}(?::=|=>|->|[:=])|는|은|이|가| is| was|"
            rf":)[ ]{{0,3}}(?P<quote>[\"'`“‘]?)"
            r"(?P<it>[^\s\"'`,;<>(){}가-힣“”‘’]{4,100})",
            re.IGNORECASE,
        ),
        _password,
        re.compile(r"pass|pwd|pw|비밀|비번|패스|암호|pin", re.IGNORECASE),
    ),
    Rule(
        "url-password",
        "PASSWORD",
        re.compile(
            r"(?<![A-Za-z0-9])"
            r"[a-z][a-z0-9+]{1,20}://[^\s:/@]{1,64}:(?P<it>[^\s:/@]{1,128})@"
        ),
        _in_url,
        "://",
    ),
)
