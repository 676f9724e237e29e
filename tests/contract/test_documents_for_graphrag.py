"""What the parser gives, the knowledge graph takes as it is: titles, tables, pages and places are the same in both."""

from __future__ import annotations

import pytest
from llmflow_graphrag import chunks, documents
from llmflow_graphrag.scope import Scope
from llmflow_unstructured import chunk
from llmflow_unstructured.chunk import Sizes
from llmflow_unstructured.elements import Element
from llmflow_unstructured.engine import Document
from support import hostile_documents, made_office
from support.made_hwp import OUTLINE_1, OUTLINE_2, Hwp
from support.made_hwpx import Hwpx
from support.reading import elements

PROSE = "한빛 프로젝트의 담당 부서는 플랫폼개발팀이다."


@pytest.mark.parametrize("maker", [Hwp, Hwpx])
def test_headings_tables_and_pages_arrive(maker: type[Hwp] | type[Hwpx]) -> None:
    made = maker().paragraph("총칙", OUTLINE_1, 1).paragraph(PROSE).paragraph("세부", OUTLINE_2, 2)
    made.table([["항목", "값"], ["차원", "1024"]]).paragraph("다음 쪽이다.", breaks=4)
    parsed = Document("규정.hwp", "application/x-hwp", tuple(elements(made.content())))
    taken = documents.from_elements("규정.hwp", list(parsed.as_json()))
    told = [(taken.text[one.start : one.end], one.kind, one.level, one.page) for one in taken.elements]
    assert told == [
        ("1. 총칙", "heading", 1, 1),
        (PROSE, "text", 0, 1),
        ("가. 세부", "heading", 2, 1),
        ("항목\t값\n차원\t1024", "table", 0, 1),
        ("다음 쪽이다.", "text", 0, 2),
    ]
    assert taken.title == "1. 총칙"
    headings = [one.heading for one in chunks.chunks(Scope("t", "w"), taken) if "항목" in one.text]
    assert headings == [("1. 총칙", "가. 세부")]


def test_places_on_slides_arrive() -> None:
    deck = hostile_documents.sound()["a.pptx"]
    parsed = Document("a.pptx", "", tuple(elements(deck)))
    taken = documents.from_elements("a.pptx", list(parsed.as_json()))
    title = taken.elements[0]
    box = parsed.elements[0].box
    assert title.box is not None
    assert box is not None
    assert (title.box.page, title.box.left, title.box.top) == (1, box.left, box.top)


@pytest.mark.parametrize("name", sorted(hostile_documents.sound()))
def test_every_format_is_taken(name: str) -> None:
    found = tuple(elements(hostile_documents.sound()[name], name))
    parsed = Document(name, "", found)
    taken = documents.from_elements(name, list(parsed.as_json()))
    assert "".join("".join(one.text for one in found).split()) == "".join(taken.text.split())


def test_chunks_are_elements_as_well() -> None:
    found = elements(made_office.eml(PROSE, Subject="제목", From="a@b.c"))
    told = list(chunk.as_json(chunk.by_title(found, Sizes(100)), filename="a", filetype=""))
    assert PROSE in documents.from_elements("a", told).text
    assert (
        documents.from_elements("a", list(Document("a", "", (Element("Title", "x"),)).as_json())).title == "x"
    )
