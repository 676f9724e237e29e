"""Does an embedder read Korean? Many don't, and say nothing: their vectors of Hangul are noise.

It is found out once for an embedder: eight questions and what answers each, none sharing a word. The share of
questions whose own answer is the nearest of the eight says how far its cosines are worth listening to; by chance it is
one in eight.
"""

from __future__ import annotations

import threading

from llmflow_graphrag.model import Vector
from llmflow_graphrag.models import Embedder
from llmflow_graphrag.words import HANGUL

PAIRS = (
    ("쉬는 날은 언제까지 알려야 하나요?", "휴가 신청서는 사흘 전에 낸다."),
    ("밥은 어디서 먹어요?", "구내식당이 지하에 있다."),
    ("돈은 누가 관리하지?", "예산은 재무팀 담당이다."),
    ("차를 어디에 세워요?", "주차장은 건물 뒤편이다."),
    ("비밀번호를 잊으면 어떻게 해?", "암호 재설정은 전산실에 요청한다."),
    ("가장 잘 팔리는 물건은 뭐야?", "매출 1위 제품은 스핀들이다."),
    ("아프면 어떤 지원을 받나요?", "병원비는 단체 보험으로 처리한다."),
    ("외국에 나갈 때 규칙이 있어?", "해외 출장은 부서장 승인이 필요하다."),
)
BY_CHANCE, SURE = 0.25, 0.75  # shares from which on cosines count a little, and in full

_known: dict[str, float] = {}
_asking = threading.Lock()


def trust(embedder: Embedder, text: str) -> float:
    """How far the embedder's cosines count for a text, 0 to 1. Raises what the embedder raises."""
    if not HANGUL.search(text):
        return 1.0
    name = f"{embedder.name}/{embedder.dimensions}"
    with _asking:
        if name not in _known:
            _known[name] = _measured(embedder)
    return _known[name]


def _measured(embedder: Embedder) -> float:
    vectors = embedder.documents([text for pair in PAIRS for text in pair])  # one call for all
    answers = vectors[1::2]
    hits = 0
    for number, asked in enumerate(vectors[::2]):
        scores = [_dot(asked, answer) for answer in answers]
        hits += scores.index(max(scores)) == number
    share = hits / len(PAIRS)
    return min(1.0, max(0.0, (share - BY_CHANCE) / (SURE - BY_CHANCE)))


def _dot(first: Vector, second: Vector) -> float:
    return sum(a * b for a, b in zip(first, second, strict=True))
