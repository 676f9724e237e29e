"""Names of people in Latin letters: first names, surnames, titles, and the words that a name comes after."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from llmflow_presidio.finding import Finding
from llmflow_presidio.recognisers import name_tables as tables

ENTITY = "PERSON"
_WORD = r"[A-Z][a-zA-Z'’\-]{1,20}"
_SEQUENCE = re.compile(
    rf"(?<![A-Za-z0-9@._/\-])(?:(?:[A-Z]\.[ ]?){{1,2}})?(?:{_WORD})"
    rf"(?:[ ](?:[A-Z]\.|(?:van|von|de|da|del|bin|al|der)(?![a-z])|{_WORD})){{0,4}}(?![A-Za-z0-9@_/])"
)
_TITLED = re.compile(
    r"(?<![A-Za-z])(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Professor|Sir|Madam|Captain|Capt|Judge|Officer|Senator|Rev|"
    r"Sgt|Lt|Col|Gen)\.?[ ]$"
)
_NAMED = re.compile(
    r"(?:(?:full|first|last|customer|patient|employee|contact|account[ ]holder|card[ ]?holder|legal)?[ ]?"
    r"name[ ]?(?:is|was|:|=)|(?:^|[ .,])(?:I am|I'm|this is)|"
    r"(?:signed|sincerely|regards|recipient|attn|attention|patient|customer|client|employee|tenant|"
    r"plaintiff|defendant|witness|author|applicant|cardholder|holder|manager|from|to|cc|"
    r"beneficiary|sender|contact|spoke with|met with|named|called|dear|by|성명|이름|고객|담당자|예금주|"
    r"작성자|수령인|영문명|영문 ?이름|영문 ?성명|담당자는|이름은|성함은)[ ]?[:,]?)[ \n]{1,2}$",
    re.IGNORECASE,
)
_FIRM = re.compile(r"(?:is|:|=|영문명|영문 ?이름|영문 ?성명|I am|I'm|this is|dear)[ \n]{1,2}$", re.IGNORECASE)
_SURNAMED = frozenset(
    "kim lee park choi jung jeong chung kang cho jo yoon yun jang chang lim im han oh seo suh shin "
    "kwon hwang ahn an song hong yoo yu ko moon son bae baek heo nam smith johnson williams brown "
    "jones garcia miller davis rodriguez martinez hernandez lopez gonzalez wilson anderson thomas "
    "taylor moore jackson martin lee perez thompson white harris sanchez clark ramirez lewis robinson "
    "walker young allen king wright scott torres nguyen hill flores green adams nelson baker hall "
    "rivera campbell mitchell carter roberts patel singh khan ali chen wang li zhang liu yang huang "
    "tanaka suzuki sato watanabe yamamoto nakamura o'brien murphy kelly".split()
)
_KOREAN = frozenset(
    "kim lee park choi jung jeong kang cho yoon jang lim han oh seo shin kwon hwang ahn song hong yoo ko moon son bae "
    "baek heo nam".split()
)
_NOT_LAST = frozenset(  # ends of names of other things
    "street st avenue ave road rd drive boulevard blvd square inc ltd corp corporation company "
    "university college school hospital bank airport station river lake mountain island city county "
    "state university week award prize theory method algorithm law effect test api app server cloud "
    "studio code pro max plus is was will can and or the a an has had said says asked wrote called at "
    "in on of to for with from by his her monday tuesday wednesday thursday friday saturday sunday "
    "january february march april june july august september october november december open series "
    "edition group team hotel beach bridge house center centre notebook workbook kernel language "
    "model version release framework foundation".split()
)
_NOT_FIRST = frozenset(
    "the a an this that these those my your our i we he she it dear hello hi hey please contact call "
    "email meet ask tell from to by with for and or but if when mr mrs ms dr prof miss sir madam "
    "customer client patient employee name manager director ceo cto president agent user".split()
)
# Surnames that are as often another word, and words that make them one.
_WORDS = frozenset(
    "hill hall king green white young walker baker wright brown carter moore taylor martin lee an han "
    "im oh son ko cho seo suh li song moon lim chang".split()
)
_BEFORE_WORDS = frozenset(
    "new old south north east west royal saint grand lake mount port fort big little great central "
    "national general university prince king queen captain".split()
)


@dataclass(frozen=True)
class EnglishNames:
    """Finds names in Latin letters in one scan over words with capitals."""

    name: str = "english-name"

    def find(self, text: str) -> Iterator[Finding]:
        """Names, without titles."""
        for match in _SEQUENCE.finditer(text):
            words = [*re.finditer(r"[^ ]+", match.group())]
            span, score = self._name(text, match.start(), words)
            if score:
                yield Finding(match.start() + span[0], match.start() + span[1], ENTITY, score, self.name)

    def _name(self, text: str, at: int, words: list[re.Match[str]]) -> tuple[tuple[int, int], float]:
        """Where among these words a name is, and how sure."""
        skipped = 0
        while skipped < len(words) and words[skipped].group().lower().strip(".") in _NOT_FIRST:
            skipped += 1
        rest = words[skipped:]
        if not rest:
            return (0, 0), 0.0
        lead = text[max(0, at + rest[0].start() - 40) : at + rest[0].start()]
        titled, named = _TITLED.search(lead), _NAMED.search(lead)
        length = _length(rest)
        first = rest[0].group().lower()
        if length and (titled or (named and (length > 1 or first in tables.ENGLISH_GIVEN))):
            likely = (
                titled
                or first in tables.ENGLISH_GIVEN
                or _last(rest, length) in _SURNAMED
                or _FIRM.search(lead)
            )
            if likely:
                return (rest[0].start(), _end(rest, length)), 0.9
        for index, word in enumerate(rest):
            length = _length(rest[index:])
            if length > 1 and self._alone(word.group().lower(), rest[index:], length):
                return (word.start(), _end(rest[index:], length)), 0.75
        return (0, 0), 0.0

    def _alone(self, first: str, words: list[re.Match[str]], length: int) -> bool:
        last = _last(words, length)
        romanised = first in _KOREAN and "-" in words[1].group()
        spoken = first.rstrip(".").isalpha() and first not in _BEFORE_WORDS
        surname = spoken and last in _SURNAMED and last not in _WORDS
        return first in tables.ENGLISH_GIVEN or romanised or surname


def _length(words: list[re.Match[str]]) -> int:
    """How many of these words may be one name: up to three, ended by a word that no name has."""
    length = 0
    for word in words[:4]:
        plain = word.group().lower().strip(".").removesuffix("'s").removesuffix("’s")
        shouted = len(plain) > 1 and word.group().isupper() and not words[0].group().isupper()
        if plain in _NOT_LAST or shouted:
            break
        length += 1
        if word.group().endswith(("'s", "’s")):
            break
    return min(length, 3)


def _last(words: list[re.Match[str]], length: int) -> str:
    return words[length - 1].group().lower().removesuffix("'s").removesuffix("’s")


def _end(words: list[re.Match[str]], length: int) -> int:
    word = words[length - 1]
    return word.end() - (2 if word.group().endswith(("'s", "’s")) else 0)
