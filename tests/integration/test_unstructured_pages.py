"""Made pages through the real Tesseract: what was printed is what is read, as far as the bounds say.

The bounds are a little under what is reached; `bench_unstructured` measures it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

import pypdfium2
import pytest
from llmflow_unstructured.elements import Element
from llmflow_unstructured.limits import Limits
from llmflow_unstructured.pages import PageFailed, PageOptions, Strategy, image, pdf, tesseract
from PIL import Image
from support import made_pages, made_scans, page_measure
from support.made_pages import DEVELOPMENT, FACES, HELD_OUT, Look, Made
from support.made_scans import QUALITIES
from support.tesseract import Missing, real_tesseract

FACE_NAMES = list(FACES)
AUTO = PageOptions("auto")


@pytest.fixture(scope="module", autouse=True)
def _engine() -> Iterator[None]:
    try:
        program = real_tesseract().program
    except Missing as missing:
        pytest.skip(str(missing))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(tesseract.PROGRAM, str(program))
        yield


def read(data: bytes, strategy: Strategy = "auto") -> list[Element]:
    found = list(pdf.read(data, PageOptions(strategy), Limits().started(), _unheard))
    assert not [one for one in found if isinstance(one, PageFailed)]
    return [one for one in found if isinstance(one, Element)]


def _unheard(done: int, count: int) -> None:
    """Progress that nobody looks at."""


def scanned(made: Made, quality: str, seed: int) -> bytes:
    return made_scans.scan(
        [QUALITIES[quality](made.pdf, page, seed + page) for page in range(len(made.pages))]
    )


def text(elements: Sequence[Element]) -> str:
    return "\n".join(element.text for element in elements)


@pytest.mark.parametrize(("quality", "bound"), [("clean", 0.98), ("noisy", 0.975), ("harsh", 0.94)])
@pytest.mark.parametrize(("face", "columns"), [(0, 1), (2, 2)], ids=["one column", "two columns"])
@pytest.mark.parametrize("said", [DEVELOPMENT, HELD_OUT])
def test_scanned_korean_is_read(quality: str, bound: float, face: int, columns: int, said: str) -> None:
    look = Look(face=FACE_NAMES[face], columns=columns, by_syllable=columns == 1, text=said)
    made = made_pages.prose(40 + face, look=look)
    assert page_measure.accuracy(made.text(0), text(read(scanned(made, quality, face)))) >= bound


@pytest.mark.parametrize("face", FACE_NAMES)
@pytest.mark.parametrize("columns", [1, 2])
def test_text_pages_are_read_letter_by_letter(face: str, columns: int) -> None:
    made = made_pages.prose(7, 2, Look(face=face, columns=columns, by_syllable=columns == 2))
    said = "\n".join(map(made.text, range(2)))
    assert page_measure.accuracy(said, text(read(made.pdf, "fast"))) >= 0.99


@pytest.mark.parametrize(("quality", "bound"), [(None, 0.97), ("noisy", 0.9)], ids=["text", "scanned"])
@pytest.mark.parametrize("ruled", [True, False], ids=["ruled", "unruled"])
def test_tables_keep_their_cells_and_spans(quality: str | None, bound: float, ruled: bool) -> None:
    found = []
    for seed in range(60, 63 if quality else 70):
        made = made_pages.tables(seed, ruled=ruled)
        data = scanned(made, quality, seed) if quality else made.pdf
        found.append(page_measure.cells_f1(made.pages[0], read(data)))
    assert page_measure.f1(found) >= bound


@pytest.mark.parametrize("quality", [None, "clean"], ids=["text", "scanned"])
def test_headings_notes_and_running_heads_are_told_apart(quality: str | None) -> None:
    made = made_pages.report(11, 2 if quality else 6)
    elements = read(scanned(made, quality, 1) if quality else made.pdf)
    for kind in ("Title", "Header", "Footnote", "PageNumber", "FigureCaption"):
        found = [
            page_measure.kinds(told, [one for one in elements if one.page == page], kind)
            for page, told in enumerate(made.pages, start=1)
        ]
        assert page_measure.f1(found) >= 0.9, kind
    depths = {(told.text, told.depth) for told in made.pages[0] if told.kind == "Title"}
    read_depths = {(one.text, one.depth) for one in elements if one.kind == "Title"}
    assert quality or depths <= read_depths


@pytest.mark.parametrize("quarter", [1, 2, 3])
def test_a_page_lying_on_its_side_is_read_upright(quarter: int) -> None:
    made = made_pages.prose(20)
    grey, resolution = made_scans.noisy(made.pdf, 0, 3)
    kept = io.BytesIO()
    grey.rotate(90 * quarter, expand=True).save(kept, "TIFF", dpi=(resolution, resolution))
    found = [one for one in image.read(kept.getvalue(), AUTO, Limits(), _unheard) if isinstance(one, Element)]
    assert page_measure.accuracy(made.text(0), text(found)) >= 0.97
    assert found[0].page_size
    assert found[0].page_size[0] < found[0].page_size[1]


def test_words_on_a_picture_are_read_beside_the_text_and_not_twice() -> None:
    printed, pictured = made_pages.prose(30), made_pages.prose(31)
    part = made_scans.picture(pictured.pdf).crop((0, 200, 2480, 900))
    found = read(_with_picture(printed.pdf, part))
    above = [one for one in found if one.box and one.box.top < made_pages.HEIGHT]
    below = [one for one in found if one not in above]
    assert page_measure.accuracy(printed.text(0), text(above)) >= 0.99
    assert sum(len(one.text) for one in below) > 300
    words, known = text(below).split(), set(pictured.text(0).split())
    assert sum(word in known for word in words) > 0.75 * len(words)


def _with_picture(data: bytes, part: Image.Image) -> bytes:
    """The page made longer, with a picture below its text."""
    document = pypdfium2.PdfDocument(data)
    page = document[0]
    width, height = page.get_size()
    page.set_mediabox(0, -300, width, height)
    page.set_cropbox(0, -300, width, height)
    bitmap = pypdfium2.PdfBitmap.from_pil(part)
    thing = pypdfium2.PdfImage.new(document)
    thing.set_bitmap(bitmap)
    thing.set_matrix(pypdfium2.PdfMatrix().scale(width, width * part.height / part.width).translate(0, -250))
    page.insert_obj(thing)
    page.gen_content()
    kept = io.BytesIO()
    document.save(kept)
    document.close()
    return kept.getvalue()


def test_a_page_that_fails_is_named_and_the_others_are_read() -> None:
    made = made_pages.prose(50)
    good = made_scans.clean(made.pdf, 0, 0)
    kept = io.BytesIO()
    huge = Image.new("L", (9000, 9000), 255)
    good[0].save(
        kept, "TIFF", save_all=True, append_images=[huge, good[0]], dpi=(300, 300), compression="tiff_lzw"
    )
    found = list(image.read(kept.getvalue(), AUTO, Limits(), _unheard))
    assert [one.page for one in found if isinstance(one, PageFailed)] == [2]
    assert {one.page for one in found if isinstance(one, Element)} == {1, 3}
    assert [one.page for one in found] == sorted(one.page or 0 for one in found)
