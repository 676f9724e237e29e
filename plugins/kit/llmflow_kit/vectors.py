"""Vectors out of answers: packed, counted, checked, of unit length where that is wanted."""

from __future__ import annotations

import binascii
import math
import sys
from array import array
from collections.abc import Sequence
from typing import Any, TypeAlias

from llmflow_kit import answers
from llmflow_kit.faults import Garbled, Rejected

Vector: TypeAlias = "array[float]"  # of 4-byte floats, as engines compute: an eighth of a list's memory

UNIT = 1e-4  # how far the square of a length may be from 1 for the vector to be left as it came


def of_data(body: Any, count: int) -> list[Vector]:
    """The vectors of OpenAI's answer to `count` texts, by their `index`; raises Garbled."""
    placed = answers.in_order(answers.rows(body, "data"), "embedding", count)
    return [_vector(index, value) for index, value in enumerate(placed)]


def of_rows(body: Any, count: int) -> list[Vector]:
    """The vectors of a plain list of lists; raises Garbled."""
    if not isinstance(body, list) or len(body) != count:
        raise Garbled(f"The server's answer is not one vector for each of {count} texts.")
    return [_vector(index, value) for index, value in enumerate(body)]


def checked(vectors: Sequence[Vector], dimensions: int, *, unit: bool) -> list[Vector]:
    """The vectors, made unit vectors where wanted; raises Garbled where they are not of one sane space.

    `dimensions` is the number asked for; 0 takes the first vector's.
    """
    wanted = dimensions or (len(vectors[0]) if vectors else 0)
    return [
        _checked(index, vector, wanted, asked=bool(dimensions), unit=unit)
        for index, vector in enumerate(vectors)
    ]


def _checked(index: int, vector: Vector, wanted: int, *, asked: bool, unit: bool) -> Vector:
    if len(vector) != wanted and asked:
        raise Rejected(
            f"The server gives {len(vector)} dimensions where {wanted} are asked for.", field="dimensions"
        )
    if len(vector) != wanted or not vector:
        raise Garbled(
            f"Vector {index + 1} of the server's answer has {len(vector)} dimensions, others {wanted}."
        )
    square = math.sumprod(vector, vector)
    if not math.isfinite(square):
        raise Garbled(
            f"Vector {index + 1} of the server's answer holds a number that is none (NaN or infinity)."
        )
    if not unit or abs(square - 1) <= UNIT:
        return vector
    if square == 0:
        raise Garbled(f"Vector {index + 1} of the server's answer is all zeros, which has no direction.")
    scale = 1 / math.sqrt(square)
    return array("f", [number * scale for number in vector])


def _vector(index: int, value: Any) -> Vector:
    """A vector out of JSON numbers, or out of base64 of little-endian 4-byte floats."""
    try:
        if isinstance(value, list):
            return array("f", value)
        vector: Vector = array("f", binascii.a2b_base64(value, strict_mode=True))
    except (TypeError, ValueError) as exc:
        raise Garbled(f"Vector {index + 1} of the server's answer is neither numbers nor base64.") from exc
    if sys.byteorder == "big":
        vector.byteswap()
    return vector
