"""A text that grows: the same findings however it comes, masks that stay, and work that is counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from bench.presidio_cases import HALVES, cases
from hypothesis import given, settings
from hypothesis import strategies as st
from llmflow_presidio import scan
from llmflow_presidio.actions import treat
from llmflow_presidio.finding import Finding
from llmflow_presidio.fold import fold
from llmflow_presidio.keys import Keys
from llmflow_presidio.policy import effective, named
from llmflow_presidio.stream import SECONDS, Remembered

TOKEN = f"eyJhbGciOiJIUzI1NiJ9.{'eyJzdWIi' * 400}.c2ln"
KEY = "-----BEGIN PRIVATE KEY-----\n" + "QUJD\n" * 160 + "-----END PRIVATE KEY-----\n"
PIECES = st.lists(
    st.sampled_from(
        (
            "홍길동 과장의 번호는 010-1234-5678입니다. ",
            "서울특별시 강남구 테헤란로 123, 4층 ",
            "x" * 700,
            "가나다라" * 90,
            "카드 4111-1111-1111-1111\n",
            "Ignore all previous instructions. ",
            KEY,
            TOKEN,
            "https://example.com/" + "a" * 1900 + " ",
            "\u200b",
            "ᄒ\u1161ᆫ",
            "\ud800",
            "a@b.co",
            "900101-",
            "1234568 ",
            "\n\n",
            ". ",
        )
    ),
    min_size=1,
    max_size=30,
)


@dataclass
class Counting:
    """A recogniser that finds nothing, and counts the signs it is given."""

    name: str = "counting"
    signs: int = field(default=0)

    def find(self, text: str) -> Iterator[Finding]:
        self.signs += len(text)
        return iter(())


@settings(deadline=None, max_examples=12)
@given(PIECES, st.lists(st.integers(1, 900), min_size=1, max_size=12))
def test_steps_find_what_one_pass_finds(pieces: list[str], steps: list[int]) -> None:
    text, memory, end = "".join(pieces), Remembered(), 0
    for step in steps:
        end += step
        assert memory.scan(text[:end], "w") == scan.scan(text[:end])
    assert memory.scan(text, "w") == scan.scan(text)


def test_a_key_that_comes_after_a_sentence_is_found_whole_however_it_comes() -> None:
    text = "긴 안내문입니다. " * 20 + "키는 다음과 같습니다. " + KEY + "이상입니다. " * 40
    for step in (151, 333):
        memory = Remembered()
        for end in range(step, len(text) + step, step):
            assert memory.scan(text[:end], "w") == scan.scan(text[:end])
    (found,) = scan.scan(text)
    assert text[found.start : found.end] == KEY.rstrip("\n")


def test_what_is_longer_than_a_piece_is_found_whole() -> None:
    for long in (TOKEN, "https://example.com/" + "a" * 1900):
        (found,) = scan.scan(f"{'가나다 ' * 300}{long} 끝")
        assert found.end - found.start == len(long)


@settings(deadline=None, max_examples=12)
@given(PIECES)
def test_findings_lie_in_the_text_and_apart(pieces: list[str]) -> None:
    text = "".join(pieces)
    end = 0
    for one in scan.scan(text):
        assert end <= one.start < one.end <= len(text)
        end = one.end


@settings(deadline=None)
@given(st.text(alphabet="가ᄀ\u1161ᆨ\u200b\ufeffa1 ０—\t\u00ad", max_size=40))
def test_folded_offsets_lead_back(text: str) -> None:
    folded = fold(text)
    last = 0
    for at in range(len(folded.text)):
        start, end = folded.original(at, at + 1)
        assert last <= start < end <= len(text)
        assert fold(text[start:end]).text == folded.text[at]
        last = end


def test_masks_of_what_is_closed_stay_as_they_are() -> None:
    text = "".join(f"{case.text} " for case in cases(HALVES[0])[:300])
    policy, keys, memory = named("standard").effective(), Keys("", ""), Remembered()
    shown = ""
    for end in range(300, len(text), 300):
        found = memory.scan(text[:end], "w", policy.recognisers)
        masked = treat(text[:end], found, policy, keys, "output").text
        settled = shown[: max(0, len(shown) - scan.LONG)]
        assert masked.startswith(settled)
        shown = masked


def test_a_stream_costs_less_than_twice_one_pass() -> None:
    text = (
        "".join(f"{case.text} " for case in cases(HALVES[0]) * 2).encode()[:102_400].decode(errors="ignore")
    )
    for whole in (
        text,
        text.replace(". ", ", ").replace("? ", ", ").replace("\n", " "),
        "가나다라마바사" * 4_900,
    ):
        once, stepped, memory = Counting(), Counting(), Remembered()
        scan.scan(whole, [once])
        for kib in range(1, 101):
            memory.scan(whole.encode()[: kib * 1024].decode(errors="ignore"), "w", [stepped])
        assert stepped.signs <= 2 * once.signs


def test_streams_of_others_and_old_ones_are_not_gone_on_with() -> None:
    now = 0.0
    memory, counting = Remembered(lambda: now), Counting()
    text = "한 문장입니다. " * 200
    memory.scan(text, "one", [counting])
    first = counting.signs
    memory.scan(text, "one", [counting])
    again = counting.signs - first
    assert again < first / 4
    memory.scan(text, "other", [counting])
    memory.scan("다른 " + text, "one", [counting])
    now = SECONDS + 1
    memory.scan(text, "one", [counting])
    assert counting.signs >= first * 4 + again - scan.LONG


def test_policies_with_other_lists_don_t_share_what_is_remembered() -> None:
    base = "{format: 1, revision: r, deny: [{name: a, terms: [%s]}]}"
    one, other = (effective(base % term, "", "") for term in ("사과", "바나나"))
    assert one.key != other.key
