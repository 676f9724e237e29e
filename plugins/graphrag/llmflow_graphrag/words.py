"""A text as words, and each word as what can be searched for: stems in English, morphemes in Korean.

A word is looked at by itself, without its neighbours. So the same word always gives the same terms, in a
document and in a question, and a word that was seen once costs nothing again (natural text repeats itself:
Zipf's law).

Two analysers know Korean: `kiwi` (morphemes; kiwipiepy) and `plain` (particles cut off by rule, and syllable
pairs), for where kiwi's hundred megabytes have no room. A workspace keeps the analyser that it was built
with.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Protocol

import snowballstemmer

from llmflow_graphrag.errors import Incompatible

RUN = re.compile(r"[^\W_]+(?:[.&'’\-][^\W_]+)*")
PART = re.compile(r"[^\W_]+")
HANGUL = re.compile("[가-힣]")
IDEOGRAPHS = re.compile("[぀-ヿ㐀-鿿豈-﫿]+")
SEEN_WORDS = 200_000  # analyses kept: about 60 MB, and the vocabulary of some hundred thousand pages
LONGEST_WORD = 64  # characters; what is longer is not a word, and only its beginning is looked at

# Particles at the end of a word, longest first.
PARTICLES = tuple(
    sorted(
        """은 는 이 가 을 를 의 에 에서 에게 에게서 께 께서 한테 한테서 으로 로 으로서 로서 으로써 로써 으로부터 로부터
        와 과 도 만 까지 부터 보다 처럼 같이 이나 나 이라도 라도 이란 란 이라는 라는 이라고 라고 에는 에도 에서는
        에서도 으로는 로는 으로도 로도 와의 과의 에의 에서의 으로의 로의 이며 며 이고 인 이다 이었다 였다 입니다 인가요
        인가 마다 조차 마저 밖에 이라 만큼 대로 이든 든 이랑 랑 하고 에게는 께서는 부터는 까지는""".split(),
        key=len,
        reverse=True,
    )
)
NOUNS = frozenset({"NNG", "NNP", "NNB", "NR", "SL", "SN", "SH", "XR", "XPN", "XSN", "W_SERIAL"})
CONTENT = frozenset({"NNG", "NNP", "NR", "SL", "SN", "SH", "XR", "VV", "VA", "MAG"})
TAIL = frozenset(
    {"JKS", "JKC", "JKG", "JKO", "JKB", "JKV", "JKQ", "JX", "JC", "VCP", "EP", "EF", "EC", "ETN", "ETM"}
)
SAYS_NOTHING = frozenset(
    "하 되 있 없 같 않 그 이 저 것 수 등 및 또는 위하 대하 따르 관하 의하 통하 어떻 무엇".split()
)

ENGLISH_STOPS = frozenset(
    """a an the and or but if then else of at by for with about into through during before after above below to from
    in out on off over under again once here there all any both each few more most other some such no nor not only own
    same so than too very can will just should now is are was were be been being have has had having do does did doing
    would could may might must shall i you he she it we they them his her its their our your my me him us this that
    these those what which who whom whose when where why how as s t d ll m o re ve also because while until between
    against up down however although""".split()
)


@dataclass(frozen=True, slots=True)
class Word:
    """What a word gives: its terms, and how many of its first signs could be (part of) a name, 0 for none.

    `proper` says that they can be a name by themselves, `closed` that something follows them in the word, so that no
    name goes on in the next one.
    """

    terms: tuple[str, ...]
    head: int = 0
    proper: bool = False
    closed: bool = False


class Analyser(Protocol):
    """How words are looked at. Two analysers of one name give the same."""

    @property
    def name(self) -> str:
        """What a workspace remembers."""
        ...

    def word(self, text: str) -> Word:
        """A run of letters and digits."""
        ...


def terms(analyser: Analyser, text: str) -> list[str]:
    """All terms of a text, in order, repeated as they are."""
    return [term for match in RUN.finditer(text) for term in analyser.word(match[0]).terms]


def runs(text: str) -> Iterator[re.Match[str]]:
    """The words of a text, with their places."""
    return RUN.finditer(text)


def analyser(name: str) -> Analyser:
    """The analyser of this name: "kiwi", "plain", or "auto" for the best that is here. Raises Incompatible."""
    if name == "auto":
        return _best()
    if name == "plain":
        return Plain()
    if name == "kiwi":
        try:
            return _kiwi()
        except ImportError as error:
            raise Incompatible(
                "This workspace was built with the Korean analyser kiwi, which is not installed here: install "
                "kiwipiepy, or take the documents in anew with the analyser plain."
            ) from error
    raise Incompatible(f'There is no analyser "{name}": kiwi and plain are known.')


def _best() -> Analyser:
    try:
        return _kiwi()
    except ImportError:
        return Plain()


@cache
def _kiwi() -> Analyser:
    import kiwipiepy  # noqa: F401 - only whether it is there

    return Kiwi()


class Plain:
    """Korean by rule: the stem without its particle, and pairs of syllables, which meet where stems don't."""

    name = "plain"

    def __init__(self) -> None:
        self.word = lru_cache(SEEN_WORDS)(self._word)

    def _word(self, text: str) -> Word:
        text = text[:LONGEST_WORD]
        if not HANGUL.search(text):
            return _latin(text)
        stem = _without_particle(text)
        found: list[str] = []
        for part in PART.findall(stem.casefold()):
            if HANGUL.search(part):
                found += [part, *(part[i : i + 2] for i in range(len(part) - 1) if len(part) > 2)]
            else:
                found += _latin(part).terms
        named = len(stem) >= 3 or not HANGUL.fullmatch(stem[0])
        return Word(tuple(found), len(stem), named, closed=len(stem) < len(text))


class Kiwi:
    """Korean by morphemes: nouns, stems of verbs, and the whole of a compound beside its parts.

    Words by themselves need no language model, so none is loaded (340 MB of memory, not 520, and half the time).
    """

    name = "kiwi"

    def __init__(self) -> None:
        self.word = lru_cache(SEEN_WORDS)(self._word)

    def _word(self, text: str) -> Word:
        text = text[:LONGEST_WORD]
        if not HANGUL.search(text):
            return _latin(text)
        tokens = [
            (t.form, t.tag.split("-")[0], t.start + t.len, bool(t.oov)) for t in _tokenizer().tokenize(text)
        ]
        wanted = [form for form, tag, _, _ in tokens if tag in CONTENT and form not in SAYS_NOTHING]
        found = [part for form in wanted for part in PART.findall(form.casefold())]
        last = max((number for number, token in enumerate(tokens) if token[1] in NOUNS), default=-1)
        if last < 0 or any(tag not in TAIL for _, tag, _, _ in tokens[last + 1 :]):
            return Word(tuple(found or PART.findall(text.casefold())))
        head = tokens[last][2]
        whole = text[:head].casefold()
        nouns = [token for token in tokens[: last + 1] if token[1] in NOUNS]
        compound = last > 0
        if compound and whole not in found and PART.fullmatch(whole):
            found.append(whole)
        # what kiwi takes for a phrase, although nothing separates it, is more likely a name that it does not know
        phrase = len(nouns) <= last and head >= 4
        proper = (
            any(tag in ("NNP", "SL") or unknown for _, tag, _, unknown in nouns)
            or (compound and len(nouns) > last and head >= 3 and not whole[0].isdigit())
            or phrase
        )
        return Word(tuple(found or PART.findall(whole)), head, proper, closed=head < len(text))


@cache
def _tokenizer():  # type: ignore[no-untyped-def]  # kiwipiepy is there or not
    from kiwipiepy import Kiwi as Tokenizer

    return Tokenizer(num_workers=1, model_type="none", load_multi_dict=False)


_english = snowballstemmer.stemmer("english")
_one_by_one = threading.Lock()  # the stemmer keeps the word that it is at in itself


def _stem(word: str) -> str:
    with _one_by_one:
        return str(_english.stemWord(word))


def _latin(text: str) -> Word:
    """A word in another script: stemmed parts; pairs of ideographs, which stand without spaces."""
    found: list[str] = []
    for part in PART.findall(text.casefold()):
        if IDEOGRAPHS.search(part):
            found += [part[i : i + 2] for i in range(max(1, len(part) - 1))]
        elif part not in ENGLISH_STOPS:
            found.append(_stem(part))
    capital = text[0].isupper()
    return Word(tuple(found), len(text) if capital or text[0].isdigit() else 0, capital)


def _without_particle(text: str) -> str:
    for particle in PARTICLES:
        if text.endswith(particle) and len(text) - len(particle) >= 2:
            return text[: -len(particle)]
    return text
