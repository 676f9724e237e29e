"""Pictures as engines take them: data URIs, so that no server has to fetch one from somewhere."""

from __future__ import annotations

import binascii

from llmflow_kit.faults import Rejected

KINDS = (  # the first bytes of a file, and what they tell of it
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF8", "gif"),
    (b"BM", "bmp"),
)
HEAD = 24  # base64 characters that hold every first byte above


def data_uri(content: str) -> str:
    """A picture's base64 as a data URI, its kind told by its first bytes; raises Rejected for what is none."""
    if content.startswith("data:image/"):
        return content
    try:
        first = binascii.a2b_base64(content[:HEAD], strict_mode=True)
    except ValueError as exc:
        raise Rejected("An image must be the base64 of its file.") from exc
    kind = next((kind for magic, kind in KINDS if first.startswith(magic)), "")
    if first[:4] == b"RIFF" and first[8:12] == b"WEBP":
        kind = "webp"
    if not kind:
        raise Rejected("An image must be a PNG, JPEG, WebP, GIF or BMP file.")
    return f"data:image/{kind};base64,{content}"
