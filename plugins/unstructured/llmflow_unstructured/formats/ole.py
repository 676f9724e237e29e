"""OLE compound files, the box of HWP 5, of Outlook's messages and of old Office, read stream by stream."""

from __future__ import annotations

import io
from collections.abc import Iterator

from llmflow_unstructured.errors import BadDocument
from llmflow_unstructured.formats import Source

SIGNATURE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


class Compound:
    """The streams of a compound file, by their paths."""

    def __init__(self, source: Source) -> None:
        """Read the directory; raises BadDocument or TooLarge."""
        import olefile  # which takes a while to load, and few documents need it

        self._source = source
        try:
            self._ole = olefile.OleFileIO(io.BytesIO(source.data))
            self.paths: frozenset[str] = frozenset("/".join(parts) for parts in self._ole.listdir())
        except Exception as error:
            raise BadDocument("The file is damaged: its directory can't be read.") from error
        source.budget.open(len(self.paths))

    def __contains__(self, path: str) -> bool:
        return path in self.paths

    def read(self, path: str) -> bytes:
        """A stream's bytes; raises BadDocument."""
        if path not in self.paths:
            raise BadDocument(f'The part "{path[:80]}" is missing.')
        try:
            content = self._ole.openstream(path.split("/")).read()
        except Exception as error:
            raise BadDocument(f'The part "{path[:80]}" is damaged.') from error
        self._source.budget.unpack(len(content))
        return bytes(content)

    def below(self, folder: str) -> Iterator[str]:
        """The paths in a folder, by name."""
        return (path for path in sorted(self.paths) if path.startswith(f"{folder}/"))
