"""What every kind of source shares: its context, its result, and running the build machine's own clients."""

from __future__ import annotations

import collections
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from llmflow_bundle.cache import Cache
from llmflow_bundle.errors import BundleError
from llmflow_bundle.model import LockedSource, Target, Toolchain
from llmflow_bundle.report import Reporter

Advance = Callable[[int, str], None]


def _nothing(_n: int, _item: str) -> None:
    """Progress nobody waits for."""


@dataclass(frozen=True)
class Context:
    """Where a source finds what it needs.

    `known` holds the sources locked so far, by name, `before` those of the last lock; `fresh` asks for the
    newest versions instead of those that still fit.
    """

    cache: Cache
    repository: Path
    organ_dir: Path
    locks: Path
    target: Target
    toolchain: Toolchain
    report: Reporter
    known: Mapping[str, LockedSource] = field(default_factory=dict)
    before: Mapping[str, LockedSource] = field(default_factory=dict)
    fresh: bool = False
    advance: Advance = _nothing


@dataclass(frozen=True)
class Draft:
    """An artifact before it is known which organs need it; `roots` are the requests that lead to it."""

    name: str
    version: str
    file: str
    sha256: str
    size: int
    licence: str
    via: str = ""
    roots: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Resolved:
    """What a source resolved to."""

    key: str
    artifacts: tuple[Draft, ...]
    toolchain: str = ""


_running: set[subprocess.Popen[str]] = set()
_guard = threading.Lock()


def stop_all() -> None:
    """End every client started here, with its children: called when the work is given up."""
    with _guard:
        running = list(_running)
    for process in running:
        _end_group(process)


def _end_group(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        try:
            os.killpg(process.pid, signal.SIGTERM)
        except ProcessLookupError:
            return


def find_tool(name: str) -> str | None:
    """The path of a client: on PATH, or beside the Python that runs this."""
    return shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))


def run(
    command: Sequence[str],
    *,
    source: str,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    drop: Sequence[str] = (),
    on_line: Callable[[str], None] | None = None,
    on_output: Callable[[str], None] | None = None,
) -> str:
    """Run a client and return its stdout; `on_line` sees each line of stderr, `on_output` each of stdout.

    With `on_output` nothing of stdout is kept. `drop` names variables it must not inherit.
    Raises BundleError: BUNDLE-TOOL-MISSING, or BUNDLE-CLIENT with the client's own last word.
    """
    tool = command[0] if "/" in command[0] else find_tool(command[0])
    if tool is None:
        raise missing_tool(command[0], [source])
    inherited = {name: value for name, value in os.environ.items() if name not in drop}
    environment = {**inherited, "LC_ALL": "C.UTF-8", **(env or {})}
    tail: collections.deque[str] = collections.deque(maxlen=200)
    with _started([tool, *command[1:]], cwd, environment) as process:
        assert process.stdout is not None  # noqa: S101 - it is piped
        reader = threading.Thread(target=_read_errors, args=(process, tail, on_line), daemon=True)
        reader.start()
        kept: list[str] = []
        keep = on_output or kept.append
        for line in process.stdout:
            keep(line)
        reader.join()
        code = process.wait()
    if code != 0:
        raise _client_failed(command, source, code, [*tail, *kept[-50:]])
    return "".join(kept)


@contextmanager
def _started(command: list[str], cwd: Path, env: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, errors="replace", start_new_session=True,
    )  # fmt: skip
    with _guard:
        _running.add(process)
    try:
        with process:
            try:
                yield process
            except BaseException:
                _end_group(process)
                raise
    finally:
        with _guard:
            _running.discard(process)


def _read_errors(
    process: subprocess.Popen[str], tail: collections.deque[str], on_line: Callable[[str], None] | None
) -> None:
    assert process.stderr is not None  # noqa: S101 - it is piped
    for line in process.stderr:
        tail.append(line)
        if on_line:
            on_line(line.rstrip())


def missing_tool(tool: str, sources: Sequence[str]) -> BundleError:
    """The error for a client that is not installed."""
    return BundleError(
        "BUNDLE-TOOL-MISSING",
        f"{tool} is not installed on this machine",
        where=f"needed by source{'s' if len(sources) > 1 else ''} {', '.join(sources)}",
        hint=f"install {tool}, then run the same command again: what is fetched already is kept",
    )


def _client_failed(command: Sequence[str], source: str, code: int, lines: Sequence[str]) -> BundleError:
    client = command[2] if command[1:2] == ["-m"] else Path(command[0]).name
    if any("no space left on device" in line.lower() for line in lines):
        return BundleError(
            "BUNDLE-DISK-FULL",
            f"{client} found a full disk while it worked on source {source}",
            where="the cache, or the client's own folders",
            hint="free some space, or point LLMFLOW_CACHE at a larger disk; what is fetched already is kept",
        )
    return BundleError(
        "BUNDLE-CLIENT",
        f"{client} failed for source {source}: {last_word(lines)}",
        where=scrub(" ".join(command[:6])) + (" …" if len(command) > 6 else "") + f" (exit {code})",
        hint=f"see that {client} works by hand here, then run the same command again",
    )


_BLAME = re.compile(
    r"^\s*(error|e|fatal|go|×|\[error\])\s*:?\s|.*\b(error|refused|denied|forbidden)\b",
    re.I,
)


_CHATTER = re.compile(r"^\[ERROR\]\s*(\[Help|To see|Re-run|For more|After correcting|->|$)|^note:|^hint:")


_CAUSE = re.compile(
    r"connection (refused|reset|timed out)|failed to establish|name or service|name resolution|no such host"
    r"|\b40[137]\b|certificate|timed out",
    re.I,
)


def last_word(lines: Sequence[str]) -> str:
    """The line of a client's output that says what went wrong, without addresses and secrets.

    A cause in the network goes before its consequences; else it is the last line that sounds like an error,
    and Maven's first.
    """
    spoken = [line.strip() for line in lines if line.strip() and not _CHATTER.match(line.strip())]
    blamed = [line for line in spoken if _BLAME.match(line)]
    causes = [line for line in spoken if _CAUSE.search(line)]
    first = next((line for line in blamed if line.startswith("[ERROR]")), None)
    return scrub(first or (causes or blamed or spoken or ["it said nothing"])[-1])[:400]


_URL = r"\b[a-z][a-z0-9+.-]*://[^\s'\",)>\]]+"
_SECRETS = (
    (re.compile(rf"\({_URL}\)|{_URL}", re.I), "(address)"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"), "(address)"),
    (re.compile(r"\[[0-9a-f:]{3,}\](?::\d+)?", re.I), "(address)"),
    (re.compile(r"\b[\w-]+(?:\.[\w-]+)+:\d+\b"), "(address)"),
    (re.compile(r"(lookup|resolve|host[= ]|host name|Connecting to)\s*'?[\w.-]+'?", re.I), r"\1 (address)"),
    (
        re.compile(r"\b(token|password|passwd|secret|authorization|bearer|apikey|api_key)\b[=: ]+\S+", re.I),
        r"\1 (hidden)",
    ),
    (re.compile(r"/[^\s:'\"]*/(?=[^\s/:'\"]+)"), ""),
)


def scrub(text: str) -> str:
    """Text without addresses, credentials and folders of this machine."""
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text
