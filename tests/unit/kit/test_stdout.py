"""Messages on standard output stay whole, whoever writes them and however slowly they are read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

KIT = Path(__file__).parents[3] / "plugins" / "kit"
WRITERS, MESSAGES, LENGTH = 8, 50, 5000  # far more than a pipe holds
PROGRAM = f"""
from gevent import monkey
monkey.patch_all(sys=True)
import gevent, sys
from llmflow_kit import stdout
print("before")
stdout.use()
def write(number):
    for message in range({MESSAGES}):
        sys.stdout.write(f"{{number}} {{message}} " + "가" * {LENGTH})
        sys.stdout.flush()
        sys.stdout.write("\\n\\n")
        sys.stdout.flush()
        gevent.sleep(0)
gevent.joinall([gevent.spawn(write, number) for number in range({WRITERS})])
print("after")
"""


def test_messages_of_many_writers_stay_whole() -> None:
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM]
    env = {**os.environ, "PYTHONPATH": str(KIT)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    first, *lines, last = [line for line in done.stdout.splitlines() if line]
    assert (first, last) == ("before", "after")
    assert len(lines) == WRITERS * MESSAGES
    told = [line.split(" ") for line in lines]
    assert all(text == "가" * LENGTH for _, _, text in told)
    for writer in range(WRITERS):
        assert [int(m) for w, m, _ in told if int(w) == writer] == list(range(MESSAGES))
