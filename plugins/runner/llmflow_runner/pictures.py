"""Icons and pictures of a package: what they say they are, small, and nothing that runs or fetches in a browser."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from xml.parsers import expat

from llmflow_bundle.errors import Finding

LARGEST_ICON = 64 << 10  # bytes: Dify sends an icon for each entry of a list
WIDEST_ICON = 1024  # pixels
MAGIC = {
    ".png": (b"\x89PNG\r\n\x1a\n",),
    ".jpg": (b"\xff\xd8\xff",),
    ".jpeg": (b"\xff\xd8\xff",),
    ".webp": (b"RIFF",),
}
ICONS = (".svg", *MAGIC)
ACTIVE = {"script", "foreignobject", "iframe", "embed", "object", "audio", "video", "handler"}
LINKS = {"href", "src", "xlink:href"}
REFERENCE = re.compile(r"url\(\s*['\"]?(?!#)|@import|javascript:", re.IGNORECASE)
HINT = "draw it again as plain shapes, or export it without scripts and links"


def icon_findings(files: Mapping[str, bytes], by: str, name: str) -> Iterator[Finding]:
    """What is wrong with an icon that `by` names."""
    path = f"_assets/{name}"
    if path not in files:
        yield Finding("PLUGIN-FILE-MISSING", f"{path} is not in the package", where=f"named by {by}")
    elif not name.lower().endswith(ICONS):
        yield Finding("PLUGIN-DECLARATION", f"The icon {name} is no picture that Dify shows", where=by)
    elif len(files[path]) > LARGEST_ICON:
        yield _picture(
            path, f"It has {len(files[path]) >> 10} KiB, more than {LARGEST_ICON >> 10} of an icon"
        )
    elif name.lower().endswith(".png") and max(_size(files[path])) > WIDEST_ICON:
        yield _picture(path, f"It is wider or higher than {WIDEST_ICON} pixels")


def picture_findings(files: Mapping[str, bytes]) -> Iterator[Finding]:
    """What is wrong with any picture under _assets/."""
    for path, content in files.items():
        suffix = "." + path.lower().rpartition(".")[2]
        if not path.startswith("_assets/"):
            continue
        if suffix == ".svg":
            yield from (_picture(path, what) for what in dict.fromkeys(_svg(content)))
        elif suffix in MAGIC and not content.startswith(MAGIC[suffix]):
            yield _picture(path, f"It is no {suffix[1:].upper()} file")


def _svg(content: bytes) -> Iterator[str]:
    """What an SVG holds that could run, or fetch from elsewhere."""
    said: list[str] = []

    def element(name: str, attributes: dict[str, str]) -> None:
        if name.rpartition(":")[2].lower() in ACTIVE:
            said.append(f"It holds the element {name}")
        for key, value in attributes.items():
            if key.lower().startswith("on"):
                said.append(f"It runs code: {key}")
            if key.lower() in LINKS and not value.startswith("#"):
                said.append(f"It refers to {value[:60]}")
            text(value)

    def text(value: str) -> None:
        if REFERENCE.search(value):
            said.append(f"It refers to something outside: {value.strip()[:60]}")

    parser = expat.ParserCreate()
    parser.StartElementHandler = element
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = lambda *_: said.append("It has a DOCTYPE, which can name entities")
    parser.ProcessingInstructionHandler = lambda target, _: said.append(f"It asks for a {target}")
    try:
        parser.Parse(content, True)
    except expat.ExpatError as exc:
        said.append(f"It does not parse: {expat.ErrorString(exc.code)} in line {exc.lineno}")
    yield from said


def _size(content: bytes) -> tuple[int, int]:
    """Width and height of a PNG; zeros where it is none, which is said elsewhere."""
    if len(content) < 24:
        return (0, 0)
    width, height = struct.unpack(">II", content[16:24])
    return (width, height)


def _picture(path: str, what: str) -> Finding:
    return Finding("PLUGIN-PICTURE", what, where=path, hint=HINT)
