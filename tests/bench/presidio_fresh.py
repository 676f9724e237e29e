"""A second labelled set for moderation, written without a look at the rules, and parted before it was first measured.

    python -m bench.presidio_fresh

in tests/. Reads `tests/cases/presidio/fresh.txt`: a text a line, `\\n` for a new line, `{code}` for a made value and
`{code:words}` for words with the label of that code; writes both halves. A line is in one half alone, so that what a
rule learns from one is not asked again in the other.
"""

from __future__ import annotations

import json
import random
import re
import string
from collections.abc import Callable

from bench.presidio_cases import CASES, FRESH

_MARK = re.compile(r"\{([a-z_]+[0-9]{0,2})(?::([^{}]*))?\}")
_UPPER, _LOWER, _DIGITS = string.ascii_uppercase, string.ascii_lowercase, string.digits
_ALNUM, _HEX = string.ascii_letters + _DIGITS, "0123456789abcdef"
_WIDE = str.maketrans(_DIGITS + "-", "０１２３４５６７８９－")

_WORDS = {
    "n": "PERSON",
    "a": "ADDRESS",
    "e": "EMAIL_ADDRESS",
    "zip": "KR_POSTAL_CODE",
    "pw": "PASSWORD",
    "key": "API_KEY",
    "pi": "PROMPT_INJECTION",
    "ph": "PHONE_NUMBER",
    "ip": "IP_ADDRESS",
    "plate": "KR_VEHICLE_PLATE",
    "acc": "KR_BANK_ACCOUNT",
}
_KEYS = {  # prefix, signs, how many
    "k_openai": ("sk-proj-", _ALNUM, 48),
    "k_openai_old": ("sk-", _ALNUM, 48),
    "k_anthropic": ("sk-ant-api03-", _ALNUM + "_-", 93),
    "k_aws": ("AKIA", _UPPER + "234567", 16),
    "k_asia": ("ASIA", _UPPER + "234567", 16),
    "k_aws_secret": ("", _ALNUM + "/+", 40),
    "k_github": ("ghp_", _ALNUM, 36),
    "k_github_pat": ("github_pat_", _ALNUM, 82),
    "k_gitlab": ("glpat-", _ALNUM + "_-", 20),
    "k_google": ("AIza", _ALNUM + "_-", 35),
    "k_google_oauth": ("GOCSPX-", _ALNUM, 28),
    "k_stripe": ("sk_live_", _ALNUM, 24),
    "k_stripe_r": ("rk_live_", _ALNUM, 24),
    "k_npm": ("npm_", _ALNUM, 36),
    "k_pypi": ("pypi-AgEIcHlwaS5vcmc", _ALNUM + "_-", 90),
    "k_hf": ("hf_", string.ascii_letters, 34),
    "k_do": ("dop_v1_", _HEX, 64),
    "k_databricks": ("dapi", _HEX, 32),
    "k_shopify": ("shpat_", _HEX, 32),
    "k_linear": ("lin_api_", _ALNUM, 40),
    "k_notion": ("ntn_", _ALNUM, 46),
    "k_vault": ("hvs.", _ALNUM, 90),
    "k_docker": ("dckr_pat_", _ALNUM, 27),
    "k_groq": ("gsk_", _ALNUM, 52),
    "k_replicate": ("r8_", _ALNUM, 37),
    "k_langfuse": ("sk-lf-", _HEX, 36),
    "k_dify": ("app-", _ALNUM, 24),
    "k_dify_set": ("dataset-", _ALNUM, 24),
    "k_toss": ("live_sk_", _ALNUM, 32),
    "k_atlassian": ("ATATT3xFfGF0", _ALNUM + "_-", 150),
    "k_any": ("", _ALNUM, 32),
    "k_any2": ("", _ALNUM, 43),
    "k_hex": ("", _HEX, 32),
}
_BANKS = {
    "b_kb": "######-0#-######",
    "b_shinhan": "110-###-######",
    "b_woori": "1002-###-######",
    "b_hana": "###-######-#####",
    "b_nh": "30#-####-####-#1",
    "b_ibk": "###-######-01-###",
    "b_kakao": "3333-0#-#######",
    "b_toss": "1000-####-####",
    "b_kbank": "100-###-######",
    "b_mg": "9002-####-####-#",
    "b_post": "01####-02-######",
    "b_sc": "###-20-######",
    "b_im": "508-##-######-#",
    "b_busan": "101-####-####-0#",
    "b_shinhyup": "132-###-######",
    "b_plain": "3333############"[:13],
    "b_plain_two": "1002#########",
}
_NEGATIVE = {"hex32": (_HEX, 32), "hex40": (_HEX, 40), "hex64": (_HEX, 64), "hex7": (_HEX, 7)}


def made() -> dict[str, list[str]]:
    """The lines of both halves, as JSON: text, language, spans."""
    rows: list[str] = []
    lines = (CASES / "fresh.txt").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(line for line in lines if line.strip() and not line.startswith("# ")):
        rows.append(_row(line.replace("\\n", "\n"), random.Random(f"fresh {number}")))
    order = list(range(len(rows)))
    random.Random("fresh halves").shuffle(order)
    first = set(order[: len(order) // 2])
    return {
        FRESH[0]: [row for at, row in enumerate(rows) if at in first],
        FRESH[1]: [row for at, row in enumerate(rows) if at not in first],
    }


def _row(line: str, dice: random.Random) -> str:
    text, spans, at = "", [], 0
    for mark in _MARK.finditer(line):
        text += line[at : mark.start()]
        at = mark.end()
        value, entity = _value(mark[1], mark[2], dice)
        if entity:
            spans.append([len(text), len(text) + len(value), entity])
        text += value
    text += line[at:]
    language = "ko" if re.search("[가-힣]", text) else "en"
    row = {"text": text, "spans": spans, "language": language, "source": "fresh"}
    return json.dumps(row, ensure_ascii=False)


def _value(code: str, words: str | None, dice: random.Random) -> tuple[str, str | None]:
    if words is not None:
        return words, _WORDS[code]
    if code in _KEYS:
        prefix, signs, count = _KEYS[code]
        return prefix + _some(dice, signs, count), "API_KEY"
    if code in _BANKS:
        return _digits(dice, _BANKS[code]), "KR_BANK_ACCOUNT"
    if code in _NEGATIVE:
        return _some(dice, *_NEGATIVE[code]), None
    entity, maker = _MAKERS[code]
    return maker(dice), entity


def _some(dice: random.Random, signs: str, count: int) -> str:
    return "".join(dice.choice(signs) for _ in range(count))


def _digits(dice: random.Random, form: str) -> str:
    return "".join(dice.choice(_DIGITS) if sign == "#" else sign for sign in form)


def _birth(dice: random.Random, first: int = 1950, last: int = 1999) -> str:
    return f"{dice.randint(first, last) % 100:02}{dice.randint(1, 12):02}{dice.randint(1, 28):02}"


def _rrn(dice: random.Random, sexes: str = "12", right: bool = True, base: int = 11) -> str:
    body = _birth(dice) + dice.choice(sexes) + _digits(dice, "#####")
    check = (
        base - sum(int(d) * w for d, w in zip(body, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5), strict=True)) % 11
    )
    check %= 10
    return f"{body[:6]}-{body[6:]}{check if right else (check + dice.randint(1, 9)) % 10}"


def _young(dice: random.Random) -> str:
    """A number given since October 2020: no place of birth in it, no check digit."""
    return f"{_birth(dice, 2021, 2025)}-{dice.choice('34')}{_digits(dice, '######')}"


def _brn(dice: random.Random, right: bool = True) -> str:
    body = _digits(dice, "###") + _digits(dice, "##") + _digits(dice, "####")
    if body.startswith("0"):
        body = "2" + body[1:]
    total = (
        sum(int(d) * w for d, w in zip(body, (1, 3, 7, 1, 3, 7, 1, 3, 5), strict=True))
        + int(body[8]) * 5 // 10
    )
    check = (10 - total % 10) % 10
    check = check if right else (check + dice.randint(1, 9)) % 10
    return f"{body[:3]}-{body[3:5]}-{body[5:]}{check}"


def _crn(dice: random.Random) -> str:
    body = dice.choice(("1101", "1301", "1801", "2001", "1201", "1350")) + dice.choice(("11", "14", "71"))
    body += _digits(dice, "######")
    total = sum(int(d) * (1 + at % 2) for at, d in enumerate(body))
    return f"{body[:6]}-{body[6:]}{(10 - total % 10) % 10}"


def _luhn(dice: random.Random, start: str, length: int = 16, right: bool = True) -> str:
    body = start + _digits(dice, "#" * (length - 1 - len(start)))
    total = 0
    for at, digit in enumerate(reversed(body)):
        twice = int(digit) * (2 - at % 2)
        total += twice - 9 if twice > 9 else twice
    check = (10 - total % 10) % 10
    return f"{body}{check if right else (check + dice.randint(1, 9)) % 10}"


def _card(dice: random.Random, right: bool = True) -> str:
    return _luhn(dice, dice.choice(("4", "51", "53", "55", "9410", "6250", "3566")), right=right)


def _fours(number: str, between: str = "-") -> str:
    return between.join(number[at : at + 4] for at in range(0, len(number), 4))


def _amex(dice: random.Random) -> str:
    number = _luhn(dice, "37", 15)
    return f"{number[:4]}-{number[4:10]}-{number[10:]}"


def _mobile(dice: random.Random) -> str:
    return f"010-{dice.randint(2000, 9999)}-{_digits(dice, '####')}"


def _landline(dice: random.Random) -> str:
    code = dice.choice(("02", "02", "031", "032", "042", "051", "053", "062", "064", "033", "043", "055"))
    return f"{code}-{dice.randint(200, 899)}-{_digits(dice, '####')}"


def _zero_width(number: str, dice: random.Random) -> str:
    at = dice.randint(2, len(number) - 3)
    return number[:at] + "\u200b" + number[at:]


def _plate(
    dice: random.Random,
    length: int = 2,
    signs: str = "가나다라마거너더러머버서어저고노도로모보소오조구누두루무부수우주",
) -> str:
    return f"{_digits(dice, '#' * length).replace('0', '3')}{dice.choice(signs)}{dice.randint(1000, 9999)}"


def _iban(dice: random.Random) -> str:
    country, form = dice.choice((("DE", 18), ("FR", 23), ("GB", 0), ("NL", 0), ("ES", 20)))
    body = {"GB": "BARC" + _digits(dice, "#" * 14), "NL": "ABNA" + _digits(dice, "#" * 10)}.get(
        country, _digits(dice, "#" * form)
    )
    turned = "".join(str(int(sign, 36)) for sign in f"{body}{country}00")
    return f"{country}{98 - int(turned) % 97:02}{body}"


def _nhs(dice: random.Random) -> str:
    while True:
        body = _digits(dice, "4########")
        check = 11 - sum(int(d) * (10 - at) for at, d in enumerate(body)) % 11
        if check != 10:
            return f"{body[:3]} {body[3:6]} {body[6:]}{check % 11}"


def _isbn(dice: random.Random) -> str:
    body = "979118" + _digits(dice, "######")
    check = (10 - sum(int(d) * (1 + 2 * (at % 2)) for at, d in enumerate(body)) % 10) % 10
    return f"{body[:3]}-{body[3:5]}-{body[5:10]}-{body[10:]}-{check}"


def _jwt(dice: random.Random) -> str:
    signs = _ALNUM + "_-"
    return (
        f"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI{_some(dice, signs, 60)}.{_some(dice, signs, 43)}"
    )


def _pem(dice: random.Random, kind: str = "RSA ") -> str:
    body = "\n".join(_some(dice, _ALNUM + "+/", 64) for _ in range(6))
    return f"-----BEGIN {kind}PRIVATE KEY-----\n{body}\n-----END {kind}PRIVATE KEY-----"


def _bitcoin(dice: random.Random) -> str:
    """A base58 address with its check sum."""
    import hashlib

    signs = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    body = b"\x00" + dice.randbytes(20)
    body += hashlib.sha256(hashlib.sha256(body).digest()).digest()[:4]
    number, told = int.from_bytes(body), ""
    while number:
        number, rest = divmod(number, 58)
        told = signs[rest] + told
    return "1" + told


_FAMILIES = (
    "김이박최정강조윤장임한오서신권황안송류전홍고문양손배백허유남심노하곽성차주우구민진지엄채원천방공현함"
    "변염여추도소석선설마길연위표명기반왕금옥육인맹제모탁국어은편용"
)
_GIVEN = (
    "민준 서연 도윤 하은 시우 지유 주원 수아 예준 지안 건우 다은 현우 채원 준서 소율 영수 정희 영자 순자 "
    "미경 상철 병호 종훈 "
    "동현 성민 은정 혜진 경숙 말순 태식 광호 기태 나래 보람 슬기 아름 한별 재석 호동 명수 형돈 준하 길동 춘향 몽룡 "
    "옥순 덕배 만수 필립 세아 라온 로운 이안 해솔 단우 윤재 규리 가람 찬영 효린 빛나 진아 우성 혁 솔 준 빈 훈"
).split()
_FIRST = (
    "Oliver Amelia Noah Priya Diego Fatima Hiroshi Ingrid Kwame Leila Marcus Nadia Owen Petra Quentin Rosa "
    "Samuel Tanya "
    "Victor Wendy Yusuf Zoe Alice Brandon Chloe Derek Elena Frank Grace Henry"
).split()
_LAST = (
    "Anderson Bennett Castillo Dubois Eriksen Fischer Gallagher Hughes Ivanov Jensen Kowalski Lindqvist Murphy Novak "
    "Okafor Patel Quinn Ramirez Schneider Tanaka Underwood Vasquez Whitfield Yamamoto Zimmerman Park Choi Nguyen"
).split()


def _korean(dice: random.Random) -> str:
    return dice.choice(_FAMILIES[:60] + _FAMILIES[:20] * 3) + dice.choice(_GIVEN)


def _english(dice: random.Random) -> str:
    return f"{dice.choice(_FIRST)} {dice.choice(_LAST)}"


_MAKERS: dict[str, tuple[str | None, Callable[[random.Random], str]]] = {
    "nm": ("PERSON", _korean),
    "en": ("PERSON", _english),
    "rrn": ("KR_RRN", _rrn),
    "rrnp": ("KR_RRN", lambda d: _rrn(d).replace("-", "")),
    "rrnx": ("KR_RRN", lambda d: _rrn(d, right=False)),
    "rrnn": ("KR_RRN", _young),
    "rrnsp": ("KR_RRN", lambda d: _rrn(d).replace("-", " - ")),
    "rrnfw": ("KR_RRN", lambda d: _rrn(d).translate(_WIDE)),
    "rrnzw": ("KR_RRN", lambda d: _zero_width(_rrn(d), d)),
    "rrnbad": (None, lambda d: f"{d.randint(10, 99)}13{d.randint(32, 99)}-{_digits(d, '1######')}"),
    "frn": ("KR_FRN", lambda d: _rrn(d, "56", base=13)),
    "frnp": ("KR_FRN", lambda d: _rrn(d, "56", base=13).replace("-", "")),
    "frnx": ("KR_FRN", lambda d: _rrn(d, "56", right=False, base=13)),
    "brn": ("KR_BRN", _brn),
    "brnp": ("KR_BRN", lambda d: _brn(d).replace("-", "")),
    "brnfw": ("KR_BRN", lambda d: _brn(d).translate(_WIDE)),
    "brnbad": (None, lambda d: _brn(d, right=False)),
    "crn": ("KR_CRN", _crn),
    "crnp": ("KR_CRN", lambda d: _crn(d).replace("-", "")),
    "ppold": ("KR_PASSPORT", lambda d: d.choice("MSRODG"[:4]) + _digits(d, "########")),
    "ppnew": ("KR_PASSPORT", lambda d: f"M{_digits(d, '###')}{d.choice(_UPPER)}{_digits(d, '####')}"),
    "dl": ("KR_DRIVER_LICENSE", lambda d: f"{d.randint(11, 26)}-{_digits(d, '##-######-##')}"),
    "dlr": (
        "KR_DRIVER_LICENSE",
        lambda d: (
            f"{d.choice(('서울', '경기', '부산', '대전', '충남', '제주'))} {_digits(d, '##-######-##')}"
        ),
    ),
    "dlp": ("KR_DRIVER_LICENSE", lambda d: f"{d.randint(11, 26)}{_digits(d, '##########')}"),
    "card": ("CREDIT_CARD", lambda d: _fours(_card(d))),
    "cardp": ("CREDIT_CARD", _card),
    "cards": ("CREDIT_CARD", lambda d: _fours(_card(d), " ")),
    "cardfw": ("CREDIT_CARD", lambda d: _fours(_card(d)).translate(_WIDE)),
    "cardzw": ("CREDIT_CARD", lambda d: _zero_width(_fours(_card(d)), d)),
    "cardbad": (None, lambda d: _fours(_card(d, right=False))),
    "amex": ("CREDIT_CARD", _amex),
    "mob": ("PHONE_NUMBER", _mobile),
    "mobp": ("PHONE_NUMBER", lambda d: _mobile(d).replace("-", "")),
    "mobd": ("PHONE_NUMBER", lambda d: _mobile(d).replace("-", ".")),
    "mobs": ("PHONE_NUMBER", lambda d: _mobile(d).replace("-", " ")),
    "mobi": ("PHONE_NUMBER", lambda d: f"+82 {_mobile(d)[1:]}"),
    "mobi2": ("PHONE_NUMBER", lambda d: f"+82-{_mobile(d)[1:]}"),
    "mobi3": ("PHONE_NUMBER", lambda d: f"+82{_mobile(d)[1:].replace('-', '')}"),
    "mobi4": ("PHONE_NUMBER", lambda d: f"+82 (0){_mobile(d)[1:]}"),
    "mobfw": ("PHONE_NUMBER", lambda d: _mobile(d).translate(_WIDE)),
    "mobzw": ("PHONE_NUMBER", lambda d: _zero_width(_mobile(d), d)),
    "tel": ("PHONE_NUMBER", _landline),
    "telp": ("PHONE_NUMBER", lambda d: re.sub(r"^(\d+)-", r"(\1) ", _landline(d))),
    "teln": ("PHONE_NUMBER", lambda d: _landline(d).replace("-", "")),
    "teld": ("PHONE_NUMBER", lambda d: _landline(d).replace("-", ".")),
    "teli": ("PHONE_NUMBER", lambda d: f"+82-{_landline(d)[1:]}"),
    "voip": ("PHONE_NUMBER", lambda d: f"070-{d.randint(4000, 8999)}-{_digits(d, '####')}"),
    "safe": (
        "PHONE_NUMBER",
        lambda d: f"050{d.choice('2345678')}-{d.randint(1000, 9999)}-{_digits(d, '####')}",
    ),
    "rep": (
        "PHONE_NUMBER",
        lambda d: f"{d.choice(('1588', '1544', '1577', '1600', '1661', '1899'))}-{_digits(d, '####')}",
    ),
    "usphone": (
        "PHONE_NUMBER",
        lambda d: f"({d.choice(('415', '212', '617', '303'))}) {d.randint(220, 899)}-{_digits(d, '####')}",
    ),
    "usphone2": (
        "PHONE_NUMBER",
        lambda d: f"+1-{d.choice(('415', '212', '617'))}-{d.randint(220, 899)}-{_digits(d, '####')}",
    ),
    "ukphone": ("PHONE_NUMBER", lambda d: f"+44 20 7{_digits(d, '###')} {_digits(d, '####')}"),
    "plate2": ("KR_VEHICLE_PLATE", _plate),
    "plate3": ("KR_VEHICLE_PLATE", lambda d: _plate(d, 3)),
    "plates": ("KR_VEHICLE_PLATE", lambda d: re.sub(r"(\D)", r"\1 ", _plate(d, 3))),
    "plateold": (
        "KR_VEHICLE_PLATE",
        lambda d: d.choice(("서울", "부산", "경기", "인천", "대구")) + _plate(d),
    ),
    "platecom": (
        "KR_VEHICLE_PLATE",
        lambda d: f"{d.choice(('서울', '경기', '전남'))} {_plate(d, 2, '아바사자배')}",
    ),
    "platerent": ("KR_VEHICLE_PLATE", lambda d: _plate(d, 3, "하허호")),
    "zipn": ("KR_POSTAL_CODE", lambda d: f"0{d.randint(1000, 8999)}"),
    "ipv4": (
        "IP_ADDRESS",
        lambda d: (
            f"{d.choice((10, 172, 192, 203, 121))}.{d.randint(0, 254)}.{d.randint(0, 254)}.{d.randint(1, 254)}"
        ),
    ),
    "ipv6": ("IP_ADDRESS", lambda d: f"2001:db8:{_some(d, _HEX[1:], 4)}::{_some(d, _HEX[1:], 3)}"),
    "mac": ("MAC_ADDRESS", lambda d: ":".join(_some(d, _HEX, 2) for _ in range(6))),
    "iban": ("IBAN_CODE", _iban),
    "ibans": ("IBAN_CODE", lambda d: _fours(_iban(d), " ")),
    "btc": ("CRYPTO", _bitcoin),
    "eth": ("CRYPTO", lambda d: "0x" + _some(d, _HEX, 40)),
    "ssn": ("US_SSN", lambda d: f"{d.randint(200, 660)}-{d.randint(10, 99)}-{d.randint(1000, 9999)}"),
    "itin": ("US_ITIN", lambda d: f"9{_digits(d, '##')}-7{d.randint(0, 9)}-{_digits(d, '####')}"),
    "uspass": ("US_PASSPORT", lambda d: _digits(d, "5########")),
    "nino": ("UK_NINO", lambda d: f"AB {_digits(d, '## ## ##')} C"),
    "nhs": ("UK_NHS", _nhs),
    "jwt": ("JWT", _jwt),
    "pem": ("PRIVATE_KEY", _pem),
    "pemssh": ("PRIVATE_KEY", lambda d: _pem(d, "OPENSSH ")),
    "pemec": ("PRIVATE_KEY", lambda d: _pem(d, "EC ")),
    "pempkcs": ("PRIVATE_KEY", lambda d: _pem(d, "")),
    "k_grafana": ("API_KEY", lambda d: f"glsa_{_some(d, _ALNUM, 32)}_{_some(d, _HEX, 8)}"),
    "k_slack": (
        "API_KEY",
        lambda d: f"xoxb-{_digits(d, '############')}-{_digits(d, '#############')}-{_some(d, _ALNUM, 24)}",
    ),
    "k_slack_hook": (
        "API_KEY",
        lambda d: (
            f"https://hooks.slack.com/services/T{_some(d, _UPPER + _DIGITS, 10)}/B"
            f"{_some(d, _UPPER + _DIGITS, 10)}/{_some(d, _ALNUM, 24)}"
        ),
    ),
    "k_sendgrid": ("API_KEY", lambda d: f"SG.{_some(d, _ALNUM, 22)}.{_some(d, _ALNUM, 43)}"),
    "k_bot": ("API_KEY", lambda d: f"{_digits(d, '7#########')}:AA{_some(d, _ALNUM, 33)}"),
    "k_azure": ("API_KEY", lambda d: _some(d, _ALNUM + "+/", 86) + "=="),
    "k_data": ("API_KEY", lambda d: _some(d, _ALNUM, 84) + "%3D%3D"),
    "isbn": (None, _isbn),
    "uuid": (None, lambda d: "-".join(_some(d, _HEX, n) for n in (8, 4, 4, 4, 12))),
    "d_four": (None, lambda d: _digits(d, "####")),
    "d_six": (None, lambda d: _digits(d, "######")),
    "d_eight": (None, lambda d: _digits(d, "########")),
    "d_ten": (None, lambda d: _digits(d, "2#########")),
    "d_twelve": (None, lambda d: _digits(d, "############")),
    "d_track": (None, lambda d: _digits(d, "6###-####-####")),
}


def main() -> None:
    """Write both halves."""
    for half, rows in made().items():
        (CASES / f"{half}.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
