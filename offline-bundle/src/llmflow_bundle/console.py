"""The reporter that command-line modules share; the root command sets it once from `--json`."""

from __future__ import annotations

import sys

from llmflow_bundle.report import JsonLines, Reporter, Terminal

_reporter: Reporter | None = None


def set_reporter(reporter: Reporter) -> None:
    """Use `reporter` from now on: called by the root command, and by tests."""
    global _reporter
    _reporter = reporter


def use_json(json_lines: bool) -> None:
    """Report as JSON lines, or as text and bars; both on stderr."""
    set_reporter(JsonLines(sys.stderr) if json_lines else Terminal())


def reporter() -> Reporter:
    """The reporter in use; a Terminal unless somebody chose another."""
    if _reporter is None:
        use_json(False)
    assert _reporter is not None  # noqa: S101 - set just above
    return _reporter
