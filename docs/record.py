"""Run a command in a terminal of its own and draw what it said as an animated SVG.

    python docs/record.py OUT.svg [--seconds 30] -- make demo

The picture loops and shows the real time that had passed; its still (print, reduced motion) is the last
screen. Waiting is shortened, and this machine's paths are: the working directory becomes `.`, the home
directory `~`. A command that fails leaves no picture; its exit code is this program's.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, pairwise
from pathlib import Path
from xml.sax.saxutils import escape

from rich.cells import cell_len

ROWS, COLUMNS = 26, 100
FRAMES_PER_SECOND = 5  # of the recording: more is not seen and makes the file larger
LONGEST_PAUSE = 1.5  # seconds of the playback in which nothing changes
LAST_SCREEN = 8.0  # seconds for reading the end
CELL, LINE, MARGIN = 8.4, 18, 16  # pixels: width and height of a character, space around them

Chunk = tuple[float, str]

PALETTE = ("#3b4252", "#ff7b86", "#8ddb8c", "#f0c674", "#7cb7ff", "#d2a8ff", "#76e3ea", "#d6dbe3")
INK, PAPER, FAINT = "#e6eaf0", "#12161d", "#8b95a5"


@dataclass(frozen=True)
class Style:
    """How a character looks; `colour` is a hex colour, "" for the terminal's own."""

    colour: str = ""
    bold: bool = False
    dim: bool = False


@dataclass(frozen=True)
class Cell:
    """A character; the one right of a wide character is empty."""

    text: str = " "
    style: Style = Style()


Row = tuple[Cell, ...]


@dataclass
class Screen:
    """As much of a terminal as progress bars need: text, colours, moving the cursor, clearing, scrolling."""

    row: int = 0
    column: int = 0
    style: Style = Style()
    lines: list[list[Cell]] = field(default_factory=lambda: [[Cell()] * COLUMNS for _ in range(ROWS)])

    def feed(self, text: str) -> None:
        """Take what a program wrote."""
        for match in _TOKEN.finditer(text):
            if match["final"]:
                self._control(match["arguments"] or "", match["final"])
            elif match["plain"]:
                self._write(match["plain"])

    def rows(self) -> tuple[Row, ...]:
        """What is on the screen now."""
        return tuple(tuple(line) for line in self.lines)

    def _write(self, character: str) -> None:
        if character == "\n":
            self._down()
        elif character == "\r":
            self.column = 0
        elif character == "\b":
            self.column = max(0, self.column - 1)
        elif character == "\t":
            self.column = min(COLUMNS - 1, self.column // 8 * 8 + 8)
        elif character.isprintable():
            self._put(character)

    def _put(self, character: str) -> None:
        width = cell_len(character)
        if self.column + width > COLUMNS:
            self.column = 0
            self._down()
        if width:
            cells = [Cell(character, self.style), Cell("", self.style)][:width]
            self.lines[self.row][self.column : self.column + width] = cells
            self.column += width

    def _down(self) -> None:
        if self.row < ROWS - 1:
            self.row += 1
        else:
            self.lines = [*self.lines[1:], [Cell()] * COLUMNS]

    def _control(self, arguments: str, final: str) -> None:
        numbers = [int(part) if part.isdigit() else 0 for part in arguments.split(";")]
        count = max(1, numbers[0])
        match final:
            case "A":
                self.row = max(0, self.row - count)
            case "B":
                self.row = min(ROWS - 1, self.row + count)
            case "C":
                self.column = min(COLUMNS - 1, self.column + count)
            case "D":
                self.column = max(0, self.column - count)
            case "G":
                self.column = min(COLUMNS, count) - 1
            case "H":
                self.row = min(ROWS, count) - 1
                self.column = min(COLUMNS, max(1, numbers[-1] if len(numbers) > 1 else 1)) - 1
            case "J":
                self._erase_line(numbers[0])
                self.lines[self.row + 1 :] = [[Cell()] * COLUMNS for _ in range(ROWS - self.row - 1)]
            case "K":
                self._erase_line(numbers[0])
            case "m":
                self.style = _styled(self.style, numbers)

    def _erase_line(self, kind: int) -> None:
        first = 0 if kind else self.column
        last = min(self.column + 1, COLUMNS) if kind == 1 else COLUMNS
        self.lines[self.row][first:last] = [Cell()] * (last - first)


_TOKEN = re.compile(
    r"\x1b\[(?P<arguments>[0-9;?]*)(?P<final>[A-Za-z])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b.|(?P<plain>.)",
    re.DOTALL,
)


def _styled(style: Style, numbers: Sequence[int]) -> Style:
    """The style after a select-graphic-rendition sequence; backgrounds are left out."""
    rest = list(numbers)
    while rest:
        number = rest.pop(0)
        if number == 0:
            style = Style()
        elif number == 1:
            style = replace(style, bold=True)
        elif number == 2:
            style = replace(style, dim=True)
        elif number == 22:
            style = replace(style, bold=False, dim=False)
        elif number in (38, 48):
            colour, rest = _colour(rest)
            style = replace(style, colour=colour) if number == 38 else style
        elif number == 39:
            style = replace(style, colour="")
        elif 30 <= number <= 37 or 90 <= number <= 97:
            style = replace(style, colour=PALETTE[number % 10])
    return style


def _colour(rest: list[int]) -> tuple[str, list[int]]:
    if rest[:1] == [2]:
        return "#{:02x}{:02x}{:02x}".format(*[*rest[1:4], 0, 0, 0][:3]), rest[4:]
    if rest[:1] == [5] and len(rest) > 1:
        return _of_256(rest[1]), rest[2:]
    return "", []


def _of_256(number: int) -> str:
    if number < 16:
        return PALETTE[number % 8]
    if number < 232:
        levels = (0, 95, 135, 175, 215, 255)
        red, rest = divmod(number - 16, 36)
        return "#{:02x}{:02x}{:02x}".format(*(levels[level] for level in (red, *divmod(rest, 6))))
    grey = 8 + 10 * (number - 232)
    return f"#{grey:02x}{grey:02x}{grey:02x}"


# --- recording ---


def record(command: Sequence[str]) -> tuple[list[Chunk], int]:
    """Run the command in a pseudo-terminal, showing what it says; gives (seconds, text) pieces, exit code."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    began = time.monotonic()
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=follower,
        stderr=follower,
        env={**kept, "TERM": "xterm-256color"},
    ) as process:
        os.close(follower)
        pieces = [(moment - began, piece) for moment, piece in _pieces(leader)]
    os.close(leader)
    return pieces, process.returncode


def _pieces(leader: int) -> Iterator[Chunk]:
    pending = b""
    while True:
        try:
            read = os.read(leader, 1 << 16)
        except OSError:  # how a pseudo-terminal says that nobody writes to it any more
            return
        if not read:
            return
        os.write(sys.stdout.fileno(), read)
        pending += read
        text = pending.decode(errors="ignore") if _whole(pending) else ""
        if text:
            pending = b""
            yield time.monotonic(), text


def _whole(content: bytes) -> bool:
    """Whether the content does not end within a character."""
    try:
        content.decode()
    except UnicodeDecodeError as error:
        return error.end < len(content) or error.reason != "unexpected end of data"
    return True


def without_paths(chunks: Sequence[Chunk]) -> list[Chunk]:
    """The recording with this machine's own paths shortened, wherever the pieces were cut."""
    shorter = {f"{Path.cwd()}/": "", str(Path.cwd()): ".", str(Path.home()): "~"}
    known = re.compile("|".join(map(re.escape, shorter)))
    characters = [(moment, character) for moment, text in chunks for character in text]
    joined, result, done = "".join(character for _, character in characters), [], 0
    for match in known.finditer(joined):
        result += characters[done : match.start()]
        result.append((characters[match.start()][0], shorter[match[0]]))
        done = match.end()
    result += characters[done:]
    return [
        (moment, "".join(c for _, c in group)) for moment, group in groupby(result, key=lambda pair: pair[0])
    ]


# --- playing ---


@dataclass(frozen=True)
class Frame:
    """A screen, when it appears in the playback, and how long the command had run by then (seconds)."""

    at: float
    passed: float
    rows: tuple[Row, ...]


def frames(command: str, chunks: Sequence[Chunk], longest: float) -> list[Frame]:
    """The screens of the playback, which takes at most `longest` seconds before the last one stands."""
    screen = Screen()
    screen.feed(f"\x1b[1;32m$\x1b[0m \x1b[1m{command}\x1b[0m\r\n")
    seen = [Frame(0.0, 0.0, screen.rows())]
    for _, group in groupby(chunks, key=lambda chunk: int(chunk[0] * FRAMES_PER_SECOND)):
        pieces = list(group)
        screen.feed("".join(text for _, text in pieces))
        if screen.rows() != seen[-1].rows:
            seen.append(Frame(0.0, pieces[-1][0], screen.rows()))
    pauses = [min(after.passed - before.passed, LONGEST_PAUSE) for before, after in pairwise(seen)]
    pauses[:1] = [LONGEST_PAUSE] if pauses else []  # the command itself is to be read
    factor = min(1.0, longest / sum(pauses)) if pauses else 1.0
    at = 0.0
    played = seen[:1]
    for frame, pause in zip(seen[1:], pauses, strict=True):
        at += pause * factor
        played.append(replace(frame, at=at))
    return played


@dataclass(frozen=True)
class Run:
    """A row's content and the stretches (start, end in seconds) in which it is seen."""

    markup: str
    stretches: tuple[tuple[float, float], ...]


def runs(played: Sequence[Frame], total: float) -> list[Run]:
    """Every distinct content of every row, with when it is seen."""
    ends = [frame.at for frame in played[1:]] + [total]
    found: dict[str, list[tuple[float, float]]] = {}
    for number in range(ROWS):
        timed = zip(played, ends, strict=True)
        for content, group in groupby(timed, key=lambda one: one[0].rows[number]):
            stretch = list(group)
            if markup := "".join(_texts(content, number)):
                found.setdefault(markup, []).append((stretch[0][0].at, stretch[-1][1]))
    for frame, end in zip(played, ends, strict=True):
        found.setdefault(_clock(frame.passed), []).append((frame.at, end))
    return [Run(markup, tuple(_joined(stretches))) for markup, stretches in found.items()]


def _joined(stretches: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """Stretches in order, those that touch made one."""
    begun, ended = stretches[0]
    for start, end in stretches[1:]:
        if start > ended:
            yield begun, ended
            begun = start
        ended = end
    yield begun, ended


def _texts(row: Row, number: int) -> Iterator[str]:
    """A row as text elements: one for each stretch of one style without two blanks in a row."""
    column = 0
    for style, group in groupby((cell for cell in row if cell.text), key=lambda cell: cell.style):
        text = "".join(cell.text for cell in group)
        for words in _WORDS.finditer(text):
            yield _text(words[0], style, column + cell_len(text[: words.start()]), number)
        column += cell_len(text)


_WORDS = re.compile(r"\S+(?: \S+)*")


def _text(text: str, style: Style, column: int, number: int) -> str:
    looks = f' fill="{style.colour}"' if style.colour else ""
    looks += ' font-weight="bold"' if style.bold else ""
    looks += ' opacity=".65"' if style.dim else ""
    # Letters of two cells are narrower than that in most fonts: stretched, a sentence would fall apart.
    looks += f' textLength="{len(text) * CELL:g}"' if cell_len(text) == len(text) else ""
    x, y = MARGIN + column * CELL, 40 + (number + 1) * LINE
    return f'<text x="{x:g}" y="{y}"{looks}>{escape(text)}</text>'


def _clock(passed: float) -> str:
    x = MARGIN + COLUMNS * CELL
    time_passed = f"{int(passed) // 60:02}:{int(passed) % 60:02}"
    return f'<text x="{x:g}" y="26" text-anchor="end" fill="{FAINT}">{time_passed}</text>'


def svg(command: str, chunks: Sequence[Chunk], longest: float) -> str:
    """The recording as an animated picture."""
    played = frames(command, chunks, longest)
    total = played[-1].at + LAST_SCREEN
    width, height = 2 * MARGIN + COLUMNS * CELL, 40 + ROWS * LINE + MARGIN + 4
    groups, rules = [], []
    for number, run in enumerate(runs(played, total)):
        last = run.stretches[-1][1] >= total
        if run.stretches == ((0.0, total),):
            groups.append(run.markup)
            continue
        groups.append(f'<g class="f{"" if last else " o"}" style="animation-name:k{number}">{run.markup}</g>')
        rules.append(f"@keyframes k{number}{{{_keyframes(run.stretches, total)}}}")
    style = (
        "text{font:14px ui-monospace,'DejaVu Sans Mono','Noto Sans Mono CJK KR','Noto Sans CJK KR',monospace;"
        "}.o{visibility:hidden}"
        f".f{{animation-duration:{total:.2f}s;animation-timing-function:step-end;"
        "animation-iteration-count:infinite}"
        f"@media(prefers-reduced-motion:reduce){{.f{{animation:none}}}}{''.join(rules)}"
    )
    title = escape(command)
    dots = "".join(f'<circle cx="{MARGIN + 6 + 18 * n}" cy="21" r="5.5" fill="{FAINT}"/>' for n in range(3))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height}"'
        f' width="{width:g}" height="{height}" role="img" fill="{INK}">'
        f"<title>{title}</title><style>{style}</style>"
        f'<rect width="{width:g}" height="{height}" rx="10" fill="{PAPER}"/>{dots}\n'
        + "\n".join(groups)
        + "\n</svg>\n"
    )


def _keyframes(stretches: Sequence[tuple[float, float]], total: float) -> str:
    first = "" if stretches[0][0] == 0 else "0%{visibility:hidden}"
    steps = [first]
    for start, end in stretches:
        steps.append(f"{100 * start / total:.3f}%{{visibility:visible}}")
        if end < total:
            steps.append(f"{100 * end / total:.3f}%{{visibility:hidden}}")
    return "".join(steps)


def main() -> int:
    """Record, draw, and exit as the command did."""
    parser = argparse.ArgumentParser(description="Record a command as an animated SVG.")
    parser.add_argument("out", type=Path, metavar="OUT.svg")
    parser.add_argument("--seconds", type=float, default=30.0, help="longest playback before the last screen")
    parser.add_argument("command", nargs="+", help="what to run, after --")
    chosen = parser.parse_args()
    chunks, code = record(chosen.command)
    if code != 0:
        sys.stderr.write(f"the command ended with exit code {code}: no picture was written\n")
        return code if code > 0 else 128 - code
    ((_, command),) = without_paths([(0.0, shlex.join(chosen.command))])
    chosen.out.write_text(svg(command, without_paths(chunks), chosen.seconds), encoding="utf-8")
    sys.stderr.write(f"{chosen.out}: {chosen.out.stat().st_size / 1024:.0f} KiB\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
