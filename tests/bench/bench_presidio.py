"""Moderation: what is found and what is missed, beside Presidio alone; how long it takes, and a stream of 100 KB.

    python -m bench.bench_presidio [development | held-out …] [--show ENTITY]

in tests/. A label counts as found where a finding of its entity covers at least half of both. Presidio runs in the
interpreter that LLMFLOW_BENCH_PRESIDIO names (with spaCy, which it imports); without one its rows are missing. Prints
JSON; milliseconds of a processor a KB of UTF-8.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from llmflow_presidio import scan
from llmflow_presidio.stream import Remembered

from bench.presidio_cases import HALVES, Case, cases

Span = tuple[int, int, str]
KB, STREAM = 1024, 100


def measure(halves: Sequence[str] = HALVES) -> dict[str, Any]:
    """Quality on each half, then time."""
    found: dict[str, Any] = {}
    for half in halves:
        rows = cases(half)
        ours = [[(one.start, one.end, one.entity) for one in scan.scan(case.text)] for case in rows]
        found[half] = {"sentences": len(rows), **quality(rows, ours)}
    peer = os.environ.get("LLMFLOW_BENCH_PRESIDIO")
    if peer:
        found["beside_presidio"] = _beside(peer, cases(halves[-1]))
    found["milliseconds_a_kb"] = _speed([case.text for half in halves for case in cases(half)])
    found["stream"] = stream()
    return found


def quality(rows: Sequence[Case], answers: Sequence[Sequence[Span]]) -> dict[str, Any]:
    """Precision and recall of each entity, with the number of its labels."""
    right, labels, given = Counter[str](), Counter[str](), Counter[str]()
    for case, answer in zip(rows, answers, strict=True):
        labels.update(entity for _, _, entity in case.spans)
        given.update(entity for _, _, entity in answer)
        for span in case.spans:
            right[span[2]] += any(span[2] == one[2] and _same(span, one) for one in answer)
    entities = sorted(labels | given)
    return {
        entity: {
            "labels": labels[entity],
            "precision": round(right[entity] / given[entity], 3) if given[entity] else None,
            "recall": round(right[entity] / labels[entity], 3) if labels[entity] else None,
        }
        for entity in entities
    }


def wrong(rows: Iterable[Case], entity: str) -> list[str]:
    """What is missed and what is found too much, for whoever tunes a rule on the development half."""
    told = []
    for case in rows:
        answer = [(one.start, one.end, one.entity) for one in scan.scan(case.text)]
        missed = [
            s
            for s in case.spans
            if s[2] == entity and not any(o[2] == entity and _same(s, o) for o in answer)
        ]
        extra = [
            o
            for o in answer
            if o[2] == entity and not any(s[2] == entity and _same(s, o) for s in case.spans)
        ]
        told += [
            f"missed {case.text[s[0] : s[1]]!r} "
            f"in {case.text!r}: {[(case.text[a:b], e) for a, b, e in answer]}"
            for s in missed
        ]
        told += [f"extra {case.text[o[0] : o[1]]!r} in {case.text!r}" for o in extra]
    return told


def _same(one: Span, other: Span) -> bool:
    shared = min(one[1], other[1]) - max(one[0], other[0])
    return shared * 2 >= max(one[1] - one[0], other[1] - other[0])


def _beside(python: str, rows: Sequence[Case]) -> dict[str, Any]:
    """Misses of both on the Korean sentences, whatever the entity is called."""
    korean = [case for case in rows if case.language == "ko"]
    done = subprocess.run(
        [python, str(Path(__file__).with_name("presidio_peer.py"))],
        input=json.dumps([(case.text, "ko") for case in korean]),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    ours = [[(one.start, one.end, one.entity) for one in scan.scan(case.text)] for case in korean]
    missed = _missed(korean, ours)
    told: dict[str, Any] = {"labels": sum(len(case.spans) for case in korean), "missed": missed}
    for name, theirs in json.loads(done.stdout.splitlines()[-1]).items():
        there = [[(start, end, entity) for start, end, entity, _ in row] for row in theirs["findings"]]
        count = _missed(korean, there)
        told[name] = {"missed": count, "misses_to_ours": round(count / max(1, missed), 1)}
    return told


def _missed(rows: Sequence[Case], answers: Sequence[Sequence[Span]]) -> int:
    """Labels that no finding covers, of whatever entity: kinder to Presidio, which has no name for some."""
    return sum(
        not any(_same(span, one) for one in answer)
        for case, answer in zip(rows, answers, strict=True)
        for span in case.spans
    )


def _speed(texts: Sequence[str]) -> dict[str, float]:
    """Percentiles over texts of one KB, put together from the sentences."""
    pages, page = [], ""
    for text in texts:
        page += f"{text} "
        if len(page.encode()) >= KB:
            pages.append(page)
            page = ""
    took = []
    for page in pages * 3:
        began = time.process_time()
        scan.scan(page)
        took.append((time.process_time() - began) * 1000 / (len(page.encode()) / KB))
    took.sort()
    return {"p50": round(took[len(took) // 2], 2), "p99": round(took[len(took) * 99 // 100], 2)}


def stream() -> dict[str, Any]:
    """A text of 100 KB, whole and in steps of one KB, each step with all that came before, as Dify sends it."""
    text = ""
    for case in cases(HALVES[0]) * 9:
        text += f"{case.text} "
    text = text.encode()[: STREAM * KB].decode(errors="ignore")
    steps = [text.encode()[: (step + 1) * KB].decode(errors="ignore") for step in range(STREAM)]
    began = time.process_time()
    whole = scan.scan(text)
    once = time.process_time() - began
    memory = Remembered()
    began = time.process_time()
    for step in steps:
        last = memory.scan(step, "bench")
    streamed = time.process_time() - began
    return {
        "one_pass_s": round(once, 3),
        "in_steps_s": round(streamed, 3),
        "ratio": round(streamed / once, 2),
        "same": last == whole,
    }


def main() -> None:
    """Measure, or show what is wrong about one entity."""
    arguments = sys.argv[1:]
    if "--show" in arguments:
        half, entity = arguments[0], arguments[arguments.index("--show") + 1]
        sys.stdout.write("\n".join(wrong(cases(half), entity)) + "\n")
        return
    sys.stdout.write(json.dumps(measure(arguments or HALVES), indent=2) + "\n")


if __name__ == "__main__":
    main()
