"""Entities without a language model: titles, headings, names, compounds, quoted terms and what stands in brackets.

A name in English is a run of capitalised words, in Korean a run of nouns that no particle closes. Nothing but the chunk
and its document is looked at, never what else is in the store: so the same document always says the same.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llmflow_graphrag.chunks import Chunk
from llmflow_graphrag.model import (
    ALIAS,
    HEADING,
    NAME,
    SAME_AS,
    TITLE,
    Contribution,
    Fact,
    Mention,
    MentionKind,
)
from llmflow_graphrag.names import LONGEST, norm
from llmflow_graphrag.words import HANGUL, Analyser, runs

VERSION = 1  # of these rules: another one makes documents be read anew
MOST_MENTIONS = 48  # of a chunk
LONGEST_RUN = 6  # words of a name
CONNECTORS = frozenset(
    ("of", "the", "de", "la", "le", "von", "van", "der", "den", "du", "da", "di", "del", "al", "bin", "ibn")
)
SENTENCE_START = re.compile(r"(?:^|[.!?:;。]['\"”’)\]]*\s+|\n\s*(?:[-*#>|]+\s*)?|[\"“‘「『(|]\s*)$")
QUOTED = re.compile(r"[「『“‘]([^「」『』“”‘’\n]{2,40})[」』”’]|\"([^\"\n]{2,40})\"")
BRACKETS = re.compile(
    r"\(\s*(?:이하\s*)?[\"“”'‘’「『]?([^()\"“”'‘’「」『』,;:\n]{2,40}?)[\"“”'‘’」』]?\s*(?:(?:이)?라\s*(?:함|한다|칭한다)\.?)?\s*\)"
)
ENDING_BRACKETS = re.compile(r"^(.{2,}?)\s*\([^()]{1,40}\)$")
ROLES = frozenset(
    (
        "회사",
        "당사",
        "본사",
        "갑",
        "을",
        "병",
        "위원회",
        "협회",
        "공사",
        "기관",
        "법",
        "영",
        "규정",
        "규칙",
        "본부",
    )
)


@dataclass(frozen=True)
class _Found:
    surface: str
    kind: MentionKind
    start: int
    end: int


def contribution(title: str, chunk: Chunk, analyser: Analyser) -> Contribution:
    """What a chunk says by itself: its mentions, and which names it declares to be one."""
    found = [*_about(title, chunk), *_names(chunk.text, analyser, chunk.start), *_quoted(chunk)]
    aliases = list(_aliases(chunk, found))
    found += [_Found(second, ALIAS, start, end) for _, second, start, end in aliases]
    mentions = _counted(found)
    known = {mention.norm for mention in mentions}
    facts = {
        (norm(first), norm(second)): Fact(norm(first), SAME_AS, norm(second), start, end)
        for first, second, start, end in aliases
        if norm(first) in known and norm(second) in known and norm(first) != norm(second)
    }
    return Contribution(mentions, tuple(facts.values()))


@dataclass(frozen=True)
class RuleExtractor:
    """No call at all: `extractor: none`."""

    analyser: Analyser
    at_once: int = 1  # nothing is waited for

    @property
    def fingerprint(self) -> str:
        """Another one makes documents be read anew."""
        return f"rules/{VERSION}/{self.analyser.name}"

    def extract(self, title: str, chunk: Chunk, answers: object, meter: object) -> Contribution:  # noqa: ARG002
        """What a chunk says."""
        return contribution(title, chunk, self.analyser)


def names(text: str, analyser: Analyser) -> list[str]:
    """The norms of all names in a text, as a question may hold them."""
    found = [*_names(text, analyser, 0), *(_Found(q[1] or q[2], NAME, 0, 0) for q in QUOTED.finditer(text))]
    return list(dict.fromkeys(n for n in (norm(one.surface) for one in found) if len(n) > 1))


def _about(title: str, chunk: Chunk) -> Iterator[_Found]:
    yield _Found(title, TITLE, chunk.start, chunk.start)
    bare = ENDING_BRACKETS.match(title)
    if bare:
        yield _Found(bare[1], TITLE, chunk.start, chunk.start)
    for heading in chunk.heading:
        yield _Found(heading, HEADING, chunk.start, chunk.start)


def _names(text: str, analyser: Analyser, offset: int) -> Iterator[_Found]:
    for run in _runs(text, analyser):
        yield from run.found(text, offset)


class _Run:
    """Words that follow each other and may be one name."""

    def __init__(self) -> None:
        self.words: list[tuple[int, int, bool]] = []  # start, end of the head, proper by itself
        self.first_of_sentence = False
        self.pending = 0  # connectors after the last word of the name

    def found(self, text: str, offset: int) -> Iterator[_Found]:
        """The whole, where it is a name; in Korean, where spacing is free, also each part that is one by itself."""
        words = self.words
        start, end = words[0][0], words[-1][1]
        hangul = bool(HANGUL.search(text, start, end))
        if len(words) > 1 and any(proper for _, _, proper in words):
            yield _Found(text[start:end], NAME, offset + start, offset + end)
        if len(words) > 1 and not hangul:
            return
        for begin, stop, proper in words:
            surface = text[begin:stop]
            if proper and not (self.first_of_sentence and begin == start and _ordinary(surface)):
                yield _Found(surface, NAME, offset + begin, offset + stop)


def _ordinary(surface: str) -> bool:
    """Whether it may be capitalised for no other reason than that a sentence begins with it."""
    return surface.isascii() and surface[1:].islower()


def _runs(text: str, analyser: Analyser) -> Iterator[_Run]:
    run = _Run()
    end = 0
    for match in runs(text):
        written, gap = match[0], text[end : match.start()]
        word = analyser.word(written)
        joined = (
            bool(run.words)
            and len(run.words) < LONGEST_RUN
            and (gap == " " or (gap == ". " and _initial(text, end)))
        )
        latin = not HANGUL.search(written)
        if joined and latin and written in CONNECTORS and not HANGUL.search(text, run.words[-1][0], end):
            end = match.end()
            continue
        named = word.head > 0 and (bool(word.terms) or joined) and not (written[0].isdigit() and not joined)
        if not (joined and named) and run.words:
            yield run
            run = _Run()
        if named:
            if not run.words:
                run.first_of_sentence = bool(
                    SENTENCE_START.search(text, max(0, match.start() - 8), match.start())
                )
            run.words.append((match.start(), match.start() + word.head, word.proper))
        end = match.end()
        if (word.closed or not named) and run.words:
            yield run
            run = _Run()
    if run.words:
        yield run


def _initial(text: str, end: int) -> bool:
    return text[end - 1].isupper() and (end < 2 or not text[end - 2].isalnum())


def _quoted(chunk: Chunk) -> Iterator[_Found]:
    for match in QUOTED.finditer(chunk.text):
        yield _Found(match[1] or match[2], NAME, chunk.start + match.start(), chunk.start + match.end())


def _aliases(chunk: Chunk, found: Sequence[_Found]) -> Iterator[tuple[str, str, int, int]]:
    """Names of which the text says in brackets what else they are called: first, second, start, end."""
    ends = {one.end: one for one in found if one.kind == NAME}
    for match in BRACKETS.finditer(chunk.text):
        at = chunk.start + match.start()
        first = ends.get(at) or ends.get(at - 1)
        second = match[1].strip()
        if first and second.casefold() not in ROLES and _other_name(first.surface, second):
            yield first.surface, second, first.start, chunk.start + match.end()


def _other_name(first: str, second: str) -> bool:
    acronym = second.isascii() and second.replace("-", "").isalnum() and second.isupper()
    across = bool(HANGUL.search(first)) != bool(HANGUL.search(second)) and not second[0].islower()
    return (
        norm(second) != ""
        and not second[0].isdigit()
        and (acronym or across or 3 <= len(second) < len(first))
    )


def _counted(found: Sequence[_Found]) -> tuple[Mention, ...]:
    """One mention an entity: its strongest kind, its most frequent spelling, its first place."""
    by_norm: dict[str, list[_Found]] = {}
    for one in found:
        name = norm(one.surface)
        if 1 < len(name) <= LONGEST and not name.isdigit():
            by_norm.setdefault(name, []).append(one)
    mentions = [_mention(name, all_) for name, all_ in by_norm.items()]
    mentions.sort(key=lambda mention: (-_strength(mention.kind), -mention.count, mention.start))
    return tuple(mentions[:MOST_MENTIONS])


def _mention(name: str, found: Sequence[_Found]) -> Mention:
    kind = max((one.kind for one in found), key=_strength)
    spelling = Counter(one.surface for one in found).most_common(1)[0][0]
    written = [one for one in found if one.end > one.start] or list(found)
    return Mention(name, spelling, kind, len(found), written[0].start, written[0].end)


def _strength(kind: str) -> int:
    return {TITLE: 3, HEADING: 2, ALIAS: 1, NAME: 0}[kind]
