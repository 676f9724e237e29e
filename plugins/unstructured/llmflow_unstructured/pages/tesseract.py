"""Tesseract as a program: pictures of lines go in, their signs come out, with where and how sure.

It is asked for many lines at once, since most of what a short call costs is the loading of its models. Its own search
for lines is not used: it takes the even rows of Hangul for columns.
"""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from llmflow_unstructured.errors import NoEngine

PROGRAM = "LLMFLOW_TESSERACT"
INSTALL = (
    "Install it with its languages (Debian: tesseract-ocr, tesseract-ocr-kor, tesseract-ocr-eng), or name the program "
    f"in {PROGRAM} and the folder of its languages in TESSDATA_PREFIX."
)
ONE_LINE = 13  # the page segmentation mode of a line that no one looks for
SURE = 7.0  # a sign's certainty falls so many points for each that Tesseract takes off
_PAGE = re.compile(r"<div class='ocr_page'")
_WORD = re.compile(r"<span class='ocrx_word'")
_SIGN = re.compile(
    r"<span class='ocrx_cinfo' title='x_bboxes (-?\d+) -?\d+ (-?\d+) -?\d+; x_conf ([\d.-]+)'>(.*?)</span>"
)


@dataclass(frozen=True)
class Sign:
    """A sign of a line: its extent in pixels of the line's picture, how sure it is from 0 to 100, a space before it."""

    text: str
    left: float
    right: float
    sure: float
    space: bool = False


class Unreadable(Exception):
    """Tesseract failed on these pictures, or took too long."""


@dataclass(frozen=True)
class Tesseract:
    """A Tesseract that is there."""

    program: str
    seconds: float = 120.0  # of one call

    def read(self, lines: Sequence[Image.Image], language: str, ends: float) -> list[tuple[Sign, ...]]:
        """The signs of each line, in order."""
        if not lines:
            return []
        with tempfile.TemporaryDirectory(prefix="llmflow-ocr-") as name:
            folder = Path(name)
            names = [_kept(line, folder / f"{number}.pgm") for number, line in enumerate(lines)]
            (folder / "lines").write_text("\n".join(names) + "\n")
            self._run(
                [str(folder / "lines"), str(folder / "out"), "-l", language, "--psm", str(ONE_LINE), "--dpi", "300",
                 "-c", "hocr_char_boxes=1", "-c", "tessedit_do_invert=0", "-c", "page_separator=\f", "hocr", "txt"],
                ends,
            )  # fmt: skip
            pages = _PAGE.split((folder / "out.hocr").read_text(encoding="utf-8"))[1:]
            texts = (folder / "out.txt").read_text(encoding="utf-8").split("\f")
        if not len(pages) == len(lines) <= len(texts):
            raise Unreadable(f"Tesseract gave {len(pages)} lines of {len(lines)}")
        return [_spaced(_signs(page), text) for page, text in zip(pages, texts, strict=False)]

    def _run(self, arguments: Sequence[str], ends: float) -> None:
        left = min(self.seconds, ends - time.monotonic())
        env = {**os.environ, "OMP_THREAD_LIMIT": "1"}
        try:
            done = subprocess.run(
                [self.program, *arguments], env=env, capture_output=True, timeout=max(0.1, left), check=False
            )
        except subprocess.TimeoutExpired as error:
            raise Unreadable("Tesseract took too long") from error
        except OSError as error:
            raise NoEngine(f"{self.program} can't be run: {error.strerror}. {INSTALL}") from error
        if done.returncode != 0:
            raise Unreadable(f"Tesseract ended with {done.returncode}")


def found(languages: Sequence[str]) -> Tesseract:
    """The Tesseract of this machine; raises NoEngine, saying what to do, where it or a language is missing."""
    program = os.environ.get(PROGRAM) or shutil.which("tesseract")
    if not program:
        raise NoEngine(f"Scanned pages need Tesseract, which is not here. {INSTALL}")
    try:
        done = subprocess.run([program, "--list-langs"], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoEngine(f"{program} can't be run. {INSTALL}") from error
    known = done.stdout.decode("utf-8", "replace").split()
    if missing := [language for language in languages if language not in known]:
        raise NoEngine(f"Tesseract here has no {', '.join(missing)}. {INSTALL}")
    return Tesseract(program)


def _kept(picture: Image.Image, path: Path) -> str:
    picture.save(path, "PPM")  # no time is lost with squeezing
    return str(path)


def _signs(page: str) -> Iterator[Sign]:
    for word in _WORD.split(page)[1:]:
        for left, right, sure, text in _SIGN.findall(word):
            said = html.unescape(text)
            certain = max(0.0, 100 - SURE * (100 - float(sure)))
            yield Sign(said, float(left), float(right), certain)


def _spaced(signs: Iterator[Sign], text: str) -> tuple[Sign, ...]:
    """The signs with their spaces, which only the plain text tells: hOCR makes a word of each Korean syllable."""
    found, at = [], 0
    for sign in signs:
        start = text.find(sign.text, at)
        if start < 0:
            found.append(sign)
            continue
        found.append(replace(sign, space=bool(found) and any(map(str.isspace, text[at:start]))))
        at = start + len(sign.text)
    return tuple(found)
