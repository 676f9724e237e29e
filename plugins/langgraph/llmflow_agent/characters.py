"""Characters that every side takes, and texts made alike so that they can be compared."""

from __future__ import annotations

import codecs
import json
import re
import unicodedata
from typing import Any

HALF = re.compile("[\ud800-\udfff]")  # of a character beyond the first 65 536: no UTF-8 holds it
UNSEEN = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")  # what may stand between letters


def sound(text: str) -> str:
    """The text without halves of characters: pairs are joined, one that is alone becomes U+FFFD."""
    return (
        text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        if HALF.search(text)
        else text
    )


def sound_json(text: str) -> str:
    """The same for JSON, where halves may be written as escapes; what is no JSON stays as it is."""
    try:
        found = json.loads(text)
    except ValueError:
        return sound(text)
    kept = sound_value(found)
    return text if kept == found else json.dumps(kept, ensure_ascii=False)


def sound_value(value: Any) -> Any:
    """The same for every text in what JSON holds."""
    match value:
        case str():
            return sound(value)
        case list():
            return [sound_value(one) for one in value]
        case dict():
            return {sound(name): sound_value(one) for name, one in value.items()}
    return value


def folded(text: str) -> str:
    """The text as it is compared: composed, in one width and case, without what nobody sees."""
    return UNSEEN.sub("", unicodedata.normalize("NFKC", text)).casefold()


class Pieces:
    """Pieces of a text that may be cut within a character: the first half waits for the second."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-16-le")("replace")

    def feed(self, piece: str) -> str:
        """What of it is whole."""
        return self._decoder.decode(piece.encode("utf-16-le", "surrogatepass"))
