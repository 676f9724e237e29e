"""What a retrieval engine is measured against: BM25, dense, and both by reciprocal rank. None knows the engine.

A retriever answers a question with the ids of its k best passages.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import snowballstemmer

from bench.embed import Embedder
from bench.sets import QuestionSet

Retriever = Callable[[str, int], list[str]]

K1, B = 1.5, 0.75  # of BM25, as libraries have them
RRF = 60
DEEP = 100  # ranks of each that reciprocal rank fusion looks at
WORD = re.compile(r"\w+")
HANGUL = re.compile("[가-힣]")
MEANS = (
    "N",
    "SL",
    "SN",
    "SH",
    "XR",
    "VV",
    "VA",
    "MAG",
)  # what kiwi calls nouns, foreign words, verbs and the like
STOPS = frozenset(
    """a an and are as at be been by did do does for from had has have he her his how in is it its of on or she that the
    their they this to was were what when where which who whom whose why will with""".split()
)


def bm25(of: QuestionSet) -> Retriever:
    """Okapi BM25 over stems, and over morphemes in Korean."""
    read = [words(passage.whole) for passage in of.passages]
    mean = sum(map(len, read)) / len(read)
    postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for number, found in enumerate(read):
        for word, times in Counter(found).items():
            weight = times * (K1 + 1) / (times + K1 * (1 - B + B * len(found) / mean))
            postings[word].append((number, weight))

    def answer(question: str, k: int) -> list[str]:
        scores = np.zeros(len(read))
        for word in words(question):
            has = postings.get(word, [])
            rare = math.log(1 + (len(read) - len(has) + 0.5) / (len(has) + 0.5))
            for number, weight in has:
                scores[number] += rare * weight
        return _best(of, scores, k)

    return answer


def dense(of: QuestionSet, embedder: Embedder) -> Retriever:
    """The nearest vectors."""
    vectors = embedder.passages([passage.whole for passage in of.passages])

    def answer(question: str, k: int) -> list[str]:
        return _best(of, vectors @ embedder.questions([question])[0], k)

    return answer


def hybrid(*retrievers: Retriever) -> Retriever:
    """Reciprocal rank fusion."""

    def answer(question: str, k: int) -> list[str]:
        scores: dict[str, float] = defaultdict(float)
        for retriever in retrievers:
            for rank, passage in enumerate(retriever(question, DEEP), start=1):
                scores[passage] += 1 / (RRF + rank)
        return sorted(scores, key=lambda passage: -scores[passage])[:k]

    return answer


def words(text: str) -> list[str]:
    """What BM25 counts."""
    if HANGUL.search(text):
        return [token.form.lower() for token in _kiwi().tokenize(text) if token.tag.startswith(MEANS)]
    found = [word for word in WORD.findall(text.lower()) if word not in STOPS]
    stems: list[str] = _stemmer().stemWords(found)
    return stems


def _best(of: QuestionSet, scores: np.ndarray[Any, Any], k: int) -> list[str]:
    return [of.passages[number].id for number in np.argsort(-scores, kind="stable")[:k]]


@cache
def _kiwi() -> Any:
    from kiwipiepy import Kiwi  # takes seconds, and English needs none

    return Kiwi(num_workers=1, load_multi_dict=False)


@cache
def _stemmer() -> Any:
    return snowballstemmer.stemmer("english")
