"""A reader's process is bounded by the kernel: in time, in memory, and away from every network."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from llmflow_unstructured import sandbox
from llmflow_unstructured.elements import Element, Failed
from llmflow_unstructured.errors import TooLarge
from llmflow_unstructured.limits import MEBI, Limits
from support.fake_unstructured import fake_unstructured
from support.made_office import zipped

PROSE = "이 규정은 폐쇄망 운영의 절차를 정하는 것을 목적으로 한다."


def test_a_reader_that_takes_too_long_is_ended_and_leaves_what_it_had_read() -> None:
    slow = {"a.txt": PROSE.encode(), "b.md": b"*a " * 4900 + b"[" * 90}
    many = zipped({**slow, **{f"{number}.md": slow["b.md"] for number in range(200)}})
    begun = time.monotonic()
    found = list(sandbox.read(many, "a.zip", limits=Limits(seconds=0.4)))
    assert time.monotonic() - begun < 0.4 + sandbox.GRACE + 5.0
    assert next(one.text for one in found if isinstance(one, Element)) == PROSE
    assert any("longer than 0 seconds" in one.why for one in found if isinstance(one, Failed))


def test_a_reader_that_takes_too_much_memory_is_ended() -> None:
    rows = ("가나다라마바사아자차," * 100 + "\n") * 30_000
    with pytest.raises(TooLarge, match="memory"):
        list(
            sandbox.read(
                rows.encode(), "a.csv", limits=Limits(memory=200 * MEBI, cells=10**8, size=200 * MEBI)
            )
        )


def test_a_reader_has_no_network() -> None:
    with fake_unstructured() as fake:
        code = f"import urllib.request as r; r.urlopen({fake.url + '/healthcheck'!r}, timeout=5).read()"
        bound = "from llmflow_unstructured import child; from llmflow_unstructured.limits import Limits; "
        bound += "child._bound(Limits()); "
        ended = [
            subprocess.run(
                [sys.executable, "-c", before + code], cwd=sandbox.HERE, capture_output=True, check=False
            )
            for before in ("", bound)
        ]
    assert [one.returncode for one in ended] == [0, 1]
    assert b"no network" in ended[1].stderr
