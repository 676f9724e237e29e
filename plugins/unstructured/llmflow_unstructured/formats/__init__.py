"""One module a format: `read(source)` gives a document's elements in reading order, one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from llmflow_unstructured.elements import Event
from llmflow_unstructured.errors import TooLarge
from llmflow_unstructured.limits import MEBI, Limits

PICTURES = 64 * MEBI  # bytes of all pictures of a document


@dataclass
class Budget:
    """What is left of the limits that a document and all that is packed into it share."""

    unpacked: int
    members: int
    cells: int
    pictures: int = PICTURES

    @classmethod
    def of(cls, limits: Limits) -> Budget:
        """All of it."""
        return cls(limits.unpacked, limits.members, limits.cells)

    def unpack(self, size: int) -> None:
        """Take `size` unpacked bytes; raises TooLarge."""
        self.unpacked -= size
        if self.unpacked < 0:
            raise TooLarge("What is packed into it is larger than the limit: split it, or raise the limit.")

    def open(self, members: int) -> None:
        """Take members of an archive; raises TooLarge."""
        self.members -= members
        if self.members < 0:
            raise TooLarge("It holds more files than the limit: split it, or raise the limit.")

    def fill(self, cells: int) -> None:
        """Take table cells; raises TooLarge."""
        self.cells -= cells
        if self.cells < 0:
            raise TooLarge("Its tables hold more cells than the limit: split it, or raise the limit.")

    def picture(self, size: int) -> bool:
        """Whether a picture of that many bytes may still be handed on."""
        if size > self.pictures:
            return False
        self.pictures -= size
        return True


def _no_progress(done: int, total: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Source:
    """A document to read, and what it may cost."""

    data: bytes = field(repr=False)
    name: str
    limits: Limits
    budget: Budget
    read: Callable[[Source], Iterator[Event]] = field(
        repr=False
    )  # any format: for what is packed into another
    progress: Callable[[int, int], None] = field(default=_no_progress, repr=False)  # parts done, of how many
    pictures: bool = False  # hand on the pictures in it as well
    depth: int = 0  # how many files it is packed into

    def packed(self, data: bytes, name: str) -> Source:
        """A file within this one; raises TooLarge where it lies too deep."""
        if self.depth >= self.limits.nesting:
            raise TooLarge(f"It is packed more than {self.limits.nesting} files deep.")
        return replace(self, data=data, name=name, depth=self.depth + 1, progress=_no_progress)
