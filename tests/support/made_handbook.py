"""Makes the files that the demo starts from, out of known text: a scanned PDF, an HWPX file, and a scanned line.

PYTHONPATH=tests:plugins/unstructured python -m support.made_handbook     # writes them where the demo looks
"""

from __future__ import annotations

import io
from pathlib import Path

from llmflow_installer.documents import HANDBOOK
from llmflow_installer.verify import SCAN, SCANNED

from support.made_hwp import OUTLINE_1
from support.made_hwpx import Hwpx
from support.made_pages import Look, _Sheet, noisy, picture

TEXTS = Path(__file__).parents[1] / "cases" / "unstructured" / "handbook"
SCANNED_DOCUMENT, OFFICE_DOCUMENT = "hbp-security", "hbp-appoint"
SEED = 26


def text(name: str) -> list[str]:
    """The paragraphs of a document, its title first."""
    said = (TEXTS / f"{name}.txt").read_text(encoding="utf-8")
    return [" ".join(paragraph.split()) for paragraph in said.split("\n\n")]


def scanned(paragraphs: list[str]) -> bytes:
    """A page of them as an office scanner gives it: askew, grey, squeezed."""
    title, *others = paragraphs
    sheet = _Sheet(Look())
    sheet.page()
    sheet.write(title, 20, "B")
    for paragraph in others:
        sheet.y += 12
        sheet.write(paragraph, 12)
    image, resolution = noisy(sheet.made().pdf, 0, SEED)
    kept = io.BytesIO()
    image.save(kept, "PDF", resolution=resolution, quality=45)
    return kept.getvalue()


def office(name: str) -> bytes:
    """The document as HWPX: its title an outline heading, a line that stands alone a heading below it."""
    made = Hwpx()
    title, *others = (TEXTS / f"{name}.txt").read_text(encoding="utf-8").strip().split("\n\n")
    made.paragraph(title, style=OUTLINE_1)
    for paragraph in others:
        for line in paragraph.splitlines():
            made.paragraph(line)
    return made.content()


def line() -> bytes:
    """One sentence as a picture."""
    sheet = _Sheet(Look())
    sheet.page()
    sheet.write(SCANNED, 14)
    kept = io.BytesIO()
    page = picture(sheet.made().pdf, 0, 200)
    page.crop((0, 0, page.width, page.height // 5)).save(kept, "PNG", optimize=True)
    return kept.getvalue()


if __name__ == "__main__":
    (HANDBOOK / f"{SCANNED_DOCUMENT}.pdf").write_bytes(scanned(text(SCANNED_DOCUMENT)))
    (HANDBOOK / f"{OFFICE_DOCUMENT}.hwpx").write_bytes(office(OFFICE_DOCUMENT))
    SCAN.write_bytes(line())
