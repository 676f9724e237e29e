"""No text makes a search take more than its length: patterns without unbounded repeats, and time that grows evenly."""

from __future__ import annotations

import re
import time

import pytest
from llmflow_presidio import scan
from llmflow_presidio.recognisers import (
    addresses,
    deny,
    disguise,
    english_names,
    generic,
    injection,
    names,
    numbers,
    own,
    secrets,
    wishes,
    wishes_korean,
)
from llmflow_presidio.recognisers.rule import Recogniser

# What patterns begin with, repeat and end before: repeated, it is the worst that they can be given.
ATOMS = (
    *"1 9 A a 가 김 ( - + % @ : . # { < \u200b ᄀ".split(),
    " ",
    "\n",
    "12-",
    "1 ",
    "a.",
    "a@",
    "a-",
    "a@a.",
    "a://b:",
    "::",
    "1:",
    "a:",
    "1::",
    "0.",
    "1.1.",
    "AA11 ",
    "1A",
    "bc1",
    "+1 ",
    "010-",
    "02) ",
    "1588-",
    "12가",
    "01 ",
    "가 ",
    "김 ",
    "김민수",
    "김민수 ",
    "로 1",
    "길 1",
    "서울 ",
    "서울시 강남구 ",
    "강남대로 1 ",
    "동 1",
    "1동 ",
    "(가",
    "A a ",
    "Aa ",
    "Aa Bb ",
    "1 Aa ",
    "Dr. ",
    "PO Box ",
    "eyJ",
    "eyJa.",
    "sk-",
    "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----a",
    "password=",
    "password is ",
    "비밀번호는 ",
    "token: a",
    "http://",
    "ignore ",
    "ignore all ",
    "act as ",
    "you are now ",
    "send all ",
    "이전 ",
    "이전 지시",
    "이전 지시를 ",
    "시스템 프롬프트",
    "이제 ",
    "안전 필터",
    "성명: ",
    "고객 ",
    "우편번호 ",
    "국민은행 ",
    "계좌 ",
    "주문번호 ",
    "<|",
    "name is ",
    "name: ",
    "Hi ",
    "thanks\n",
    "부 ",
    "김민수, ",
    "공일공",
    "0x",
    "12345 서울 강남구 테헤란로 1 ",
    "i ",
    "i. ",
    "가.",
    "가 나",
    "a1a",
    "%20",
    "AAAA",
    "QUJD",
    "41",
    "vtaber ",
    "ignore your ",
    "you are no ",
    "show the text ",
    "note ai ",
    "send chat ",
    "너는 ",
    "위 내용 ",
    "제한 없이 ",
    "ai: ",
    '"a',
    "curl -u a:",
    "mysql a ",
    "<password>",
    "계정 a/",
    "password for a",
    "key=A1",
)
SIGNS, SLOW = 600, 0.0015  # of a text, and seconds that make it worth a second look
RULES = (*numbers.RULES, *names.RULES, *addresses.RULES, *secrets.RULES, *generic.RULES)
MODULES = (
    addresses,
    disguise,
    english_names,
    generic,
    injection,
    names,
    numbers,
    secrets,
    wishes,
    wishes_korean,
)
PATTERNS = {
    **{rule.name: rule.pattern for rule in RULES},
    **{
        f"{wish.name} {at}": group
        for wish in (*wishes.WISHES, *wishes_korean.WISHES)
        for at, group in enumerate((*wish.groups, wish.unless))
        if group
    },
    **{
        f"{module.__name__}.{name}": value
        for module in MODULES
        for name, value in vars(module).items()
        if isinstance(value, re.Pattern)
    },
}
RECOGNISERS = (
    *scan.recognisers(),
    deny.Denied("deny", ("aaaaaaab", "가가가나", "a a a b")),
    own.Own("own", r"\w{1,14}\w{1,14}-"),
)


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_repeats_nothing_without_a_limit(name: str) -> None:
    pattern = PATTERNS[name].pattern
    bare = re.sub(r"\\.", "_", pattern)
    bare = re.sub(r"\[\^?\]?[^\]]*\]", "_", bare)
    assert not re.search(r"[*+]|\{\d+,\}", bare), pattern


@pytest.mark.parametrize("recogniser", RECOGNISERS, ids=lambda one: one.name)
def test_time_grows_with_the_text(recogniser: Recogniser) -> None:
    for atom in ATOMS:
        times = SIGNS // len(atom)
        if _seconds(recogniser, atom * times, 1) > SLOW:
            once = _seconds(recogniser, atom * times, 3)
            four = _seconds(recogniser, atom * times * 4, 3)
            assert four < 9 * once + SLOW, (atom, once, four)  # even growth is 4, a square's 16


def _seconds(recogniser: Recogniser, text: str, tries: int) -> float:
    """The processor's time for a search, the shortest of several."""
    found = []
    for _ in range(tries):
        began = time.process_time()
        for _ in recogniser.find(text):
            pass
        found.append(time.process_time() - began)
    return min(found)
