"""Archives: each file in a ZIP as the document it is, and what a gzip file holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from llmflow_unstructured.elements import Event, Failed
from llmflow_unstructured.errors import BadDocument, TooLarge
from llmflow_unstructured.formats import Source, mail
from llmflow_unstructured.formats.packed import Archive, inflated

GZIP = b"\x1f\x8b"
GZIP_WINDOW = 31  # as zlib has it
IGNORED = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")


def read(source: Source) -> Iterator[Event]:
    """The elements of all that is in an archive. Raises BadDocument or TooLarge."""
    if source.data.startswith(GZIP):
        name = source.name.removesuffix(".gz")
        yield from source.read(source.packed(inflated(source.data, source, GZIP_WINDOW), name))
        return
    archive = Archive(source)
    names = [
        name for name in archive.members if not any(part in IGNORED for part in PurePosixPath(name).parts)
    ]
    if not names:
        raise BadDocument("The archive is empty.")
    for number, name in enumerate(names, 1):
        source.limits.check_time()
        try:
            content = archive.read(name)
        except TooLarge:
            raise
        except BadDocument as error:
            yield Failed(name, str(error))
        else:
            yield from mail.attachment(source, name, content)
        source.progress(number, len(names))
