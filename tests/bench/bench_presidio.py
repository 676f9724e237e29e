"""Moderation: what is found and what is missed, beside Presidio alone; how long it takes, and a stream of 100 KB.

    python -m bench.bench_presidio [development | held-out | fresh-development | fresh-held-out …] [--show ENTITY]

in tests/. The fresh halves are those of presidio_fresh. A label counts as found where a finding of its entity covers at
least half of both; of an injected instruction, where they overlap: where it begins and ends is a matter of taste.
Presidio runs in the interpreter that LLMFLOW_BENCH_PRESIDIO names (with spaCy, which it imports); without one its rows
are missing. Prints JSON; milliseconds of a processor a KB of UTF-8, and of the clock for a request through the plugin's
process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from llmflow_bundle.dirs import cache_dir
from llmflow_bundle.report import Recording
from llmflow_presidio import scan
from llmflow_presidio.stream import Remembered
from llmflow_runner import archive, environment, pack, sign
from llmflow_runner.daemon import Plugin

from bench.presidio_cases import FRESH, HALVES, Case, cases

Span = tuple[int, int, str]
HELD_OUT = (HALVES[1], FRESH[1])
KB, STREAM, PAGES = 1024, 100, 200
PLUGIN = Path(__file__).resolve().parents[2] / "plugins/presidio"


def measure(halves: Sequence[str] = HELD_OUT) -> dict[str, Any]:
    """Quality on each half, the held-out ones where none is named, then time."""
    found: dict[str, Any] = {}
    for half in halves:
        rows = cases(half)
        ours = [[(one.start, one.end, one.entity) for one in scan.scan(case.text)] for case in rows]
        found[half] = {"sentences": len(rows), **quality(rows, ours)}
    peer = os.environ.get("LLMFLOW_BENCH_PRESIDIO")
    if peer:
        found["beside_presidio"] = _beside(peer, [case for half in HELD_OUT for case in cases(half)])
    found["milliseconds_a_kb"] = _speed([case.text for half in halves for case in cases(half)])
    found["stream"] = stream()
    found["endpoint_milliseconds"] = endpoint()
    return found


def quality(rows: Sequence[Case], answers: Sequence[Sequence[Span]]) -> dict[str, Any]:
    """Precision and recall of each entity, with the number of its labels."""
    right, labels, given, good = (Counter[str]() for _ in range(4))
    for case, answer in zip(rows, answers, strict=True):
        labels.update(entity for _, _, entity in case.spans)
        given.update(entity for _, _, entity in answer)
        for one in answer:
            good[one[2]] += any(span[2] == one[2] and _same(span, one) for span in case.spans)
        for span in case.spans:
            right[span[2]] += any(span[2] == one[2] and _same(span, one) for one in answer)
    entities = sorted(labels | given)
    return {
        entity: {
            "labels": labels[entity],
            "precision": round(good[entity] / given[entity], 3) if given[entity] else None,
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
    if one[2] == other[2] == "PROMPT_INJECTION":
        return shared > 0
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
    took = []
    for page in _pages(texts) * 3:
        began = time.process_time()
        scan.scan(page)
        took.append((time.process_time() - began) * 1000 / (len(page.encode()) / KB))
    took.sort()
    return {"p50": round(took[len(took) // 2], 2), "p99": round(took[len(took) * 99 // 100], 2)}


def _pages(texts: Sequence[str]) -> list[str]:
    """Texts of one KB."""
    pages, page = [], ""
    for text in texts:
        page += f"{text} "
        if len(page.encode()) >= KB:
            pages.append(page)
            page = ""
    return pages


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


def endpoint() -> dict[str, float]:
    """Milliseconds of the clock for a request of Dify's with a text of one KB, and for a ping, through the process."""
    with tempfile.TemporaryDirectory() as scratch:
        key = sign.signing_key(Path(scratch))
        path = pack.pack(PLUGIN, Path(scratch) / "out", key, cache_dir(), Recording())
        with (
            environment.installed(archive.read(path), Path(scratch), False, Recording()) as place,
            Plugin(place) as plugin,
        ):
            bodies = [
                {"point": "app.moderation.output", "params": {"app_id": str(turn), "text": page}}
                for turn in range(3)  # another app each time: nothing is remembered of it
                for page in _pages([case.text for case in cases(HALVES[0])])[:PAGES]
            ]
            checked = sorted(_asked(plugin, body) for body in bodies)
            pinged = sorted(_asked(plugin, {"point": "ping", "params": {}}) for _ in range(PAGES))
    return {
        "p50": round(checked[len(checked) // 2], 2),
        "p99": round(checked[len(checked) * 99 // 100], 2),
        "ping_p50": round(pinged[len(pinged) // 2], 2),
    }


def _asked(plugin: Plugin, body: dict[str, Any]) -> float:
    """Milliseconds until the answer is whole."""
    content = json.dumps(body).encode()
    lines = (
        "POST /moderation HTTP/1.1",
        "Host: x",
        "Authorization: Bearer key",
        f"Content-Length: {len(content)}",
        "",
        "",
    )
    head = "\r\n".join(lines)
    request = {
        "type": "endpoint", "action": "invoke_endpoint", "user_id": "", "settings": {"api_key": "key"},
        "raw_http_request": (head.encode() + content).hex(),
    }  # fmt: skip
    began = time.perf_counter()
    answers = list(plugin.ask(request))
    took = (time.perf_counter() - began) * 1000
    if answers[0]["status"] != 200:
        raise RuntimeError(f"the endpoint answered {answers[0]}")
    return took


def main() -> None:
    """Measure, or show what is wrong about one entity."""
    arguments = sys.argv[1:]
    if "--show" in arguments:
        half, entity = arguments[0], arguments[arguments.index("--show") + 1]
        sys.stdout.write("\n".join(wrong(cases(half), entity)) + "\n")
        return
    sys.stdout.write(json.dumps(measure(arguments or HELD_OUT), indent=2) + "\n")


if __name__ == "__main__":
    main()
