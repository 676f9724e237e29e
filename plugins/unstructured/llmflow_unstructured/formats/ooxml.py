"""What DOCX, PPTX and XLSX have in common: parts in a ZIP, tied by relations. None that leads outside is followed."""

from __future__ import annotations

import mimetypes
import posixpath
from dataclasses import dataclass
from pathlib import PurePosixPath

from llmflow_unstructured.errors import BadDocument
from llmflow_unstructured.formats import Source, xml
from llmflow_unstructured.formats.packed import Archive
from llmflow_unstructured.formats.xml import Node

WEB = ("http://", "https://", "mailto:")


@dataclass(frozen=True)
class Relation:
    """Where a relation of a part leads: to another part, or, if `outside`, to an address that is only quoted."""

    kind: str  # the last word of its type
    target: str
    outside: bool


class Package:
    """The parts of an Office file."""

    def __init__(self, source: Source) -> None:
        """Read the directory; raises BadDocument or TooLarge."""
        self._source = source
        self.archive = Archive(source)

    def __contains__(self, part: str) -> bool:
        return part in self.archive

    def main(self, fallback: str) -> str:
        """The name of the part that everything begins with. Raises BadDocument."""
        found = (one.target for one in self.relations("").values() if one.kind == "officeDocument")
        part = next((part for part in found if part in self.archive), fallback)
        if part not in self.archive:
            raise BadDocument("The Office file lacks its main part.")
        return part

    def root(self, part: str) -> Node:
        """The XML of a part. Raises BadDocument or TooLarge."""
        return xml.parse(self.archive.read(part))

    def relations(self, part: str) -> dict[str, Relation]:
        """The relations of a part by their ids, "" being the package itself."""
        folder, _, name = part.rpartition("/")
        path = posixpath.join(folder, "_rels", f"{name}.rels")
        if path not in self.archive:
            return {}
        return {xml.attribute(node, "Id"): _relation(node, folder) for node in self.root(path)}

    def picture(self, part: str) -> tuple[bytes, str]:
        """A picture's file and its media type, where pictures are asked for and there is room for it."""
        member = self.archive.members.get(part)
        if not self._source.pictures or member is None or not self._source.budget.picture(member.file_size):
            return b"", ""
        return self.archive.read(part), mimetypes.guess_type(PurePosixPath(part).name)[0] or ""


def web_address(relation: Relation | None) -> str:
    """The address that a relation quotes, "" where it is none for people."""
    if relation is None or not relation.outside or not relation.target.lower().startswith(WEB):
        return ""
    return relation.target


def _relation(node: Node, folder: str) -> Relation:
    target = xml.attribute(node, "Target")
    outside = xml.attribute(node, "TargetMode") == "External"
    if not outside:
        target = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
    return Relation(xml.attribute(node, "Type").rpartition("/")[2], target, outside)
