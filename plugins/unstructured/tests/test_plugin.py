"""What Dify's shell calls: forms, files out of Dify, many documents, results that fit, chunks for knowledge bases."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from llmflow_kit.faults import Rejected
from llmflow_unstructured import files, plugin
from llmflow_unstructured.api import Api
from llmflow_unstructured.elements import Element
from llmflow_unstructured.engine import Document, Here
from llmflow_unstructured.errors import BadDocument, TooLarge
from llmflow_unstructured.limits import MEBI
from support.dify_files import BROKEN, dify_files
from support.made_hwpx import Hwpx
from support.made_office import png

PROSE = "이 규정은 폐쇄망 운영의 절차를 정하는 것을 목적으로 한다."


@dataclass
class File:
    """A file as Dify's SDK hands it over."""

    url: str
    filename: str | None = None


@pytest.mark.parametrize("trouble", [BROKEN, 429, 502, 503])
def test_a_file_is_asked_for_again_where_the_network_failed(trouble: int) -> None:
    pauses: list[float] = []
    with dify_files({"/a": b"x" * 1000}, lambda _, number: 200 if number > 2 else trouble) as dify:
        assert files.fetch(f"{dify.url}/a", "a", MEBI, sleep=pauses.append) == b"x" * 1000
    assert (len(dify.asked), pauses) == (3, [0.5, 1.0])


@pytest.mark.parametrize(
    ("path", "status", "error", "says"),
    [
        ("/a", 200, TooLarge, "larger than 0 MiB"),
        ("/a", 404, BadDocument, "answers 404"),
        ("/a", 302, BadDocument, "answers 302"),
        ("/a", 500, BadDocument, "answers 500"),
    ],
)
def test_what_dify_does_not_give(path: str, status: int, error: type[Exception], says: str) -> None:
    with dify_files({"/a": b"x" * 1000}, lambda *_: status) as dify, pytest.raises(error, match=says):
        files.fetch(dify.url + path, "a", 999, sleep=lambda _: None)
    assert "/elsewhere" not in dify.asked


@pytest.mark.parametrize("url", ["/files/a", "", "file:///etc/passwd", "http://"])
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(BadDocument):
        files.fetch(url, "a", 999, sleep=lambda _: None)


def test_many_files_come_in_order_and_none_stops_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugin, "KEPT", tmp_path)
    held = {"/a": Hwpx().paragraph(PROSE).content(), "/b": bytes(range(256)), "/c": b"# x\n\ntext", "/d": b""}
    given = [("/a", "가.hwpx"), ("/b", "b.bin"), ("/c", "../c.md"), ("/gone", None)]
    with dify_files(held, lambda path, _: 404 if path == "/gone" else 200) as dify:
        found = list(
            plugin.parsed(
                plugin.engine({"seconds": "60"}),
                [File(dify.url + path, name) for path, name in given],
                plugin.options({}),
            )
        )
    documents = [one for one in found if isinstance(one, Document)]
    assert [(one.name, one.state) for one in documents] == [
        ("가.hwpx", "complete"),
        ("b.bin", "failed"),
        ("c.md", "complete"),
        ("document 4", "failed"),
    ]
    assert plugin.markdown(documents, {}).startswith(f"<!-- file: 가.hwpx -->\n\n{PROSE}")
    assert [one["metadata"]["filename"] for one in plugin.elements(documents)] == ["가.hwpx", "c.md", "c.md"]
    assert plugin.failed(documents) == ""
    assert "b.bin" in plugin.failed([documents[1]])


def test_a_form_makes_an_engine_and_names_what_is_wrong() -> None:
    assert isinstance(plugin.engine({}).reader, Here)
    remote = plugin.engine({"endpoint_url": "http://unstructured:8000/general/v0/general", "file_size": "7"})
    assert isinstance(remote.reader, Api)
    assert remote.limits.size == 7 * MEBI
    assert plugin.engine({"file_size": None}) is plugin.engine({"file_size": ""})
    for wrong in (
        {"endpoint_url": "unstructured"},
        {"seconds": "0"},
        {"memory": "many"},
        {"ca_certificate": "x"},
    ):
        with pytest.raises(Rejected) as told:
            plugin.engine({"endpoint_url": "http://a", **wrong})
        assert plugin.LABELS[next(iter(wrong))] in str(told.value)


@pytest.mark.parametrize(
    "wrong", [{"strategy": "magic"}, {"languages": "kor;rm -rf"}, {"languages": "english"}]
)
def test_parameters_that_are_none(wrong: dict[str, str]) -> None:
    with pytest.raises(BadDocument):
        plugin.options(wrong)


def test_pictures_go_to_dify_and_a_refusal_costs_only_the_picture() -> None:
    class Uploads:
        def __init__(self, answers: list[Any]) -> None:
            self.answers = answers
            self.got: list[tuple[str, str]] = []

        def upload(self, filename: str, content: bytes, mimetype: str) -> Any:
            self.got.append((filename, mimetype))
            if self.answers[0] is None:
                raise RuntimeError("no")
            return self.answers.pop(0)

    @dataclass
    class Answer:
        preview_url: str

    element = Element("Image", "그림.png", picture=png(), picture_type="image/png")
    documents = [Document("a", elements=(Element("Title", "제목"), element))]
    took, refused = Uploads([Answer("http://dify/1")]), Uploads([None])
    assert plugin.markdown(documents, {}, took) == "# 제목\n\n![그림.png](http://dify/1)"
    assert took.got == [("그림.png", "image/png")]
    assert plugin.markdown(documents, {}, refused) == "# 제목\n\n[그림.png]"
    paged = [
        Document("a", elements=(Element("Table", "x", page=2, html="<table><tr><td>x</td></tr></table>"),))
    ]
    told = plugin.markdown(paged, {"pages": "true", "tables": "html"})
    assert told == "<!-- page 2 -->\n\n<table><tr><td>x</td></tr></table>"
    assert "image_base64" not in str(plugin.elements(documents))


def test_chunks_of_several_documents_for_knowledge_bases() -> None:
    documents = [
        Document(name, elements=(Element("Title", f"제목 {name}"), *[Element("NarrativeText", PROSE)] * 3))
        for name in ("a", "b")
    ]
    given = plugin.elements(documents)
    for variable in (given, {"elements": given}, [{"elements": given}], json.dumps(given)):
        found = plugin.chunks(plugin.given_elements(variable), {"size": 100, "headings": True})
        assert {name for name, _ in found} == {"a", "b"}
    texts = [one.text for _, one in found]
    assert all(text.startswith("제목") for text in texts)
    sections = plugin.parents(found)
    assert [len(one["child_contents"]) for one in sections["parent_child_chunks"]] == [len(texts) // 2] * 2
    told = plugin.chunks_json(found)
    assert [one["metadata"]["filename"] for one in told] == ["a"] * (len(told) // 2) + ["b"] * (
        len(told) // 2
    )
    ids = {one["element_id"] for one in given}
    assert {one["metadata"]["parent_id"] for one in told} <= ids


@pytest.mark.parametrize("wrong", [None, 5, "text", "{", [1], {"x": 1}, [{"text": "x"}]])
def test_what_are_no_elements(wrong: Any) -> None:
    with pytest.raises(BadDocument):
        plugin.given_elements(wrong)


def test_a_message_that_would_end_the_plugin_is_known() -> None:
    assert plugin.fits(["가" * 100])
    assert not plugin.fits("가" * (plugin.LARGEST_MESSAGE // 6 + 1))
