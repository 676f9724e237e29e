"""Whether what people read is there in English and in Korean.

Dify keeps four languages, and Korean is none of them: Korean readers are shown en_US. So both stand there, apart by
" / ": `Model name / 모델 이름`. Names of products and examples to type need no translation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from llmflow_bundle.errors import Finding

from llmflow_runner.declaration import Place, plain

BETWEEN = " / "
HANGUL = re.compile(r"[가-힣]")
LATIN = re.compile(r"[A-Za-z]")
WORDS = re.compile(
    r"[a-z]{2,}(?: [a-z]{2,}){3,}"
)  # what makes a placeholder a sentence rather than an example
READ = {"label", "description", "human", "human_description", "help", "title", "placeholder"}
NAMES = {("label",), ("identity", "label")}  # of the plugin and of its provider: may be a product's name
NAMED = ("manifest.yaml", "provider/")
README, KOREAN_README = "README.md", "readme/README_ko_KR.md"
HINT = 'Dify shows en_US to Korean readers, too: write "English / 한국어"'


def text_findings(files: Mapping[str, bytes]) -> Iterator[Finding]:
    """Texts of the YAML files, and readmes, that lack a language."""
    for name in (README, KOREAN_README):
        if name not in files:
            yield Finding(
                "PLUGIN-FILE-MISSING", f"{name} is not in the package", where="read by those who install it"
            )
    for name in sorted(files):
        if name.endswith(".yaml") and not name.startswith("wheels/"):
            yield from _within(plain(files, name), Place(files, name))


def _within(value: object, place: Place) -> Iterator[Finding]:
    """Look through what YAML holds: lists, mappings, and mappings that are texts."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _within(item, place.below(index))
        return
    if not isinstance(value, dict):
        return
    for key, item in value.items():
        there = place.below(key)
        if key not in READ or not isinstance(item, dict) or "en_US" not in item:
            yield from _within(item, there)
        elif missing := _lacks(str(item["en_US"]), there, value):
            yield Finding("PLUGIN-TEXT", f'"{item["en_US"]}" lacks {missing}', where=str(there), hint=HINT)


def _lacks(text: str, place: Place, around: Mapping[object, object]) -> str:
    """The language that a text lacks; "" where it lacks none, or needs no other."""
    parts = text.split(BETWEEN)
    if not any(HANGUL.search(part) for part in parts):
        return "" if _is_name(text, place, around) else "Korean"
    if not any(LATIN.search(part) and not HANGUL.search(part) for part in parts):
        return "English"
    return ""


def _is_name(text: str, place: Place, around: Mapping[object, object]) -> bool:
    if not LATIN.search(text):
        return True
    match place.at:
        case (*_, "placeholder"):
            return not WORDS.search(text)
        case ("options", *_) | (*_, "options", _, "label"):
            return text.casefold().startswith(str(around.get("value", "\0")).casefold())
        case at:
            return at in NAMES and place.path.startswith(NAMED)
