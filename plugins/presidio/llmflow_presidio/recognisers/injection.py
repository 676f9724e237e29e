"""Instructions hidden in what should be data: attempts to make a model forget its own, in Korean and English.

A sentence of such an attempt names two or three things together, in whatever words and order: a rule and that it
shall not hold; a model's own prompt and that it shall be shown; somebody to be and no limit to it. Each is a group
of words; a wish is the groups that one sentence has. What is found is the sentence. One that quotes an attempt to
say something about it is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from llmflow_presidio.finding import Finding
from llmflow_presidio.recognisers import disguise, wishes, wishes_korean
from llmflow_presidio.recognisers.wishes import Wish

ENTITY, SCORE = "PROMPT_INJECTION", 0.9
_SENTENCE = re.compile(r"(?:[^.!?\n。]|[.!?](?![\s\"'”’)\]]|$)){1,800}[.!?。]{0,3}")
# Who only speaks of it, with the words themselves in quotation marks.
_ABOUT = re.compile(
    r"\b(?:attacks?|injections?|jailbreaks? (?:attempts?|prompts?)|phrases?|examples?|papers?|stud(?:y|"
    r"ies)|research|detect\w{0,4}|classif\w{2,6}|blocked|such as|known as|called|strings? like|prompts? "
    r"like|inputs? like|defen[cs]es?|mitigat\w{2,5}|train(?:ing|ed)|dataset|filters? out|how (?:do|can|to|"
    r"does)|what (?:is|are|does)|why)\b|공격|인젝션|주입|예시|예를[ ]?들|문구|표현|논문|연구|탐지|차단|"
    r"방어|사례|유형|교육|라는[ ]|라고[ ]?(?:입력|쓰|적|하면|요청)|이란|방법"
)
_QUOTED = re.compile(r"[\"“‘'「『`][^\"”’'」』`]{6,160}[\"”’'」』`]")


@dataclass(frozen=True)
class Injections:
    """Finds sentences that want a model to leave what it was told, disguised ones as well."""

    name: str = "injection"

    def find(self, text: str) -> Iterator[Finding]:
        """One finding a sentence."""
        low = text.lower()
        low = low if len(low) == len(text) else text  # there are capitals whose small letter is two signs
        found = dict(_sentences(low))
        for view in disguise.views(low):
            for span, rule in _sentences(view.text):
                found.setdefault(view.original(*span), f"{rule}-disguised")
        for start, end, words in disguise.decoded(text):
            if next(_sentences(words.lower()), None):
                found[start, end] = "encoded"
        for (start, end), rule in found.items():
            yield Finding(start, end, ENTITY, SCORE, rule)


def _sentences(low: str) -> Iterator[tuple[tuple[int, int], str]]:
    """The sentences of a text in small letters that are such attempts, each with its wish."""
    for sentence in _SENTENCE.finditer(low):
        said = sentence.group().rstrip(" .!?。")
        blank = len(said) - len(said.lstrip())
        wanted = (wishes.WISHES if wishes.GATE.search(said) else ()) + (
            wishes_korean.WISHES if wishes_korean.GATE.search(said) else ()
        )
        for wish in wanted:
            span = _span(said, wish)
            if span and not _only_told(said, span):
                yield (sentence.start() + blank, sentence.end()), wish.name
                break


def _span(said: str, wish: Wish) -> tuple[int, int] | None:
    """From the first word of a wish to its last, where a sentence has all its groups."""
    found = []
    for group in wish.groups:
        match = group.search(said)
        if not match:
            return None
        found.append(match)
    if wish.unless and wish.unless.search(said):
        return None
    return min(match.start() for match in found), max(match.end() for match in found)


def _only_told(said: str, span: tuple[int, int]) -> bool:
    """Whether a sentence quotes an attempt and says something about it."""
    for quoted in _QUOTED.finditer(said):
        rest = said[: quoted.start()] + said[quoted.end() :]
        if quoted.start() <= span[0] and span[1] <= quoted.end() and _ABOUT.search(rest):
            return True
    return False
