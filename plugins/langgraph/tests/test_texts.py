"""Korean and English: the question chooses, and both say the same."""

from __future__ import annotations

import string

from llmflow_agent.texts import ENGLISH, KOREAN, Texts, texts


def test_languages() -> None:
    assert texts("서울 날씨는?") is KOREAN
    assert texts("Kubernetes에서 vLLM을 GPU로 돌리려면?") is KOREAN
    assert texts("What does 한빛 mean in English?") is ENGLISH
    assert texts("") is ENGLISH


def test_both_languages_say_the_same() -> None:
    """Every sentence exists in both, with the same fields to fill in."""

    def fields(found: Texts) -> dict[str, list[str]]:
        flat: dict[str, str] = {}
        for name, value in vars(found).items():
            flat |= (
                {name: value}
                if isinstance(value, str)
                else {f"{name}.{key}": one for key, one in value.items()}
            )
        return {
            name: sorted({field for _, field, _, _ in string.Formatter().parse(text) if field is not None})
            for name, text in flat.items()
        }

    assert fields(ENGLISH) == fields(KOREAN)
