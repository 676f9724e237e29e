"""How many tokens a text has, about, without a tokenizer: for planning, and where no server counts them.

Rather too many than too few: four ASCII characters, or one other, are a token. No tokenizer is carried, since each
model has its own, and the libraries that guess at one fetch its tables from the internet.
"""

from __future__ import annotations

from llmflow_kit.http import encoded

LETTERS = 4  # ASCII characters that make a token


def estimate(text: str) -> int:
    """The tokens of a text, at least 1."""
    if text.isascii():
        return 1 + len(text) // LETTERS
    others = min(len(text), (len(text.encode("utf-8", "replace")) - len(text) + 1) // 2)  # 3 bytes each, or 2
    return 1 + others + (len(text) - others) // LETTERS


def size(text: str) -> int:
    """The bytes that a text takes in a request."""
    return len(encoded(text))
