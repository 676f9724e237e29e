"""The numbers of numbered headings and lists, which office formats count instead of writing down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Style = Literal[
    "digit", "zero", "circle", "ROMAN", "roman", "LATIN", "latin", "ganada", "jamo", "hangul", "hanja", "none"
]

GANADA = "가나다라마바사아자차카타파하"
JAMO = "ㄱㄴㄷㄹㅁㅂㅅㅇㅈㅊㅋㅌㅍㅎ"
HANGUL: tuple[str, ...] = ("", *"일이삼사오육칠팔구")
HANJA: tuple[str, ...] = ("", *"一二三四五六七八九")
TENS = {"hangul": "십", "hanja": "十"}
ROMAN = ((1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"),
         (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"))  # fmt: skip
LARGEST = 3999  # what is larger is written in digits


@dataclass(frozen=True)
class Level:
    """One level of a list: how it counts, from where, and what stands around: `^1` is the number of level 1.

    A level that shows no number, a bullet say, has an empty `text`.
    """

    text: str = "^1."
    style: Style = "digit"
    start: int = 1


@dataclass
class Counters:
    """Where each list of a document stands."""

    _at: dict[int | str, list[int]] = field(default_factory=dict)

    def next(self, list_: int | str, levels: Mapping[int, Level], level: int) -> str:
        """The label of the next item of a list on a level (0 the outermost), "" where it shows none."""
        at = self._at.setdefault(list_, [])
        del at[level + 1 :]
        while len(at) <= level:
            at.append(levels.get(len(at), Level()).start - (1 if len(at) == level else 0))
        at[level] += 1
        label = levels.get(level, Level()).text
        for number in range(level, -1, -1):
            label = label.replace(f"^{number + 1}", number_in(levels.get(number, Level()).style, at[number]))
        return label.strip()


def number_in(style: Style, value: int) -> str:
    """A number as a style writes it."""
    if style == "none":
        return ""
    if style == "zero":
        return f"{value:02}"
    if value < 1 or value > LARGEST or style == "digit":
        return str(value)
    match style:
        case "circle":
            return chr(0x2460 + value - 1) if value <= 20 else str(value)
        case "ROMAN" | "roman":
            return _roman(value) if style == "ROMAN" else _roman(value).lower()
        case "LATIN" | "latin":
            letter = chr(65 + (value - 1) % 26) * (1 + (value - 1) // 26)
            return letter if style == "LATIN" else letter.lower()
        case "ganada" | "jamo":
            signs = GANADA if style == "ganada" else JAMO
            return signs[(value - 1) % len(signs)]
        case _:
            return _counted(style, value)


def _roman(value: int) -> str:
    written = ""
    for size, sign in ROMAN:
        written += sign * (value // size)
        value %= size
    return written


def _counted(style: str, value: int) -> str:
    if value > 99:
        return str(value)
    digits = HANGUL if style == "hangul" else HANJA
    tens, ones = divmod(value, 10)
    return (digits[tens] if tens > 1 else "") + (TENS[style] if tens else "") + digits[ones]
