"""Which wheels a lock asks for, and which of them run where Dify runs plugins."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from llmflow_bundle.errors import BundleError
from llmflow_bundle.report import Recording
from llmflow_runner import wheels
from packaging.utils import parse_wheel_filename

LOCK = """\
# made by hand
thing==1.0 \\
    --hash=sha256:{0} \\
    --hash=sha256:{1}
    # via other
Other_Thing==2.0 --hash=sha256:{1}
"""


def test_pins_of_a_lock() -> None:
    first, second = wheels.pins(LOCK.format("0" * 64, "1" * 64))
    assert (first.name, str(first.version), len(first.digests)) == ("thing", "1.0", 2)
    assert second.name == "other-thing"


@pytest.mark.parametrize(
    "line", ["thing", "thing>=1 --hash=sha256:" + "0" * 64, "thing==1.0", "./local", "a @ http://x"]
)
def test_lines_that_lock_nothing(line: str) -> None:
    with pytest.raises(BundleError) as error:
        wheels.pins(f"{line}\n{line}2\n")
    assert len(error.value.findings) == 2


@pytest.mark.parametrize(
    ("filename", "runs"),
    [
        ("a-1-py3-none-any.whl", True),
        ("a-1-py2.py3-none-any.whl", True),
        ("a-1-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", True),
        ("a-1-cp39-abi3-manylinux_2_28_x86_64.whl", True),
        ("a-1-cp312-cp312-linux_x86_64.whl", True),
        ("a-1-cp313-abi3-manylinux_2_28_x86_64.whl", False),
        ("a-1-cp311-cp311-manylinux_2_17_x86_64.whl", False),
        ("a-1-cp312-cp312-musllinux_1_2_x86_64.whl", False),
        ("a-1-cp312-cp312-manylinux_2_17_aarch64.whl", False),
        ("a-1-cp312-cp312-macosx_11_0_arm64.whl", False),
        ("a-1-cp312-cp312-manylinux_2_40_x86_64.whl", False),
        ("a-1-py2-none-any.whl", False),
    ],
)
def test_platforms(filename: str, runs: bool) -> None:
    assert any(map(wheels.fits, parse_wheel_filename(filename)[3])) is runs


def test_an_altered_wheel_in_the_cache_does_not_count(tmp_path: Path) -> None:
    good, name = b"good", "thing-1.0-py3-none-any.whl"
    (pin,) = wheels.pins(f"thing==1.0 --hash=sha256:{hashlib.sha256(good).hexdigest()}\n")
    (tmp_path / name).write_bytes(good)
    assert wheels.gather([pin], tmp_path, Recording()) == [tmp_path / name]
    assert not pin.is_met_by(name, hashlib.sha256(b"evil").hexdigest())
    assert not pin.is_met_by("thing-1.1-py3-none-any.whl", hashlib.sha256(good).hexdigest())
