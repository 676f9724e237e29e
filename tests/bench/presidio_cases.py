"""Labelled sentences for moderation: made by templates, joined with those written by hand, and read.

    python -m bench.presidio_cases     # writes tests/cases/presidio/{development,held-out}.jsonl, in tests/

The halves share neither templates nor values. Rules are tuned on the development half alone. All people, numbers and
keys are made up; numbers with a check digit have a right one.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import yaml

CASES = Path(__file__).resolve().parents[1] / "cases" / "presidio"
HALVES = ("development", "held-out")
FRESH = ("fresh-development", "fresh-held-out")  # of presidio_fresh
_TAG = re.compile(r"<([A-Z_]{3,})>(.*?)</\1>", re.DOTALL)
_SLOT = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True)
class Case:
    """A sentence, and what is to be found in it."""

    text: str
    spans: tuple[tuple[int, int, str], ...]
    language: str
    source: str  # "made", "hand" or "fresh"


def marked(line: str, source: str) -> Case:
    """A case from a sentence with tags around what is to be found."""
    text, spans, last = "", [], 0
    for match in _TAG.finditer(line):
        text += line[last : match.start()]
        spans.append((len(text), len(text) + len(match[2]), match[1]))
        text += match[2]
        last = match.end()
    text += line[last:]
    return Case(text, tuple(spans), "ko" if re.search("[가-힣]", text) else "en", source)


def cases(half: str) -> list[Case]:
    """The cases of a half."""
    lines = (CASES / f"{half}.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [
        Case(row["text"], tuple(map(tuple, row["spans"])), row["language"], row["source"]) for row in rows
    ]


# --- values -----------------------------------------------------------------------------------------------------------


def _digits(dice: random.Random, count: int, first: str = "0123456789") -> str:
    return dice.choice(first) + "".join(dice.choice("0123456789") for _ in range(count - 1))


def _birthday(dice: random.Random, century: int) -> str:
    year = dice.randrange(1948, 1999) if century == 1900 else dice.randrange(2000, 2021)
    return f"{year % 100:02}{dice.randrange(1, 13):02}{dice.randrange(1, 29):02}"


def _weigh(number: str, weights: Sequence[int]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(number, weights, strict=True))


def _registration(dice: random.Random, kinds: str, base: int) -> str:
    """With a right check digit, but for one in four, as they have been given since October 2020."""
    kind = dice.choice(kinds)
    body = _birthday(dice, 1900 if kind in "1256" else 2000) + kind + _digits(dice, 5)
    check = (base - _weigh(body, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11) % 10
    if dice.random() < 0.25:
        check = (check + dice.randrange(1, 10)) % 10
        return f"{body[:6]}-{body[6:]}{check}"
    whole = f"{body}{check}"
    return dice.choice(
        (f"{whole[:6]}-{whole[6:]}", f"{whole[:6]}-{whole[6:]}", whole, f"{whole[:6]} - {whole[6:]}")
    )


def _business(dice: random.Random) -> str:
    body = (
        _digits(dice, 3, "123456")
        + dice.choice(("81", "86", "87", "88", "12", "45", "82"))
        + _digits(dice, 4)
    )
    total = _weigh(body, (1, 3, 7, 1, 3, 7, 1, 3, 5)) + int(body[8]) * 5 // 10
    return f"{body[:3]}-{body[3:5]}-{body[5:]}{(10 - total % 10) % 10}"


def _corporation(dice: random.Random) -> str:
    body = (
        dice.choice(("1101", "1201", "1301", "1345", "2849", "1801", "1701"))
        + dice.choice(("11", "14", "21"))
        + _digits(dice, 6, "01234567")
    )
    return f"{body[:6]}-{body[6:]}{(10 - _weigh(body, (1, 2) * 6) % 10) % 10}"


def _luhn(body: str) -> str:
    total = sum(v - 9 if v > 9 else v for v in (int(d) * (1 + i % 2) for i, d in enumerate(body[::-1], 1)))
    return f"{body}{-total % 10}"


def _card(dice: random.Random) -> str:
    if dice.random() < 0.15:
        number = _luhn(dice.choice(("34", "37")) + _digits(dice, 12))
        return dice.choice((f"{number[:4]}-{number[4:10]}-{number[10:]}", number))
    number = _luhn(
        _fill(dice, dice.choice(("4", "51", "53", "55", "2311", "2650", "6221", "3560", "9410")), 15)
    )
    parts = [number[i : i + 4] for i in range(0, 16, 4)]
    return dice.choice(("-".join(parts), "-".join(parts), " ".join(parts), number))


def _fill(dice: random.Random, start: str, length: int) -> str:
    return start + _digits(dice, length - len(start))


def _mobile(dice: random.Random) -> str:
    first, last = _digits(dice, 4, "23456789"), _digits(dice, 4)
    return dice.choice(
        (
            f"010-{first}-{last}",
            f"010-{first}-{last}",
            f"010{first}{last}",
            f"010 {first} {last}",
            f"010.{first}.{last}",
            f"+82-10-{first}-{last}",
            f"+82 10 {first} {last}",
        )
    )


def _landline(dice: random.Random) -> str:
    area = dice.choice(
        (
            "02",
            "031",
            "032",
            "033",
            "041",
            "042",
            "043",
            "051",
            "052",
            "053",
            "054",
            "055",
            "061",
            "062",
            "063",
            "064",
            "070",
        )
    )
    middle = _digits(dice, 4 if area == "070" else dice.choice((3, 4)), "23456789")
    return dice.choice(
        (
            f"{area}-{middle}-{_digits(dice, 4)}",
            f"({area}) {middle}-{_digits(dice, 4)}",
            f"{area}-{middle}-{_digits(dice, 4)}",
        )
    )


def _service(dice: random.Random) -> str:
    first = dice.choice("1588 1577 1544 1566 1600 1644 1661 1670 1688 1800 1899".split())
    return f"{first}-{_digits(dice, 4)}"


_ACCOUNTS = {  # a bank → the groups of its account numbers
    "국민은행": ("6-2-6", "123456789"),
    "KB국민": ("6-2-6", "123456789"),
    "신한은행": ("3-3-6", "1"),
    "우리은행": ("4-3-6", "1"),
    "하나은행": ("3-6-5", "123456789"),
    "농협": ("3-4-4-2", "3"),
    "NH농협은행": ("3-4-4-2", "3"),
    "기업은행": ("3-6-2-3", "123456789"),
    "카카오뱅크": ("4-2-7", "3"),
    "케이뱅크": ("3-3-6", "1"),
    "토스뱅크": ("4-4-4", "1"),
    "새마을금고": ("4-4-4-1", "9"),
    "우체국": ("6-2-6", "01"),
    "신협": ("3-3-6", "1"),
    "SC제일은행": ("3-2-6", "123456789"),
    "대구은행": ("3-2-6-1", "5"),
    "부산은행": ("3-4-4-2", "1"),
    "광주은행": ("3-3-6", "1"),
    "전북은행": ("4-2-7", "1"),
    "수협": ("3-4-4-1", "1"),
}


def _account(dice: random.Random, bank: str) -> str:
    form, first = _ACCOUNTS[bank]
    groups = [
        _digits(dice, int(size), first if not index else "0123456789")
        for index, size in enumerate(form.split("-"))
    ]
    return ("" if dice.random() < 0.2 else "-").join(groups)


def _passport(dice: random.Random) -> str:
    if dice.random() < 0.5:
        return f"M{_digits(dice, 3)}{dice.choice('ABCDEFGHJKLMNPRSTUVWXYZ')}{_digits(dice, 4)}"
    return f"{dice.choice('MMMSR')}{_digits(dice, 8)}"


def _licence(dice: random.Random) -> str:
    return f"{dice.randrange(11, 27)}-{dice.randrange(0, 26):02}-{_digits(dice, 6)}-{_digits(dice, 2)}"


def _plate(dice: random.Random) -> str:
    use = dice.choice("가나다라마거너더러머버서어저고노도로모보소오조구누두루무부수우주하허호배바사아자")
    number = dice.choice((str(dice.randrange(10, 70)), str(dice.randrange(100, 700))))
    return f"{number}{use}{dice.choice(('', '', ' '))}{_digits(dice, 4, '123456789')}"


_CITIES = ("Portland, OR 97201", "Austin, TX 78701", "Denver, CO 80202", "Boston, MA 02108", "Seattle, WA")
_HOSTS = "example.com example.co.kr mail.example.org corp.example.net example.kr".split()


def _address_en(dice: random.Random) -> str:
    street = dice.choice(
        (
            "Maple",
            "Oak",
            "Cedar Hill",
            "Washington",
            "Lincoln",
            "Sunset",
            "Park",
            "5th",
            "42nd",
            "River",
            "Highland",
            "St. James",
        )
    )
    kind = dice.choice(("Street", "St", "Avenue", "Ave", "Road", "Rd", "Lane", "Drive", "Blvd", "Court"))
    tail = dice.choice(
        (
            "",
            f", Apt {dice.randrange(1, 40)}",
            f", {dice.choice(_CITIES)}",
        )
    )
    return f"{dice.randrange(1, 9999)} {street} {kind}{tail}"


def _roman(dice: random.Random, count: int) -> str:
    return "".join(dice.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(count))


def _email(dice: random.Random) -> str:
    name = dice.choice(
        (
            _roman(dice, 6),
            f"{_roman(dice, 3)}.{_roman(dice, 5)}",
            f"{_roman(dice, 5)}{_digits(dice, 2)}",
            f"{_roman(dice, 4)}_{_roman(dice, 3)}",
        )
    )
    return f"{name}@{dice.choice(_HOSTS)}"


def _mixed(dice: random.Random, count: int) -> str:
    return "".join(
        dice.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") for _ in range(count)
    )


def _key(dice: random.Random) -> str:
    return dice.choice(
        (
            f"sk-proj-{_mixed(dice, 40)}",
            f"ghp_{_mixed(dice, 36)}",
            f"glpat-{_mixed(dice, 20)}",
            f"hf_{_mixed(dice, 34)}",
            f"sk-ant-api03-{_mixed(dice, 40)}",
            f"AKIA{''.join(dice.choice('ABCDEFGHIJKLMNOPQRSTUVWXYZ234567') for _ in range(16))}",
            f"AIza{_mixed(dice, 35)}",
            f"xoxb-{_digits(dice, 12)}-{_mixed(dice, 24)}",
        )
    )


def _password(dice: random.Random) -> str:
    return f"{_roman(dice, 4).capitalize()}{dice.choice('!@#$%^&*')}{_digits(dice, 3)}{dice.choice(('', 'x', '!'))}"


_SURNAMES = (
    "김이박최정강조윤장임한오서신권황안송전홍유고문양손배백허남심노하곽성차주우구민류"
    "나진지엄채원천방공현함변염"
)
_DOUBLE = ("남궁", "황보", "선우", "제갈")
_NOUNS_EN = (
    "release schedule",
    "training course",
    "River Park project",
    "Green Energy plan",
    "Main Hall",
    "Python Software Foundation",
    "summer festival",
    "Golden Gate Bridge",
    "user manual",
    "Quarterly Report",
)


@dataclass(frozen=True)
class Batch:
    """What the sentences of a batch are made of."""

    half: str
    seed: int
    given: Sequence[str]
    titles: Sequence[str]
    after_name: Sequence[str]
    nouns: Sequence[str]
    english: Sequence[str]
    addresses: Sequence[str]
    korean_lines: Sequence[str]
    english_lines: Sequence[str]
    lines_without_anything: Sequence[str]


@dataclass
class _Maker:
    """Fills the templates of a batch."""

    dice: random.Random
    of: Batch
    bank: str = ""

    def person(self) -> str:
        """A name: a frequent surname more often than others, now and then one of two syllables."""
        often = self.dice.random() < 0.7
        surname = self.dice.choice(_SURNAMES[:20] if often else _SURNAMES)
        double = self.dice.random() < 0.03
        return (self.dice.choice(_DOUBLE) if double else surname) + self.dice.choice(self.of.given)

    def address(self) -> str:
        """An address with its numbers."""
        dice = self.dice
        values = {
            "n": dice.randrange(1, 900),
            "m": dice.randrange(2, 60),
            "k": dice.randrange(1, 30),
            "h": dice.randrange(101, 2400),
            "d": dice.randrange(101, 120),
            "f": dice.randrange(2, 20),
        }
        return dice.choice(self.of.addresses).format(**values, q=dice.choice(("이태원", "한남", "원효로")))

    def fill(self, template: str) -> str:
        """The template with values in its slots, tagged where they are to be found."""
        self.bank = self.dice.choice(list(_ACCOUNTS))
        return _SLOT.sub(lambda match: self.value(match[1]), template)

    def value(self, slot: str) -> str:
        """A value for a slot."""
        if slot in _PLAIN:
            return _PLAIN[slot](self)
        entity, make = _FOUND[slot]
        return f"<{entity}>{make(self)}</{entity}>"


_FOUND: dict[str, tuple[str, Callable[[_Maker], str]]] = {
    "rrn": ("KR_RRN", lambda m: _registration(m.dice, "1234", 11)),
    "frn": ("KR_FRN", lambda m: _registration(m.dice, "5678", 13)),
    "brn": ("KR_BRN", lambda m: _business(m.dice)),
    "crn": ("KR_CRN", lambda m: _corporation(m.dice)),
    "card": ("CREDIT_CARD", lambda m: _card(m.dice)),
    "mobile": ("PHONE_NUMBER", lambda m: _mobile(m.dice)),
    "landline": ("PHONE_NUMBER", lambda m: _landline(m.dice)),
    "service": ("PHONE_NUMBER", lambda m: _service(m.dice)),
    "phone_en": (
        "PHONE_NUMBER",
        lambda m: m.dice.choice(
            (
                f"({_digits(m.dice, 3, '23456789')}) 555-01{_digits(m.dice, 2)}",
                f"+1 {_digits(m.dice, 3, '23456789')}-555-01{_digits(m.dice, 2)}",
                f"+44 20 7946 0{_digits(m.dice, 3)}",
            )
        ),
    ),
    "account": ("KR_BANK_ACCOUNT", lambda m: _account(m.dice, m.bank)),
    "passport": ("KR_PASSPORT", lambda m: _passport(m.dice)),
    "licence": ("KR_DRIVER_LICENSE", lambda m: _licence(m.dice)),
    "plate": ("KR_VEHICLE_PLATE", lambda m: _plate(m.dice)),
    "postal": ("KR_POSTAL_CODE", lambda m: f"{m.dice.randrange(1000, 63999):05}"),
    "address": ("ADDRESS", _Maker.address),
    "address_en": ("ADDRESS", lambda m: _address_en(m.dice)),
    "person": ("PERSON", _Maker.person),
    "person_en": ("PERSON", lambda m: m.dice.choice(m.of.english)),
    "email": ("EMAIL_ADDRESS", lambda m: _email(m.dice)),
    "ip": ("IP_ADDRESS", lambda m: ".".join(str(m.dice.randrange(1, 255)) for _ in range(4))),
    "mac": ("MAC_ADDRESS", lambda m: ":".join(f"{m.dice.randrange(256):02X}" for _ in range(6))),
    "password": ("PASSWORD", lambda m: _password(m.dice)),
    "key": ("API_KEY", lambda m: _key(m.dice)),
    "ssn": (
        "US_SSN",
        lambda m: f"{m.dice.randrange(101, 665)}-{m.dice.randrange(10, 99)}-{m.dice.randrange(1000, 9999)}",
    ),
    "iban": (
        "IBAN_CODE",
        lambda m: m.dice.choice(
            (
                "DE89370400440532013000",
                "GB29NWBK60161331926819",
                "FR1420041010050500013M02606",
                "NL91ABNA0417164300",
                "ES9121000418450200051332",
            )
        ),
    ),
    "url": ("URL", lambda m: f"https://{_roman(m.dice, 6)}.example.com/{_roman(m.dice, 4)}"),
}


def _plain_number(size: int, maker: _Maker) -> str:
    return _digits(maker.dice, size, "123456789")


_PLAIN: dict[str, Callable[[_Maker], str]] = {
    "josa": lambda m: m.dice.choice(m.of.after_name),
    "title": lambda m: m.dice.choice(m.of.titles),
    "bank": lambda m: m.bank,
    "noun": lambda m: m.dice.choice(m.of.nouns),
    "noun_en": lambda m: m.dice.choice(_NOUNS_EN),
    "date": lambda m: (
        f"{m.dice.randrange(1990, 2030)}-{m.dice.randrange(1, 13):02}-{m.dice.randrange(1, 29):02}"
    ),
    "v": lambda m: f"{m.dice.randrange(1, 20)}.{m.dice.randrange(0, 20)}.{m.dice.randrange(0, 30)}",
    "money": lambda m: f"{m.dice.randrange(1, 999)},{m.dice.randrange(0, 999):03}",
    "model": lambda m: f"{_mixed(m.dice, 2).upper()}-{_digits(m.dice, 4)}{m.dice.choice('NKX')}",
    "k": lambda m: str(m.dice.randrange(2, 60)),
    "isbn": lambda m: f"978-89-{_digits(m.dice, 4)}-{_digits(m.dice, 3)}-{m.dice.randrange(10)}",
    "hex": lambda m: "".join(m.dice.choice("0123456789abcdef") for _ in range(40)),
    **{f"n{size}": partial(_plain_number, size) for size in (4, 6, 7, 8, 10, 12, 13, 16)},
}


def make(half: str) -> Iterator[Case]:
    """All cases of a half, made anew."""
    for batch in _batches(half):
        maker = _Maker(random.Random(batch.seed), batch)
        for templates, times in (
            (batch.korean_lines, 10),
            (batch.english_lines, 7),
            (batch.lines_without_anything, 7),
        ):
            yield from (marked(maker.fill(template), "made") for template in templates for _ in range(times))
    yield from (marked(line, "hand") for line in _rows(f"hand-{half}.txt"))


def _batches(half: str) -> Iterator[Batch]:
    found = yaml.load((CASES / "templates.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader)
    for batch in found:
        words = {name: batch[name].split() for name in ("given", "titles", "after_name", "nouns")}
        if batch["half"] == half:
            yield Batch(**{**batch, **words})


def _rows(name: str) -> list[str]:
    lines = (CASES / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("# ")]


def main() -> None:
    """Write both halves."""
    for half in HALVES:
        rows = (
            {"text": c.text, "spans": c.spans, "language": c.language, "source": c.source} for c in make(half)
        )
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (CASES / f"{half}.jsonl").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
