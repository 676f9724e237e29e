"""The engine as a Dify plugin runs it: settings out of forms, files out of Dify, results small enough for its pipe."""

from __future__ import annotations

import json
import queue
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Any, Protocol

from llmflow_kit.connection import LABELS as CONNECTION_LABELS
from llmflow_kit.connection import connection
from llmflow_kit.faults import ENDPOINT, Rejected
from llmflow_kit.settings import Form

from llmflow_unstructured import chunk, files, render
from llmflow_unstructured.api import Api
from llmflow_unstructured.cache import Cache
from llmflow_unstructured.chunk import Chunk, Sizes
from llmflow_unstructured.elements import Element, Failed, from_json
from llmflow_unstructured.engine import Document, Engine, Here
from llmflow_unstructured.errors import BadDocument, NoEngine
from llmflow_unstructured.limits import MEBI, Limits
from llmflow_unstructured.partition import Options
from llmflow_unstructured.render import Style
from llmflow_unstructured.threads import side_by_side

KEPT = Path(__file__).parents[1] / ".kept"  # results: in the plugin's own folder, they go when it goes
AT_ONCE = 2  # documents that are read at the same time
QUIET = 5.0  # seconds between two words about progress
LARGEST_MESSAGE = 3_500_000  # bytes of a message: at 5 MiB of a line the daemon ends the plugin
STRATEGIES = ("auto", "fast", "ocr")
BETWEEN_NAMES = "\0"  # between a document's name and that of what is inside of it
REFUSED = (BadDocument, NoEngine, Rejected)  # what keeps a form from being saved
LANGUAGE = re.compile(r"^[a-z]{3}(_[a-z]{3,4})?$")
LABELS = {
    **CONNECTION_LABELS,
    "file_size": "Largest file in MiB / 최대 파일 크기 (MiB)",
    "seconds": "Seconds for a file / 파일당 제한 시간 (초)",
    "memory": "Memory for a file in MiB / 파일당 메모리 (MiB)",
}


class File(Protocol):
    """What is used of a file of the SDK."""

    @property
    def url(self) -> str:
        """Where it is fetched."""
        ...

    @property
    def filename(self) -> str | None:
        """What its owner calls it."""
        ...


class Uploads(Protocol):
    """What is used of the SDK's way to Dify's files."""

    def upload(self, filename: str, content: bytes, mimetype: str) -> Any:
        """Hand a file to Dify."""
        ...


@dataclass(frozen=True)
class Working:
    """How far a document has come."""

    name: str
    done: int
    total: int


def engine(credentials: Mapping[str, Any]) -> Engine:
    """The engine that a form describes; one form gives one engine. Raises Rejected naming each bad field."""
    return _engine(tuple((name, "" if value is None else str(value)) for name, value in credentials.items()))


def validate(credentials: Mapping[str, Any]) -> None:
    """Try the form out; raises NoEngine or Rejected with what is to be mended."""
    engine(credentials).reader.check()


def options(parameters: Mapping[str, Any]) -> Options:
    """How to read, from a tool's parameters. Raises BadDocument."""
    strategy = str(parameters.get("strategy") or "auto")
    if strategy not in STRATEGIES:
        raise BadDocument(f"The strategy must be one of {', '.join(STRATEGIES)}.")
    languages = tuple(filter(None, re.split(r"[\s,+]+", str(parameters.get("languages") or "kor+eng"))))
    if not all(map(LANGUAGE.match, languages)):
        raise BadDocument("Languages are Tesseract's names, such as kor+eng.")
    return Options(strategy, languages, pictures=_is_on(parameters.get("pictures")))  # type: ignore[arg-type]


def parsed(made: Engine, given: Sequence[File], how: Options) -> Iterator[Working | Document]:
    """Each file as a document, in order, with word of how far those under way have come."""
    told: queue.SimpleQueue[Working | None] = queue.SimpleQueue()

    def one(number: int, file: File) -> Document:
        name = _name(file, number)
        try:
            data = files.fetch(file.url, name, made.limits.size)
        except BadDocument as error:
            return Document(name, failures=(Failed("the file", str(error)),))
        return made.parse(data, name, how, lambda done, total: told.put(Working(name, done, total)))

    with side_by_side(AT_ONCE) as pool:
        waiting = [pool.submit(one, number, file) for number, file in enumerate(given, 1)]
        for future in waiting:
            future.add_done_callback(lambda _: told.put(None))
            while not future.done():
                yield from _news(told)
            yield future.result()


def _news(told: queue.SimpleQueue[Working | None]) -> list[Working]:
    """The last that was said of each document in a while; nothing where one has ended meanwhile."""
    last: dict[str, Working] = {}
    until = time.monotonic() + QUIET
    while (left := until - time.monotonic()) > 0:
        try:
            news = told.get(timeout=left)
        except queue.Empty:
            break
        if news is None:
            return []
        last[news.name] = news
    return [*last.values()]


def markdown(
    documents: Sequence[Document], parameters: Mapping[str, Any], uploads: Uploads | None = None
) -> str:
    """All documents as one Markdown text; their pictures where Dify took them."""
    style = Style(
        _is_on(parameters.get("pages")),
        parameters.get("tables") == "html",
        _uploader(uploads) if uploads else None,
    )
    texts = []
    for document in documents:
        said = render.markdown(document.elements, style)
        texts.append(f"<!-- file: {document.name} -->\n\n{said}" if len(documents) > 1 else said)
    return "\n".join(texts).strip()


def elements(documents: Iterable[Document]) -> list[dict[str, Any]]:
    """The elements of all documents, without pictures' files, which no variable holds."""
    bare = (
        replace(one, elements=tuple(replace(e, picture=b"", picture_type="") for e in one.elements))
        for one in documents
    )
    return [element for document in bare for element in document.as_json()]


def fits(what: object) -> bool:
    """Whether something may go to the daemon as one message."""
    return len(json.dumps(what)) <= LARGEST_MESSAGE


def failed(documents: Sequence[Document]) -> str:
    """Why there is nothing to hand on, "" where there is something."""
    if any(document.state != "failed" for document in documents):
        return ""
    return " ".join(f'"{one.name}": {failure.why}' for one in documents for failure in one.failures)


def given_elements(given: Any) -> list[Element]:
    """Elements from a variable of a workflow: a list, its JSON, or what `parse` answers. Raises BadDocument."""
    try:
        found = json.loads(given) if isinstance(given, str) else given
    except ValueError as error:
        raise BadDocument("The elements must be a list, as the tool that parses gives it.") from error
    if isinstance(found, Mapping):
        found = found.get("elements")
    if (
        isinstance(found, list)
        and len(found) == 1
        and isinstance(found[0], Mapping)
        and "elements" in found[0]
    ):
        found = found[0]["elements"]
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
        raise BadDocument("The elements must be a list, as the tool that parses gives it.")
    return [_marked(one) for one in found]


def chunks(given: Sequence[Element], parameters: Mapping[str, Any]) -> list[tuple[str, Chunk]]:
    """The chunks of each document among the elements, with the document's name. Raises BadDocument."""
    sizes = Sizes(
        most=int(parameters.get("size") or 1000),
        overlap=int(parameters.get("overlap") or 0),
        least=int(parameters.get("least") or 0),
    )
    by_name: dict[str, list[Element]] = {}
    for element in given:
        name, _, inside = element.inside.partition(BETWEEN_NAMES)
        by_name.setdefault(name, []).append(replace(element, inside=inside))
    found = [
        (name, one) for name, own in by_name.items() for one in chunk.by_title(own, sizes, filename=name)
    ]
    if _is_on(parameters.get("headings")):
        for _, one in found:
            one.text = _below_headings(one)
    return found


def chunks_json(found: Sequence[tuple[str, Chunk]]) -> list[dict[str, Any]]:
    """The chunks as the Unstructured API gives them."""
    names = dict.fromkeys(name for name, _ in found)
    return [
        told
        for name in names
        for told in chunk.as_json((one for of, one in found if of == name), filename=name, filetype="")
    ]


def parents(found: Sequence[tuple[str, Chunk]]) -> dict[str, Any]:
    """The chunks under their sections, as Dify's knowledge bases of parents and children want them."""
    by_parent: dict[tuple[str, str], list[str]] = {}
    for name, one in found:
        by_parent.setdefault((name, one.parent), []).append(one.text)
    told = [{"parent_content": "\n\n".join(texts), "child_contents": texts} for texts in by_parent.values()]
    return {"parent_mode": "paragraph", "parent_child_chunks": told}


def _marked(given: Mapping[str, Any]) -> Element:
    """An element that remembers of which document it is."""
    element = from_json(given)
    name = str((given.get("metadata") or {}).get("filename") or "")
    return replace(element, inside=f"{name}{BETWEEN_NAMES}{element.inside}")


def _below_headings(one: Chunk) -> str:
    """A chunk's text under the path of its headings, but for those that it begins with itself."""
    path = [heading for heading in one.headings if not one.text.startswith(heading)]
    return f"{' > '.join(path)}\n\n{one.text}" if path else one.text


def _uploader(uploads: Uploads) -> Callable[[Element], str]:
    """Hands pictures to Dify; one that it does not take is left out of the text."""

    def address(element: Element) -> str:
        if not element.picture:
            return ""
        kind = element.picture_type or "application/octet-stream"
        name = PurePath(element.text).name or "picture"
        try:
            answer = uploads.upload(name, element.picture, kind)
        except Exception:  # noqa: BLE001 - the SDK raises whatever Dify answered; a text without a picture is a text
            return ""
        return str(getattr(answer, "preview_url", "") or "")

    return address


def _is_on(given: Any) -> bool:
    """A switch of a form, which older workflows hold as text."""
    return given is True or str(given).lower() in ("true", "1")


def _name(file: File, number: int) -> str:
    return PurePath(str(getattr(file, "filename", "") or "")).name or f"document {number}"


@lru_cache(maxsize=16)
def _engine(fields: tuple[tuple[str, str], ...]) -> Engine:
    form = Form(dict(fields), LABELS)
    limits = Limits(
        size=form.whole_number("file_size", 1, 1024, 100) * MEBI,
        seconds=float(form.whole_number("seconds", 1, 3600, 600)),
        memory=form.whole_number("memory", 256, 16_384, 1024) * MEBI,
    )
    remote = connection(form, suffix="/general/v0/general") if form.text(ENDPOINT) else None
    form.done()
    return Engine(Api(remote) if remote else Here(), limits, Cache(KEPT))
