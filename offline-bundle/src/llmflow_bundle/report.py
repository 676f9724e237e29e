"""Progress as events: the work emits them, a reporter shows them, nobody else prints.

Human text goes to stderr, data to stdout, so that `--json` and pipes stay clean.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from llmflow_bundle.errors import Finding

Unit = Literal["bytes", "items"]
PLAIN_INTERVAL = 5.0  # seconds between plain progress lines: often enough to trust, rare enough to read


@dataclass(frozen=True)
class Started:
    """Work on `task` begins; `total` is None where it can't be known."""

    task: str
    total: int | None = None
    unit: Unit = "items"


@dataclass(frozen=True)
class Advanced:
    """`done` of `total` is committed; `item` is what is being worked on. `done` never goes back."""

    task: str
    done: int
    total: int | None = None
    unit: Unit = "items"
    item: str = ""


@dataclass(frozen=True)
class Finished:
    """`task` ended well; `detail` is worth a line, such as "12 of 12 images, nothing to do"."""

    task: str
    seconds: float
    detail: str = ""


@dataclass(frozen=True)
class Noted:
    """A line for the operator."""

    text: str


@dataclass(frozen=True)
class Found:
    """A finding, shown as it is made."""

    finding: Finding


Event = Started | Advanced | Finished | Noted | Found


class Reporter(Protocol):
    """Whoever shows events; it must be quick and must not raise."""

    def __call__(self, event: Event) -> None:
        """Show one event."""


@dataclass
class Recording:
    """Keeps events: for tests, and for a run's events file."""

    events: list[Event] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        """Keep one event."""
        self.events.append(event)


def as_json(event: Event) -> str:
    """One event as one JSON line, `event` naming its kind."""
    return json.dumps(
        {"event": type(event).__name__.lower(), **dataclasses.asdict(event)}, ensure_ascii=False
    )


class JsonLines:
    """Events as JSON lines for machines."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, event: Event) -> None:
        """Write one event as one line."""
        self._stream.write(as_json(event) + "\n")
        self._stream.flush()


def tee(*reporters: Reporter) -> Reporter:
    """Send each event to every reporter."""

    def send(event: Event) -> None:
        for reporter in reporters:
            reporter(event)

    return send


class Terminal:
    """Bars on a terminal, one line per event elsewhere; both on stderr."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = Console(file=stream or sys.stderr, highlight=False, soft_wrap=True)
        self._clock = clock
        self._spoke: dict[str, float] = {}
        self._bars: dict[str, TaskID] = {}
        self._progress: Progress | None = None

    def __call__(self, event: Event) -> None:
        """Show one event."""
        match event:
            case Started():
                self._start(event)
            case Advanced():
                self._advance(event)
            case Finished():
                self._finish(event)
            case Noted(text):
                self._line(text)
            case Found(finding):
                for line in finding_lines(finding):
                    self._line(line)

    def _line(self, text: str) -> None:
        console = self._progress.console if self._progress else self._console
        console.print(text, markup=False)

    def _start(self, event: Started) -> None:
        if not self._console.is_terminal:
            size = f" ({amount(event.total, event.unit)})" if event.total else ""
            self._line(f"{event.task}{size} …")
            self._spoke[event.task] = self._clock()
            return
        if self._progress is None:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[text]}"),
                TimeElapsedColumn(),
            )
            self._progress = Progress(*columns, console=self._console, transient=True)
            self._progress.start()
        self._bars[event.task] = self._progress.add_task(event.task, total=event.total, text="")

    def _advance(self, event: Advanced) -> None:
        of = f" of {amount(event.total, event.unit)}" if event.total else ""
        text = f"{amount(event.done, event.unit)}{of} {event.item}".rstrip()
        if self._progress is not None and event.task in self._bars:
            self._progress.update(self._bars[event.task], completed=event.done, total=event.total, text=text)
        elif self._clock() - self._spoke.get(event.task, 0.0) >= PLAIN_INTERVAL:
            self._spoke[event.task] = self._clock()
            self._line(f"  {event.task}: {text}")

    def _finish(self, event: Finished) -> None:
        if self._progress is not None and event.task in self._bars:
            self._progress.remove_task(self._bars.pop(event.task))
            if not self._bars:
                self._progress.stop()
                self._progress = None
        detail = f": {event.detail}" if event.detail else ""
        self._line(f"✓ {event.task}{detail} ({event.seconds:.1f} s)")

    def close(self) -> None:
        """Give the terminal back, whatever was running."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
            self._bars.clear()


def amount(n: int, unit: Unit) -> str:
    """A count or a size as people read it: `12`, `3.4 GiB`."""
    if unit == "items":
        return str(n)
    size = float(n)
    for suffix in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {suffix}" if suffix == "B" else f"{size:.1f} {suffix}"
        size /= 1024
    return f"{size:.1f} GiB"


def finding_lines(finding: Finding) -> list[str]:
    """A finding as the lines a person reads: what, where, hint."""
    lines = [f"{'error' if finding.severity == 'fail' else 'warning'} {finding.id}: {finding.what}"]
    if finding.where:
        lines.append(f"  where: {finding.where}")
    if finding.hint:
        lines.append(f"  hint:  {finding.hint}")
    return lines


class Task:
    """A running task's handle: `advance` moves it on by what is committed."""

    def __init__(self, report: Reporter, name: str, total: int | None, unit: Unit) -> None:
        self._report, self._name, self._total, self._unit = report, name, total, unit
        self.done, self.detail = 0, ""

    def advance(self, n: int, item: str = "") -> None:
        """Add `n` committed units, naming what was worked on."""
        self.done += n
        self._report(Advanced(self._name, self.done, self._total, self._unit, item))


@contextmanager
def task(report: Reporter, name: str, total: int | None = None, unit: Unit = "items") -> Iterator[Task]:
    """Report a piece of work from start to end; an exception leaves it unfinished, which is the truth."""
    started = time.monotonic()
    report(Started(name, total, unit))
    handle = Task(report, name, total, unit)
    yield handle
    report(Finished(name, time.monotonic() - started, handle.detail))
