"""Numbers and dates as a sheet shows them: the part of Excel's number formats that sheets use."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache

BUILT_IN = {
    0: "General", 1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00",
    14: "yyyy-mm-dd", 15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy", 18: "h:mm AM/PM", 19: "h:mm:ss AM/PM", 20: "h:mm",
    21: "h:mm:ss", 22: "yyyy-mm-dd h:mm", 27: 'yyyy"년" mm"월" dd"일"', 28: "mm-dd", 29: "mm-dd", 30: "mm-dd-yy",
    31: 'yyyy"년" mm"월" dd"일"', 32: 'h"시" mm"분"', 33: 'h"시" mm"분" ss"초"', 34: "yyyy-mm-dd", 35: "yyyy-mm-dd",
    36: "yyyy-mm-dd", 37: "#,##0", 38: "#,##0", 39: "#,##0.00", 40: "#,##0.00", 41: "#,##0", 42: '"₩"#,##0',
    43: "#,##0.00", 44: '"₩"#,##0.00', 45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss.0", 48: "0.0E+0", 49: "@",
    50: 'yyyy"년" mm"월" dd"일"', 51: "mm-dd", 57: 'yyyy"년" mm"월" dd"일"', 58: "mm-dd",
}  # fmt: skip
TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|\[\$(?P<currency>[^\]-]*)(?:-[^\]]*)?\]|\[(?P<elapsed>h+|m+|s+)\]'
    r"|\[[^\]]*\]|_.|\*.|(?P<half>AM/PM|A/P|오전/오후)|(?P<field>y+|m+|d+|h+|s+|a{3,4})(?:(?<=s)\.(?P<part>0+))?"
    r"|(?P<general>General)|(?P<science>E[+-]0+)|(?P<digits>[0#?.,]+)|(?P<percent>%)|(?P<text>@)|(?P<other>.)",
    re.IGNORECASE,
)
PLAIN = ("quoted", "escaped", "currency", "other")  # parts of a format that stand for themselves
QUOTED = re.compile(r'"[^"]*"|\\.|\[\$[^\]]*\]|\[[^hms\]][^\]]*\]|_.|\*.|General', re.IGNORECASE)
DATE_SIGN = re.compile(r"[ymdhs]|aaa", re.IGNORECASE)
FRACTION = re.compile(r"\?/[?0-9]")
KOREAN = re.compile(r"\[\$[^\]]*-(?:412|ko)", re.IGNORECASE)
WEEKDAYS = "월화수목금토일"
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
EPOCH, EPOCH_1904 = datetime(1899, 12, 30), datetime(1904, 1, 1)  # noqa: DTZ001 - sheets know no time zone
LATEST = 2_958_465  # days: 9999-12-31
PRECISION = 11  # digits that Excel shows of a number without a format
LONGEST = 30  # digits after the point that a format may ask for


def shown(value: str, format_: str, *, since_1904: bool = False) -> str:
    """A number as its format shows it; as it is where the format or the number can't be read."""
    if format_ == "General" and len(value) <= PRECISION and value.isdigit() and value[0] != "0":
        return value
    try:
        number = Decimal(value)
    except InvalidOperation:
        return value
    if not number.is_finite() or abs(number.adjusted()) > 308:
        return value
    section, signed = _section(format_, number)
    if FRACTION.search(section):
        return _general(number)
    if _is_date(section):
        return _date(float(number), section, since_1904=since_1904) or _general(number)
    return _number(number if signed else abs(number), section)


@lru_cache(maxsize=1024)
def _is_date(section: str) -> bool:
    return bool(DATE_SIGN.search(QUOTED.sub("", section)))


def _section(format_: str, number: Decimal) -> tuple[str, bool]:
    """The part of a format for a number's sign, and whether the sign is still to be written."""
    sections = _split(format_)
    if number < 0 and len(sections) > 1:
        return sections[1], False
    if number == 0 and len(sections) > 2:
        return sections[2], True
    return sections[0], True


@lru_cache(maxsize=1024)
def _split(format_: str) -> tuple[str, ...]:
    return tuple(re.findall(r'(?:"[^"]*"|\\.|[^;"\\])+', format_)) or ("General",)


def _number(number: Decimal, section: str) -> str:
    tokens = list(TOKEN.finditer(section))
    pattern = "".join(token["digits"] for token in tokens if token["digits"])
    science = next((token["science"] for token in tokens if token["science"]), "")
    if any(token["percent"] for token in tokens):
        number *= 100
    written, sign = False, ""
    said = []
    for token in tokens:
        if (token["digits"] or token["general"]) and not written:
            digits = _general(abs(number)) if token["general"] else _digits(abs(number), pattern, science)
            sign = "-" if number < 0 and any(digit in "123456789" for digit in digits) else ""
            written = True
            said.append(digits)
        elif token["text"]:
            said.append(_general(number))
        elif token["percent"]:
            said.append("%")
        else:
            said.append(_literal(token))
    return (sign + "".join(said)).strip()


def _literal(token: re.Match[str]) -> str:
    return next((token[name] for name in PLAIN if token[name]), "")


def _digits(number: Decimal, pattern: str, science: str) -> str:
    whole, point, fraction = pattern.partition(".")
    places = min(LONGEST, sum(sign in "0#?" for sign in fraction))
    least = min(LONGEST, sum(sign == "0" for sign in fraction))
    scale = len(whole) - len(whole.rstrip(","))
    if science:
        digits, _, power = f"{number:.{places}E}".partition("E")
        return f"{digits}E{power[0]}{power[1:].rjust(min(3, science.count('0')), '0')}"
    number = number.scaleb(-3 * scale) if scale else number
    rounded = (
        f"{number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP):f}"
        if number.adjusted() < 25
        else f"{number:f}"
    )
    front, _, back = rounded.partition(".")
    front = front.lstrip("0").rjust(min(LONGEST, whole.count("0")), "0")
    if "," in whole.rstrip(","):
        front = f"{int(front):,}" if front else ""
    while len(back) > least and back.endswith("0"):
        back = back[:-1]
    return front + ("." + back if back else "." if point and least else "")


def _general(number: Decimal) -> str:
    value = float(number)
    if value == int(value) and abs(value) < 10**PRECISION:
        return str(int(value))
    return f"{value:.{PRECISION - 1}g}".replace("e", "E")


def _date(days: float, section: str, *, since_1904: bool) -> str:
    """A day and time, "" where there is no such day."""
    if not 0 <= days <= LATEST:
        return ""
    at = (EPOCH_1904 if since_1904 else EPOCH) + timedelta(seconds=round(days * 86_400, 3))
    if days < 60 and not since_1904:
        at += timedelta(days=1 if days >= 1 else 0)  # Excel has a 29 February 1900
    tokens = list(TOKEN.finditer(section))
    half = any(token["half"] for token in tokens)
    korean = bool(KOREAN.search(section))
    said = []
    for place, token in enumerate(tokens):
        if token["elapsed"]:
            said.append(_elapsed(days, token["elapsed"].lower()))
        elif token["half"]:
            morning, evening = ("오전", "오후") if "오" in token["half"] else ("AM", "PM")
            said.append(morning if at.hour < 12 else evening)
        elif token["field"]:
            code, minute = token["field"].lower(), _is_minute(tokens, place)
            if korean and code.startswith("ddd"):
                code = "aaa" if code == "ddd" else "aaaa"
            said.append(_field(at, code, token["part"] or "", half=half, minute=minute))
        else:
            said.append(_literal(token) or (token["digits"] or ""))
    return "".join(said).strip()


def _field(at: datetime, code: str, fraction: str, *, half: bool, minute: bool) -> str:
    width = len(code)
    match code[0]:
        case "y":
            return f"{at.year:04}" if width > 2 else f"{at.year % 100:02}"
        case "m" if minute:
            return f"{at.minute:0{min(2, width)}}"
        case "m":
            return f"{at.month:0{width}}" if width <= 2 else MONTHS[at.month - 1]
        case "d" if width <= 2:
            return f"{at.day:0{width}}"
        case "d":
            return at.strftime("%a" if width == 3 else "%A")
        case "h":
            hour = (at.hour % 12 or 12) if half else at.hour
            return f"{hour:0{min(2, width)}}"
        case "s":
            return f"{at.second:0{min(2, width)}}" + (
                f".{at.microsecond:06}"[: 1 + len(fraction)] if fraction else ""
            )
        case _:
            return WEEKDAYS[at.weekday()] + ("요일" if width == 4 else "")


def _is_minute(tokens: list[re.Match[str]], place: int) -> bool:
    """Whether an `m` is a minute: the field before it is an hour, or the one after it a second."""
    before = next(
        (t["field"] or t["elapsed"] for t in reversed(tokens[:place]) if t["field"] or t["elapsed"]), ""
    )
    after = next((t["field"] for t in tokens[place + 1 :] if t["field"]), "")
    return before.lower().startswith("h") or after.lower().startswith("s")


def _elapsed(days: float, code: str) -> str:
    unit = {"h": 24, "m": 1440, "s": 86_400}[code[0]]
    return f"{int(days * unit + 1e-9):0{min(9, len(code))}}"
