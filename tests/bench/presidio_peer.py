"""Presidio alone, as the interpreter that runs this has it: texts as JSON in, findings as JSON out.

`defaults` is what its registry loads for Korean and English by itself, `korean` adds the recognisers for Korea that it
has but leaves out. No language engine: its models come from the internet.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
from presidio_analyzer import predefined_recognizers as known
from presidio_analyzer.nlp_engine.no_op_nlp_engine import NoOpNlpEngine

KOREAN = (
    "KrRrnRecognizer",
    "KrFrnRecognizer",
    "KrBrnRecognizer",
    "KrDriverLicenseRecognizer",
    "KrPassportRecognizer",
)


def engine(korean: bool) -> AnalyzerEngine:
    """An analyser for both languages."""
    languages = ["ko", "en"]
    nlp = NoOpNlpEngine(models=[{"lang_code": language, "model_name": "no_op"} for language in languages])
    nlp.load()
    registry = RecognizerRegistry(supported_languages=languages)
    registry.load_predefined_recognizers(languages=languages)
    registry.remove_recognizer("SpacyRecognizer")
    if korean:
        for name in KOREAN:
            registry.add_recognizer(getattr(known, name)(supported_language="ko"))
        registry.add_recognizer(known.PhoneRecognizer(supported_language="ko", supported_regions=("KR",)))
    return AnalyzerEngine(registry=registry, nlp_engine=nlp, supported_languages=languages)


def main() -> None:
    """Answer one request."""
    logging.disable(logging.CRITICAL)
    texts = json.load(sys.stdin)
    told: dict[str, Any] = {}
    for name in ("defaults", "korean"):
        analyser = engine(name == "korean")
        analyser.analyze("warm", "ko")
        began = time.perf_counter()
        found = [analyser.analyze(text, language) for text, language in texts]
        told[name] = {
            "seconds": time.perf_counter() - began,
            "findings": [[[one.start, one.end, one.entity_type, one.score] for one in row] for row in found],
        }
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
