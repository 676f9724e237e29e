"""ZIP archives as they come from anyone: sizes are checked in the directory, and again while they are unpacked."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping

from llmflow_unstructured.errors import BadDocument, TooLarge
from llmflow_unstructured.formats import Source

PIECE = 1 << 16
SMALL = 1 << 20  # bytes below which a member may be packed as tightly as it likes
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
CP437_KOREAN = "cp949"  # what Korean Windows writes into names, which ZIP calls cp437


class Archive:
    """The members of a ZIP file, by name. A name that occurs twice is the last one, as everywhere."""

    def __init__(self, source: Source) -> None:
        """Read the directory; raises BadDocument or TooLarge."""
        self._source = source
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(source.data))
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, EOFError) as error:
            raise BadDocument("The archive is damaged.") from error
        members = [member for member in self._zip.infolist() if not member.is_dir()]
        source.budget.open(len(members))
        self.members: Mapping[str, zipfile.ZipInfo] = {_name(member): member for member in members}

    def __contains__(self, name: str) -> bool:
        return name in self.members

    def read(self, name: str) -> bytes:
        """The content of a member; raises BadDocument or TooLarge."""
        member = self.members.get(name)
        if member is None:
            raise BadDocument(f'The part "{name[:80]}" is missing.')
        if member.flag_bits & 1:
            raise BadDocument("It is encrypted: save it without a password.")
        if member.compress_type not in METHODS:
            raise BadDocument("A part is packed in a way that is not taken: pack it with deflate.")
        _check_ratio(member.file_size, member.compress_size, self._source)
        return b"".join(self._pieces(member))

    def _pieces(self, member: zipfile.ZipInfo) -> Iterator[bytes]:
        size = 0
        try:
            with self._zip.open(member) as stream:
                while piece := stream.read(PIECE):
                    size += len(piece)
                    self._source.budget.unpack(len(piece))
                    _check_ratio(size, member.compress_size, self._source)
                    yield piece
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, OSError) as error:
            raise BadDocument("A part of the archive is damaged.") from error


def inflated(packed: bytes, source: Source, window: int = -zlib.MAX_WBITS) -> bytes:
    """A deflate stream unpacked within the limits; `window` as zlib has it. Raises BadDocument or TooLarge."""
    engine = zlib.decompressobj(window)
    pieces, size, rest = [], 0, packed
    try:
        while rest and not engine.eof:
            piece = engine.decompress(rest, PIECE)
            rest = engine.unconsumed_tail
            size += len(piece)
            source.budget.unpack(len(piece))
            _check_ratio(size, len(packed), source)
            pieces.append(piece)
            source.limits.check_time()
    except zlib.error as error:
        raise BadDocument("A packed part is damaged.") from error
    return b"".join(pieces)


def _check_ratio(unpacked: int, packed: int, source: Source) -> None:
    if unpacked > SMALL and unpacked > source.limits.ratio * max(1, packed):
        raise TooLarge(
            f"A part unpacks to more than {source.limits.ratio} times its size, as no document does."
        )


def _name(member: zipfile.ZipInfo) -> str:
    """The name as it was meant: old archives of Korean Windows have it in the system's encoding."""
    if member.flag_bits & 0x800 or member.filename.isascii():
        return member.filename
    try:
        return member.filename.encode("cp437").decode(CP437_KOREAN)
    except UnicodeError:
        return member.filename
