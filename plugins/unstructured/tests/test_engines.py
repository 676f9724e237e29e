"""Both engines behind one interface: the sandbox with its bounds, the Unstructured API, the cache, our own service."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import httpx
import pypdfium2
import pytest
from llmflow_kit.connection import Connection, Server
from llmflow_kit.endpoints import Patience
from llmflow_unstructured import sandbox, service
from llmflow_unstructured.api import Api
from llmflow_unstructured.cache import Cache, key
from llmflow_unstructured.elements import Element, Event, Failed
from llmflow_unstructured.engine import Document, Engine, Here
from llmflow_unstructured.errors import BadDocument, NoEngine
from llmflow_unstructured.limits import MEBI, Limits
from llmflow_unstructured.partition import PLAIN, Options, Progress
from llmflow_unstructured.service import Form, Service, Settings, form_of
from llmflow_unstructured.threads import side_by_side
from support.fake_unstructured import Answer, fake_unstructured, texts
from support.made_hwpx import Hwpx
from support.made_office import zipped
from support.reading import events

PROSE = "이 규정은 폐쇄망 운영의 절차를 정하는 것을 목적으로 한다."
ONCE = Patience(rounds=0)


def paper(pages: int) -> bytes:
    document = pypdfium2.PdfDocument.new()
    for _ in range(pages):
        document.new_page(100, 100)
    path = os.memfd_create("paper")
    try:
        with os.fdopen(os.dup(path), "wb") as file:
            document.save(file)
        return Path(f"/proc/self/fd/{path}").read_bytes()
    finally:
        os.close(path)


@contextmanager
def api(url: str, patience: Patience = ONCE, key: str = "secret") -> Iterator[Api]:
    opened = Api(Connection((Server(url, key),)), patience)
    yield opened
    opened.close()


def test_a_process_of_its_own_reads_as_this_one_does() -> None:
    data = Hwpx().paragraph(PROSE).table([["가", "나"], ["1", "2"]]).section().paragraph("둘째").content()
    told: list[tuple[int, int]] = []
    assert list(sandbox.read(data, "a.hwpx", progress=lambda *done: told.append(done))) == events(
        data, "a.hwpx"
    )
    assert told == [(1, 2), (2, 2)]
    with pytest.raises(BadDocument, match="empty"):
        list(sandbox.read(b"", "a"))


def test_a_reader_gets_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVER_KEY", "secret")
    assert "SERVER_KEY" not in sandbox._environment("/nowhere")


def test_results_are_kept_by_content_and_way(tmp_path: Path) -> None:
    reader = Counting()
    engine = Engine(reader, cache=Cache(tmp_path / "kept"))
    first = engine.parse(PROSE.encode(), "a.txt")
    again = engine.parse(PROSE.encode(), "b.txt")
    assert (first.cached, again.cached, again.elements, reader.read_) == (False, True, first.elements, 1)
    engine.parse(PROSE.encode(), "a.md")
    engine.parse(PROSE.encode(), "a.txt", Options(strategy="ocr"))
    engine.parse(PROSE.encode() + b".", "a.txt")
    assert reader.read_ == 4
    assert (tmp_path / "kept").stat().st_mode & 0o077 == 0
    kept = tmp_path / "kept" / key(PROSE.encode(), "a.txt", PLAIN, reader.name)
    kept.write_bytes(b"damaged")
    assert not engine.parse(PROSE.encode(), "a.txt").cached
    (tmp_path / "kept").chmod(0o777)
    assert not engine.parse(PROSE.encode() + b".", "a.txt").cached  # others may have put it there
    (tmp_path / "kept").chmod(0o700)
    small = Cache(tmp_path / "kept", most=kept.stat().st_size)
    Engine(reader, cache=small).parse(b"other", "a.txt")
    assert len(list((tmp_path / "kept").iterdir())) <= 2


class Counting(Here):
    """Reads in this process, and counts."""

    name = "counting"
    read_ = 0

    def read(
        self, data: bytes, name: str, options: Options, limits: Limits, progress: Progress | None = None
    ) -> Iterator[Event]:
        self.read_ += 1
        return iter(events(data, name, options, limits))


def test_what_fails_is_no_exception_and_is_not_kept(tmp_path: Path) -> None:
    engine = Engine(Counting(), cache=Cache(tmp_path))
    document = engine.parse(bytes(range(256)), "a")
    assert (document.state, list(tmp_path.iterdir())) == ("failed", [])
    assert document.about()["failures"] == [
        {"where": "the file", "why": "It is binary data of a kind that is not taken."}
    ]
    partial = engine.parse(zipped({"a.txt": b"x", "b": bytes(64)}), "a.zip")
    assert (partial.state, [one.text for one in partial.elements]) == ("partial", ["x"])


def test_the_api_is_asked_in_pieces_and_gives_the_same_elements() -> None:
    told: list[tuple[int, int]] = []
    how = Options(strategy="ocr", languages=("kor", "eng"))
    with fake_unstructured() as fake, api(fake.url) as asked:
        found = list(asked.read(paper(25), "가.pdf", how, Limits(), lambda *done: told.append(done)))
    assert [one.text for one in found if isinstance(one, Element)] == ["page 1", "page 11", "page 21"]
    assert sorted(len(pypdfium2.PdfDocument(form.documents[0][1])) for form in fake.forms) == [5, 10, 10]
    form, headers = fake.forms[0], fake.headers[0]
    assert (form.documents[0][0], form.text("strategy"), form.several("languages")) == (
        "가.pdf",
        "ocr_only",
        ["kor", "eng"],
    )
    assert headers["unstructured-api-key"] == "secret"
    assert told == [(10, 25), (20, 25), (25, 25)]


def test_work_that_nobody_waits_for_never_begins() -> None:
    begun: list[int] = []
    waiting: list[Future[None]] = []

    def first() -> None:
        while not (waiting and waiting[-1].cancelled()):
            threading.Event().wait(0.001)

    with side_by_side(1) as pool:
        pool.submit(first)
        waiting += [pool.submit(begun.append, number) for number in range(5)]
    assert begun == []


def test_a_piece_that_fails_is_named_and_spoils_no_other() -> None:
    def answer(form: Form, number: int) -> Answer:
        return (
            (422, {"detail": "bad page"}, {})
            if form.text("starting_page_number") == "11"
            else texts(form, number)
        )

    with fake_unstructured(answer) as fake, api(fake.url) as asked:
        found = list(asked.read(paper(25), "a.pdf", PLAIN, Limits()))
    assert [one.text for one in found if isinstance(one, Element)] == ["page 1", "page 21"]
    assert [one.where for one in found if isinstance(one, Failed)] == ["pages 11-20"]


@pytest.mark.parametrize("status", [429, 503])
def test_the_api_is_asked_again_when_it_is_busy(status: int) -> None:
    def answer(form: Form, number: int) -> Answer:
        return texts(form, number) if number > 2 else (status, {"detail": "busy"}, {"retry-after": "0"})

    with fake_unstructured(answer) as fake, api(fake.url, Patience(rounds=3, busy=True)) as asked:
        found = list(asked.read(b"x", "a.txt", PLAIN, Limits()))
    assert [one.text for one in found if isinstance(one, Element)] == ["page 1"]
    assert len(fake.forms) == 3


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        ((400, {"detail": "File type x is not supported."}, {}), BadDocument, "not supported"),
        ((401, {"detail": "no"}, {}), NoEngine, "API key"),
        ((500, {"detail": "boom"}, {}), NoEngine, "failed"),
        ((200, b"no json", {}), NoEngine, "not JSON"),
        ((200, {"a": 1}, {}), NoEngine, "something else"),
        ((200, [{"text": 1}], {}), BadDocument, "form that Unstructured gives"),
    ],
)
def test_what_the_api_says_instead_of_elements(answer: Answer, error: type[Exception], says: str) -> None:
    with (
        fake_unstructured(lambda *_: answer) as fake,
        api(fake.url) as asked,
        pytest.raises(error, match=says) as told,
    ):
        list(asked.read(b"x", "a.txt", PLAIN, Limits()))
    assert "secret" not in str(told.value)


@contextmanager
def serving(settings: Settings, reader: Here | None = None) -> Iterator[str]:
    limits = Limits(size=MEBI)
    with service.Server(Service(Engine(reader or Counting(), limits), settings)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.002})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


LOCAL = Settings(host="127.0.0.1", port=0, key="right", body=MEBI)
KEY = {"unstructured-api-key": "right"}
WHERE = "/general/v0/general"


def test_our_service_speaks_the_api_with_our_own_client() -> None:
    data = zipped({"a.md": b"# x\n\ntext", "b": bytes(64)})
    with serving(LOCAL) as url, api(url, key="right") as ours:
        ours.check()
        found = list(ours.read(data, "a.zip", PLAIN, Limits()))
    assert [(one.kind, one.text) for one in found if isinstance(one, Element)] == [
        ("Title", "x"),
        ("UncategorizedText", "text"),
    ]
    assert [one.where for one in found if isinstance(one, Failed)] == ["b"]


def test_the_service_understands_what_upstreams_clients_send() -> None:
    files = {"files": ("a.md", b"# x\n\n" + b"word " * 400 + b"\n\n| a | b |\n|-|-|\n| 1 | 2 |")}
    with serving(LOCAL) as url, httpx.Client(base_url=url, headers=KEY) as client:
        assert "OK" in client.get("/healthcheck").json()["healthcheck"]
        assert (
            client.get("/general/docs").status_code == 200
        )  # their client asks for it before it splits a PDF
        plain = client.post(
            WHERE, files=files, data={"strategy": "hi_res", "languages": '["kor","eng"]'}
        ).json()
        assert [one["type"] for one in plain] == ["Title", "NarrativeText", "Table"]
        cut = {"chunking_strategy": "by_title", "max_characters": "300", "overlap": "20"}
        chunks = client.post(WHERE, files=files, data=cut).json()
        assert {one["type"] for one in chunks} == {"CompositeElement", "Table"}
        assert all(len(one["text"]) <= 300 for one in chunks)
        late = client.post(
            WHERE, files={"files": ("a.txt", b"\f" + PROSE.encode())}, data={"starting_page_number": "5"}
        )
        assert late.json()[0]["metadata"]["page_number"] == 6
        two = client.post(WHERE, files=[("files", ("a.txt", b"a")), ("files", ("b.txt", b"b"))]).json()
        assert [[one["text"] for one in each] for each in two] == [["a"], ["b"]]
        table = client.post(WHERE, files=files, data={"output_format": "text/csv"})
        assert table.headers["content-type"].startswith("text/csv")
        assert table.text.splitlines()[0].startswith("type,element_id,text")


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        ({"headers": {}}, 401, "API key"),
        ({"headers": {"unstructured-api-key": "wröng".encode()}}, 401, "API key"),
        ({"files": None, "data": {"strategy": "auto"}}, 415, "multipart"),
        ({"data": {"strategy": "nonsense"}}, 422, "strategy"),
        ({"data": {"output_format": "text/html"}}, 422, "output_format"),
        ({"data": {"chunking_strategy": "by_moon"}}, 422, "chunking_strategy"),
        ({"data": {"chunking_strategy": "basic", "max_characters": "-1"}}, 422, "max_characters"),
        ({"data": {"chunking_strategy": "basic", "max_characters": "3"}}, 422, "Chunks take"),
        ({"files": {"other": ("a", b"x")}}, 400, "files"),
        ({"files": {"files": ("a.bin", bytes(range(256)))}}, 400, "not taken"),
        ({"files": {"files": ("a.docx", b"PK\x03\x04xx")}}, 422, "damaged"),
        ({"files": {"files": ("a.txt", b"x" * (2 * MEBI))}}, 413, "larger"),
        ({"url": "/elsewhere"}, 404, "Not Found"),
    ],
)  # fmt: skip
def test_the_service_says_what_is_wrong_with_a_request(
    change: dict[str, object], status: int, says: str
) -> None:
    asked = {"url": WHERE, "files": {"files": ("a.txt", b"x")}, "headers": KEY, **change}
    with serving(LOCAL) as url, httpx.Client(base_url=url) as client:
        answer = client.post(**asked)  # type: ignore[arg-type]
    assert answer.status_code == status
    assert says in answer.json()["detail"]


def test_the_service_turns_away_what_it_has_no_place_for() -> None:
    entered, leave = threading.Event(), threading.Event()

    class Slow(Counting):
        def read(
            self, data: bytes, name: str, options: Options, limits: Limits, progress: Progress | None = None
        ) -> Iterator[Event]:
            entered.set()
            leave.wait(10)
            return iter(events(data, name, options, limits))

    busy = Settings(host="127.0.0.1", port=0, at_once=1, waiting=0)
    with serving(busy, Slow()) as url, httpx.Client(base_url=url) as client:
        files = {"files": ("a.txt", b"x")}
        first = threading.Thread(target=lambda: answers.append(httpx.post(url + WHERE, files=files)))
        answers: list[httpx.Response] = []
        first.start()
        entered.wait(10)
        refused = client.post(WHERE, files=files)
        leave.set()
        first.join()
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")
    assert answers[0].json()[0]["text"] == "x"


@pytest.mark.parametrize(
    ("body", "documents"),
    [
        (
            b'--b\r\nContent-Disposition: form-data; name="files"; filename="../../x"\r\n\r\nyz\r\n--b--',
            [("x", b"yz")],
        ),
        (
            b"--b\r\nContent-Disposition: form-data; name=files; filename=x\r\n\r\n--b-\r\n\r\n--b--",
            [("x", b"--b-\r\n")],
        ),
        (b"--b\r\nno header at all", []),
        (b"", []),
    ],
)
def test_forms_of_any_kind(body: bytes, documents: list[tuple[str, bytes]]) -> None:
    assert form_of(body, "multipart/form-data; boundary=b").documents == documents


def test_a_document_tells_about_itself() -> None:
    document = Document(
        "a", "text/plain", (Element("NarrativeText", "x", page=3),), notes=("n",), seconds=1.23456
    )
    assert json.loads(json.dumps(document.about())) == {
        "filename": "a", "filetype": "text/plain", "state": "complete", "pages": 3, "elements": 1, "seconds": 1.235,
        "cached": False, "notes": ["n"],
    }  # fmt: skip
