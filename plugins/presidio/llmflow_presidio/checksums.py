"""Check digits of numbers that have one. Each takes digits only."""

from __future__ import annotations

from datetime import date

_RRN = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)
_BRN = (1, 3, 7, 1, 3, 7, 1, 3, 5)
_OLDEST = 110  # years that somebody with a number may have
_CENTURIES = {"1": 1900, "2": 1900, "3": 2000, "4": 2000, "5": 1900, "6": 1900, "7": 2000, "8": 2000}


def resident(digits: str) -> bool:
    """A resident registration number's check digit; numbers given since October 2020 have none."""
    return (11 - _weighted(digits, _RRN) % 11) % 10 == int(digits[12])


def foreigner(digits: str) -> bool:
    """A foreigner registration number's check digit; numbers given since October 2020 have none."""
    return (13 - _weighted(digits, _RRN) % 11) % 10 == int(digits[12])


def born(digits: str) -> bool:
    """Whether the first seven digits of a registration number are a birthday of somebody who may be alive."""
    century = _CENTURIES.get(digits[6])
    if century is None:
        return False
    try:
        day = date(century + int(digits[:2]), int(digits[2:4]), int(digits[4:6]))
    except ValueError:
        return False
    today = date.today()  # noqa: DTZ011 - a day more or less is no matter here
    return day <= today and today.year - day.year <= _OLDEST


def business(digits: str) -> bool:
    """A business registration number's check digit."""
    total = _weighted(digits, _BRN) + int(digits[8]) * 5 // 10
    return (10 - total % 10) % 10 == int(digits[9])


def corporation(digits: str) -> bool:
    """A corporate registration number's check digit."""
    return (10 - _weighted(digits, (1, 2) * 6) % 10) % 10 == int(digits[12])


def luhn(digits: str) -> bool:
    """A payment card's check digit."""
    doubled = (int(one) * (2 - place % 2) for place, one in enumerate(digits[::-1], 1) if place)
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def _weighted(digits: str, weights: tuple[int, ...]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))
