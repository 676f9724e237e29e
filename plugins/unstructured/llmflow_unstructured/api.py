"""The other engine: the Unstructured API of the appliance, asked over the kit's client, its answer as our elements.

A long PDF goes there in pieces of some pages, several at a time, so that no request takes longer than a server gives
it, and one bad piece spoils no other.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from llmflow_kit.connection import Connection
from llmflow_kit.endpoints import PATIENT, Endpoints, Patience
from llmflow_kit.faults import Fault, Rejected

from llmflow_unstructured import sandbox
from llmflow_unstructured.elements import Event, Failed, Found, from_json
from llmflow_unstructured.errors import BadDocument, NoEngine, TooLarge
from llmflow_unstructured.limits import Limits
from llmflow_unstructured.partition import Options, Progress
from llmflow_unstructured.protocol import FAILURES, GENERAL, HEALTH, KEY_HEADER
from llmflow_unstructured.sandbox import Piece
from llmflow_unstructured.threads import side_by_side

STRATEGIES = {"auto": "auto", "fast": "fast", "ocr": "ocr_only"}
PAGES = 10  # of a piece
AT_ONCE = 4  # pieces under way
PDF = b"%PDF-"

Fields = list[tuple[str, str]]


class Api:
    """An Unstructured API, or several equivalent ones."""

    def __init__(self, connection: Connection, patience: Patience = PATIENT) -> None:
        self._servers, self._patience = Endpoints(connection), patience
        self.name = " ".join(("api", *(server.url for server in connection.servers)))

    def close(self) -> None:
        """Close the connections."""
        self._servers.close()

    def check(self) -> None:
        """Ask each server whether it is well, and have it read a line; raises NoEngine."""
        try:
            for server in self._servers.each():
                server.get(HEALTH)
            self._upload("a.txt", "점검 check".encode(), _fields(Options()), Patience())
        except Fault as fault:
            raise NoEngine(fault.text) from fault

    def read(
        self, data: bytes, name: str, options: Options, limits: Limits, progress: Progress | None = None
    ) -> Iterator[Event]:
        """The elements that the server finds. Raises BadDocument, TooLarge or NoEngine."""
        if len(data) > limits.size:
            raise TooLarge(f"The file is larger than {limits.size >> 20} MiB.")
        pieces = _pieces(data, limits)
        begun = False
        with side_by_side(min(AT_ONCE, len(pieces))) as pool:
            asked = [(piece, pool.submit(self._ask, piece, name, options)) for piece in pieces]
            for number, (piece, answer) in enumerate(asked, 1):
                try:
                    for event in answer.result():
                        if not begun or not isinstance(event, Found):
                            yield event
                        begun = True
                except (BadDocument, NoEngine) as error:
                    if len(pieces) == 1:
                        raise
                    yield Failed(f"pages {piece.first}-{piece.last}", str(error))
                if progress:
                    progress(piece.last if piece.last else number, pieces[-1].last or len(pieces))

    def _ask(self, piece: Piece, name: str, options: Options) -> list[Event]:
        fields = _fields(options)
        fields += [("starting_page_number", str(piece.first))] if piece.first > 1 else []
        try:
            found, headers = self._upload(name, piece.data, fields, self._patience)
        except Rejected as fault:
            raise BadDocument(f"The Unstructured API does not take it. {fault.text}") from fault
        except Fault as fault:
            raise NoEngine(fault.text) from fault
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise NoEngine("The Unstructured API answered something else than elements.")
        media = next((str((one.get("metadata") or {}).get("filetype") or "") for one in found), "")
        return [Found(media), *map(from_json, found), *_failures(headers.get(FAILURES, "[]"))]

    def _upload(
        self, name: str, data: bytes, fields: Fields, patience: Patience
    ) -> tuple[Any, Mapping[str, str]]:
        """What a server answers to a document: JSON, and headers. Raises a Fault."""
        content, kind = multipart(name, data, fields)
        return self._servers.upload(GENERAL, content, kind, KEY_HEADER, patience)


def _failures(told: str) -> tuple[Failed, ...]:
    """What our own service says is missing; another one says nothing."""
    try:
        return tuple(Failed(str(where), str(why)) for where, why in json.loads(told))
    except (TypeError, ValueError, RecursionError):
        return ()


def multipart(name: str, data: bytes, fields: Fields) -> tuple[bytes, str]:
    """A form with a file as bytes, and its media type."""
    boundary = f"llmflow-{secrets.token_hex(16)}"
    pieces = [
        f'--{boundary}\r\ncontent-disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'.encode()
        for field, value in fields
    ]
    quoted = name.replace("\\", "_").replace('"', "%22").replace("\r", " ").replace("\n", " ")
    head = f'--{boundary}\r\ncontent-disposition: form-data; name="files"; filename="{quoted}"\r\n'
    pieces.append(head.encode("utf-8", "replace") + b"content-type: application/octet-stream\r\n\r\n")
    return b"".join(
        (*pieces, data, f"\r\n--{boundary}--\r\n".encode())
    ), f"multipart/form-data; boundary={boundary}"


def _fields(options: Options) -> Fields:
    fields = [
        ("strategy", STRATEGIES[options.strategy]),
        ("coordinates", "true"),
        ("output_format", "application/json"),
    ]
    fields += [("languages", language) for language in options.languages]
    fields += [("pdf_infer_table_structure", str(options.tables).lower())]
    fields += [("extract_image_block_types", '["Image"]')] if options.pictures else []
    return fields


def _pieces(data: bytes, limits: Limits) -> list[Piece]:
    """A PDF of more than some pages in pieces, anything else as it is, and so a PDF that can't be taken apart."""
    if PDF not in data[:1024]:
        return [Piece(data)]
    try:
        found = sandbox.split(data, PAGES, limits)
    except (BadDocument, NoEngine):
        return [Piece(data)]
    return found if len(found) > 1 else [Piece(data)]
