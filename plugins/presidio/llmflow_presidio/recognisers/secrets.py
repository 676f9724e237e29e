"""Secrets: keys with a shape of their own, and whatever stands after a word that calls it one."""

from __future__ import annotations

import base64
import json
import math
import re
from collections import Counter

from llmflow_presidio.recognisers.rule import Rule, after

_LEFT, _RIGHT = r"(?<![A-Za-z0-9_\-])", r"(?![A-Za-z0-9_\-])"
# What issuers begin their keys with, so that they can be told from other text.
_SHAPES = (
    r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}",  # AWS
    r"gh[pousr]_[A-Za-z0-9]{36,255}",
    r"github_pat_[A-Za-z0-9_]{40,255}",
    r"gl(?:pat|dt|rt|cbt|ptt|ft|soat|agent|imt|oas)-[A-Za-z0-9_\-.]{20,100}",  # GitLab
    r"ATBB[A-Za-z0-9]{32}",
    r"ATATT3[A-Za-z0-9_\-=]{60,250}",  # Atlassian
    r"sk-(?:proj-|svcacct-|admin-|ant-[a-z0-9]{2,8}-|or-v1-|lf-)?[A-Za-z0-9_\-]{20,200}",  # of language models
    r"pk-lf-[a-f0-9\-]{36}",
    r"(?:app|dataset)-[A-Za-z0-9]{24}",  # Langfuse, Dify
    r"(?:gsk|xai|csk|fw|pplx|lsv2_pt|lsv2_sk|co|pa|jina|together|tgp_v1|esecret)[_\-][A-Za-z0-9_\-]{32,100}",
    r"nvapi-[A-Za-z0-9_\-]{60,80}",
    r"r8_[A-Za-z0-9]{37}",
    r"hf_[A-Za-z0-9]{30,40}",
    r"tvly-[A-Za-z0-9\-]{20,50}",
    r"AIza[A-Za-z0-9_\-]{35}",
    r"ya29\.[A-Za-z0-9_\-]{30,300}",
    r"GOCSPX-[A-Za-z0-9_\-]{28}",  # Google
    r"xox[abeoprs]-[A-Za-z0-9\-]{10,200}",
    r"xapp-[0-9]-[A-Za-z0-9\-]{20,200}",  # Slack
    r"(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,200}",
    r"whsec_[A-Za-z0-9+/]{24,64}",  # Stripe
    r"(?:live|test)_[gs]?[csp]k_[A-Za-z0-9]{24,48}",  # Toss Payments
    r"sq0(?:atp|csp|idp)-[A-Za-z0-9_\-]{22,43}",
    r"EAAA[A-Za-z0-9_\-]{50,80}",  # Square
    r"shp(?:at|ca|pa|ss|tka|ua)_[a-f0-9]{32}",
    r"rzp_(?:live|test)_[A-Za-z0-9]{14,24}",
    r"npm_[A-Za-z0-9]{36}",
    r"pypi-[A-Za-z0-9_\-]{50,300}",
    r"rubygems_[a-f0-9]{48}",
    r"dckr_(?:pat|oat)_[A-Za-z0-9_\-]{20,40}",
    r"do[opr]_v1_[a-f0-9]{64}",  # DigitalOcean
    r"dapi[a-f0-9]{32}(?:-\d)?",  # Databricks
    r"SG\.[A-Za-z0-9_\-]{16,24}\.[A-Za-z0-9_\-]{16,64}",
    r"key-[a-f0-9]{32}",
    r"[a-f0-9]{32}-us\d{1,2}",  # Mailchimp
    r"AC[a-f0-9]{32}",
    r"SK[a-f0-9]{32}",  # Twilio
    r"hv[sbr]\.[A-Za-z0-9_\-]{20,200}",  # Vault
    r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_\-]{60,70}",  # Terraform
    r"gl(?:sa_[A-Za-z0-9]{32}(?:_[a-f0-9]{8})?|c_[A-Za-z0-9+/=]{32,200})",
    r"eyJrIjoi[A-Za-z0-9+/]{40,200}={0,2}",  # Grafana
    r"(?:lin_api|lin_oauth|ntn|secret|figd|pat|PMAK|phc|phx|dp\.pt|pscale_tkn|pscale_pw|sbp|sntrys|NRAK|nr|"
    r"CFPAT)[_\-.][A-Za-z0-9_\-]{32,120}",
    r"AGE-SECRET-KEY-1[0-9A-Z]{58}",
    r"\d{8,10}:AA[A-Za-z0-9_\-]{32,34}",  # Telegram
    r"[MNO][A-Za-z0-9]{23,27}\.[A-Za-z0-9_\-]{6}\.[A-Za-z0-9_\-]{27,40}",  # Discord
    r"EAA[A-Za-z0-9]{60,250}",  # Meta
    r"https://hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/]{20,120}",
    r"https://(?:discord|discordapp)\.com/api/webhooks/\d{15,22}/[A-Za-z0-9_\-]{50,100}",
    r"https://[a-z0-9\-]{1,40}\.webhook\.office\.com/webhookb2/[A-Za-z0-9@/\-]{40,200}",
)
_JWT = re.compile(
    _LEFT + r"eyJ[A-Za-z0-9_\-]{10,2000}\.[A-Za-z0-9_\-]{4,4000}\.[A-Za-z0-9_\-]{0,1000}" + _RIGHT
)
_PEM = re.compile(  # up to its end, or as far as it has come: a stream shows it line by line
    r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: "
    r"BLOCK)?-----[^-]{0,12000}(?:-(?!----)[^-]{0,12000}){0,9}(?:-----END [A-Z0-9 ]{0,40}-----)?"
)
_VALUE = r"(?P<it>[^\s\"'`,;<>(){}가-힣“”‘’]{4,200})"
_KEY_WORD = (
    r"(?:api[_\- ]?key|secret[_\- ]?(?:access[_\- ]?)?key|access[_\- ]?key(?:[_\- ]?id)?|client[_\- "
    r"]?secret|app[_\- ]?secret|auth[_\- ]?token|access[_\- ]?token|refresh[_\- ]?token|bearer[_\- ]?token|"
    r"signing[_\- ]?key|encryption[_\- ]?key|private[_\- ]?token|service[_\- ]?key|token|account[_\- ]?key|"
    r"shared[_\- ]?key|license[_\- ]?key|webhook[_\- ]?secret|credential|secret|API ?키|에이피아이 ?키|"
    r"비밀 ?키|시크릿(?: ?키)?|액세스 ?키|인증 ?키|서비스 ?키|토큰|접근 ?키|암호화 ?키|개인 ?키|"
    r"(?<![가-힣])키)(?:[_\- ]?(?:value|값|id))?"
)
_CALLED_SO = (
    r"(?:pass(?:word|wd|phrase|code)|passwd|pwd|pw|비밀 ?번호|비번|패스워드|암호|비밀 ?문구|pin ?(?:번호|"
    r"code|number))"
)
_AFTER_COUNT = re.compile(
    r"(?:입니|이에|예요|이야|야|로|으로|임|이고|고|인데|라고|이라|요|이네|네|이다|다|가|이|을|를)"
)
_ASSIGN = (
    r"(?:[\"'`\]])?(?P<sign>[ ]{0,3}(?::=|=>|->|[:=]|는|은|이|가|을|를| is| was)[ ]{0,3}|[ ]{0,2}\([ ]?|[ "
    r"]{1,3})(?P<quote>[\"'`“‘]?)"
)
_BEGINS = r"(?:(?<![A-Za-z])|(?-i:(?<=[a-z])(?=[A-Z])))"  # a word's, in the middle of camelCase too
_SIGNS = (":=", "=>", "->", ":", "=")
_PLAIN = frozenset(
    "null none true false undefined empty required optional string your_password your_api_key your-api-key "
    "changeme password secret token example xxxx **** not set missing invalid expired wrong incorrect "
    "correct too must should stored encrypted hashed bool "
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
    if not match.groupdict().get("sign", ":").strip() and not (
        len(value) >= 20 and re.search("[0-9]", value)
    ):
        return 0.0
    return 0.9 if _kinds(value) >= 2 and _entropy(value) >= 2.7 else 0.0


def _any_key(match: re.Match[str]) -> float:
    """After `key=` of whatever kind: what no name and no digest is."""
    value = match["it"].rstrip(".!?")
    return 0.85 if _kinds(value) == 3 and _entropy(value) >= 3.5 and not _stand_in(value) else 0.0


def _password(match: re.Match[str]) -> float:
    """After a word for a password: anything that is not a plain word, and no number of something."""
    value = match["it"].rstrip(".!?")
    if len(value) < 4 or _stand_in(value) or value.startswith(("http:", "https:", "/")):
        return 0.0
    counted = value.replace("~", "").replace("-", "").isdigit() and not _ends(match)
    if counted:
        return 0.0
    sign = match["sign"].strip()
    if sign in _SIGNS:
        bare = value.isalpha() and not match["quote"] and sign == ":"
        return 0.0 if bare and match.group()[0].isascii() else 0.9  # "Password: required"
    if not sign:
        number = value.isdigit() and len(value) <= 8 and not re.match(r"[ ]?[가-힣A-Za-z]", after(match, 2))
        return 0.85 if number or _mixed(value) else 0.0
    return 0.9 if re.search(r"[0-9]", value) or re.search(r"[^A-Za-z0-9]", value[:-1]) else 0.0


def _plain_password(match: re.Match[str]) -> float:
    value = match["it"].rstrip(".!?,")
    return 0.9 if _mixed(value) and not _stand_in(value) else 0.0


def _given_password(match: re.Match[str]) -> float:
    """Where a command or a tag takes one: anything but a name for it."""
    return 0.0 if _stand_in(match["it"]) else 0.9


def _ends(match: re.Match[str]) -> bool:
    """Whether a word ends after a match, or goes on as one does after a name: no unit, no counter."""
    rest = match.string[match.end() : match.end() + 3]
    return not re.match("[가-힣]", rest) or _AFTER_COUNT.match(rest) is not None


def _mixed(value: str) -> bool:
    """Whether a word of letters has digits or signs in it, as passwords have and few words."""
    letters, numbers = re.search("[A-Za-z]", value), re.search("[0-9]", value)
    signs = re.search(r"[!@#$%^&*?+=~]", value)
    return len(value) >= 6 and bool((letters and (numbers or signs)) or (numbers and signs))


def _kinds(value: str) -> int:
    """How many of small letters, capitals and digits a value has."""
    return sum(bool(re.search(kind, value)) for kind in ("[a-z]", "[A-Z]", "[0-9]"))


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
        re.compile(rf"{_BEGINS}{_KEY_WORD}{_ASSIGN}{_VALUE}", re.IGNORECASE),
        _key,
        re.compile(r"key|token|secret|credential|키|토큰|시크릿", re.IGNORECASE),
    ),
    Rule(
        "any-key",
        "API_KEY",
        re.compile(
            r"(?<![Uu]blic[ _-])(?:key|KEY|Key)[\"']?[ ]{0,2}[:=][ ]{0,2}[\"']?(?P<it>[A-Za-z0-9_\-+/=.%]{24,200})"
        ),
        _any_key,
        re.compile(r"key[\"']?[ ]{0,2}[:=]", re.IGNORECASE),
    ),
    Rule(
        "bearer",
        "API_KEY",
        re.compile(
            r"(?<![A-Za-z])(?:Bearer|Basic|Token)[ ]{1,2}(?P<it>[A-Za-z0-9_\-.~+/]{16,500}={0,2})(?![A-Za-z"
            r"0-9])"
        ),
        _key,
        re.compile("Bearer|Basic|Token"),
    ),
    Rule(
        "named-password",
        "PASSWORD",
        re.compile(
            rf"(?:{_BEGINS}|(?<=PG)){_CALLED_SO}(?:[ ]?\([^()\n]{{1,12}}\)|[ ](?:for|to|of)[ "
            rf"][^:=\n]{{1,30}}?(?= is|[:=]))?{_ASSIGN}(?P<it>(?<=[\"'])[^\"'\n가-힣]{{4,60}}(?=[\"'])|"
            rf"[^\s\"'`,;<>(){{}}가-힣“”‘’]{{4,100}})",
            re.IGNORECASE,
        ),
        _password,
        re.compile(r"pass|pwd|pw|비밀|비번|패스|암호|pin", re.IGNORECASE),
    ),
    Rule(
        "password-first",
        "PASSWORD",
        re.compile(
            r"(?<![!-~])(?P<it>[!-~]{6,40})(?:이|가|로|으로|를|을)?[ ](?:내[ ]|제[ ]|새[ ])?(?:비밀 ?번호|"
            r"비번|패스워드|암호)(?:야|예|이|로|입|임|거|다|를|는)"
        ),
        _plain_password,
        re.compile(r"비밀|비번|패스|암호"),
    ),
    Rule(
        "short-password",
        "PASSWORD",
        re.compile(
            r"(?<![A-Za-z])pass[ ]{0,2}[:=][ ]{0,2}[\"']?(?P<it>[^\s\"'`,;<>(){}가-힣]{4,100})", re.IGNORECASE
        ),
        _plain_password,
        re.compile("pass[ ]{0,2}[:=]", re.IGNORECASE),
    ),
    Rule(
        "account-password",
        "PASSWORD",
        re.compile(
            r"(?<![A-Za-z])(?:id|아이디|계정|account|login|로그인)(?:[ ]?[/,][ ]?(?:pw|pwd|password|비번|"
            r"비밀번호|암호|패스워드))?[ ]{0,2}(?:[:=은는이가]|정보)?[ "
            r":]{0,3}[A-Za-z][A-Za-z0-9._\-@]{1,40}[ ]?/[ ]?(?P<it>[^\s\"'`,;<>(){}가-힣/]{6,60})",
            re.IGNORECASE,
        ),
        _plain_password,
        "/",
    ),
    Rule(
        "command-password",
        "PASSWORD",
        re.compile(
            r"(?<![A-Za-z])(?:(?:mysql|mysqldump|mysqladmin|mariadb|sshpass|docker login)(?:[ ][^\n|"
            r";]{0,80}?)?[ ]-p[ ]?[\"']?|curl[ ](?:[^\n|;]{0,80}?[ ])?(?:-u|--user)[ "
            r"][\"']?[A-Za-z0-9._\-]{1,40}:)(?P<it>[^\s\"'\-][^\s\"']{3,100})"
        ),
        _given_password,
        re.compile("mysql|mariadb|sshpass|docker|curl"),
    ),
    Rule(
        "tagged-password",
        "PASSWORD",
        re.compile(
            r"<(?:[A-Za-z]{1,12}[:_\-]?)?(?:password|passwd|pwd)>(?P<it>[^<>\s]{4,100})</", re.IGNORECASE
        ),
        _given_password,
        "</",
    ),
    Rule(
        "url-password",
        "PASSWORD",
        re.compile(r"(?<![A-Za-z0-9])[a-z][a-z0-9+]{1,20}://[^\s:/@]{0,64}:(?P<it>[^\s:/@]{1,128})@"),
        _in_url,
        "://",
    ),
)
