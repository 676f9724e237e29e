"""A corpus of any size, made of names that refer to each other: each passage is about one, and mentions others."""

from __future__ import annotations

import random
from collections.abc import Iterator

FIRST = "Han Bit Sol Nara Mir Dasom Garam Haneul Byeol Sora Ara Maru Noeul Bora Saebom".split()
SECOND = "Precision Systems Logistics Materials Robotics Energy Foods Chemicals Networks Marine".split()
PLACES = "Gaon Haesol Namsan Dongbaek Seorim Pyeongan Cheongdo Ulreung Baekma Sangwon".split()
DEEDS = ("supplies", "finances", "audits", "insures", "advises", "trains the staff of")
FILLER = (
    "The board reviewed the quarterly figures and approved the maintenance budget for the coming season.",
    "Deliveries are planned a week ahead, and every change is entered in the ledger by the shift leader.",
    "The annual inspection found no defects, but two gauges were replaced as a precaution.",
    "Employees receive safety training twice a year and confirm it with their signature.",
)


def name(number: int) -> str:
    """The name of the organisation of this number."""
    first, rest = number % len(FIRST), number // len(FIRST)
    second, serial = rest % len(SECOND), rest // len(SECOND)
    return f"{FIRST[first]}{serial or ''} {SECOND[second]}"


def passages(count: int, seed: int = 7) -> Iterator[tuple[str, str]]:
    """Titles and texts, about 90 words each."""
    dice = random.Random(seed)
    for number in range(count):
        about = name(number)
        others = [name(dice.randrange(count)) for _ in range(3)]
        lines = [
            f"{about} is an organisation in {dice.choice(PLACES)}, founded in {1950 + dice.randrange(70)}."
        ]
        lines += [f"{about} {dice.choice(DEEDS)} {other}. {dice.choice(FILLER)}" for other in others]
        yield about, " ".join(lines)


def questions(count: int, of: int, seed: int = 11) -> list[str]:
    """Questions about the neighbours of an organisation."""
    dice = random.Random(seed)
    return [
        f"Where is the organisation that {name(dice.randrange(of))} supplies, and when was it founded?"
        for _ in range(count)
    ]
