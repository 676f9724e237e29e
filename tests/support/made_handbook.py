"""Makes the files that the demo starts from, out of known text: a scanned PDF, an HWPX file, and a scanned line.

PYTHONPATH=tests:plugins/unstructured python -m support.made_handbook     # writes them where the demo looks
"""

from __future__ import annotations

import io
from pathlib import Path

from llmflow_installer.documents import HANDBOOK
from llmflow_installer.verify import SCAN, SCANNED

from support.made_hwp import OUTLINE_1, OUTLINE_2
from support.made_hwpx import Hwpx
from support.made_pages import Look, Sheet
from support.made_scans import noisy, picture

TEXTS = Path(__file__).parents[1] / "cases" / "unstructured" / "handbook"
SCANNED_DOCUMENT, OFFICE_DOCUMENT = "daon-profile", "nuri-profile"
SEED = 26


def blocks(name: str) -> list[tuple[int, str]]:
    """A document's headings with their levels, and its paragraphs with level 0."""
    said = (TEXTS / f"{name}.md").read_text(encoding="utf-8").split("\n\n")
    parts = [(part.split(" ", 1) if part.startswith("#") else ["", part]) for part in map(str.strip, said)]
    return [(len(marks), text) for marks, text in parts]


def scanned(name: str) -> bytes:
    """A page of it as an office scanner gives it: askew, grey, squeezed."""
    sheet = Sheet(Look())
    sheet.page()
    for level, text in blocks(name):
        sheet.y += 12
        sheet.write(text, 22 - 4 * level if level else 12, "B" if level else "")
    image, resolution = noisy(sheet.made().pdf, 0, SEED)
    kept = io.BytesIO()
    image.save(kept, "PDF", resolution=resolution, quality=45)
    return kept.getvalue()


def office(name: str) -> bytes:
    """The document as HWPX, its headings in the styles of an outline."""
    made = Hwpx()
    for level, text in blocks(name):
        made.paragraph(text, style={1: OUTLINE_1, 2: OUTLINE_2}.get(level, 0))
    return made.content()


def line() -> bytes:
    """One sentence as a picture."""
    sheet = Sheet(Look())
    sheet.page()
    sheet.write(SCANNED, 14)
    kept = io.BytesIO()
    page = picture(sheet.made().pdf, 0, 200)
    page.crop((0, 0, page.width, page.height // 5)).save(kept, "PNG", optimize=True)
    return kept.getvalue()


if __name__ == "__main__":
    (HANDBOOK / f"{SCANNED_DOCUMENT}.pdf").write_bytes(scanned(SCANNED_DOCUMENT))
    (HANDBOOK / f"{OFFICE_DOCUMENT}.hwpx").write_bytes(office(OFFICE_DOCUMENT))
    SCAN.write_bytes(line())
